#include <athena/base/json.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <athena/base/buffer.h>
#include <athena/base/json_writer.h>
#include <athena/base/text.h>

namespace athena::json {
namespace {

using namespace std::string_literals;

Error error_of(std::string_view text, Limits limits = {}) {
  auto parsed = Document::parse(text, limits);
  if (parsed) return Error(Code::internal_error, "it was accepted");
  return parsed.error();
}

void expect_error(std::string_view text, Code code, std::string_view message) {
  const Error error = error_of(text);
  EXPECT_EQ(error.code, code) << text;
  EXPECT_EQ(error.error, message) << text;
}

std::string as_utf8(char32_t point) {
  std::string s;
  if (point < 0x80) return s += static_cast<char>(point);
  const auto tail = [&](int shift) { s += static_cast<char>(0x80 | (point >> shift & 0x3f)); };
  if (point < 0x800) {
    s += static_cast<char>(0xc0 | point >> 6);
  } else if (point < 0x10000) {
    s += static_cast<char>(0xe0 | point >> 12), tail(6);
  } else {
    s += static_cast<char>(0xf0 | point >> 18), tail(12), tail(6);
  }
  tail(0);
  return s;
}

std::string quote(std::string_view text) {
  Buffer out;
  append_string(out, text);
  return std::string(out.view());
}

TEST(Json, says_what_is_wrong_and_where) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", "Expected a value, found the end of the text (line 1, column 1)"},
      {"  \n ", "Expected a value, found the end of the text (line 2, column 2)"},
      {"{", "Expected the name of a member in quotes, found the end of the text (line 1, column 2)"},
      {"[", "Expected a value, found the end of the text (line 1, column 2)"},
      {"[1", "Expected ',' or ']', found the end of the text (line 1, column 3)"},
      {"[1 2]", "Expected ',' or ']', found '2' (line 1, column 4)"},
      {"[1,]", "Expected a value, found ']' (line 1, column 4)"},
      {"[,1]", "Expected a value, found ',' (line 1, column 2)"},
      {"[1}", "Expected ',' or ']', found '}' (line 1, column 3)"},
      {"{\"a\":1]", "Expected ',' or '}', found ']' (line 1, column 7)"},
      {"{\"a\" 1}", "Expected ':', found '1' (line 1, column 6)"},
      {"{\"a\":}", "Expected a value, found '}' (line 1, column 6)"},
      {"{\"a\":1,}", "Expected the name of a member in quotes, found '}' (line 1, column 8)"},
      {"{a:1}", "Expected the name of a member in quotes, found 'a' (line 1, column 2)"},
      {"{1:1}", "Expected the name of a member in quotes, found '1' (line 1, column 2)"},
      {"1 2", "Expected the end of the text, found '2' (line 1, column 3)"},
      {"{}\n}", "Expected the end of the text, found '}' (line 2, column 1)"},
      {"nul", "Expected a value, found 'n' (line 1, column 1)"},
      {"truE", "Expected a value, found 't' (line 1, column 1)"},
      {"falsee", "Expected the end of the text, found 'e' (line 1, column 6)"},
      {"NaN", "Expected a value, found 'N' (line 1, column 1)"},
      {"'a'", "Expected a value, found ''' (line 1, column 1)"},
      {"\xef\xbb\xbf{}", "Expected a value, found byte 0xef (line 1, column 1)"},
      {"\x01", "Expected a value, found byte 0x01 (line 1, column 1)"},
      {"/**/1", "Expected a value, found '/' (line 1, column 1)"},
      {"\"a", "Expected '\"' at the end of the string, found the end of the text (line 1, column 3)"},
      {"\"\\", "Expected the rest of the escape, found the end of the text (line 1, column 3)"},
      {"\"\\x\"", "Expected one of \"\\/bfnrtu behind the backslash, found 'x' (line 1, column 3)"},
      {"\"a\nb\"", "A control character in a string must be escaped (line 1, column 3)"},
      {"\"\\u12\"", "A \\u escape needs four hexadecimal digits (line 1, column 2)"},
      {"\"\\u12g4\"", "A \\u escape needs four hexadecimal digits (line 1, column 2)"},
      {"\"\xc3\xa4\xe2\x82\xac\" x", "Expected the end of the text, found 'x' (line 1, column 6)"},
  };
  for (const auto& [text, message] : cases) expect_error(text, Code::malformed_json, message);
}

