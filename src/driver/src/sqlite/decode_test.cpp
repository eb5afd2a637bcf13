#include "sqlite/decode.h"

#include <string>

#include <gtest/gtest.h>

#include <athena/base/json.h>

#include "sqlite/fixture.h"

namespace athena::driver::sqlite {
namespace {

using query::TypeClass;

TEST(TypeClass, declared_types_are_read_by_their_words) {
  const std::pair<const char*, TypeClass> cases[] = {
      {"", TypeClass::other},          {"boolean", TypeClass::boolean},      {"BOOL", TypeClass::boolean},
      {"JSON", TypeClass::json},       {"jsonb", TypeClass::json},           {"uuid", TypeClass::uuid},
      {"TIMESTAMPTZ", TypeClass::timestamptz}, {"timestamp with time zone", TypeClass::timestamptz},
      {"TIMESTAMP", TypeClass::timestamp}, {"DATETIME", TypeClass::timestamp}, {"date", TypeClass::date},
      {"TIME", TypeClass::time},       {"NUMERIC(10,2)", TypeClass::decimal}, {"DECIMAL_TEXT", TypeClass::decimal},
      {"INTEGER", TypeClass::integer}, {"bigint", TypeClass::integer},       {"UNSIGNED BIG INT", TypeClass::integer},
      {"POINT", TypeClass::other},     {"INTERVAL", TypeClass::text},        {"VARCHAR(20)", TypeClass::text},
      {"CLOB", TypeClass::text},       {"text", TypeClass::text},            {"BLOB", TypeClass::bytes},
      {"REAL", TypeClass::real},       {"DOUBLE PRECISION", TypeClass::real}, {"float", TypeClass::real},
      {"ANY", TypeClass::other},
  };
  for (const auto& [declared, type] : cases) EXPECT_EQ(type_class(declared), type) << declared;
}

TEST(IsJson, agrees_with_the_json_reader) {
  const char* const cases[] = {
      "",
      " ",
      "null",
      "nul",
      "nullx",
      "true",
      "false",
      "tru",
      "0",
      "-0",
      "-",
      "01",
      "1.",
      ".5",
      "1.5",
      "1e",
      "1e+",
      "1e+5",
      "1E-05",
      "+1",
      "\"\"",
      "\"a",
      "\"a\\\"b\"",
      "\"\\u00e9\"",
      "\"\\u00eg\"",
      "\"\\x\"",
      "\"a\tb\"",
      "[]",
      "[",
      "]",
      "[1]",
      "[1,]",
      "[,1]",
      "[1 2]",
      "[[],[]]",
      "[[]",
      "{}",
      "{",
      "{\"a\":1}",
      "{\"a\":1,}",
      "{\"a\"}",
      "{\"a\":}",
      "{a:1}",
      "{\"a\":1 \"b\":2}",
      "{\"a\":{\"b\":[{}]}}",
      "{\"a\":1}x",
      " [ 1 , { \"a\" : [ ] } ] ",
      "1}],\"x\":[{",
      "[}",
      "{]",
      "[1]]",
      "{\"a\":[}",
      "'a'",
      "NaN",
      "Infinity",
      "/*c*/1",
      "1 2",
      "\"a\"\"b\"",
      "{\"a\" 1}",
      "{1:2}",
      "[{},{}]",
  };
  for (const char* text : cases) EXPECT_EQ(is_json(text), json::Document::parse(text).has_value()) << text;
}

TEST(IsJson, is_not_stopped_by_depth_and_not_brought_down_by_it) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(is_json(nested(512)));
  EXPECT_FALSE(is_json(nested(513)));
  EXPECT_FALSE(is_json(std::string(1'000'000, '[')));
  EXPECT_FALSE(is_json(std::string(1'000'000, '{')));
}

TEST(IsJsonNumber, takes_digits_and_nothing_else) {
  for (const char* text : {"0", "-1", "12345678901234567890.123456789", "1e300"})
    EXPECT_TRUE(is_json_number(text)) << text;
  for (const char* text : {"", "1 ", " 1", "01", ".5", "+1", "1.", "NaN", "1,2", "0x1"}) {
    EXPECT_FALSE(is_json_number(text)) << text;
  }
}

class Decoding : public Fixture {
 protected:
  /// How `literal` comes out of a column that is declared as `type`.
  std::string through(const std::string& type, const std::string& literal) {
    must("DROP TABLE IF EXISTS t; CREATE TABLE t (v " + type + "); INSERT INTO t VALUES (" + literal + ")");
    const Answer answer = must("SELECT v FROM t");
    return answer.rows.empty() ? "no row" : answer.rows[0][0];
  }
};

TEST_F(Decoding, the_declared_type_decides_how_a_value_comes_out) {
  struct Case {
    const char *type, *literal, *shown;
  };
  const Case cases[] = {
      {"BOOLEAN", "1", "true"},
      {"BOOLEAN", "0", "false"},
      {"BOOLEAN", "'true'", "true"},
      {"BOOLEAN", "'F'", "false"},
      {"BOOLEAN", "2", "2"},
      {"BOOLEAN", "'maybe'", "'maybe'"},
      {"BOOLEAN", "NULL", "null"},
      {"JSON", "'{\"a\": [1, 2]}'", "{{\"a\": [1, 2]}}"},
      {"JSON", "'{\"a\": [1, 2}'", "'{\"a\": [1, 2}'"},
      {"JSON", "'x'", "'x'"},
      {"JSON", "12", "12"},
      {"uuid", "'11111111-1111-4111-8111-111111111111'", "\"11111111-1111-4111-8111-111111111111\""},
      {"uuid", "'not \"one\"'", "'not \"one\"'"},
      {"timestamptz", "'2025-01-31T13:00:00+00:00'", "\"2025-01-31T13:00:00+00:00\""},
      {"DATE", "'2025-01-31'", "\"2025-01-31\""},
      {"DATETIME", "1700000000", "1700000000"},
      {"DECIMAL_TEXT", "'12345678901234567890.123456789'", "{12345678901234567890.123456789}"},
      {"DECIMAL_TEXT", "'0.10'", "{0.10}"},
      {"DECIMAL_TEXT", "'many'", "'many'"},
      {"NUMERIC", "0.1", "0.1"},
      {"NUMERIC", "5", "5"},
      {"INTEGER", "9223372036854775807", "9223372036854775807"},
      {"INTEGER", "'text'", "'text'"},
      {"INTEGER", "1.5", "1.5"},
      {"DOUBLE", "1e300", "1e+300"},
      {"DOUBLE", "1e999", "\"Infinity\""},
      {"TEXT", "'a\"b'", "'a\"b'"},
      {"VARCHAR(3)", "12", "'12'"},
      {"BLOB", "x'00ff10'", "\"\\\\x00ff10\""},
      {"BLOB", "x''", "\"\\\\x\""},
      {"BLOB", "'text'", "'text'"},
      {"TEXT", "CAST(x'ff41' AS TEXT)", "\"\\\\xff41\""},
      {"JSON", "CAST(x'22ff22' AS TEXT)", "\"\\\\x22ff22\""},
      {"", "1", "1"},
      {"", "'a'", "'a'"},
  };
  for (const Case& one : cases) EXPECT_EQ(through(one.type, one.literal), one.shown) << one.type << " " << one.literal;
}

TEST_F(Decoding, an_expression_has_no_declared_type_and_comes_out_by_value) {
  const Answer answer = must("SELECT 1 + 1, 'a' || 'b', 1.5 * 2, NULL, x'00', json('[1]')");
  EXPECT_EQ(answer.rows[0], (std::vector<std::string>{"2", "'ab'", "3", "null", "\"\\\\x00\"", "'[1]'"}));
}

TEST(Batch, keeps_texts_where_they_are_and_memory_for_the_next_use) {
  Batch batch;
  std::vector<std::pair<char*, char>> written;
  for (int i = 0; i < 5'000; ++i) {
    char* at = batch.allocate(static_cast<std::size_t>(i % 100) + 1);
    *at = static_cast<char>(i);
    written.emplace_back(at, static_cast<char>(i));
  }
  for (const auto& [at, value] : written) ASSERT_EQ(*at, value);
  batch.allocate(1'000'000)[999'999] = 'x';
  EXPECT_GT(batch.bytes(), 1'000'000u);
  batch.clear();
  EXPECT_EQ(batch.bytes(), 0u);
  char* first = batch.allocate(10);
  batch.clear();
  EXPECT_EQ(batch.allocate(10), first);
}

}  // namespace
}  // namespace athena::driver::sqlite
