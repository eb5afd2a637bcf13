#include "scylla/classify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace athena::driver::scylla {
namespace {

using query::Table;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using enum StatementKind;

SqlFacts facts(std::string_view text) {
  auto result = analyze_cql(text);
  EXPECT_TRUE(result.has_value()) << text << ": " << result.error().error;
  return result ? *std::move(result) : SqlFacts();
}
Error refusal(std::string_view text) {
  auto result = analyze_cql(text);
  EXPECT_FALSE(result.has_value()) << text;
  return result ? Error() : result.error();
}

TEST(Classify, kinds_and_tables_of_statements) {
  struct Case {
    const char* text;
    StatementKind kind;
    std::vector<Table> reads, writes;
  };
  const Case cases[] = {
      {"SELECT * FROM t", select, {{"", "t"}}, {}},
      {"select a, count(*), ttl(b) from Ks.Users where a in (?, ?) allow filtering;", select, {{"ks", "users"}}, {}},
      {"SELECT \"FROM\", cast(a as text) FROM \"Ks\".\"T\"\"x\"", select, {{"Ks", "T\"x"}}, {}},
      {"SELECT JSON 'FROM x' FROM ks . t", select, {{"ks", "t"}}, {}},
      {"INSERT INTO t (a) VALUES ({'FROM': 'x;y'}) IF NOT EXISTS", insert, {}, {{"", "t"}}},
      {"INSERT INTO k.t JSON '{\"a\": 1}'", insert, {}, {{"k", "t"}}},
      {"UPDATE k.t USING TTL 5 SET a[0] = 1, m = m + {1: 2} WHERE b = 123e4567-e89b-12d3-a456-426614174000",
       update,
       {},
       {{"k", "t"}}},
      {"DELETE a['from'], b FROM k.t WHERE c = 0xCAFE", del, {}, {{"k", "t"}}},
      {"TRUNCATE t", del, {}, {{"", "t"}}},
      {"TRUNCATE TABLE k.t", del, {}, {{"k", "t"}}},
      {"CREATE TABLE IF NOT EXISTS k.t (a int PRIMARY KEY) WITH comment = 'x'", ddl, {}, {{"k", "t"}}},
      {"ALTER TABLE t ADD b int", ddl, {}, {{"", "t"}}},
      {"DROP TABLE IF EXISTS t", ddl, {}, {{"", "t"}}},
      {"CREATE CUSTOM INDEX IF NOT EXISTS i ON k.t (a) USING 'sai'", ddl, {}, {{"k", "t"}}},
      {"CREATE INDEX ON t (values(a))", ddl, {}, {{"", "t"}}},
      {"DROP INDEX k.i", ddl, {}, {}},
      {"CREATE MATERIALIZED VIEW v AS SELECT a FROM k.t WHERE a IS NOT NULL PRIMARY KEY (a)",
       ddl,
       {{"k", "t"}},
       {{"", "v"}}},
      {"CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy'}", ddl, {}, {}},
      {"CREATE OR REPLACE FUNCTION f(x int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS $$ return ';'; $$",
       ddl,
       {},
       {}},
      {"GRANT SELECT ON TABLE t TO r", ddl, {}, {}},
      {"LIST ROLES", utility, {}, {}},
      {"DESCRIBE TABLE t", utility, {}, {}},
      {"-- a\nSELECT * /* FROM x */ FROM // y\rt WHERE d = 1y2mo AND e = 1.5e-3", select, {{"", "t"}}, {}},
  };
  for (const Case& c : cases) {
    const SqlFacts found = facts(c.text);
    EXPECT_THAT(found.statements, ElementsAre(c.kind)) << c.text;
    EXPECT_EQ(found.reads, c.reads) << c.text;
    EXPECT_EQ(found.writes, c.writes) << c.text;
  }
}

TEST(Classify, a_batch_is_all_of_its_statements) {
  const SqlFacts found = facts(
      "BEGIN UNLOGGED BATCH USING TIMESTAMP 12 INSERT INTO a (x) VALUES (1); UPDATE b SET x = 1 WHERE y = 2 "
      "DELETE FROM k.c WHERE y = ?; UPDATE b SET z = 1 WHERE y = 3 APPLY BATCH;");
  EXPECT_THAT(found.statements, ElementsAre(insert, update, del, update));
  EXPECT_THAT(found.writes, ElementsAre(Table{"", "a"}, Table{"", "b"}, Table{"k", "c"}));
  EXPECT_THAT(facts("BEGIN BATCH APPLY BATCH").writes, IsEmpty());
}

TEST(Classify, several_statements_are_refused) {
  for (const char* text : {"SELECT * FROM a; SELECT * FROM b", "SELECT * FROM a; ; ", "SELECT * FROM a;;",
                           "BEGIN BATCH DELETE FROM a WHERE b = 1 APPLY BATCH; SELECT * FROM b",
                           "BEGIN BATCH APPLY BATCH SELECT * FROM b"}) {
    EXPECT_EQ(refusal(text).code, Code::unsupported_statement) << text;
  }
  EXPECT_EQ(refusal("USE other").code, Code::unsupported_statement);
}

TEST(Classify, what_is_not_closed_is_refused_where_it_stands) {
  const std::pair<const char*, const char*> cases[] = {
      {"SELECT 'é FROM t", "8"},
      {"SELECT \"a FROM t", "8"},
      {"SELECT $$a FROM t", "8"},
      {"SELECT * FROM t /* x", "17"},
      {"SELECT (a FROM t", "17"},
      {"SELECT a) FROM t", "9"},
      {"SELECT é FROM t", "8"},
      {"SELEC * FROM t", "1"},
      {"", "1"},
      {"INSERT a", "9"},
      {"SELECT * FROM", "14"},
      {"SELECT * FROM 'x'", "15"},
      {"BEGIN TRANSACTION", "7"},
      {"BEGIN BATCH", "12"},
      {"SELECT [a) FROM t", "10"},
      {"BEGIN BATCH SELECT", "19"},
      {"SELECT é, # FROM t", "8"},
      {"SELECT \x01 FROM t", "8"},
  };
  for (const auto& [text, position] : cases) {
    const Error error = refusal(text);
    EXPECT_EQ(error.code, Code::syntax_error) << text;
    EXPECT_THAT(error.fields, Contains(Pair("position", position))) << text;
  }
}

TEST(Classify, no_table_hides_behind_a_number) {
  // Cassandra would cut these in two.
  for (const char* text :
       {"BEGIN BATCH USING TIMESTAMP 1INSERT INTO secret (a) VALUES (1) INSERT INTO b (a) VALUES (1) APPLY BATCH",
        "SELECT 0xagFROM t FROM b", "SELECT 1e5FROM secret", "SELECT 1y2INSERT FROM t"}) {
    EXPECT_EQ(refusal(text).code, Code::syntax_error) << text;
  }
  const SqlFacts glued = facts(
      "BEGIN BATCH USING TIMESTAMP ?INSERT INTO secret (a) VALUES ('x')INSERT INTO b (a) VALUES "
      "(123e4567-e89b-12d3-a456-426614174000)APPLY BATCH");
  EXPECT_THAT(glued.writes, ElementsAre(Table{"", "secret"}, Table{"", "b"}));
}

TEST(Classify, comments_and_texts_hide_nothing) {
  EXPECT_THAT(facts("SELECT * FROM a -- x\r WHERE b = 'FROM c'").reads, ElementsAre(Table{"", "a"}));
  EXPECT_THAT(facts("SELECT '--' , \"/*\" FROM a").reads, ElementsAre(Table{"", "a"}));
  EXPECT_THAT(facts("SELECT $$ ' $$ , $$ -- $$ FROM a").reads, ElementsAre(Table{"", "a"}));
  EXPECT_EQ(refusal("SELECT 1 --\rFROM a; DROP TABLE a").code, Code::unsupported_statement);
}

}  // namespace
}  // namespace athena::driver::scylla