TEST(Json, refuses_numbers_that_the_grammar_does_not_know) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"-", "Expected a digit, found the end of the text (line 1, column 2)"},
      {"-a", "Expected a digit, found 'a' (line 1, column 2)"},
      {"+1", "Expected a value, found '+' (line 1, column 1)"},
      {".5", "Expected a value, found '.' (line 1, column 1)"},
      {"01", "Expected a number without leading zeros, found '1' (line 1, column 2)"},
      {"-00", "Expected a number without leading zeros, found '0' (line 1, column 3)"},
      {"1.", "Expected a digit behind the decimal point, found the end of the text (line 1, column 3)"},
      {"1.e5", "Expected a digit behind the decimal point, found 'e' (line 1, column 3)"},
      {"1e", "Expected a digit of the exponent, found the end of the text (line 1, column 3)"},
      {"1e+", "Expected a digit of the exponent, found the end of the text (line 1, column 4)"},
      {"0x10", "Expected the end of the text, found 'x' (line 1, column 2)"},
      {"1_000", "Expected the end of the text, found '_' (line 1, column 2)"},
  };
  for (const auto& [text, message] : cases) expect_error(text, Code::malformed_json, message);
}

TEST(Json, refuses_half_a_surrogate_pair_and_the_escaped_nul) {
  for (const std::string_view text :
       {"\"\\ud800\"", "\"\\udc00\"", "\"\\ud800x\"", "\"\\ud800\\n\"", "\"\\ud800\\ud800\"", "\"\\ud800\\u0041\"",
        "\"\\udfff\\ud800\"", "\"\\uD83D\""}) {
    expect_error(text, Code::invalid_encoding, "A \\u escape is half of a surrogate pair (line 1, column 2)");
  }
  expect_error("[\"a\\u0000\"]", Code::invalid_encoding,
               "A string must not contain the character U+0000 (line 1, column 4)");
  expect_error("\"a\0b\""s, Code::malformed_json, "A control character in a string must be escaped (line 1, column 3)");
}

TEST(Json, refuses_bytes_that_are_not_utf8) {
  for (const std::string_view bad :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x80\x80", "\xe2\x82", "\xed\xa0\x80",
        "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xfe"}) {
    for (const std::string_view before : {"", "a", "0123456789abcdef", "\xc3\xa4"}) {
      const std::string text = "\"" + std::string(before) + std::string(bad) + "\"";
      const Error error = error_of(text);
      EXPECT_EQ(error.code, Code::invalid_encoding) << text::hex(bad);
      EXPECT_TRUE(error.error.starts_with("The text is not valid UTF-8 (line 1, column ")) << error.error;
    }
  }
}

TEST(Json, never_repeats_more_than_a_byte_of_the_input) {
  const std::string secret = "supersecretsupersecret";
  for (const std::string& text :
       {"{" + secret, "[\"" + secret + "\" " + secret, "\"" + secret, "{\"" + secret + "\"}"}) {
    const Error error = error_of(text);
    EXPECT_EQ(error.code, Code::malformed_json);
    EXPECT_FALSE(error.error.contains("super")) << error.error;
    EXPECT_LT(error.error.size(), 120U);
  }
}

