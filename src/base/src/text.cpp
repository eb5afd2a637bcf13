#include <athena/base/text.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>

#include "utf8.h"

namespace athena::text {
namespace {

constexpr std::size_t kNearestMaxNames = 1000;
constexpr std::size_t kNearestMaxBytes = 64;
constexpr char kUpperHex[] = "0123456789ABCDEF";
constexpr char kLowerHex[] = "0123456789abcdef";

constexpr bool is_upper(char c) noexcept {
  return c >= 'A' && c <= 'Z';
}
constexpr bool is_lower(char c) noexcept {
  return c >= 'a' && c <= 'z';
}
constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
constexpr bool is_blank(char c) noexcept {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
constexpr char lower(char c) noexcept {
  return is_upper(c) ? static_cast<char>(c + ('a' - 'A')) : c;
}

constexpr int hex_value(char c) noexcept {
  if (is_digit(c)) return c - '0';
  const char l = lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/// How many edits still look like a misspelling: none for one letter, one up to four, two up to seven, then three.
constexpr std::size_t tolerated_edits(std::size_t length) noexcept {
  return std::min<std::size_t>(3, (length + 1) / 3);
}

/// Edits (insert, remove, replace, swap neighbours) that make `a` from `b`, ASCII case aside, or limit + 1 if there are
/// more than `limit`. Of each row only a band of 2 * limit + 1 cells is looked at. Both are kNearestMaxBytes at most.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit) noexcept {
  const std::size_t too_far = limit + 1;
  if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) > limit) return too_far;
  while (!a.empty() && !b.empty() && lower(a.front()) == lower(b.front())) a.remove_prefix(1), b.remove_prefix(1);
  while (!a.empty() && !b.empty() && lower(a.back()) == lower(b.back())) a.remove_suffix(1), b.remove_suffix(1);
  std::array<std::array<std::size_t, kNearestMaxBytes + 1>, 3> rows;  // what lies outside the band is too far
  for (auto& row : rows) row.fill(too_far);
  for (std::size_t j = 0; j <= std::min(limit, b.size()); ++j) rows[0][j] = j;
  std::size_t best_above = 0;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto &above = rows[(i + 2) % 3], &two_above = rows[(i + 1) % 3];
    const std::size_t from = i > limit ? i - limit : 1, to = std::min(b.size(), i + limit);
    row[from - 1] = i <= limit ? i : too_far;
    std::size_t best = row[from - 1];
    for (std::size_t j = from; j <= to; ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      std::size_t cost = std::min({above[j - 1] + (same ? 0 : 1), above[j] + 1, row[j - 1] + 1, too_far});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1])) {
        cost = std::min(cost, two_above[j - 2] + 1);
      }
      row[j] = cost;
      best = std::min(best, cost);
    }
    if (best > limit && best_above > limit) return too_far;  // two rows, since a swap reaches over one
    best_above = best;
  }
  return std::min(rows[a.size() % 3][b.size()], too_far);
}

template <class Integer>
std::optional<Integer> parse_integer(std::string_view digits) noexcept {
  Integer value{};
  const char* end = digits.data() + digits.size();
  const auto [at, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc() || at != end) return std::nullopt;
  return value;
}

}  // namespace

bool iequals(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string to_lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) c = lower(c);
  return lowered;
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  for (;;) {
    const std::size_t at = text.find(separator);
    pieces.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return pieces;
    text.remove_prefix(at + 1);
  }
}

std::string snake_case(std::string_view name) {
  std::string snake;
  snake.reserve(name.size() + name.size() / 2);
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (i > 0 && is_upper(name[i])) {
      const char before = name[i - 1];
      const bool starts_a_word =
          is_lower(before) || is_digit(before) || (is_upper(before) && i + 1 < name.size() && is_lower(name[i + 1]));
      if (starts_a_word) snake += '_';
    }
    snake += lower(name[i]);
  }
  return snake;
}

bool is_utf8(std::string_view text) noexcept {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    while (end - at >= 8) {  // most text is ASCII
      std::uint64_t eight;
      std::memcpy(&eight, at, 8);
      if (eight & 0x8080808080808080U) break;
      at += 8;
    }
    if (at == end) return true;
    if (static_cast<unsigned char>(*at) < 0x80) {
      ++at;
      continue;
    }
    const std::size_t length = utf8::sequence_length(at, end);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::optional<std::string_view> nearest(std::string_view wanted, const std::vector<std::string_view>& names) {
  if (wanted.size() > kNearestMaxBytes) return std::nullopt;
  std::optional<std::string_view> best;
  std::size_t limit = tolerated_edits(wanted.size());
  const std::size_t looked_at = std::min(names.size(), kNearestMaxNames);
  for (std::size_t i = 0; i < looked_at; ++i) {
    if (names[i].empty() || names[i].size() > kNearestMaxBytes) continue;
    const std::size_t distance = edit_distance(wanted, names[i], limit);
    if (distance > limit) continue;
    best = names[i];
    if (distance == 0) break;
    limit = distance - 1;  // from here on only something nearer counts, so the first of equals wins
  }
  return best;
}

std::optional<std::string> bytes_of_hex(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(digits.size() / 2);
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const int high = hex_value(digits[i]), low = hex_value(digits[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high << 4 | low));
  }
  return bytes;
}

std::string hex(std::string_view bytes) {
  std::string digits;
  digits.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    digits += kLowerHex[byte >> 4];
    digits += kLowerHex[byte & 15];
  }
  return digits;
}

std::string base64(std::string_view bytes) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string encoded;
  encoded.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < have ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) encoded += k <= have ? kAlphabet[bits >> (18 - 6 * k) & 63] : '=';
  }
  return encoded;
}

std::optional<std::uint64_t> parse_u64(std::string_view digits) noexcept {
  return parse_integer<std::uint64_t>(digits);
}
std::optional<std::int64_t> parse_i64(std::string_view digits) noexcept {
  return parse_integer<std::int64_t>(digits);
}

std::optional<std::string> url_decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      if (text.size() - i < 3) return std::nullopt;
      const int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      decoded += static_cast<char>(high << 4 | low);
      i += 2;
    }
  }
  return decoded;
}

std::string url_encode(std::string_view text) {
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (is_upper(c) || is_lower(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += '%';
      encoded += kUpperHex[byte >> 4];
      encoded += kUpperHex[byte & 15];
    }
  }
  return encoded;
}

}  // namespace athena::text
