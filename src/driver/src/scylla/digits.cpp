#include "scylla/digits.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include <athena/base/text.h>

namespace athena::driver::scylla {
namespace {

constexpr std::uint32_t kBase = 1'000'000'000;
constexpr std::size_t kBaseDigits = 9;
/// Digits that fit into kMaxVarintBytes.
constexpr std::size_t kMaxDigits = 9'800;
/// Exponents beyond it are no numbers that anybody stores.
constexpr std::int64_t kMaxScale = 1'000'000;

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

/// Two's complement in place.
void negate(std::string& bytes) noexcept {
  bool carry = true;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    const auto flipped = static_cast<unsigned char>(~static_cast<unsigned char>(bytes[i]));
    bytes[i] = static_cast<char>(flipped + (carry ? 1 : 0));
    carry = carry && flipped == 0xFF;
  }
}

}  // namespace

bool append_varint(std::string& out, std::string_view bytes) {
  if (bytes.size() > kMaxVarintBytes) return false;
  std::string magnitude(bytes);
  const bool negative = !bytes.empty() && (bytes[0] & 0x80) != 0;
  if (negative) negate(magnitude);
  std::vector<std::uint32_t> limbs;  // of base 10⁹, least significant first
  for (const char c : magnitude) {
    std::uint64_t carry = static_cast<unsigned char>(c);
    for (std::uint32_t& limb : limbs) {
      carry += std::uint64_t{limb} << 8;
      limb = static_cast<std::uint32_t>(carry % kBase);
      carry /= kBase;
    }
    if (carry > 0) limbs.push_back(static_cast<std::uint32_t>(carry));
  }
  if (negative) out.push_back('-');
  if (limbs.empty()) limbs.push_back(0);
  out += std::to_string(limbs.back());
  for (std::size_t i = limbs.size() - 1; i-- > 0;) {
    const std::string digits = std::to_string(limbs[i]);
    out.append(kBaseDigits - digits.size(), '0').append(digits);
  }
  return true;
}

std::optional<std::string> varint_of(std::string_view digits) {
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  if (digits.empty() || digits.size() > kMaxDigits || !std::ranges::all_of(digits, is_digit)) return std::nullopt;
  std::vector<std::uint32_t> limbs;  // of base 2³², least significant first
  for (std::size_t at = 0; at < digits.size();) {
    const std::size_t count = std::min((digits.size() - at - 1) % kBaseDigits + 1, kBaseDigits);
    std::uint32_t value = 0;
    std::from_chars(digits.data() + at, digits.data() + at + count, value);
    at += count;
    std::uint64_t carry = value;
    for (std::uint32_t& limb : limbs) {
      carry += std::uint64_t{limb} * kBase;
      limb = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    if (carry > 0) limbs.push_back(static_cast<std::uint32_t>(carry));
  }
  std::string bytes;
  bytes.push_back('\0');  // room for the sign
  for (std::size_t i = limbs.size(); i-- > 0;) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(limbs[i] >> shift));
  }
  if (negative) negate(bytes);
  const auto sign = static_cast<unsigned char>(bytes[0]) & 0x80;
  std::size_t spare = 0;  // leading bytes that say nothing but the sign
  const char fill = sign ? '\xFF' : '\0';
  while (spare + 1 < bytes.size() && bytes[spare] == fill &&
         (static_cast<unsigned char>(bytes[spare + 1]) & 0x80) == sign) {
    ++spare;
  }
  return bytes.substr(spare);
}

bool append_decimal(std::string& out, std::int32_t scale, std::string_view unscaled) {
  std::string digits;
  if (!append_varint(digits, unscaled)) return false;
  if (digits.starts_with('-')) {
    out.push_back('-');
    digits.erase(0, 1);
  }
  const std::int64_t exponent = static_cast<std::int64_t>(digits.size()) - 1 - scale;
  if (scale >= 0 && exponent >= -6) {
    const auto places = static_cast<std::size_t>(scale);
    if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
    out.append(digits, 0, digits.size() - places);
    if (places > 0) out.append(1, '.').append(digits, digits.size() - places);
    return true;
  }
  out.push_back(digits[0]);
  if (digits.size() > 1) out.append(1, '.').append(digits, 1);
  out.push_back('E');
  if (exponent >= 0) out.push_back('+');
  out += std::to_string(exponent);
  return true;
}

std::optional<std::string> decimal_of(std::string_view numeral) {
  std::int64_t scale = 0;
  if (const std::size_t e = numeral.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view exponent = numeral.substr(e + 1);
    const bool has_plus = exponent.starts_with('+');
    if (has_plus) exponent.remove_prefix(1);
    const auto value = text::parse_i64(exponent);
    if (!value || (has_plus && exponent.starts_with('-')) || *value > kMaxScale || *value < -kMaxScale)
      return std::nullopt;
    scale = -*value;
    numeral = numeral.substr(0, e);
  }
  std::string digits(numeral);
  if (const std::size_t point = digits.find('.'); point != std::string::npos) {
    scale += static_cast<std::int64_t>(digits.size() - point - 1);
    digits.erase(point, 1);
    if (point < digits.size() && !is_digit(digits[point])) return std::nullopt;  // a sign, which belongs in front
  }
  const auto unscaled = varint_of(digits);
  if (!unscaled) return std::nullopt;
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(static_cast<std::uint32_t>(static_cast<std::int32_t>(scale)) >> shift));
  }
  return bytes + *unscaled;
}

}  // namespace athena::driver::scylla