TEST(Json, refuses_what_is_nested_too_deep_without_recursion) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  const std::string deep = nested(64), very_deep = nested(200'000);
  EXPECT_TRUE(Document::parse(deep));
  const Error error = error_of(nested(65));
  EXPECT_EQ(error.code, Code::limit_exceeded);
  EXPECT_EQ(error.error, "The JSON is nested more than 64 levels deep (line 1, column 65)");
  EXPECT_EQ(error_of(std::string(1'000'000, '[')).code, Code::limit_exceeded);
  EXPECT_TRUE(Document::parse(very_deep, {.max_depth = 300'000}));
}

TEST(Json, counts_values_and_names_towards_the_limit_of_nodes) {
  EXPECT_TRUE(Document::parse(R"({"a":1,"b":[2]})", {.max_nodes = 6}));
  const Error error = error_of(R"({"a":1,"b":[2]})", {.max_nodes = 5});
  EXPECT_EQ(error.code, Code::limit_exceeded);
  EXPECT_EQ(error.error, "The JSON has more than 5 values (line 1, column 13)");
}

TEST(Json, refuses_every_beginning_of_a_valid_text) {
  const std::string text = R"({"a\u00e4\ud83d\ude00":[1,-2.5e+7,true,false,null,"é😀"],"b":{"c":{}}})";
  ASSERT_TRUE(Document::parse(text));
  for (std::size_t n = 0; n < text.size(); ++n) {
    const std::string cut = text.substr(0, n);  // a copy, so that a sanitizer sees a byte too many
    EXPECT_FALSE(Document::parse(std::string_view(cut.data(), n))) << cut;
  }
}

TEST(Json, survives_any_single_byte_in_any_place) {
  const std::string text = R"({"a\u00e4":[1,-2.5e+7,true,null,"é\n"],"b":{"c":{}}})";
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = text;
      changed[at] = static_cast<char>(byte);
      const auto parsed = Document::parse(changed);
      if (parsed) EXPECT_EQ(parsed->root().raw(), changed);
    }
  }
}

TEST(Json, treats_a_missing_member_as_a_null_without_content) {
  const auto document = Document::parse(R"({"a":1,"n":null})");
  ASSERT_TRUE(document);
  const Value missing = document->root()["b"];
  EXPECT_FALSE(missing.exists());
  EXPECT_TRUE(missing.is_null());
  EXPECT_EQ(missing.raw(), "");
  EXPECT_EQ(missing.size(), 0U);
  EXPECT_EQ(missing.begin(), missing.end());
  EXPECT_FALSE(missing["c"]["d"].exists());
  EXPECT_FALSE(document->root()["a"]["b"].exists());
  EXPECT_TRUE(document->root()["n"].exists());
}

TEST(Json, does_not_iterate_over_scalars) {
  for (const std::string_view text : {"1", "\"x\"", "null", "true"}) {
    const auto document = Document::parse(text);
    ASSERT_TRUE(document);
    EXPECT_EQ(document->root().begin(), document->root().end());
    EXPECT_EQ(document->root().size(), 0U);
  }
}

TEST(Json, reads_each_kind) {
  const std::string_view text =
      " { \"n\" : null , \"t\":true,\"f\":false,\"i\":-0,\"s\":\"x\",\"a\":[ ],\"o\":{ } }\r\n\t";
  const auto document = Document::parse(text);
  ASSERT_TRUE(document);
  const Value root = document->root();
  EXPECT_EQ(root.size(), 7U);
  EXPECT_TRUE(root["n"].is_null());
  EXPECT_TRUE(root["t"].as_bool());
  EXPECT_FALSE(root["f"].as_bool());
  EXPECT_EQ(root["i"].digits(), "-0");
  EXPECT_EQ(root["s"].as_string(), "x");
  EXPECT_EQ(root["s"].raw(), "\"x\"");
  EXPECT_TRUE(root["a"].is_array());
  EXPECT_EQ(root["a"].raw(), "[ ]");
  EXPECT_TRUE(root["o"].is_object());
  EXPECT_EQ(root["o"].raw(), "{ }");
}

TEST(Json, keeps_the_digits_of_numbers_of_any_length) {
  const std::string big = "-" + std::string(5000, '9') + "." + std::string(5000, '0') + "E-" + std::string(100, '7');
  for (const std::string& text : {"0"s, "-0"s, "0.0"s, "1e5"s, "1E+5"s, "10"s, "9007199254740993"s, big}) {
    const auto document = Document::parse(text);
    ASSERT_TRUE(document) << text;
    EXPECT_EQ(document->root().digits(), text);
    EXPECT_EQ(document->root().raw(), text);
  }
}

TEST(Json, undoes_escapes_and_keeps_them_in_the_raw_text) {
  const std::string text = R"(["\"\\\/\b\f\n\r\t","\u0041\u00e4\u20AC\ud83d\ude00","a\u007fb","plain"])";
  const auto document = Document::parse(text);
  ASSERT_TRUE(document);
  std::vector<std::string_view> strings, raws;
  for (const Value value : document->root()) strings.push_back(value.as_string()), raws.push_back(value.raw());
  EXPECT_EQ(strings, (std::vector<std::string_view>{"\"\\/\b\f\n\r\t", "Aä€😀",
                                                    "a\x7f"
                                                    "b",
                                                    "plain"}));
  EXPECT_EQ(raws[1], R"("\u0041\u00e4\u20AC\ud83d\ude00")");
}

TEST(Json, keeps_strings_in_the_text_unless_they_were_escaped) {
  const std::string text = R"({"plain":"here"})";
  const auto document = Document::parse(text);
  ASSERT_TRUE(document);
  const std::string_view value = document->root()["plain"].as_string();
  EXPECT_EQ(value.data(), text.data() + text.find("here"));
}

TEST(Json, keeps_unescaped_strings_in_place_when_the_document_is_moved) {
  auto parsed = Document::parse(R"(["\n1","\n2"])");
  ASSERT_TRUE(parsed);
  const std::string_view before = (*parsed->root().begin()).as_string();
  const Document moved = *std::move(parsed);
  EXPECT_EQ((*moved.root().begin()).as_string().data(), before.data());
  EXPECT_EQ(before, "\n1");
}

TEST(Json, finds_members_by_their_unescaped_name_and_the_last_of_duplicates) {
  const auto document = Document::parse(R"({"a":1,"\u0061":[2,{"a":3}],"":4})");
  ASSERT_TRUE(document);
  EXPECT_EQ(document->root()["a"].raw(), R"([2,{"a":3}])");
  EXPECT_EQ(document->root()[""].raw(), "4");
  EXPECT_EQ(document->root().size(), 3U);
}

