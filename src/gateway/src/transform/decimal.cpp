#include "transform/decimal.h"

#include <algorithm>

#include <athena/base/text.h>

namespace athena::gateway {
namespace {

constexpr std::size_t kMaxDigits = 1'000;

void strip_leading_zeros(std::string& digits) {
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
}

}  // namespace

std::optional<Decimal> Decimal::parse(std::string_view text) {
  Decimal number;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    number.negative_ = text.front() == '-';
    text.remove_prefix(1);
  }
  std::int64_t exponent = 0;
  if (const std::size_t e = text.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view power = text.substr(e + 1);
    if (power.starts_with('+') && !power.starts_with("+-")) power.remove_prefix(1);
    const auto parsed = text::parse_i64(power);
    if (!parsed || *parsed > 1'000 || *parsed < -1'000) return std::nullopt;
    exponent = *parsed;
    text = text.substr(0, e);
  }
  const std::size_t point = text.find('.');
  std::string digits(text.substr(0, point));
  if (point != std::string_view::npos) {
    digits += text.substr(point + 1);
    number.scale_ = text.size() - point - 1;
  }
  const bool only_digits = std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
  if (digits.empty() || !only_digits || digits.size() > kMaxDigits) return std::nullopt;
  for (; exponent > 0; --exponent) {
    if (number.scale_ > 0) {
      --number.scale_;
    } else {
      digits.push_back('0');
    }
  }
  number.scale_ += static_cast<std::size_t>(-exponent);
  strip_leading_zeros(digits);
  number.digits_ = std::move(digits);
  if (number.digits_ == "0") number.negative_ = false;
  return number;
}

int Decimal::compare_magnitude(const std::string& a, const std::string& b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

std::string Decimal::add_magnitude(const std::string& a, const std::string& b) {
  const std::string &longer = a.size() >= b.size() ? a : b, &shorter = a.size() >= b.size() ? b : a;
  std::string sum = longer;
  int carry = 0;
  for (std::size_t i = 0; i < longer.size(); ++i) {
    char& digit = sum[longer.size() - 1 - i];
    int value = digit - '0' + carry;
    if (i < shorter.size()) value += shorter[shorter.size() - 1 - i] - '0';
    carry = value / 10;
    digit = static_cast<char>('0' + value % 10);
    if (i >= shorter.size() && carry == 0) break;
  }
  if (carry) sum.insert(sum.begin(), '1');
  return sum;
}

std::string Decimal::subtract_magnitude(const std::string& a, const std::string& b) {
  std::string difference = a;
  int borrow = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    char& digit = difference[a.size() - 1 - i];
    int value = digit - '0' - borrow;
    if (i < b.size()) value -= b[b.size() - 1 - i] - '0';
    borrow = value < 0 ? 1 : 0;
    digit = static_cast<char>('0' + value + 10 * borrow);
  }
  strip_leading_zeros(difference);
  return difference;
}

void Decimal::rescale(std::size_t scale) {
  if (scale <= scale_) return;
  if (digits_ != "0") digits_.append(scale - scale_, '0');
  scale_ = scale;
}

Decimal& Decimal::operator+=(const Decimal& other) {
  Decimal right = other;
  right.rescale(scale_);
  rescale(right.scale_);
  if (negative_ == right.negative_) {
    digits_ = add_magnitude(digits_, right.digits_);
  } else if (compare_magnitude(digits_, right.digits_) >= 0) {
    digits_ = subtract_magnitude(digits_, right.digits_);
  } else {
    digits_ = subtract_magnitude(right.digits_, digits_);
    negative_ = right.negative_;
  }
  if (digits_ == "0") negative_ = false;
  return *this;
}

std::strong_ordering Decimal::operator<=>(const Decimal& other) const {
  if (negative_ != other.negative_) return negative_ ? std::strong_ordering::less : std::strong_ordering::greater;
  Decimal left = *this, right = other;
  left.rescale(right.scale_);
  right.rescale(left.scale_);
  const int magnitude = compare_magnitude(left.digits_, right.digits_);
  return (negative_ ? -magnitude : magnitude) <=> 0;
}

Decimal Decimal::divided_by(std::uint64_t count) const {
  constexpr std::size_t kExtraPlaces = 6;
  Decimal dividend = *this;
  dividend.rescale(scale_ + kExtraPlaces);
  Decimal quotient;
  quotient.negative_ = negative_;
  quotient.scale_ = dividend.scale_;
  quotient.digits_.clear();
  unsigned __int128 rest = 0;
  for (const char digit : dividend.digits_) {
    rest = rest * 10 + static_cast<unsigned>(digit - '0');
    quotient.digits_.push_back(static_cast<char>('0' + static_cast<int>(rest / count)));
    rest %= count;
  }
  strip_leading_zeros(quotient.digits_);
  if (rest * 2 >= count) quotient.digits_ = add_magnitude(quotient.digits_, "1");
  while (quotient.scale_ > scale_ && quotient.digits_.size() > 1 && quotient.digits_.back() == '0') {
    quotient.digits_.pop_back();
    --quotient.scale_;
  }
  if (quotient.digits_ == "0") quotient = Decimal();
  return quotient;
}

std::string Decimal::to_string() const {
  std::string text = digits_;
  if (scale_ > 0) {
    if (text.size() <= scale_) text.insert(0, scale_ + 1 - text.size(), '0');
    text.insert(text.size() - scale_, 1, '.');
  }
  return negative_ ? "-" + text : text;
}

}  // namespace athena::gateway
