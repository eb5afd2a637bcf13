#include <athena/base/json.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "utf8.h"

namespace athena::json {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
/// Nodes that are set aside before reading, at most: a text that is one long string must not cost many times its size.
constexpr std::size_t kMaxReserved = 4096;
constexpr std::size_t kBytesPerNode = 4;  // what dense bodies have; sparser ones waste a little, briefly

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
constexpr bool is_control(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20;
}
constexpr bool is_ascii(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x80;
}
constexpr bool is_high_surrogate(std::uint32_t unit) noexcept {
  return unit >= 0xd800 && unit < 0xdc00;
}
constexpr bool is_low_surrogate(std::uint32_t unit) noexcept {
  return unit >= 0xdc00 && unit < 0xe000;
}

/// What follows a backslash → the byte that it stands for; 0: not an escape (\u is handled on its own).
constexpr std::array<char, 256> kEscapes = [] {
  std::array<char, 256> table{};
  table['"'] = '"', table['\\'] = '\\', table['/'] = '/';
  table['b'] = '\b', table['f'] = '\f', table['n'] = '\n', table['r'] = '\r', table['t'] = '\t';
  return table;
}();

/// Four hex digits, or kNone.
std::uint32_t hex4(const char* at) noexcept {
  std::uint32_t unit = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = at[i], l = static_cast<char>(c | 0x20);
    if (is_digit(c)) {
      unit = unit << 4 | static_cast<std::uint32_t>(c - '0');
    } else if (l >= 'a' && l <= 'f') {
      unit = unit << 4 | static_cast<std::uint32_t>(l - 'a' + 10);
    } else {
      return kNone;
    }
  }
  return unit;
}

/// Writes `point` as UTF-8; returns the place behind it.
char* put_utf8(char* to, std::uint32_t point) noexcept {
  if (point < 0x80) {
    *to++ = static_cast<char>(point);
    return to;
  }
  if (point < 0x800) {
    *to++ = static_cast<char>(0xc0 | point >> 6);
  } else {
    if (point < 0x10000) {
      *to++ = static_cast<char>(0xe0 | point >> 12);
    } else {
      *to++ = static_cast<char>(0xf0 | point >> 18);
      *to++ = static_cast<char>(0x80 | (point >> 12 & 0x3f));
    }
    *to++ = static_cast<char>(0x80 | (point >> 6 & 0x3f));
  }
  *to++ = static_cast<char>(0x80 | (point & 0x3f));
  return to;
}

/// Undoes the escapes of `raw`, which have been checked. Writes at most raw.size() bytes; returns the place behind
/// them.
char* unescape(std::string_view raw, char* to) noexcept {
  const char *at = raw.data(), *const end = at + raw.size();
  for (;;) {
    const void* found = std::memchr(at, '\\', static_cast<std::size_t>(end - at));
    const char* stop = found ? static_cast<const char*>(found) : end;
    std::memcpy(to, at, static_cast<std::size_t>(stop - at));
    to += stop - at;
    if (stop == end) return to;
    at = stop + 2;
    if (stop[1] != 'u') {
      *to++ = kEscapes[static_cast<unsigned char>(stop[1])];
      continue;
    }
    std::uint32_t point = hex4(at);
    at += 4;
    if (is_high_surrogate(point)) {
      point = 0x10000 + ((point - 0xd800) << 10) + (hex4(at + 2) - 0xdc00);
      at += 6;
    }
    to = put_utf8(to, point);
  }
}

/// The first byte from `at` that a string cannot simply contain: a quote, a backslash, a control, or not ASCII; or
/// `end`.
inline const char* skip_plain(const char* at, const char* end) noexcept {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(' ');
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    // Signed less-than finds the controls and, being negative, all that is not ASCII.
    const __m128i odd = _mm_cmplt_epi8(bytes, space);
    const __m128i hit = _mm_or_si128(odd, _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
    if (const int mask = _mm_movemask_epi8(hit)) return at + __builtin_ctz(static_cast<unsigned>(mask));
  }
#endif
  while (at < end && !is_control(*at) && is_ascii(*at) && *at != '"' && *at != '\\') ++at;
  return at;
}

}  // namespace

