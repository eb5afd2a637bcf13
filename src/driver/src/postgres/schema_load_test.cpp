#include "postgres/schema_load.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace athena::driver::postgres {
namespace {

using query::TypeClass;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using Row = std::vector<std::optional<std::string_view>>;

constexpr std::size_t kPath = 0, kTables = 1, kColumns = 2, kKeys = 3, kTypes = 4;

/// Rows as a PostgreSQL 15 gave them for a table, a view and a table of a second schema.
SchemaBuilder recorded() {
  SchemaBuilder builder;
  const auto add = [&](std::size_t query, const Row& row) { builder.add_row(query, row); };
  add(kPath, {"app"});
  add(kPath, {"public"});
  add(kTables, {"16500", "app", "orders", "r", "120000", "96", "f", "t"});
  add(kTables, {"16400", "public", "users", "p", "-1", "0", "t", "f"});
  add(kTables, {"16600", "public", "v", "v", "-1", "0", "t", "f"});
  add(kColumns, {"16400", "1", "id", "bigint", "20", "b", "N", "t", "t", "t", {}});
  add(kColumns, {"16400", "3", "mood", "mood", "16390", "e", "E", "f", "t", "f", "'ok'::mood"});
  add(kColumns, {"16400", "4", "moods", "mood[]", "16389", "b", "A", "f", "f", "f", {}});
  add(kColumns, {"16400", "7", "email", "citext", "16380", "b", "S", "t", "f", "f", {}});
  add(kColumns, {"16400", "8", "pair", "pair", "16370", "c", "C", "f", "f", "f", {}});
  add(kColumns, {"16500", "1", "total", "numeric(10,2)", "1700", "b", "N", "f", "f", "f", {}});
  add(kColumns, {"16500", "2", "tags", "text[]", "1009", "b", "A", "f", "f", "f", {}});
  add(kColumns, {"16600", "1", "n", "positive", "23", "b", "N", "f", "f", "f", {}});
  add(kColumns, {"99999", "1", "made_since", "integer", "23", "b", "N", "f", "f", "f", {}});
  add(kKeys, {"16400", "users_email_id_key", "f", "2", "7 1 3"});
  add(kKeys, {"16400", "users_pkey", "t", "1", "1"});
  add(kKeys, {"16400", "of_a_new_column", "f", "1", "9"});
  add(kKeys, {"99999", "made_since", "t", "1", "1"});
  add(kTypes, {"16390", "mood", "e", "E"});
  add(kTypes, {"16389", "mood[]", "b", "A"});
  add(kTypes, {"16370", "pair", "c", "C"});
  return builder;
}

TEST(SchemaBuilder, makes_tables_of_recorded_rows) {
  const auto schema = recorded().finish();
  ASSERT_TRUE(schema);
  EXPECT_THAT((*schema)->search_path(), ElementsAre("app", "public"));
  ASSERT_THAT((*schema)->tables(), SizeIs(3));

  const auto* users = (*schema)->find("public", "users", {});
  ASSERT_TRUE(users);
  EXPECT_EQ(users->kind, query::TableKind::table);
  EXPECT_EQ(users->estimated_rows, -1);
  EXPECT_TRUE(users->has_triggers);
  EXPECT_FALSE(users->reads_alone);
  ASSERT_THAT(users->columns, SizeIs(5));
  const auto& id = users->columns[0];
  EXPECT_EQ(id.name, "id");
  EXPECT_EQ(id.type_name, "bigint");
  EXPECT_EQ(id.type, TypeClass::integer);
  EXPECT_EQ(id.type_oid, 20U);
  EXPECT_FALSE(id.nullable);
  EXPECT_TRUE(id.has_default);
  EXPECT_TRUE(id.generated);
  EXPECT_EQ(users->columns[1].type, TypeClass::text) << "an enum";
  EXPECT_EQ(users->columns[1].default_expression, "'ok'::mood");
  EXPECT_EQ(users->columns[2].type, TypeClass::array);
  EXPECT_EQ(users->columns[3].type, TypeClass::text) << "the string category";
  EXPECT_EQ(users->columns[4].type, TypeClass::other);
  EXPECT_THAT(users->primary_key, ElementsAre(0));
  ASSERT_THAT(users->unique_keys, SizeIs(1));
  EXPECT_EQ(users->unique_keys[0].name, "users_email_id_key");
  EXPECT_THAT(users->unique_keys[0].columns, ElementsAre(3, 0)) << "without the column that is only included";

  const auto* orders = (*schema)->find("app", "orders", {});
  ASSERT_TRUE(orders);
  EXPECT_EQ(orders->estimated_rows, 120'000);
  EXPECT_EQ(orders->average_row_bytes, 96U);
  EXPECT_FALSE(orders->has_triggers);
  EXPECT_TRUE(orders->reads_alone);
  EXPECT_EQ(orders->columns[0].type, TypeClass::decimal);
  EXPECT_EQ(orders->columns[1].type, TypeClass::array);
  EXPECT_EQ((*schema)->find("public", "v", {})->kind, query::TableKind::view);

  ASSERT_TRUE((*schema)->find_type(16389));
  EXPECT_EQ((*schema)->find_type(16389)->name, "mood[]");
  EXPECT_EQ((*schema)->find_type(16389)->type, TypeClass::array);
  EXPECT_EQ((*schema)->find_type(16390)->type, TypeClass::text);
  EXPECT_EQ((*schema)->find_type(20), nullptr);
}

TEST(SchemaBuilder, an_empty_database_is_a_schema_without_tables) {
  SchemaBuilder builder;
  const auto schema = builder.finish();
  ASSERT_TRUE(schema);
  EXPECT_TRUE((*schema)->tables().empty());
}

TEST(SchemaBuilder, refuses_rows_that_do_not_fit_their_query) {
  const std::vector<std::pair<std::size_t, Row>> wrong = {
      {kPath, {}},
      {kPath, {std::nullopt}},
      {kPath, {"a", "b"}},
      {kTables, {"x", "s", "t", "r", "-1", "0", "f"}},
      {kTables, {"-5", "s", "t", "r", "-1", "0", "f"}},
      {kTables, {"4294967296", "s", "t", "r", "-1", "0", "f"}},
      {kTables, {"1", "s", std::nullopt, "r", "-1", "0", "f"}},
      {kTables, {"16400", "public", "twice", "r", "-1", "0", "f"}},
      {kColumns, {"16400", "1", "again", "bigint", "20", "b", "N", "t", "t", "t", {}}},
      {kColumns, {"16400", "70000", "c", "bigint", "20", "b", "N", "t", "t", "t", {}}},
      {kColumns, {"16400", "9", "c"}},
      {kKeys, {"16400", "k", "f", "2", "1"}},
      {kKeys, {"16400", "k", "f", "0", ""}},
      {kKeys, {"16400", "k", "f", "1", "x"}},
      {kTypes, {"16390", "mood", "e"}},
      {kTypes, {"x", "mood", "e", "E"}},
      {5, {"a"}},
  };
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    SchemaBuilder builder = recorded();
    builder.add_row(wrong[i].first, wrong[i].second);
    const auto schema = builder.finish();
    ASSERT_FALSE(schema) << i;
    EXPECT_EQ(schema.error().code, Code::internal_error);
  }
}

TEST(SchemaQueries, name_everything_by_its_schema) {
  ASSERT_THAT(schema_queries(), SizeIs(5));
  for (const std::string_view query :
       {schema_queries()[1], schema_queries()[2], schema_queries()[3], schema_queries()[4], constraints_query()}) {
    const std::string text(query);
    EXPECT_THAT(text, HasSubstr("has_schema_privilege"));
    for (const char* bare : {" pg_class", " pg_attribute", " pg_type", " pg_constraint", " pg_get_expr",
                             " format_type(", " unnest(", "::text", "::int8"}) {
      EXPECT_THAT(text, Not(HasSubstr(bare)));
    }
  }
}

TEST(ConstraintsBuilder, gathers_the_columns_of_each_constraint) {
  ConstraintsBuilder builder;
  const auto add = [&](const Row& row) { builder.add_row(row); };
  add({"1", "public", "orders", "orders_check", "c", {}, {}, {}, {}, "CHECK (true)"});
  add({"2", "public", "orders", "orders_fk", "f", "a", "app", "users", "x",
       "FOREIGN KEY (a, b) REFERENCES app.users(x, y)"});
  add({"2", "public", "orders", "orders_fk", "f", "b", "app", "users", "y", {}});
  add({"3", "public", "orders", "orders_pkey", "p", "id", {}, {}, {}, "PRIMARY KEY (id)"});
  add({"4", "public", "orders", "orders_u", "u", "u", {}, {}, {}, "UNIQUE (u)"});
  add({"5", "public"});
  add({"6", std::nullopt, "orders", "x", "p", "id", {}, {}, {}, ""});
  const auto constraints = builder.finish();
  ASSERT_THAT(constraints, SizeIs(4));
  EXPECT_EQ(constraints[0].type, "CHECK");
  EXPECT_TRUE(constraints[0].columns.empty());
  EXPECT_EQ(constraints[0].definition, "CHECK (true)");
  EXPECT_EQ(constraints[1].type, "FOREIGN KEY");
  EXPECT_THAT(constraints[1].columns, ElementsAre("a", "b"));
  EXPECT_EQ(constraints[1].foreign_schema, "app");
  EXPECT_EQ(constraints[1].foreign_table, "users");
  EXPECT_THAT(constraints[1].foreign_columns, ElementsAre("x", "y"));
  EXPECT_EQ(constraints[1].definition, "FOREIGN KEY (a, b) REFERENCES app.users(x, y)");
  EXPECT_EQ(constraints[2].type, "PRIMARY KEY");
  EXPECT_EQ(constraints[3].type, "UNIQUE");
  EXPECT_THAT(constraints[3].columns, ElementsAre("u"));
}

}  // namespace
}  // namespace athena::driver::postgres
