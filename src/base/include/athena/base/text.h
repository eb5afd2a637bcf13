#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace athena::text {

/// ASCII only: header names, client names, keywords.
bool iequals(std::string_view a, std::string_view b) noexcept;
std::string to_lower(std::string_view text);
/// Without ASCII blanks at both ends; a view into `text`.
std::string_view trim(std::string_view text) noexcept;
/// Pieces between separators, untrimmed; "" gives one empty piece.
std::vector<std::string_view> split(std::string_view text, char separator);

/// userId → user_id, HTTPResponse → http_response: a '_' before an upper-case letter if the previous character is lower
/// case or a digit, or if it is upper case and the next is lower case; then everything lower-cased.
std::string snake_case(std::string_view name);

/// Valid UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF).
bool is_utf8(std::string_view text) noexcept;

/// The name in `names` nearest to `wanted`, if near enough to be a misspelling. Bounded work: names beyond 1 000 are
/// not looked at, names longer than 64 bytes are passed over.
std::optional<std::string_view> nearest(std::string_view wanted, const std::vector<std::string_view>& names);

std::string hex(std::string_view bytes);
/// What hex() was given; none if it is not pairs of hex digits.
std::optional<std::string> bytes_of_hex(std::string_view digits);
std::string base64(std::string_view bytes);

/// A non-negative decimal integer that fits and is nothing else, or none.
std::optional<std::uint64_t> parse_u64(std::string_view digits) noexcept;
std::optional<std::int64_t> parse_i64(std::string_view digits) noexcept;

/// %XX decoding of a URL component; `plus_is_space` for query strings. None on a malformed escape.
std::optional<std::string> url_decode(std::string_view text, bool plus_is_space);
/// Escapes everything but RFC 3986 unreserved characters.
std::string url_encode(std::string_view text);

}  // namespace athena::text
