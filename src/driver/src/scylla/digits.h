#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// CQL's exact numbers: varint (two's complement, most significant byte first) and decimal (a scale and a varint), to
/// and from their digits.
namespace athena::driver::scylla {

/// Converting takes the square of the length. Longer numbers are refused on the way in, and given as bytes on the way
/// out.
inline constexpr std::size_t kMaxVarintBytes = 4'096;

/// Appends the decimal digits of `bytes`; false: longer than the bound, nothing appended. No bytes are 0.
bool append_varint(std::string& out, std::string_view bytes);
/// The shortest two's complement of `-?[0-9]+`. None: not that, or too long.
std::optional<std::string> varint_of(std::string_view digits);

/// Digits with the point moved by `scale`, or with an exponent where that would need many zeros (as Java's
/// BigDecimal prints). False: longer than the bound.
bool append_decimal(std::string& out, std::int32_t scale, std::string_view unscaled);
/// Scale and unscaled value, in the form of the wire, of a decimal numeral with or without exponent. None: not one.
std::optional<std::string> decimal_of(std::string_view numeral);

}  // namespace athena::driver::scylla
