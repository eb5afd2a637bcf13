#include "transform/decimal.h"

#include <string>

#include <gtest/gtest.h>

namespace athena::gateway {
namespace {

Decimal number(std::string_view text) {
  const auto parsed = Decimal::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(Decimal());
}

std::string sum(std::string_view a, std::string_view b) { return (number(a) += number(b)).to_string(); }

TEST(Decimal, what_is_no_number_is_refused) {
  for (const std::string_view text :
       {"",   "-",  "+",   ".",     "-.",    "--1",  "+-1", "1-",       "1 ",   " 1",    "1,5", "1.2.3",
        "e5", "1e", "1e+", "1e+-5", "1e1.5", "0x10", "NaN", "Infinity", "null", "1_000", "１"}) {
    EXPECT_FALSE(Decimal::parse(text)) << text;
  }
}

TEST(Decimal, what_would_take_unbounded_memory_is_refused) {
  EXPECT_FALSE(Decimal::parse(std::string(1'001, '9')));
  EXPECT_FALSE(Decimal::parse("1e1001"));
  EXPECT_FALSE(Decimal::parse("1e-1001"));
  EXPECT_FALSE(Decimal::parse("1e99999999999999999999"));
  EXPECT_TRUE(Decimal::parse(std::string(1'000, '9')));
}

TEST(Decimal, digits_come_back_as_they_were) {
  for (const std::string_view text :
       {"0", "7", "-7", "12.50", "-0.001", "0.10", "123456789012345678901234567890.123456789"}) {
    EXPECT_EQ(number(text).to_string(), text);
  }
}

TEST(Decimal, other_spellings_become_plain) {
  EXPECT_EQ(number("+7").to_string(), "7");
  EXPECT_EQ(number("007.5").to_string(), "7.5");
  EXPECT_EQ(number(".5").to_string(), "0.5");
  EXPECT_EQ(number("5.").to_string(), "5");
  EXPECT_EQ(number("1e3").to_string(), "1000");
  EXPECT_EQ(number("1.25E+1").to_string(), "12.5");
  EXPECT_EQ(number("-25e-4").to_string(), "-0.0025");
  EXPECT_EQ(number("-0.00").to_string(), "0.00");
}

TEST(Decimal, sums_are_exact) {
  EXPECT_EQ(sum("0.1", "0.2"), "0.3");
  EXPECT_EQ(sum("99.99", "0.01"), "100.00");
  EXPECT_EQ(sum("12.5", "0.125"), "12.625");
  EXPECT_EQ(sum("9007199254740993", "1"), "9007199254740994");
  EXPECT_EQ(sum(std::string(1'000, '9'), "1"), "1" + std::string(1'000, '0'));
}

TEST(Decimal, signs_are_taken_into_account) {
  EXPECT_EQ(sum("-5", "3"), "-2");
  EXPECT_EQ(sum("3", "-5"), "-2");
  EXPECT_EQ(sum("5", "-3"), "2");
  EXPECT_EQ(sum("-0.5", "-0.5"), "-1.0");
  EXPECT_EQ(sum("1.5", "-1.50"), "0.00");
}

TEST(Decimal, adds_itself) {
  Decimal value = number("-1.5");
  value += value;
  EXPECT_EQ(value.to_string(), "-3.0");
}

TEST(Decimal, compares_by_value_whatever_the_scale) {
  EXPECT_EQ(number("1.50"), number("1.5"));
  EXPECT_EQ(number("0"), number("-0.0"));
  EXPECT_LT(number("-10"), number("-9.99"));
  EXPECT_LT(number("-1"), number("0"));
  EXPECT_LT(number("9.99"), number("10"));
  EXPECT_LT(number("0.1"), number("0.11"));
  EXPECT_GT(number("1e3"), number("999.999"));
}

TEST(Decimal, averages_are_rounded_half_away_from_zero) {
  EXPECT_EQ(number("1").divided_by(3).to_string(), "0.333333");
  EXPECT_EQ(number("2").divided_by(3).to_string(), "0.666667");
  EXPECT_EQ(number("-2").divided_by(3).to_string(), "-0.666667");
  EXPECT_EQ(number("0.000001").divided_by(2).to_string(), "0.0000005");
  EXPECT_EQ(number("1").divided_by(2'000'000).to_string(), "0.000001");
  EXPECT_EQ(number("-1").divided_by(2'000'000).to_string(), "-0.000001");
}

TEST(Decimal, averages_that_come_out_even_have_no_trailing_zeros) {
  EXPECT_EQ(number("10").divided_by(4).to_string(), "2.5");
  EXPECT_EQ(number("10").divided_by(5).to_string(), "2");
  EXPECT_EQ(number("10.00").divided_by(4).to_string(), "2.50");
  EXPECT_EQ(number("0").divided_by(7).to_string(), "0");
}

TEST(Decimal, an_average_that_rounds_to_nothing_is_zero) {
  EXPECT_EQ(number("1").divided_by(UINT64_MAX).to_string(), "0");
  EXPECT_EQ(number("-1").divided_by(UINT64_MAX).to_string(), "0");
}

}  // namespace
}  // namespace athena::gateway
