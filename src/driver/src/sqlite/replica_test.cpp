#include "sqlite/replica.h"

#include <gmock/gmock.h>

namespace athena::driver::sqlite {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::shared_ptr<Replica> replica(std::vector<SchemaRow> rows) {
  auto built = Replica::build(std::move(rows));
  EXPECT_TRUE(built) << built.error().log_detail;
  return built ? *built : nullptr;
}

std::shared_ptr<Replica> shop() {
  return replica({
      {"view", "cheap", "CREATE VIEW cheap AS SELECT id, price FROM things WHERE price < 10"},
      {"table", "_cf_METADATA", "CREATE TABLE _cf_METADATA (key INTEGER PRIMARY KEY, value BLOB)"},
      {"index", "things_name", "CREATE UNIQUE INDEX things_name ON things (name)"},
      {"index", "sqlite_autoindex_things_1", ""},
      {"table", "things",
       "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL CHECK (octet_length(name) < 9), price NUMERIC, "
       "at TIMESTAMP DEFAULT (strftime('%Y', 'now')))"},
      {"table", "found_data", "CREATE TABLE 'found_data'(id INTEGER PRIMARY KEY, block BLOB)"},
      {"table", "found", "CREATE VIRTUAL TABLE found USING fts5(body)"},
      {"trigger", "on_thing", "CREATE TRIGGER on_thing AFTER INSERT ON things BEGIN DELETE FROM found; END"},
  });
}

TEST(Replica, knows_the_tables_of_a_newer_sqlite) {
  const auto it = shop();
  EXPECT_THAT(it->left_out(), IsEmpty());
  std::vector<std::string> names;
  for (const query::TableDef& table : it->schema()->tables()) names.push_back(table.name);
  EXPECT_THAT(names, ElementsAre("cheap", "found", "things"));
  const query::TableDef* things = it->schema()->find("", "things", {});
  ASSERT_TRUE(things);
  EXPECT_TRUE(things->has_triggers);
  EXPECT_EQ(things->unique_keys.size(), 1U);
  EXPECT_EQ(things->columns[2].type, query::TypeClass::decimal);
  EXPECT_EQ(it->constraints().size(), 3U);  // primary key, unique, check
}

TEST(Replica, tells_what_a_text_does_and_gives) {
  const auto it = shop();
  const auto read = it->describe("SELECT price, name AS n, 1 + 1 FROM things WHERE id = $2 AND name = $1", false);
  ASSERT_TRUE(read) << read.error().error;
  EXPECT_THAT(read->facts.statements, ElementsAre(StatementKind::select));
  EXPECT_EQ(read->facts.reads.front().name, "things");
  EXPECT_FALSE(read->facts.writes_anything());
  ASSERT_EQ(read->columns.size(), 3U);
  EXPECT_EQ(read->columns[0].type_name, "NUMERIC");
  EXPECT_EQ(read->columns[1].name, "n");
  EXPECT_THAT(read->parameters, ElementsAre(2, 1));
  const auto write = it->describe("SELECT 1; INSERT INTO things (name) VALUES ('a') RETURNING id", false);
  ASSERT_TRUE(write) << write.error().error;
  EXPECT_TRUE(write->facts.writes_anything());
  EXPECT_EQ(write->facts.statements.size(), 2U);
  EXPECT_EQ(write->columns.front().name, "id");
}

TEST(Replica, refuses_what_raw_sql_may_not_do) {
  const auto it = shop();
  EXPECT_EQ(it->describe("BEGIN", false).error().code, Code::unsupported_statement);
  EXPECT_EQ(it->describe("ATTACH 'x' AS y", false).error().code, Code::unsupported_statement);
  EXPECT_EQ(it->describe("DELETE FROM things", true).error().code, Code::read_only_violation);
  EXPECT_EQ(it->describe("SELECT nope FROM things", false).error().code, Code::undefined_column);
}

TEST(Replica, leaves_out_what_it_cannot_read_and_runs_nothing_else) {
  const auto it = replica({
      {"table", "good", "CREATE TABLE good (a); DROP TABLE good"},
      {"table", "odd", "CREATE TABLE odd (a, b AS SOMEHOW)"},
      {"table", "unknown", "CREATE VIRTUAL TABLE unknown USING no_such_module(a)"},
      {"table", "wrong", "INSERT INTO good VALUES (1)"},
      {"table", "away", "ATTACH 'x' AS y"},
      {"table", "nothing", "-- a comment"},
  });
  EXPECT_THAT(it->left_out(), ElementsAre("unknown", "odd", "wrong", "away", "nothing"));
  ASSERT_EQ(it->schema()->tables().size(), 1U);
  EXPECT_EQ(it->schema()->tables().front().name, "good");
}

TEST(Replica, of_an_empty_database_is_empty) {
  EXPECT_THAT(replica({})->schema()->tables(), IsEmpty());
}

}  // namespace
}  // namespace athena::driver::sqlite