/// One pass over the text, without recursion: while a container is open, its `next` names the container around it.
/// Functions that can fail return false and have set error_ (a Result for each token would be felt).
class Reader {
 public:
  Reader(std::string_view text, Limits limits) : limits_(limits), at_(text.data()), end_(text.data() + text.size()) {
    document_.source_ = text;
  }

  Result<Document> read() {
    if (document_.source_.size() >= kNone) return too_long();
    const std::size_t guess = std::min(document_.source_.size() / kBytesPerNode + 4, kMaxReserved);
    document_.nodes_.reserve(std::min<std::size_t>(guess, limits_.max_nodes));
    skip_blanks();
    bool ok = value();
    while (ok && open_ != kNone) ok = step();
    if (ok) {
      skip_blanks();
      ok = at_ == end_ || expected("the end of the text");
    }
    if (!ok) return std::unexpected(std::move(*error_));
    return std::move(document_);
  }

 private:
  using Node = Document::Node;

  static std::unexpected<Error> too_long() { return fail(Code::limit_exceeded, "The JSON text is longer than 4 GiB"); }

  std::uint32_t offset(const char* at) const noexcept {
    return static_cast<std::uint32_t>(at - document_.source_.data());
  }

  void skip_blanks() noexcept {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  /// Within the open container, behind its bracket or behind a child: closes it, or reads the next child.
  bool step() {
    auto& nodes = document_.nodes_;
    skip_blanks();
    const bool object = nodes[open_].kind == Kind::object;
    const char bracket = object ? '}' : ']';
    if (at_ < end_ && *at_ == bracket) {
      close();
      return true;
    }
    if (nodes[open_].count > 0) {
      if (at_ == end_ || *at_ != ',') return expected(object ? "',' or '}'" : "',' or ']'");
      ++at_;
      skip_blanks();
    }
    ++nodes[open_].count;
    return !object || member_name() ? value() : false;
  }

  bool member_name() {
    if (at_ == end_ || *at_ != '"') return expected("the name of a member in quotes");
    if (!string()) return false;
    skip_blanks();
    if (at_ == end_ || *at_ != ':') return expected("':'");
    ++at_;
    skip_blanks();
    return true;
  }

  bool value() {
    if (at_ == end_) return expected("a value");
    switch (*at_) {
      case '{':
        return open(Kind::object);
      case '[':
        return open(Kind::array);
      case '"':
        return string();
      case 't':
        return literal("true", Kind::boolean);
      case 'f':
        return literal("false", Kind::boolean);
      case 'n':
        return literal("null", Kind::null);
      case '-':
      case '0':
      case '1':
      case '2':
      case '3':
      case '4':
      case '5':
      case '6':
      case '7':
      case '8':
      case '9':
        return number();
      default:
        return expected("a value");  // a switch over bytes, not over an enum
    }
  }

  /// Adds a node for the source from `begin` to at_.
  bool add(Kind kind, const char* begin, std::string_view text) {
    if (document_.nodes_.size() >= limits_.max_nodes) {
      return refuse(Code::limit_exceeded, begin,
                    "The JSON has more than " + std::to_string(limits_.max_nodes) + " values");
    }
    document_.nodes_.push_back({.text = text.data(),
                                .size = static_cast<std::uint32_t>(text.size()),
                                .next = static_cast<std::uint32_t>(document_.nodes_.size()) + 1,
                                .count = 0,
                                .raw_begin = offset(begin),
                                .raw_end = offset(at_),
                                .kind = kind,
                                .truth = *begin == 't'});
    return true;
  }

  bool open(Kind kind) {
    if (depth_ == limits_.max_depth) {
      return refuse(Code::limit_exceeded, at_,
                    "The JSON is nested more than " + std::to_string(limits_.max_depth) + " levels deep");
    }
    const char* begin = at_++;
    if (!add(kind, begin, {begin, 0})) return false;
    ++depth_;
    document_.nodes_.back().next = open_;
    open_ = static_cast<std::uint32_t>(document_.nodes_.size()) - 1;
    return true;
  }

  void close() noexcept {
    ++at_;
    --depth_;
    Node& node = document_.nodes_[open_];
    open_ = node.next;
    node.next = static_cast<std::uint32_t>(document_.nodes_.size());
    node.raw_end = offset(at_);
    node.size = node.raw_end - node.raw_begin;
  }

  bool literal(std::string_view word, Kind kind) {
    const char* begin = at_;
    for (const char c : word) {
      if (at_ == end_ || *at_ != c) {
        at_ = begin;
        return expected("a value");
      }
      ++at_;
    }
    return add(kind, begin, word);
  }

  bool digits(const char* what) {
    if (at_ == end_ || !is_digit(*at_)) return expected(what);
    while (at_ < end_ && is_digit(*at_)) ++at_;
    return true;
  }

  bool number() {
    const char* begin = at_;
    if (*at_ == '-') ++at_;
    if (at_ < end_ && *at_ == '0') {
      ++at_;
      if (at_ < end_ && is_digit(*at_)) return expected("a number without leading zeros");
    } else if (!digits("a digit")) {
      return false;
    }
    if (at_ < end_ && *at_ == '.') {
      ++at_;
      if (!digits("a digit behind the decimal point")) return false;
    }
    if (at_ < end_ && (*at_ == 'e' || *at_ == 'E')) {
      ++at_;
      if (at_ < end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (!digits("a digit of the exponent")) return false;
    }
    return add(Kind::number, begin, {begin, static_cast<std::size_t>(at_ - begin)});
  }

  /// Checks first, copies afterwards and only if there was an escape.
  bool string() {
    const char* begin = at_++;
    bool escaped = false;
    for (;;) {
      at_ = skip_plain(at_, end_);
      if (at_ == end_) return expected("'\"' at the end of the string");
      if (*at_ == '"') break;
      if (*at_ == '\\') {
        escaped = true;
        if (!escape()) return false;
      } else if (is_control(*at_)) {
        return refuse(Code::malformed_json, at_, "A control character in a string must be escaped");
      } else if (!multibyte()) {
        return false;
      }
    }
    const std::string_view raw(begin + 1, static_cast<std::size_t>(at_ - begin - 1));
    ++at_;
    return add(Kind::string, begin, escaped ? unescaped(raw) : raw);
  }

  /// A run of UTF-8 sequences beyond ASCII.
  bool multibyte() {
    do {
      const std::size_t length = utf8::sequence_length(at_, end_);
      if (length == 0) return refuse(Code::invalid_encoding, at_, "The text is not valid UTF-8");
      at_ += length;
    } while (at_ < end_ && !is_ascii(*at_));
    return true;
  }

  bool escape() {
    const char* begin = at_++;
    if (at_ == end_) return expected("the rest of the escape");
    if (*at_ != 'u') {
      if (!kEscapes[static_cast<unsigned char>(*at_)]) return expected("one of \"\\/bfnrtu behind the backslash");
      ++at_;
      return true;
    }
    std::uint32_t unit = 0;
    if (!code_unit(unit)) return false;
    if (unit == 0) return refuse(Code::invalid_encoding, begin, "A string must not contain the character U+0000");
    if (is_high_surrogate(unit)) {
      if (end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u') return lone_surrogate(begin);
      ++at_;
      std::uint32_t low = 0;
      if (!code_unit(low)) return false;
      return is_low_surrogate(low) || lone_surrogate(begin);
    }
    return !is_low_surrogate(unit) || lone_surrogate(begin);
  }

  bool lone_surrogate(const char* at) {
    return refuse(Code::invalid_encoding, at, "A \\u escape is half of a surrogate pair");
  }

  /// At the u of \uXXXX.
  bool code_unit(std::uint32_t& unit) {
    unit = end_ - at_ >= 5 ? hex4(at_ + 1) : kNone;
    if (unit == kNone) return refuse(Code::malformed_json, at_ - 1, "A \\u escape needs four hexadecimal digits");
    at_ += 5;
    return true;
  }

  /// All strings of a text unescape to less than what is left of it at the first one: one piece of memory is enough.
  std::string_view unescaped(std::string_view raw) {
    if (!document_.unescaped_) {
      document_.unescaped_ = std::make_unique_for_overwrite<char[]>(static_cast<std::size_t>(end_ - raw.data()));
      free_ = document_.unescaped_.get();
    }
    char* begin = std::exchange(free_, unescape(raw, free_));
    return {begin, static_cast<std::size_t>(free_ - begin)};
  }

  [[gnu::cold]] bool expected(const char* what) {
    std::string text = "Expected ";
    text += what;
    text += ", found ";
    if (at_ == end_) {
      text += "the end of the text";
    } else if (*at_ > ' ' && *at_ < 0x7f) {
      text += {'\'', *at_, '\''};
    } else {
      static constexpr char kHex[] = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(*at_);
      text += {'b', 'y', 't', 'e', ' ', '0', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
    return refuse(Code::malformed_json, at_, std::move(text));
  }

  /// Sets the error; columns count characters, from one.
  [[gnu::cold]] bool refuse(Code code, const char* where, std::string text) {
    std::size_t line = 1, column = 1;
    for (const char* p = document_.source_.data(); p < where; ++p) {
      if (*p == '\n') {
        ++line;
        column = 1;
      } else if ((static_cast<unsigned char>(*p) & 0xc0) != 0x80) {
        ++column;
      }
    }
    text += " (line " + std::to_string(line) + ", column " + std::to_string(column) + ")";
    error_.emplace(code, std::move(text));
    return false;
  }

  Document document_;
  const Limits limits_;
  const char* at_;
  const char* const end_;
  char* free_ = nullptr;  ///< where in the document's unescaped_ the next string goes
  std::uint32_t open_ = kNone;
  std::uint32_t depth_ = 0;
  std::optional<Error> error_;
};

Result<Document> Document::parse(std::string_view text, Limits limits) {
  return Reader(text, limits).read();
}

Kind Value::kind() const noexcept {
  return document_ ? document_->nodes_[at_].kind : Kind::null;
}

bool Value::as_bool() const noexcept {
  assert(is_bool());
  return document_->nodes_[at_].truth;
}

std::string_view Value::as_string() const noexcept {
  assert(is_string());
  return {document_->nodes_[at_].text, document_->nodes_[at_].size};
}

std::string_view Value::digits() const noexcept {
  assert(is_number());
  return {document_->nodes_[at_].text, document_->nodes_[at_].size};
}

std::string_view Value::raw() const noexcept {
  if (!document_) return {};
  const auto& node = document_->nodes_[at_];
  return document_->source_.substr(node.raw_begin, node.raw_end - node.raw_begin);
}

std::size_t Value::size() const noexcept {
  return document_ ? document_->nodes_[at_].count : 0;
}

Value::Iterator Value::begin() const noexcept {
  if (!is_array() && !is_object()) return end();
  Iterator it;
  it.document_ = document_;
  it.at_ = at_ + 1;
  it.members_ = is_object();
  return it;
}

Value::Iterator Value::end() const noexcept {
  Iterator it;
  it.document_ = document_;
  it.at_ = document_ ? document_->nodes_[at_].next : 0;
  return it;
}

Value Value::Iterator::operator*() const noexcept {
  return Value(document_, members_ ? at_ + 1 : at_);
}

std::string_view Value::Iterator::key() const noexcept {
  assert(members_);
  return {document_->nodes_[at_].text, document_->nodes_[at_].size};
}

Value::Iterator& Value::Iterator::operator++() noexcept {
  at_ = document_->nodes_[members_ ? at_ + 1 : at_].next;
  return *this;
}

Value Value::operator[](std::string_view name) const noexcept {
  Value found;
  if (!is_object()) return found;
  const auto& nodes = document_->nodes_;
  const std::uint32_t end = nodes[at_].next;
  for (std::uint32_t at = at_ + 1; at < end; at = nodes[at + 1].next) {
    if (std::string_view(nodes[at].text, nodes[at].size) == name) found = Value(document_, at + 1);
  }
  return found;
}

}  // namespace athena::json
