#include <athena/base/json_scan.h>

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace athena::json {
namespace {

using ::testing::ElementsAre;

bool is_one_value(std::string_view text) {
  Scanner scanner(text);
  Scanner::Value value;
  return scanner.value(value) && scanner.at_end();
}

TEST(Scanner, takes_what_a_document_takes_and_nothing_else) {
  for (const std::string_view text : {"null", "true", "false", "0", "-0", "12.50e+3", "1E5", "\"\"", "\"a\\u00e9\\n\"",
                                      "[]", "{}", " [ 1 , 2 ] ", "{\"a\":{\"b\":[[],{}]},\"c\":null}", "[[[[1]]]]",
                                      "{\"a\":1,\"a\":2}", "\"\\ud83d\\ude00\"", "[\"]\",\"}\"]"}) {
    EXPECT_TRUE(is_one_value(text)) << text;
    EXPECT_TRUE(Document::parse(text).has_value()) << text;
  }
  for (const std::string_view text :
       {"",      " ",         "nul",     "tru",         "01",      "-",        "1.",       ".5",         "1e",
        "+1",    "\"",        "\"\\x\"", "\"\\u12g4\"", "\"\\u12", "\"a\nb\"", "[",        "[1",         "[1,",
        "[1,]",  "[,1]",      "[1 2]",   "{",           "{\"a\"",  "{\"a\":",  "{\"a\":1", "{\"a\":1,}", "{a:1}",
        "{1:2}", "{\"a\" 1}", "[}",      "{]",          "1 2",     "[]]",      "NaN",      "'a'",        "\"\\"}) {
    EXPECT_FALSE(is_one_value(text)) << text;
    EXPECT_FALSE(Document::parse(text).has_value()) << text;
  }
}

TEST(Scanner, gives_values_as_they_stand) {
  Scanner scanner(R"( [12345678901234567890.50, "a\"b", "plain", {"x": [1, 2] } , null] )");
  ASSERT_TRUE(scanner.enter(Kind::array));
  std::vector<std::string> texts;
  std::vector<bool> escapes;
  Scanner::Value value;
  while (scanner.next_element() && scanner.value(value)) {
    texts.emplace_back(value.text);
    escapes.push_back(value.has_escapes);
  }
  EXPECT_TRUE(scanner.at_end());
  EXPECT_THAT(texts, ElementsAre("12345678901234567890.50", R"(a\"b)", "plain", R"({"x": [1, 2] })", "null"));
  EXPECT_THAT(escapes, ElementsAre(false, true, false, ::testing::_, ::testing::_));
}

TEST(Scanner, walks_through_members) {
  Scanner scanner(R"({"a" : 1, "b" : {"c" : [true]}})");
  ASSERT_FALSE(scanner.enter(Kind::array));
  ASSERT_FALSE(scanner.failed());
  ASSERT_TRUE(scanner.enter(Kind::object));
  Scanner::Value name, value;
  ASSERT_TRUE(scanner.next_member(name));
  EXPECT_EQ(name.text, "a");
  ASSERT_TRUE(scanner.value(value));
  ASSERT_TRUE(scanner.next_member(name));
  ASSERT_TRUE(scanner.enter(Kind::object));
  ASSERT_TRUE(scanner.next_member(name));
  EXPECT_EQ(name.text, "c");
  ASSERT_TRUE(scanner.value(value));
  EXPECT_EQ(value.text, "[true]");
  EXPECT_FALSE(scanner.next_member(name));
  EXPECT_FALSE(scanner.next_member(name));
  EXPECT_TRUE(scanner.at_end());
  EXPECT_FALSE(scanner.failed());
}

TEST(Scanner, stops_at_the_first_mistake) {
  Scanner scanner("[1, x, 2]");
  ASSERT_TRUE(scanner.enter(Kind::array));
  Scanner::Value value;
  ASSERT_TRUE(scanner.next_element() && scanner.value(value));
  ASSERT_TRUE(scanner.next_element());
  EXPECT_FALSE(scanner.value(value));
  EXPECT_TRUE(scanner.failed());
  EXPECT_EQ(scanner.offset(), 4U);
  EXPECT_FALSE(scanner.next_element());
  EXPECT_FALSE(scanner.at_end());
}

TEST(Scanner, goes_only_so_deep) {
  EXPECT_TRUE(is_one_value(std::string(64, '[') + std::string(64, ']')));
  EXPECT_FALSE(is_one_value(std::string(65, '[') + std::string(65, ']')));
  EXPECT_FALSE(is_one_value(std::string(1'000'000, '[')));
  Scanner scanner("[[1]]", 1);
  ASSERT_TRUE(scanner.enter(Kind::array));
  Scanner::Value value;
  ASSERT_TRUE(scanner.next_element());
  EXPECT_FALSE(scanner.value(value));
}

TEST(Unescape, makes_bytes_of_escapes) {
  const auto unescaped = [](std::string_view raw) {
    std::string out;
    unescape(raw, out);
    return out;
  };
  EXPECT_EQ(unescaped(R"(a\"\\\/\b\f\n\r\tz)"), "a\"\\/\b\f\n\r\tz");
  EXPECT_EQ(unescaped(R"(\u0041\u00e9\u20ac\ud83d\ude00)"), "Aé€😀");
  EXPECT_EQ(unescaped(R"(\ud83d x \ude00 \ud83d\u0041)"), "\uFFFD x \uFFFD \uFFFDA");
  EXPECT_EQ(unescaped(R"(\ud83d\ud83d\ude00)"), "\uFFFD😀");
  EXPECT_EQ(unescaped(R"(\u0000)"), std::string(1, '\0'));
  EXPECT_EQ(unescaped("plain"), "plain");
  EXPECT_EQ(unescaped(""), "");
}

}  // namespace
}  // namespace athena::json
