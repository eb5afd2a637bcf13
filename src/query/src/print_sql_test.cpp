#include <athena/query/print.h>

#include <gtest/gtest.h>

namespace athena::query {
namespace {

Schema schema() {
  TableDef users;
  users.schema = "public";
  users.name = "users";
  const auto add = [&users](std::string name, TypeClass type) {
    ColumnDef& column = users.columns.emplace_back();
    column.name = std::move(name);
    column.type = type;
  };
  add("id", TypeClass::integer);
  add("name", TypeClass::text);
  add("data", TypeClass::json);
  users.primary_key = {0};
  TableDef bare;
  bare.schema = "public";
  bare.name = "bare";
  std::vector<TableDef> tables;
  tables.push_back(std::move(users));
  tables.push_back(std::move(bare));
  return Schema(std::move(tables), {"public"});
}

constexpr PrintOptions kPostgres{};
constexpr PrintOptions kSqlite{.flavor = Flavor::sqlite, .names = {}};

Select select_where(Op op, std::vector<Scalar> operands) {
  Select select;
  select.from.name = "users";
  Predicate predicate;
  predicate.column.name = "id";
  predicate.op = op;
  predicate.operands = std::move(operands);
  select.where.terms.emplace_back(std::move(predicate));
  return select;
}

Insert insert_rows(std::size_t rows) {
  Insert insert;
  insert.into.name = "users";
  insert.rows.assign(rows, Row{{"id", Number{"1"}}, {"name", std::string("x")}, {"data", std::monostate()}});
  return insert;
}

TEST(AppendIdentifier, doubles_quotes) {
  std::string sql;
  append_identifier(sql, "a\"b\"\"");
  EXPECT_EQ(sql, "\"a\"\"b\"\"\"\"\"");
  sql.clear();
  append_identifier(sql, "");
  EXPECT_EQ(sql, "\"\"");
}

/// Statements may also be built by code, not by a reader: what a reader would have refused must not be printed.
TEST(Print, operators_without_their_operands_are_refused) {
  const Schema tables = schema();
  for (const OpRow& row : operator_rows()) {
    if (row.arity == Arity::list) continue;
    EXPECT_FALSE(to_sql(select_where(row.op, {}), tables, kPostgres).has_value()) << row.name;
    EXPECT_FALSE(to_sql(select_where(row.op, {Number{"1"}, Number{"1"}, Number{"1"}}), tables, kPostgres).has_value())
        << row.name;
  }
}

TEST(Print, words_that_are_not_words_of_is_are_refused) {
  EXPECT_FALSE(to_sql(select_where(Op::is, {std::string("NULL; drop table users")}), schema(), kPostgres).has_value());
}

TEST(Print, comparing_with_null_is_refused) {
  EXPECT_FALSE(to_sql(select_where(Op::gt, {std::monostate()}), schema(), kPostgres).has_value());
}

TEST(Print, parameters_are_bounded_by_what_the_database_takes) {
  const Schema tables = schema();
  EXPECT_TRUE(to_sql(insert_rows(65'535 / 3), tables, kPostgres).has_value());
  EXPECT_TRUE(to_sql(insert_rows(32'766 / 3), tables, kSqlite).has_value());
  for (const auto& printed :
       {to_sql(insert_rows(65'535 / 3 + 1), tables, kPostgres), to_sql(insert_rows(32'766 / 3 + 1), tables, kSqlite)}) {
    ASSERT_FALSE(printed.has_value());
    EXPECT_EQ(printed.error().code, Code::limit_exceeded);
  }
}

TEST(Print, any_length_of_a_list_gives_the_same_statement) {
  const Schema tables = schema();
  const auto one = to_sql(select_where(Op::in, {Number{"1"}}), tables, kPostgres);
  const auto many = to_sql(select_where(Op::in, std::vector<Scalar>(5'000, Number{"1"})), tables, kPostgres);
  ASSERT_TRUE(one && many);
  EXPECT_EQ(one->sql, many->sql);
  EXPECT_EQ(many->params.size(), 1U);
}

TEST(Print, empty_trees_have_a_truth_of_their_own) {
  const Schema tables = schema();
  Select select;
  select.from.name = "users";
  select.columns.push_back({.column = {.name = "id", .path = {}}, .alias = {}, .cast = {}});
  select.where.join = Filter::Join::any_of;
  EXPECT_EQ(to_sql(select, tables, kPostgres)->sql, "SELECT t.\"id\" FROM \"public\".\"users\" AS t WHERE 1 = 0");
  select.where.negated = true;
  EXPECT_EQ(to_sql(select, tables, kPostgres)->sql, "SELECT t.\"id\" FROM \"public\".\"users\" AS t WHERE NOT (1 = 0)");
  select.where = Filter();
  select.where.terms.emplace_back(Filter());
  EXPECT_EQ(to_sql(select, tables, kPostgres)->sql, "SELECT t.\"id\" FROM \"public\".\"users\" AS t WHERE 1 = 1");
}

TEST(Print, a_long_row_of_conditions_stays_shallow) {
  Select select;
  select.from.name = "users";
  select.columns.push_back({.column = {.name = "id", .path = {}}, .alias = {}, .cast = {}});
  for (int i = 0; i < 101; ++i) select.where.terms.emplace_back(Filter());
  std::string fifty = "1 = 1";
  for (int i = 1; i < 50; ++i) fifty += " AND 1 = 1";
  EXPECT_EQ(to_sql(select, schema(), kSqlite)->sql,
            "SELECT t.\"id\" FROM \"public\".\"users\" AS t WHERE (" + fifty + ") AND (" + fifty + ") AND (1 = 1)");
}

TEST(Print, a_table_without_columns_cannot_be_read) {
  Select select;
  select.from.name = "bare";
  const auto printed = to_sql(select, schema(), kPostgres);
  ASSERT_FALSE(printed.has_value());
  EXPECT_EQ(printed.error().code, Code::undefined_column);
}

TEST(Print, an_id_column_that_is_not_there_is_named) {
  Delete del;
  del.from.name = "users";
  del.resource_id = Number{"1"};
  del.id_column = "user_id";
  const auto printed = to_sql(del, schema(), kPostgres);
  ASSERT_FALSE(printed.has_value());
  EXPECT_EQ(printed.error().code, Code::no_id_column);
  EXPECT_TRUE(printed.error().error.contains("user_id"));
}

TEST(Print, a_configured_id_column_need_not_be_a_key) {
  Delete del;
  del.from.name = "users";
  del.resource_id = std::string("x");
  del.id_column = "name";
  const auto printed = to_sql(del, schema(), kPostgres);
  ASSERT_TRUE(printed.has_value());
  EXPECT_TRUE(printed->sql.contains("WHERE t.\"name\" = $1"));
  EXPECT_FALSE(printed->is_keyed);
}

TEST(Print, keys_and_types_go_with_the_columns) {
  Select select;
  select.from.name = "users";
  for (const std::string_view text : {"id", "n:name", "data->a->>b", "data->a", "x:id::text"}) {
    select.columns.push_back({.column = {.name = "id", .path = {}}, .alias = std::string(text), .cast = {}});
  }
  select.columns[2].column = {.name = "data", .path = {{"a", false}, {"b", false}}, .path_as_text = true};
  select.columns[3].column = {.name = "data", .path = {{"a", false}}};
  select.columns[4].cast = "text";
  const Schema tables = schema();
  for (const PrintOptions& options : {kPostgres, kSqlite}) {
    const auto printed = to_sql(select, tables, options);
    ASSERT_TRUE(printed.has_value());
    EXPECT_EQ(printed->keys.size(), 5U);
    EXPECT_EQ(printed->types, (std::vector<TypeClass>{TypeClass::integer, TypeClass::integer, TypeClass::text,
                                                      TypeClass::json, TypeClass::text}));
    EXPECT_EQ(printed->table, tables.find("", "users", {}));
  }
}

TEST(Print, numbers_of_rows_are_printed_whole) {
  Select select;
  select.from.name = "users";
  select.limit = ~0ULL;
  select.offset = ~0ULL;
  EXPECT_TRUE(
      to_sql(select, schema(), kPostgres)->sql.ends_with(" LIMIT 18446744073709551615 OFFSET 18446744073709551615"));
}

TEST(Print, json_text_that_is_broken_is_only_a_value) {
  Update update;
  update.table.name = "users";
  update.set = {{"data", JsonText{"{\"a\":"}}};
  update.where.terms.emplace_back(
      Predicate{.column = {.name = "id", .path = {}}, .op = Op::eq, .operands = {Number{"1"}}});
  const auto printed = to_sql(update, schema(), kPostgres);
  ASSERT_TRUE(printed.has_value());
  EXPECT_EQ(printed->params[0].text, "{\"a\":");
}

}  // namespace
}  // namespace athena::query
