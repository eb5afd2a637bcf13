#include "sqlite/authorizer.h"

#include <algorithm>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sqlite/fixture.h"

namespace athena::driver::sqlite {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class AuthorizerTest : public Fixture {
 protected:
  AuthorizerTest() {
    must("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);"
         "CREATE TABLE log (what TEXT);"
         "CREATE TABLE parent (id INTEGER PRIMARY KEY);"
         "CREATE TABLE child (id INTEGER PRIMARY KEY, parent REFERENCES parent (id) ON DELETE CASCADE);"
         "CREATE VIEW v AS SELECT * FROM t;"
         "CREATE TRIGGER t_log AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.v); END;"
         "INSERT INTO t (v) VALUES ('one');");
  }
  /// Everything that is in the file, as text.
  std::string picture() {
    std::string all;
    for (const char* text : {"SELECT name, sql FROM sqlite_schema ORDER BY name", "SELECT * FROM t",
                             "SELECT * FROM log", "SELECT * FROM sqlite_sequence", "PRAGMA user_version",
                             "PRAGMA journal_mode", "PRAGMA foreign_keys", "PRAGMA database_list"}) {
      for (const auto& row : must(text).rows) {
        for (const std::string& cell : row) all += cell + "|";
      }
    }
    return all;
  }
  std::vector<std::string> names(const std::vector<query::Table>& tables) {
    std::vector<std::string> result;
    for (const query::Table& table : tables) result.push_back(table.name);
    return result;
  }
  SqlFacts facts(std::string_view text) {
    Result<SqlFacts> result = backend_->analyze(text);
    EXPECT_TRUE(result) << text << ": " << why(result);
    return result ? *std::move(result) : SqlFacts{};
  }
};

TEST_F(AuthorizerTest, what_is_forbidden_is_refused_and_changes_nothing) {
  struct Case {
    const char* text;
    Code code;
  };
  const Case cases[] = {
      {"ATTACH DATABASE '/tmp/athena-attached.db' AS x", Code::unsupported_statement},
      {"ATTACH ':memory:' AS x", Code::unsupported_statement},
      {"DETACH DATABASE main", Code::unsupported_statement},
      {"VACUUM", Code::unsupported_statement},
      {"VACUUM INTO '/tmp/athena-vacuumed.db'", Code::unsupported_statement},
      {"SELECT load_extension('/tmp/x.so')", Code::insufficient_privilege},
      {"SELECT fts3_tokenizer('simple')", Code::insufficient_privilege},
      {"SELECT fts3_tokenizer('x', x'00')", Code::insufficient_privilege},
      {"PRAGMA journal_mode = DELETE", Code::unsupported_statement},
      {"PRAGMA writable_schema = ON", Code::unsupported_statement},
      {"PRAGMA query_only = 0", Code::unsupported_statement},
      {"PRAGMA user_version = 7", Code::unsupported_statement},
      {"PRAGMA foreign_keys = OFF", Code::unsupported_statement},
      {"PRAGMA main.foreign_keys(0)", Code::unsupported_statement},
      {"PRAGMA case_sensitive_like = OFF", Code::unsupported_statement},
      {"PRAGMA trusted_schema = ON", Code::unsupported_statement},
      {"PRAGMA locking_mode = EXCLUSIVE", Code::unsupported_statement},
      {"PRAGMA wal_checkpoint(TRUNCATE)", Code::unsupported_statement},
      {"PRAGMA mmap_size = 1000000000", Code::unsupported_statement},
      {"PRAGMA temp_store_directory = '/tmp'", Code::unsupported_statement},
      {"PRAGMA optimize", Code::unsupported_statement},
      {"PRAGMA busy_timeout = 100000", Code::unsupported_statement},
      {"BEGIN", Code::unsupported_statement},
      {"COMMIT", Code::unsupported_statement},
      {"ROLLBACK", Code::unsupported_statement},
      {"END TRANSACTION", Code::unsupported_statement},
      {"SAVEPOINT a", Code::unsupported_statement},
      {"RELEASE job", Code::unsupported_statement},
      {"ROLLBACK TO job", Code::unsupported_statement},
      {"INSERT INTO t (v) VALUES ('x'); COMMIT", Code::unsupported_statement},
      {"CREATE TEMP TABLE leak (a)", Code::unsupported_statement},
      {"CREATE TABLE temp.leak (a)", Code::unsupported_statement},
      {"CREATE VIEW temp.leak AS SELECT 1", Code::unsupported_statement},
      {"CREATE TEMP VIEW leak AS SELECT 1", Code::unsupported_statement},
      {"CREATE TEMP TRIGGER leak AFTER INSERT ON t BEGIN DELETE FROM t; END", Code::unsupported_statement},
      {"UPDATE sqlite_schema SET sql = ''", Code::insufficient_privilege},
      {"DELETE FROM sqlite_master", Code::insufficient_privilege},
      {"UPDATE sqlite_sequence SET seq = 1000", Code::insufficient_privilege},
      {"DELETE FROM sqlite_sequence", Code::insufficient_privilege},
      {"DROP TABLE sqlite_sequence", Code::insufficient_privilege},
      {"SELECT sql FROM sqlite_stmt", Code::insufficient_privilege},
      {"CREATE VIRTUAL TABLE x USING csv(filename='/etc/passwd')", Code::insufficient_privilege},
      {"CREATE VIRTUAL TABLE x USING dbstat", Code::insufficient_privilege},
      {"EXPLAIN ATTACH '/tmp/x.db' AS x", Code::unsupported_statement},
      {"SELECT * FROM pragma_wal_checkpoint", Code::undefined_table},
      {"INSERT INTO t (v) VALUES ('x'); ATTACH ':memory:' AS x", Code::unsupported_statement},
      {"SELECT 1; PRAGMA query_only = 0; DELETE FROM t", Code::unsupported_statement},
  };
  const std::string before = picture();
  for (const Case& one : cases) {
    const Result<Answer> answer = sql(one.text);
    ASSERT_FALSE(answer) << one.text;
    EXPECT_EQ(answer.error().code, one.code) << one.text << ": " << why(answer);
    EXPECT_FALSE(answer.error().error.empty()) << one.text;
  }
  EXPECT_EQ(picture(), before);
  EXPECT_FALSE(std::filesystem::exists("/tmp/athena-attached.db"));
  EXPECT_FALSE(std::filesystem::exists("/tmp/athena-vacuumed.db"));
}

TEST_F(AuthorizerTest, read_only_calls_cannot_write) {
  const std::string before = picture();
  Call call = Fixture::call();
  call.read_only = true;
  for (const char* text :
       {"INSERT INTO t (v) VALUES ('x')", "UPDATE t SET v = 'x'", "DELETE FROM t", "DROP TABLE t", "CREATE TABLE x (a)",
        "ANALYZE", "SELECT 1; DELETE FROM t", "WITH x AS (SELECT 1) DELETE FROM t",
        "ALTER TABLE t ADD COLUMN x", "INSERT INTO v (v) VALUES ('x')"}) {
    const Result<Answer> answer = sql(text, {}, call);
    ASSERT_FALSE(answer) << text;
    if (std::string_view(text).find("INTO v") == std::string_view::npos) {
      EXPECT_EQ(answer.error().code, Code::read_only_violation) << text << ": " << answer.error().error;
    }
  }
  for (const char* text :
       {"SELECT * FROM v", "PRAGMA table_info(t)", "EXPLAIN DELETE FROM t", "EXPLAIN QUERY PLAN SELECT 1",
        "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 3) SELECT * FROM r"}) {
    EXPECT_TRUE(sql(text, {}, call)) << text;
  }
  EXPECT_EQ(picture(), before);
}

TEST_F(AuthorizerTest, what_only_tells_something_is_allowed) {
  for (const char* text :
       {"PRAGMA table_info(t)", "PRAGMA table_xinfo('t')", "PRAGMA index_list(t)", "PRAGMA foreign_key_list(child)",
        "PRAGMA user_version", "PRAGMA compile_options", "PRAGMA table_list", "PRAGMA function_list",
        "PRAGMA journal_mode", "PRAGMA integrity_check", "SELECT * FROM pragma_table_info('t')",
        "SELECT * FROM sqlite_schema", "SELECT seq FROM sqlite_sequence", "SELECT json_extract('{\"a\":1}', '$.a')"}) {
    EXPECT_TRUE(sql(text)) << text;
  }
}

TEST_F(AuthorizerTest, ddl_and_virtual_tables_work) {
  for (const char* text : {"CREATE TABLE made (id INTEGER PRIMARY KEY AUTOINCREMENT, a)",
                           "INSERT INTO made (a) VALUES (1)",
                           "ALTER TABLE made ADD COLUMN b DEFAULT 5",
                           "ALTER TABLE made RENAME COLUMN a TO c",
                           "ALTER TABLE made RENAME TO made2",
                           "CREATE INDEX made_c ON made2 (c)",
                           "ANALYZE",
                           "REINDEX",
                           "ALTER TABLE made2 DROP COLUMN b",
                           "DROP INDEX made_c",
                           "DROP TABLE made2",
                           "CREATE TABLE copy AS SELECT * FROM t",
                           "DROP TABLE copy",
                           "CREATE VIRTUAL TABLE words USING fts5(body)",
                           "INSERT INTO words VALUES ('hello world')",
                           "SELECT * FROM words WHERE words MATCH 'hello'",
                           "INSERT INTO words(words) VALUES ('optimize')",
                           "DROP TABLE words",
                           "CREATE VIRTUAL TABLE box USING rtree(id, x0, x1)",
                           "INSERT INTO box VALUES (1, 0, 1)",
                           "SELECT * FROM box WHERE x0 < 1",
                           "DROP TABLE box"}) {
    const Result<Answer> answer = sql(text);
    EXPECT_TRUE(answer) << text << ": " << why(answer);
  }
}

TEST_F(AuthorizerTest, tells_the_kinds_and_tables_of_a_text) {
  EXPECT_THAT(facts("SELECT v FROM t").statements, ElementsAre(StatementKind::select));
  EXPECT_THAT(names(facts("SELECT v FROM t").reads), ElementsAre("t"));
  EXPECT_THAT(names(facts("SELECT * FROM v").reads), UnorderedElementsAre("v", "t"));
  EXPECT_THAT(names(facts("WITH x AS (SELECT * FROM t) SELECT count(*) FROM x").reads), ElementsAre("t"));
  EXPECT_THAT(names(facts("SELECT count(*) FROM t").reads), ElementsAre("t"));
  EXPECT_FALSE(facts("SELECT * FROM v").writes_anything());

  const SqlFacts insert = facts("INSERT INTO t (v) SELECT what FROM log");
  EXPECT_THAT(insert.statements, ElementsAre(StatementKind::insert));
  EXPECT_THAT(names(insert.writes), UnorderedElementsAre("t", "log"));  // the trigger writes log
  EXPECT_THAT(facts("INSERT INTO t VALUES (1, 'x') ON CONFLICT DO UPDATE SET v = 'y'").statements,
              ElementsAre(StatementKind::insert));
  EXPECT_THAT(facts("WITH x AS (SELECT 1) UPDATE t SET v = 'x'").statements, ElementsAre(StatementKind::update));
  EXPECT_THAT(names(facts("DELETE FROM parent").writes), UnorderedElementsAre("parent", "child"));

  EXPECT_THAT(facts("DROP TABLE t").statements, ElementsAre(StatementKind::ddl));
  EXPECT_THAT(names(facts("CREATE TABLE fresh (a)").writes), ElementsAre("fresh"));
  EXPECT_THAT(names(facts("ALTER TABLE t ADD COLUMN x").writes), ElementsAre("t"));
  EXPECT_THAT(names(facts("CREATE INDEX i ON t (v)").writes), ElementsAre("t"));
  EXPECT_THAT(facts("PRAGMA table_info(t)").statements, ElementsAre(StatementKind::utility));
  const SqlFacts explain = facts("EXPLAIN DELETE FROM t");
  EXPECT_THAT(explain.statements, ElementsAre(StatementKind::utility));
  EXPECT_TRUE(explain.writes.empty());
  EXPECT_FALSE(explain.writes_anything());
}

TEST_F(AuthorizerTest, semicolons_in_strings_comments_and_triggers_separate_nothing) {
  EXPECT_THAT(facts("SELECT ';' /* ; */ -- ;\n; SELECT 2;;").statements,
              ElementsAre(StatementKind::select, StatementKind::select));
  EXPECT_THAT(facts("CREATE TRIGGER x AFTER DELETE ON t BEGIN DELETE FROM log; SELECT 1; END; SELECT 1").statements,
              ElementsAre(StatementKind::ddl, StatementKind::select));
  EXPECT_TRUE(facts("").statements.empty());
  EXPECT_TRUE(facts(" -- nothing\n;; ").statements.empty());
}

TEST_F(AuthorizerTest, what_depends_on_a_table_that_does_not_exist_yet_may_do_anything) {
  const SqlFacts facts_of_both = facts("CREATE TABLE fresh (a); INSERT INTO fresh VALUES (1); SELECT 1");
  EXPECT_THAT(facts_of_both.statements, ElementsAre(StatementKind::ddl, StatementKind::utility));
  EXPECT_TRUE(facts_of_both.is_volatile);
  EXPECT_TRUE(facts_of_both.writes_anything());
  EXPECT_FALSE(backend_->analyze("INSERT INTO fresh VALUES (1)"));
  EXPECT_FALSE(backend_->analyze("CREATE TABLE fresh (a); ATTACH ':memory:' AS x"));
}

TEST_F(AuthorizerTest, analysis_says_what_is_wrong_and_where) {
  const auto syntax = backend_->analyze("SELECT 1;\nSELEC 2");
  ASSERT_FALSE(syntax);
  EXPECT_EQ(syntax.error().code, Code::syntax_error);
  EXPECT_THAT(syntax.error().fields, ::testing::Contains(::testing::Pair("position", "11")));
  EXPECT_EQ(backend_->analyze(std::string("SELECT 1\0; DROP TABLE t", 23)).error().code, Code::syntax_error);
  EXPECT_EQ(backend_->analyze(std::string(1024 * 1024 + 1, ' ')).error().code, Code::limit_exceeded);
  std::string many;
  for (int i = 0; i < 1'001; ++i) many += "SELECT 1;";
  EXPECT_EQ(backend_->analyze(many).error().code, Code::limit_exceeded);
  EXPECT_EQ(backend_->analyze("SELECT " + std::string(50'000, '(')).error().code, Code::limit_exceeded);
  std::string deep = "SELECT 1";
  for (int i = 0; i < 20'000; ++i) deep += "+1";
  EXPECT_EQ(backend_->analyze(deep).error().code, Code::limit_exceeded);
}

}  // namespace
}  // namespace athena::driver::sqlite
