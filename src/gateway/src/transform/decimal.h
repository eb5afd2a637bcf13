#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace athena::gateway {

/// An exact decimal number of any size: what sums of money need and doubles cannot give.
class Decimal {
 public:
  Decimal() = default;
  /// `-12.50`, `1e3`, `+7`. None for anything else, and for more than 1 000 digits.
  static std::optional<Decimal> parse(std::string_view text);

  Decimal& operator+=(const Decimal& other);
  std::strong_ordering operator<=>(const Decimal& other) const;
  bool operator==(const Decimal& other) const { return (*this <=> other) == 0; }
  /// Rounded half away from zero to `scale() + 6` places (at least 6), without trailing zeros beyond scale().
  Decimal divided_by(std::uint64_t count) const;

  /// Digits after the point are kept as they were added: 12.50 stays 12.50.
  std::string to_string() const;
  std::size_t scale() const noexcept { return scale_; }

 private:
  void rescale(std::size_t scale);
  static int compare_magnitude(const std::string& a, const std::string& b);
  static std::string add_magnitude(const std::string& a, const std::string& b);
  static std::string subtract_magnitude(const std::string& a, const std::string& b);

  std::string digits_ = "0";  ///< of the number times ten to the scale; no leading zeros but for zero itself
  std::size_t scale_ = 0;
  bool negative_ = false;
};

}  // namespace athena::gateway
