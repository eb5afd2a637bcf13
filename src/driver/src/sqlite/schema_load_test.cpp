#include "sqlite/schema_load.h"

#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sqlite/fixture.h"

namespace athena::driver::sqlite {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SchemaLoad : public Fixture {
 protected:
  const query::TableDef& table(std::string_view name) {
    Result<std::shared_ptr<const query::Schema>> loaded = wait_for(backend_->schema(call(), true));
    EXPECT_TRUE(loaded) << why(loaded);
    schema_ = *loaded;
    const query::TableDef* found = schema_->find("main", name, {});
    EXPECT_NE(found, nullptr) << name;
    static const query::TableDef none;
    return found ? *found : none;
  }
  std::vector<std::string> table_names() {
    std::vector<std::string> names;
    for (const auto& one : (*wait_for(backend_->schema(call(), true)))->tables()) names.push_back(one.name);
    return names;
  }
  std::shared_ptr<const query::Schema> schema_;
};

TEST_F(SchemaLoad, an_empty_file_has_no_tables) { EXPECT_THAT(table_names(), IsEmpty()); }

TEST_F(SchemaLoad, columns_tell_types_defaults_and_nulls) {
  must("CREATE TABLE t (id INTEGER PRIMARY KEY, a VARCHAR(20) NOT NULL DEFAULT 'x', b JSON,"
       " c INT GENERATED ALWAYS AS (id + 1) VIRTUAL, d INT AS (id * 2) STORED, e)");
  const query::TableDef& t = table("T");
  ASSERT_EQ(t.columns.size(), 6u);
  EXPECT_EQ(t.schema, "main");
  EXPECT_EQ(t.kind, query::TableKind::table);
  EXPECT_THAT(t.primary_key, ElementsAre(0));
  EXPECT_TRUE(t.columns[0].has_default && !t.columns[0].nullable);  // the rowid
  EXPECT_EQ(t.columns[1].type_name, "VARCHAR(20)");
  EXPECT_EQ(t.columns[1].type, query::TypeClass::text);
  EXPECT_TRUE(t.columns[1].has_default && !t.columns[1].nullable);
  EXPECT_EQ(t.columns[1].default_expression, "'x'");
  EXPECT_EQ(t.columns[2].type, query::TypeClass::json);
  EXPECT_TRUE(t.columns[2].nullable && !t.columns[2].has_default);
  EXPECT_TRUE(t.columns[3].generated && t.columns[4].generated);
  EXPECT_EQ(t.columns[5].type_name, "");
  EXPECT_EQ(t.estimated_rows, -1);
  EXPECT_FALSE(t.has_triggers);
}

TEST_F(SchemaLoad, only_integer_primary_key_is_the_rowid) {
  must("CREATE TABLE a (id INT PRIMARY KEY); CREATE TABLE b (id INTEGER PRIMARY KEY) WITHOUT ROWID;"
       "CREATE TABLE c (x INTEGER, y INTEGER, PRIMARY KEY (y, x)); CREATE TABLE d (x)");
  EXPECT_FALSE(table("a").columns[0].has_default);
  EXPECT_FALSE(table("b").columns[0].has_default);
  EXPECT_THAT(table("c").primary_key, ElementsAre(1, 0));
  EXPECT_THAT(table("d").primary_key, IsEmpty());
}

TEST_F(SchemaLoad, unique_keys_are_those_that_an_upsert_can_name) {
  must("CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE, b, c, UNIQUE (c, b));"
       "CREATE UNIQUE INDEX by_b ON t (b); CREATE UNIQUE INDEX partial ON t (c) WHERE c > 0;"
       "CREATE UNIQUE INDEX expression ON t (lower(b)); CREATE INDEX plain ON t (c)");
  std::vector<std::vector<std::uint32_t>> keys;
  for (const query::UniqueKey& key : table("t").unique_keys) keys.push_back(key.columns);
  EXPECT_THAT(keys, ElementsAre(ElementsAre(1), ElementsAre(3, 2), ElementsAre(2)));
}

TEST_F(SchemaLoad, views_virtual_tables_triggers_and_odd_names) {
  must("CREATE TABLE t (a); CREATE VIEW v AS SELECT a AS b FROM t;"
       "CREATE TRIGGER on_t AFTER INSERT ON t BEGIN SELECT 1; END;"
       "CREATE VIRTUAL TABLE words USING fts5(body);"
       "CREATE TABLE \"Weird \"\"Name\" (\"a.b\", \"emoji😀\");"
       "CREATE TABLE sqlitex (a)");
  EXPECT_THAT(table_names(), ElementsAre("Weird \"Name", "sqlitex", "t", "v", "words"));
  EXPECT_EQ(table("v").kind, query::TableKind::view);
  EXPECT_EQ(table("v").columns[0].name, "b");
  EXPECT_TRUE(table("t").has_triggers);
  EXPECT_EQ(table("words").columns.size(), 1u);
  EXPECT_EQ(table("Weird \"Name").columns[1].name, "emoji😀");
}

TEST_F(SchemaLoad, a_view_without_its_table_hides_nothing_else) {
  must("CREATE TABLE t (a); CREATE TABLE u (a); CREATE VIEW v AS SELECT a FROM t");
  must("DROP TABLE t");
  EXPECT_THAT(table_names(), ElementsAre("u"));
}

TEST_F(SchemaLoad, row_counts_come_from_analyze) {
  must("CREATE TABLE t (a); CREATE INDEX i ON t (a);"
       "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 500) INSERT INTO t SELECT i FROM r");
  EXPECT_EQ(table("t").estimated_rows, -1);
  must("ANALYZE");
  EXPECT_EQ(table("t").estimated_rows, 500);
}

TEST_F(SchemaLoad, many_tables_are_loaded) {
  std::string text;
  for (int i = 0; i < 900; ++i) text += "CREATE TABLE t" + std::to_string(i) + " (id INTEGER PRIMARY KEY, a UNIQUE);";
  must(text);
  EXPECT_EQ(table_names().size(), 900u);
}

TEST_F(SchemaLoad, constraints_are_told_with_names) {
  must("CREATE TABLE parent (id INTEGER PRIMARY KEY, code TEXT UNIQUE);"
       "CREATE TABLE child (a INT, b INT REFERENCES parent, c TEXT REFERENCES parent (code),"
       " CONSTRAINT \"big enough\" CHECK (a > 0 AND c <> ')'), CHECK (b /* ) */ < 5), PRIMARY KEY (a, b));");
  const auto constraints = wait_for(backend_->constraints(call()));
  ASSERT_TRUE(constraints) << why(constraints);
  std::vector<std::string> told;
  for (const ConstraintInfo& one : *constraints) {
    told.push_back(one.schema + "." + one.table + " " + one.name + ": " + one.definition);
  }
  EXPECT_THAT(told, ElementsAre("main.child child_pkey: PRIMARY KEY (a, b)",
                                "main.child child_c_fkey: FOREIGN KEY (c) REFERENCES parent(code)",
                                "main.child child_b_fkey: FOREIGN KEY (b) REFERENCES parent(id)",
                                "main.child big enough: CHECK (a > 0 AND c <> ')')",
                                "main.child child_check: CHECK (b /* ) */ < 5)",
                                "main.parent parent_pkey: PRIMARY KEY (id)",
                                "main.parent parent_code_key: UNIQUE (code)"));
  EXPECT_EQ((*constraints)[1].foreign_table, "parent");
  EXPECT_THAT((*constraints)[1].foreign_columns, ElementsAre("code"));
}

TEST(FindChecks, strings_names_and_comments_hide_nothing_and_show_nothing) {
  EXPECT_THAT(find_checks("CREATE TABLE t (\"check\" TEXT DEFAULT 'CHECK (1)', -- CHECK (2)\n [check] INT)"),
              IsEmpty());
  const auto checks = find_checks("CREATE TABLE t (a CHECK(a IN ('(', \")\", '''')), CONSTRAINT [x y] CHECK ((a)))");
  ASSERT_EQ(checks.size(), 2u);
  EXPECT_EQ(checks[0].name, "");
  EXPECT_EQ(checks[0].expression, "(a IN ('(', \")\", ''''))");
  EXPECT_EQ(checks[1].name, "x y");
  EXPECT_EQ(checks[1].expression, "((a))");
  EXPECT_EQ(find_checks("CHECK (").size(), 1u);
  EXPECT_EQ(find_checks("CREATE TABLE t (a CHECK ('unclosed").size(), 1u);
}

}  // namespace
}  // namespace athena::driver::sqlite
