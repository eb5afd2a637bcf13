#include <athena/base/json_writer.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include <athena/base/json.h>

namespace athena::json {
namespace {

template <class Append>
std::string written(Append append) {
  Buffer out;
  append(out);
  return std::string(out.view());
}

std::string number(double value) {
  return written([&](Buffer& out) { append_double(out, value); });
}

/// One byte after the other, as RFC 8259 says it.
std::string slowly_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '"':
        escaped += "\\\"";
        break;
      case '\\':
        escaped += "\\\\";
        break;
      case '\b':
        escaped += "\\b";
        break;
      case '\f':
        escaped += "\\f";
        break;
      case '\n':
        escaped += "\\n";
        break;
      case '\r':
        escaped += "\\r";
        break;
      case '\t':
        escaped += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20) {
          escaped += c;
        } else {
          static constexpr char kHex[] = "0123456789abcdef";
          escaped += {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
        }
    }
  }
  return escaped;
}

TEST(JsonWriter, writes_what_is_no_number_as_a_string) {
  EXPECT_EQ(number(std::numeric_limits<double>::quiet_NaN()), "\"NaN\"");
  EXPECT_EQ(number(-std::numeric_limits<double>::quiet_NaN()), "\"NaN\"");
  EXPECT_EQ(number(std::numeric_limits<double>::infinity()), "\"Infinity\"");
  EXPECT_EQ(number(-std::numeric_limits<double>::infinity()), "\"-Infinity\"");
}

TEST(JsonWriter, escapes_at_every_position_as_the_slow_way_does) {
  for (int byte = 0; byte < 256; ++byte) {
    for (std::size_t length : {1U, 2U, 15U, 16U, 17U, 31U, 32U, 33U, 50U}) {
      for (std::size_t at = 0; at < length; ++at) {
        std::string text(length, 'x');
        text[at] = static_cast<char>(byte);
        ASSERT_EQ(written([&](Buffer& out) { append_escaped(out, text); }), slowly_escaped(text)) << byte << ' ' << at;
      }
    }
  }
}

TEST(JsonWriter, escapes_random_bytes_as_the_slow_way_does) {
  std::mt19937 random(3);
  for (int round = 0; round < 5'000; ++round) {
    std::string text(random() % 200, '\0');
    for (char& c : text) c = static_cast<char>(random() % 4 ? 'a' + random() % 26 : random());
    ASSERT_EQ(written([&](Buffer& out) { append_string(out, text); }), "\"" + slowly_escaped(text) + "\"");
  }
}

TEST(JsonWriter, writes_doubles_that_read_back_the_same_and_are_json) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 100'000; ++round) {
    const auto value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    const std::string text = number(value);
    double again = 0;
    std::from_chars(text.data(), text.data() + text.size(), again);
    ASSERT_EQ(std::bit_cast<std::uint64_t>(again), std::bit_cast<std::uint64_t>(value)) << text;
    const auto document = Document::parse(text);
    ASSERT_TRUE(document && document->root().is_number()) << text;
  }
  EXPECT_EQ(number(0.1), "0.1");
  EXPECT_EQ(number(-0.0), "-0");
  EXPECT_EQ(number(1e300), "1e+300");
}

TEST(JsonWriter, writes_integers_to_their_ends) {
  EXPECT_EQ(written([](Buffer& out) { append_integer(out, std::numeric_limits<std::int64_t>::min()); }),
            "-9223372036854775808");
  EXPECT_EQ(written([](Buffer& out) { append_integer(out, std::numeric_limits<std::uint64_t>::max()); }),
            "18446744073709551615");
}

TEST(JsonWriter, writes_bytes_as_postgresql_does) {
  const std::string text = written([](Buffer& out) { append_bytes(out, std::string_view("\x00\xff\x1a", 3)); });
  EXPECT_EQ(text, R"("\\x00ff1a")");
  const auto document = Document::parse(text);
  ASSERT_TRUE(document);
  EXPECT_EQ(document->root().as_string(), "\\x00ff1a");
  EXPECT_EQ(written([](Buffer& out) { append_bytes(out, {}); }), R"("\\x")");
}

TEST(JsonWriter, puts_commas_between_values_and_nowhere_else) {
  Buffer out;
  Writer writer(out);
  writer.begin_object().key("a").begin_array().end_array().key("b").begin_array();
  writer.integer(1).number(2.5).string("x").boolean(true).boolean(false).null().raw("{ }");
  writer.begin_object().end_object().begin_array().begin_array().end_array().end_array().end_array();
  writer.member("c\n", "d\"").key("e").begin_object().member("f", "").end_object().end_object();
  EXPECT_EQ(out.view(), R"({"a":[],"b":[1,2.5,"x",true,false,null,{ },{},[[]]],"c\n":"d\"","e":{"f":""}})");
  EXPECT_TRUE(Document::parse(out.view()));
}

}  // namespace
}  // namespace athena::json
