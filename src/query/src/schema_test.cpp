#include <athena/query/schema.h>

#include <gtest/gtest.h>

namespace athena::query {
namespace {

TableDef table(std::string schema, std::string name, std::vector<std::string> columns) {
  TableDef def;
  def.schema = std::move(schema);
  def.name = std::move(name);
  for (std::string& column : columns) {
    ColumnDef& made = def.columns.emplace_back();
    made.name = std::move(column);
  }
  return def;
}

constexpr NameRules kPlain{};
constexpr NameRules kCamel{.camel_to_snake = true};

Schema two_schemas() {
  std::vector<TableDef> tables;
  tables.push_back(table("public", "users", {"id"}));
  tables.push_back(table("public", "user_events", {"id"}));
  tables.push_back(table("archive", "users", {"id"}));
  tables.push_back(table("archive", "old_users", {"id"}));
  tables.push_back(table("hidden", "secrets", {"id"}));
  tables.push_back(table("public", "Twin", {"id"}));
  tables.push_back(table("public", "twin", {"id"}));
  return Schema(std::move(tables), {"public", "archive"});
}

TEST(TableDef, does_not_find_by_prefix_or_guess) {
  const TableDef def = table("", "t", {"created_at"});
  EXPECT_EQ(def.find("created", kCamel), nullptr);
  EXPECT_EQ(def.find("created_xyz", kCamel), nullptr);
  EXPECT_EQ(def.find("", kCamel), nullptr);
}

TEST(TableDef, takes_the_exact_name_before_a_similar_one) {
  const TableDef def = table("", "t", {"ID", "id", "Id"});
  EXPECT_EQ(def.find("id", kPlain), &def.columns[1]);
  EXPECT_EQ(def.find("Id", kPlain), &def.columns[2]);
}

TEST(TableDef, refuses_a_name_that_matches_two_but_for_case) {
  const TableDef def = table("", "t", {"ID", "Id"});
  EXPECT_EQ(def.find("id", kPlain), nullptr);
}

TEST(TableDef, finds_in_other_case) {
  const TableDef def = table("", "t", {"Name"});
  EXPECT_EQ(def.find("nAME", kPlain), &def.columns[0]);
}

TEST(TableDef, finds_snake_case_of_camel_case_only_when_switched_on) {
  const TableDef def = table("", "t", {"first_name", "http_response"});
  EXPECT_EQ(def.find("firstName", kPlain), nullptr);
  EXPECT_EQ(def.find("firstName", kCamel), &def.columns[0]);
  EXPECT_EQ(def.find("HTTPResponse", kCamel), &def.columns[1]);
}

TEST(TableDef, an_undefined_column_names_the_nearest) {
  const Error error = table("", "users", {"id", "note"}).undefined_column("nope");
  EXPECT_EQ(error.code, Code::undefined_column);
  EXPECT_EQ(error.error, "Column 'nope' does not exist in table 'users'. Did you mean 'note'?");
  ASSERT_EQ(error.fields.size(), 2U);
  EXPECT_EQ(error.fields[0], (std::pair<std::string, std::string>{"column", "nope"}));
  EXPECT_EQ(error.fields[1], (std::pair<std::string, std::string>{"table", "users"}));
}

TEST(TableDef, an_undefined_column_repeats_only_the_beginning_of_a_long_name) {
  const Error error = table("", "users", {"id"}).undefined_column(std::string(1'000'000, 'x'));
  EXPECT_LT(error.error.size(), 200U);
}

TEST(Schema, looks_along_the_search_path) {
  const Schema schema = two_schemas();
  EXPECT_EQ(schema.find("", "users", kPlain)->schema, "public");
  EXPECT_EQ(schema.find("", "old_users", kPlain)->schema, "archive");
  EXPECT_EQ(schema.find("", "secrets", kPlain), nullptr);
}

TEST(Schema, looks_only_where_it_is_told) {
  const Schema schema = two_schemas();
  EXPECT_EQ(schema.find("archive", "users", kPlain)->schema, "archive");
  EXPECT_EQ(schema.find("hidden", "secrets", kPlain)->schema, "hidden");
  EXPECT_EQ(schema.find("public", "old_users", kPlain), nullptr);
}

TEST(Schema, finds_in_other_case_unless_that_is_ambiguous) {
  const Schema schema = two_schemas();
  EXPECT_EQ(schema.find("", "USERS", kPlain)->schema, "public");
  EXPECT_EQ(schema.find("PUBLIC", "Users", kPlain)->schema, "public");
  EXPECT_EQ(schema.find("", "TWIN", kPlain), nullptr);
  EXPECT_EQ(schema.find("", "Twin", kPlain)->name, "Twin");
}

TEST(Schema, finds_snake_case_of_camel_case_only_when_switched_on) {
  const Schema schema = two_schemas();
  EXPECT_EQ(schema.find("", "userEvents", kPlain), nullptr);
  EXPECT_EQ(schema.find("", "userEvents", kCamel)->name, "user_events");
}

TEST(Schema, a_dot_or_nul_in_a_name_leads_nowhere) {
  const Schema schema = two_schemas();
  EXPECT_EQ(schema.find("", "public.users", kCamel), nullptr);
  EXPECT_EQ(schema.find("", std::string_view("public\0users", 12), kCamel), nullptr);
}

TEST(Schema, an_undefined_table_names_the_nearest_of_what_is_searched) {
  const Schema schema = two_schemas();
  EXPECT_EQ(schema.undefined_table("", "usres").error, "Table 'usres' does not exist. Did you mean 'users'?");
  EXPECT_EQ(schema.undefined_table("", "secrts").error, "Table 'secrts' does not exist.");
  EXPECT_EQ(schema.undefined_table("hidden", "secrts").error,
            "Table 'secrts' does not exist in schema 'hidden'. Did you mean 'secrets'?");
}

TEST(Schema, the_default_schema_is_the_first_of_the_path) {
  const Schema schema = two_schemas();
  EXPECT_TRUE(schema.is_default_schema("public"));
  EXPECT_TRUE(schema.is_default_schema(""));
  EXPECT_FALSE(schema.is_default_schema("archive"));
  EXPECT_FALSE(schema.is_default_schema("Public"));
}

TEST(Schema, of_nothing_finds_nothing) {
  const Schema schema({}, {});
  EXPECT_EQ(schema.find("", "users", kCamel), nullptr);
  EXPECT_EQ(schema.undefined_table("", "users").code, Code::undefined_table);
}

}  // namespace
}  // namespace athena::query
