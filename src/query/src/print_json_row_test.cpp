#include <gmock/gmock.h>

#include <athena/query/print.h>

namespace athena::query {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

TableDef table_of(std::vector<std::string> names) {
  TableDef table;
  table.name = "wide";
  for (std::string& name : names) table.columns.emplace_back().name = std::move(name);
  return table;
}

TableDef table_of(std::size_t columns) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < columns; ++i) names.push_back("c" + std::to_string(i));
  return table_of(std::move(names));
}

std::size_t count(std::string_view text, std::string_view piece) {
  std::size_t found = 0;
  for (std::size_t at = text.find(piece); at != std::string_view::npos; at = text.find(piece, at + 1)) ++found;
  return found;
}

TEST(JsonRow, has_the_names_that_were_asked_for_as_keys) {
  const std::vector<std::string> names{"ID", "user_name", "userName"};
  EXPECT_EQ(to_json_row_sql(table_of({"id", "user_name"}), names, {.camel_to_snake = true}),
            R"(jsonb_build_object('ID', t."id", 'user_name', t."user_name", 'userName', t."user_name"))");
}

TEST(JsonRow, of_a_table_without_columns_is_empty) {
  EXPECT_EQ(to_json_row_sql(table_of({}), {}, {}), "jsonb_build_object()");
}

TEST(JsonRow, is_split_where_a_function_takes_no_more_arguments) {
  const std::string fifty = to_json_row_sql(table_of(50), {}, {}).value();
  EXPECT_EQ(count(fifty, "jsonb_build_object("), 1U);
  EXPECT_THAT(fifty, StartsWith("jsonb_build_object('c0', t.\"c0\", "));
  const std::string more = to_json_row_sql(table_of(51), {}, {}).value();
  EXPECT_EQ(count(more, "jsonb_build_object("), 2U);
  EXPECT_THAT(more, StartsWith("(jsonb_build_object("));
  EXPECT_THAT(more, EndsWith(") || jsonb_build_object('c50', t.\"c50\"))"));
  EXPECT_EQ(count(to_json_row_sql(table_of(1'600), {}, {}).value(), "jsonb_build_object("), 32U);
}

TEST(JsonRow, quotes_what_a_name_may_hold) {
  EXPECT_EQ(to_json_row_sql(table_of({R"(it's "a\b")"}), {}, {}),
            R"(jsonb_build_object(E'it''s "a\\b"', t."it's ""a\b"""))");
}

TEST(JsonRow, guesses_no_column) {
  const auto row = to_json_row_sql(table_of({"display_name", "user_id", "id"}),
                                   std::vector<std::string>{"display_username"}, {.camel_to_snake = true});
  ASSERT_FALSE(row);
  EXPECT_EQ(row.error().code, Code::undefined_column);
  EXPECT_THAT(row.error().error, HasSubstr("'display_username'"));
  for (const char* name : {"user_secret", "_secret", "idx", "", "t.id"}) {
    EXPECT_FALSE(table_of({"display_name", "user_id", "id"}).resolve(std::vector<std::string>{name}, {})) << name;
  }
}

}  // namespace
}  // namespace athena::query
