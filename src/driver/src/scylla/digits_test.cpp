#include "scylla/digits.h"

#include <string>

#include <gtest/gtest.h>

namespace athena::driver::scylla {
namespace {

using namespace std::string_literals;

std::string varint(std::string_view bytes) {
  std::string out;
  return append_varint(out, bytes) ? out : "refused";
}
std::string decimal(std::int32_t scale, std::string_view unscaled) {
  std::string out;
  return append_decimal(out, scale, unscaled) ? out : "refused";
}

TEST(Varint, is_two_complement_of_as_few_bytes_as_hold_it) {
  const std::pair<std::string, std::string> pairs[] = {
      {"0", "\0"s},
      {"1", "\1"s},
      {"-1", "\xff"s},
      {"127", "\x7f"s},
      {"128", "\0\x80"s},
      {"-128", "\x80"s},
      {"-129", "\xff\x7f"s},
      {"255", "\0\xff"s},
      {"256", "\1\0"s},
      {"-256", "\xff\0"s},
      {"9223372036854775807", "\x7f\xff\xff\xff\xff\xff\xff\xff"s},
      {"-9223372036854775808", "\x80\0\0\0\0\0\0\0"s},
      {"9223372036854775808", "\0\x80\0\0\0\0\0\0\0"s},
      {"18446744073709551616", "\1\0\0\0\0\0\0\0\0"s},
      {"1000000000000000000000", "\x36\x35\xc9\xad\xc5\xde\xa0\0\0"s},
      {"-123456789012345678901234567890", "\xfe\x71\x16\xf0\x09\x3c\x8c\x1f\x11\xb1\xc0\xf5\x2e"s},
  };
  for (const auto& [digits, bytes] : pairs) {
    EXPECT_EQ(varint(bytes), digits);
    EXPECT_EQ(varint_of(digits), bytes) << digits;
  }
}

TEST(Varint, other_spellings_mean_the_same) {
  EXPECT_EQ(varint(""), "0");
  EXPECT_EQ(varint("\0\0\0\5"s), "5");
  EXPECT_EQ(varint("\xff\xff\xff\xfb"s), "-5");
  EXPECT_EQ(varint_of("+5"), "\5");
  EXPECT_EQ(varint_of("-0"), "\0"s);
  EXPECT_EQ(varint_of("000000000000000000000000000000000005"), "\5");
}

TEST(Varint, what_is_no_number_is_refused) {
  for (const char* text : {"", "-", "+", "+-5", "--5", "1.0", "1e3", " 1", "1 ", "0x10", "five"}) {
    EXPECT_EQ(varint_of(text), std::nullopt) << text;
  }
}

TEST(Varint, has_a_bound_both_ways) {
  EXPECT_EQ(varint(std::string(kMaxVarintBytes + 1, '\1')), "refused");
  EXPECT_NE(varint(std::string(kMaxVarintBytes, '\1')), "refused");
  EXPECT_EQ(varint_of(std::string(100'000, '9')), std::nullopt);
  const std::string large(9'800, '9');
  const auto bytes = varint_of(large);
  ASSERT_TRUE(bytes);
  EXPECT_LE(bytes->size(), kMaxVarintBytes);
  EXPECT_EQ(varint(*bytes), large);
}

TEST(Decimal, has_its_point_where_the_scale_says) {
  EXPECT_EQ(decimal(0, "\x7b"), "123");
  EXPECT_EQ(decimal(2, "\x7b"), "1.23");
  EXPECT_EQ(decimal(3, "\x7b"), "0.123");
  EXPECT_EQ(decimal(5, "\x7b"), "0.00123");
  EXPECT_EQ(decimal(2, "\x85"), "-1.23");
  EXPECT_EQ(decimal(2, "\0"s), "0.00");
  EXPECT_EQ(decimal(0, ""), "0");
}

TEST(Decimal, is_short_where_there_would_be_many_zeros) {
  EXPECT_EQ(decimal(-3, "\x7b"), "1.23E+5");
  EXPECT_EQ(decimal(-3, "\1"), "1E+3");
  EXPECT_EQ(decimal(20, "\x7b"), "1.23E-18");
  EXPECT_EQ(decimal(20, "\x85"), "-1.23E-18");
  EXPECT_EQ(decimal(2'147'483'647, "\1"), "1E-2147483647");
  EXPECT_EQ(decimal(-2'147'483'647 - 1, "\1"), "1E+2147483648");
  EXPECT_EQ(decimal(7, std::string(kMaxVarintBytes + 1, '\1')), "refused");
}

TEST(Decimal, is_read_with_its_scale) {
  const auto encoded = [](char scale, const std::string& unscaled) { return "\0\0\0"s + scale + unscaled; };
  EXPECT_EQ(decimal_of("1.23"), encoded(2, "\x7b"));
  EXPECT_EQ(decimal_of("-1.23"), encoded(2, "\x85"));
  EXPECT_EQ(decimal_of("1.230"), encoded(3, "\4\xce")) << "zeros at the end are part of the value";
  EXPECT_EQ(decimal_of(".5"), encoded(1, "\5"));
  EXPECT_EQ(decimal_of("5."), encoded(0, "\5"));
  EXPECT_EQ(decimal_of("123e-2"), encoded(2, "\x7b"));
  EXPECT_EQ(decimal_of("1.23E+2"), encoded(0, "\x7b"));
  EXPECT_EQ(decimal_of("1E+3"), "\xff\xff\xff\xfd\1"s);
}

TEST(Decimal, what_is_no_numeral_is_refused) {
  for (const char* text : {"", ".", "-", "-.", "1.2.3", "1e", "1e+", "1e+-5", "1e5e5", "e5", ".+5", ".-5", "+-5", "1,5",
                           "NaN", "Infinity", "1e1000001", "1e-1000001", "1e99999999999999999999"}) {
    EXPECT_EQ(decimal_of(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace athena::driver::scylla
