#include <athena/base/json_writer.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace athena::json {
namespace {

/// What an escaped byte becomes after the backslash; 0: passes unchanged; 'u': \u00XX.
constexpr std::array<char, 256> kEscape = [] {
  std::array<char, 256> table{};
  for (int c = 0; c < 0x20; ++c) table[static_cast<std::size_t>(c)] = 'u';
  table['"'] = '"', table['\\'] = '\\';
  table['\b'] = 'b', table['\f'] = 'f', table['\n'] = 'n', table['\r'] = 'r', table['\t'] = 't';
  return table;
}();
constexpr char kHex[] = "0123456789abcdef";

/// Whether one of eight bytes is a quote, a backslash or below 0x20: the well-known tests for a byte that is zero, or
/// less than something.
constexpr bool needs_escape(std::uint64_t bytes) noexcept {
  constexpr std::uint64_t kOnes = 0x0101010101010101, kHigh = 0x8080808080808080;
  const std::uint64_t quote = bytes ^ (kOnes * '"'), backslash = bytes ^ (kOnes * '\\');
  const std::uint64_t low = (bytes - kOnes * 0x20) & ~bytes;
  return (((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash) | low) & kHigh;
}

/// How many bytes from the start of `text` need no escape.
std::size_t clean_prefix(std::string_view text) noexcept {
  std::size_t i = 0;
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1f);
  for (; i + 16 <= text.size(); i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + i));
    // min(byte, 0x1f) == byte  ⇔  byte ≤ 0x1f, unsigned
    const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes);
    const __m128i hit = _mm_or_si128(low, _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
    if (const auto mask = static_cast<unsigned>(_mm_movemask_epi8(hit))) {
      return i + static_cast<std::size_t>(__builtin_ctz(mask));
    }
  }
#endif
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t bytes;
    std::memcpy(&bytes, text.data() + i, 8);
    if (needs_escape(bytes)) break;
  }
  while (i < text.size() && !kEscape[static_cast<unsigned char>(text[i])]) ++i;
  return i;
}

}  // namespace

void append_escaped(Buffer& out, std::string_view text) {
  for (;;) {
    const std::size_t clean = clean_prefix(text);
    out.append(text.substr(0, clean));
    if (clean == text.size()) return;
    const auto byte = static_cast<unsigned char>(text[clean]);
    const char kind = kEscape[byte];
    char* at = out.grab(6);
    at[0] = '\\', at[1] = kind;
    if (kind == 'u') {
      at[2] = '0', at[3] = '0', at[4] = kHex[byte >> 4], at[5] = kHex[byte & 15];
      out.commit(6);
    } else {
      out.commit(2);
    }
    text.remove_prefix(clean + 1);
  }
}

void append_string(Buffer& out, std::string_view text) {
  out.push_back('"');
  append_escaped(out, text);
  out.push_back('"');
}

void append_double(Buffer& out, double value) {
  if (std::isnan(value)) return out.append("\"NaN\"");
  if (std::isinf(value)) return out.append(value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  char* at = out.grab(32);
  out.commit(static_cast<std::size_t>(std::to_chars(at, at + 32, value).ptr - at));
}

void append_bytes(Buffer& out, std::string_view bytes) {
  out.append("\"\\\\x");
  char* at = out.grab(bytes.size() * 2 + 1);
  std::size_t n = 0;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    at[n++] = kHex[byte >> 4];
    at[n++] = kHex[byte & 15];
  }
  at[n++] = '"';
  out.commit(n);
}

}  // namespace athena::json