TEST(Json, iterates_in_order_and_skips_whole_subtrees) {
  const auto document = Document::parse(R"({"a":[[1,2],{"x":[3]}],"b":{"c":{"d":null}},"e":"f"})");
  ASSERT_TRUE(document);
  std::vector<std::string> seen;
  const Value root = document->root();
  for (auto it = root.begin(); it != root.end(); ++it) {
    seen.push_back(std::string(it.key()) + "=" + std::string((*it).raw()));
  }
  EXPECT_EQ(seen, (std::vector<std::string>{R"(a=[[1,2],{"x":[3]}])", R"(b={"c":{"d":null}})", R"(e="f")"}));
  std::vector<std::string_view> elements;
  for (const Value value : root["a"]) elements.push_back(value.raw());
  EXPECT_EQ(elements, (std::vector<std::string_view>{"[1,2]", R"({"x":[3]})"}));
}

TEST(Json, reads_back_every_code_point_that_the_writer_escapes) {
  std::string all;
  for (char32_t point = 1; point <= 0x10ffff; ++point) {
    if (point < 0xd800 || point > 0xdfff) all += as_utf8(point);
  }
  ASSERT_TRUE(text::is_utf8(all));
  const std::string text = quote(all);
  const auto document = Document::parse(text);
  ASSERT_TRUE(document) << document.error().error;
  EXPECT_TRUE(document->root().as_string() == all);
}

TEST(Json, reads_back_every_code_point_as_an_escape) {
  static constexpr char kHex[] = "0123456789aBcDeF";
  const auto unit = [](std::uint32_t u) {
    return std::string{'\\', 'u', kHex[u >> 12 & 15], kHex[u >> 8 & 15], kHex[u >> 4 & 15], kHex[u & 15]};
  };
  std::string text = "\"", all;
  for (char32_t point = 1; point <= 0x10ffff; ++point) {
    if (point >= 0xd800 && point <= 0xdfff) continue;
    all += as_utf8(point);
    const std::uint32_t over = point - 0x10000;
    text += point < 0x10000 ? unit(point) : unit(0xd800 + (over >> 10)) + unit(0xdc00 + (over & 0x3ff));
  }
  text += '"';
  const auto document = Document::parse(text);
  ASSERT_TRUE(document) << document.error().error;
  EXPECT_TRUE(document->root().as_string() == all);
}

TEST(Json, reads_back_random_strings_that_the_writer_escaped) {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string string;
    for (std::size_t n = random() % 60; n > 0; --n) {
      const std::uint32_t kind = random() % 8;
      char32_t point = kind < 4   ? 0x20 + random() % 0x5f
                       : kind < 5 ? 1 + random() % 0x1f
                       : kind < 6 ? (random() % 2 ? '"' : '\\')
                       : kind < 7 ? 0x80 + random() % 0xff80
                                  : 0x10000 + random() % 0x100000;
      if (point >= 0xd800 && point <= 0xdfff) point = 0xd7ff;
      string += as_utf8(point);
    }
    const std::string text = "{" + quote(string) + ":[" + quote(string) + "]}";
    const auto document = Document::parse(text);
    ASSERT_TRUE(document) << text << document.error().error;
    const auto member = document->root().begin();
    ASSERT_EQ(member.key(), string);
    ASSERT_EQ((*(*member).begin()).as_string(), string);
  }
}

TEST(Json, accepts_in_a_string_exactly_what_is_utf8) {
  std::mt19937 random(2);
  static constexpr unsigned char kEdges[] = {0x20, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2,
                                             0xdf, 0xe0, 0xe1, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff};
  int valid = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string string;
    for (std::size_t n = random() % 8; n > 0; --n) string += static_cast<char>(kEdges[random() % sizeof kEdges]);
    const std::string text = "\"" + string + "\"";
    ASSERT_EQ(Document::parse(text).has_value(), text::is_utf8(string)) << text::hex(string);
    valid += text::is_utf8(string);
  }
  EXPECT_GT(valid, 20'000);
}

TEST(Json, reads_a_large_text_in_one_go) {
  std::string text = "[";
  for (int i = 0; i < 100'000; ++i) text += R"({"id":)" + std::to_string(i) + R"(,"name":"a\tb"},)";
  text.back() = ']';
  const auto document = Document::parse(text);
  ASSERT_TRUE(document) << document.error().error;
  EXPECT_EQ(document->root().size(), 100'000U);
  int i = 0;
  for (const Value row : document->root()) {
    ASSERT_EQ(row["id"].digits(), std::to_string(i++));
    ASSERT_EQ(row["name"].as_string(), "a\tb");
  }
}

}  // namespace
}  // namespace athena::json
