#include "sqlite/backend.h"

#include <algorithm>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "sqlite/fixture.h"

namespace athena::driver::sqlite {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Pair;

/// Statements that never end by themselves.
constexpr const char* kEndless = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) ";

class BackendTest : public Fixture {
 protected:
  void make_users() {
    must("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT, active BOOLEAN DEFAULT 1,"
         " balance DECIMAL_TEXT, profile JSON, CHECK (length(email) > 2));"
         "CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id));"
         "INSERT INTO users VALUES (1, 'ada@x', 'Ada', 1, '12.50', '{\"a\":1}'), (2, 'bob@x', NULL, 0, NULL, NULL);");
  }
  void make_numbers(int count) {
    must("CREATE TABLE numbers (i INTEGER PRIMARY KEY, pad TEXT); INSERT INTO numbers " +
         std::string("WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < ") +
         std::to_string(count) + ") SELECT i, substr('0000000000' || i, -10) || hex(zeroblob(45)) FROM r");
  }
  static query::Insert insert_into(std::string table, std::vector<query::Row> rows) {
    query::Insert insert;
    insert.into.name = std::move(table);
    insert.rows = std::move(rows);
    return insert;
  }
  /// Another program, as far as this process is concerned.
  void elsewhere(const char* sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(target_.database.c_str(), &db), SQLITE_OK);
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, &message), SQLITE_OK) << message;
    sqlite3_close(db);
  }
};

TEST_F(BackendTest, a_file_that_is_not_there_is_an_error_unless_it_may_be_made) {
  close();
  target_.create = false;
  target_.database = (folder_ / "missing.db").string();
  open();
  const auto answer = query(select_from("users"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::database_unavailable);
  EXPECT_EQ(answer.error().error.find("missing.db"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(target_.database));
  EXPECT_FALSE(backend_->analyze("SELECT 1"));
  EXPECT_FALSE(sql("CREATE TABLE x (a)"));
}

TEST_F(BackendTest, a_file_that_is_no_database_is_an_error) {
  close();
  target_.database = (folder_ / "text.db").string();
  std::ofstream(target_.database) << std::string(10'000, 'x');
  open();
  EXPECT_EQ(query(select_from("users")).error().code, Code::database_unavailable);
  EXPECT_EQ(sql("CREATE TABLE x (a)").error().code, Code::database_unavailable);
  EXPECT_FALSE(backend_->health().last_error.empty());
}

TEST_F(BackendTest, names_are_paths_and_never_uris_or_memory) {
  for (const char* name : {"", ":memory:"}) {
    close();
    target_.database = name;
    open();
    EXPECT_EQ(sql("SELECT 1").error().code, Code::configuration_error) << name;
  }
  close();
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder_);
  target_.database = "file:x.db?mode=memory";
  open();
  must("CREATE TABLE t (a)");
  EXPECT_TRUE(std::filesystem::exists(folder_ / "file:x.db?mode=memory"));
  std::filesystem::current_path(before);
}

TEST_F(BackendTest, selects_by_key_with_types) {
  make_users();
  const auto answer = query(by_key("users", "id", number("1")));
  ASSERT_TRUE(answer) << why(answer);
  EXPECT_THAT(answer->columns, ElementsAre("id", "email", "name", "active", "balance", "profile"));
  ASSERT_EQ(answer->rows.size(), 1u);
  EXPECT_THAT(answer->rows[0], ElementsAre("1", "'ada@x'", "'Ada'", "true", "{12.50}", "{{\"a\":1}}"));
  EXPECT_EQ(query(by_key("users", "id", number("3")))->rows.size(), 0u);
  EXPECT_THAT(query(by_key("users", "id", number("3")))->columns, Contains("email"));
}

TEST_F(BackendTest, the_same_statement_may_have_other_keys) {
  make_users();
  for (const char* key : {"email", "EMAIL", "email"}) {
    query::Select select = by_key("users", "id", number("1"));
    select.columns.push_back({.column = {.name = key, .path = {}}, .alias = "", .cast = ""});
    EXPECT_THAT(query(select)->columns, ElementsAre(key));
  }
}

TEST_F(BackendTest, an_unbounded_select_runs_on_a_thread_with_the_same_answer) {
  make_users();
  query::Select unbounded = select_from("users");
  query::Select bounded = unbounded;
  bounded.limit = 10;
  EXPECT_EQ(query(unbounded)->rows, query(bounded)->rows);
  EXPECT_EQ(query(unbounded)->columns, query(bounded)->columns);
}

TEST_F(BackendTest, insert_update_delete_return_their_rows) {
  make_users();
  const auto inserted = query(insert_into("users", {{{"id", number("7")}, {"email", std::string("eve@x")}}}));
  ASSERT_TRUE(inserted) << why(inserted);
  EXPECT_EQ(inserted->affected, 1u);
  EXPECT_THAT(inserted->rows[0], ElementsAre("7", "'eve@x'", "null", "true", "null", "null"));

  query::Update update;
  update.table.name = "users";
  update.set = {{"name", std::string("Eve")}};
  update.where.terms.emplace_back(equals("id", number("7")));
  const auto updated = query(update);
  ASSERT_TRUE(updated) << why(updated);
  EXPECT_EQ(updated->affected, 1u);
  EXPECT_EQ(updated->rows[0][2], "'Eve'");

  query::Delete del;
  del.from.name = "users";
  del.where.terms.emplace_back(equals("id", number("7")));
  EXPECT_EQ(query(del)->affected, 1u);
  EXPECT_EQ(query(del)->affected, 0u);
  EXPECT_EQ(query(del)->rows.size(), 0u);
}

TEST_F(BackendTest, constraints_are_told_by_their_codes_and_leave_nothing_behind) {
  make_users();
  const auto insert = [&](const char* id, query::Scalar email) {
    return query(insert_into("users", {{{"id", number(id)}, {"email", std::move(email)}}}));
  };
  EXPECT_EQ(insert("9", std::string("ada@x")).error().code, Code::unique_violation);
  EXPECT_THAT(insert("9", std::string("ada@x")).error().fields, Contains(Pair("column", "email")));
  EXPECT_EQ(insert("1", std::string("new@x")).error().code, Code::unique_violation);
  EXPECT_EQ(insert("9", std::monostate()).error().code, Code::not_null_violation);
  EXPECT_EQ(insert("9", std::string("x")).error().code, Code::check_constraint_violation);
  EXPECT_EQ(query(insert_into("orders", {{{"user_id", number("99")}}})).error().code, Code::foreign_key_violation);
  EXPECT_EQ(must("SELECT count(*) FROM users").rows[0][0], "2");
}

TEST_F(BackendTest, a_batch_is_atomic) {
  make_users();
  const auto answer = query(insert_into("users", {{{"id", number("8")}, {"email", std::string("new@x")}},
                                                  {{"id", number("9")}, {"email", std::string("ada@x")}}}));
  EXPECT_EQ(answer.error().code, Code::unique_violation);
  EXPECT_EQ(must("SELECT count(*) FROM users").rows[0][0], "2");
}

TEST_F(BackendTest, deferred_foreign_keys_fail_their_own_write) {
  must("CREATE TABLE a (id INTEGER PRIMARY KEY);"
       "CREATE TABLE b (a_id REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)");
  EXPECT_EQ(query(insert_into("b", {{{"a_id", number("1")}}})).error().code, Code::foreign_key_violation);
  EXPECT_TRUE(sql("INSERT INTO b VALUES (1); INSERT INTO a VALUES (1)"));
  EXPECT_EQ(must("SELECT count(*) FROM b").rows[0][0], "1");
}

TEST_F(BackendTest, more_affected_rows_than_allowed_change_nothing) {
  make_users();
  query::Update update;
  update.table.name = "users";
  update.set = {{"name", std::string("x")}};
  update.max_affected = 1;
  EXPECT_EQ(query(update).error().code, Code::too_many_affected);
  EXPECT_EQ(must("SELECT count(*) FROM users WHERE name = 'x'").rows[0][0], "0");
  update.max_affected = 2;
  EXPECT_EQ(query(update)->affected, 2u);
}

TEST_F(BackendTest, unknown_names_are_told_by_the_schema) {
  make_users();
  EXPECT_EQ(query(select_from("nope")).error().code, Code::undefined_table);
  EXPECT_EQ(query(by_key("users", "nope", number("1"))).error().code, Code::undefined_column);
}

TEST_F(BackendTest, read_only_calls_and_targets_do_not_write) {
  make_users();
  Call read_only = call();
  read_only.read_only = true;
  const auto insert = insert_into("users", {{{"email", std::string("new@x")}}});
  EXPECT_EQ(query(insert, read_only).error().code, Code::read_only_violation);
  EXPECT_TRUE(query(by_key("users", "id", number("1")), read_only));
  close();
  target_.read_only = true;
  open();
  EXPECT_EQ(query(insert).error().code, Code::read_only_database);
  EXPECT_EQ(sql("DELETE FROM users").error().code, Code::read_only_database);
  EXPECT_EQ(query(by_key("users", "id", number("1")))->rows.size(), 1u);
  EXPECT_EQ(must("SELECT count(*) FROM users").rows[0][0], "2");
}

TEST_F(BackendTest, counts_what_a_filter_matches) {
  make_users();
  query::Select all = select_from("users");
  all.limit = 1;
  for (const query::Count kind : {query::Count::exact, query::Count::planned, query::Count::estimated}) {
    EXPECT_EQ(*wait_for(backend_->count(all, kind, call())), 2u);
  }
  EXPECT_EQ(*wait_for(backend_->count(by_key("users", "id", number("1")), query::Count::exact, call())), 1u);
  EXPECT_EQ(wait_for(backend_->count(select_from("nope"), query::Count::exact, call())).error().code,
            Code::undefined_table);
}

TEST_F(BackendTest, raw_sql_takes_parameters_in_both_spellings) {
  EXPECT_THAT(sql("SELECT $2, $1, $2", {number("1"), std::string("b")})->rows[0], ElementsAre("'b'", "1", "'b'"));
  EXPECT_THAT(sql("SELECT ?2, ?1, '?'", {number("1"), std::string("b")})->rows[0], ElementsAre("'b'", "1", "'?'"));
  EXPECT_EQ(sql("SELECT $2, ?1", {number("1"), std::string("b")}).error().code, Code::invalid_parameter);
  EXPECT_THAT(sql("SELECT ?, ?", {true, std::monostate()})->rows[0], ElementsAre("1", "null"));
  EXPECT_THAT(sql("SELECT $1, $2, $3", {number("12345678901234567890"), number("1.5"), number("0.1234567890123456789")})
                  ->rows[0],
              ElementsAre("'12345678901234567890'", "1.5", "'0.1234567890123456789'"));
  EXPECT_THAT(sql("SELECT $1", {query::JsonText{"{\"a\":1}"}})->rows[0], ElementsAre("'{\"a\":1}'"));
  EXPECT_EQ(sql("SELECT $2", {number("1")}).error().code, Code::invalid_parameter);
  EXPECT_EQ(sql("SELECT ?, ?", {number("1")}).error().code, Code::invalid_parameter);
  EXPECT_EQ(sql("SELECT 1", {number("1")}).error().code, Code::invalid_parameter);
  EXPECT_EQ(sql("SELECT :a", {number("1")}).error().code, Code::invalid_parameter);
  EXPECT_EQ(sql("SELECT $0", {number("1")}).error().code, Code::invalid_parameter);
  must("CREATE TABLE t (a)");
  EXPECT_EQ(sql("INSERT INTO t VALUES ($2)", {number("1"), number("2")}).error().code, Code::invalid_parameter);
  EXPECT_EQ(must("SELECT count(*) FROM t").rows[0][0], "0");
}

TEST_F(BackendTest, several_statements_are_one_transaction_with_the_last_result) {
  must("CREATE TABLE t (a INTEGER PRIMARY KEY)");
  const auto answer = sql("INSERT INTO t VALUES (1), (2); SELECT count(*) AS n FROM t; INSERT INTO t VALUES (3)");
  ASSERT_TRUE(answer) << answer.error().error;
  EXPECT_THAT(answer->columns, ElementsAre("n"));
  EXPECT_THAT(answer->rows, ElementsAre(ElementsAre("2")));
  EXPECT_EQ(answer->affected, 3u);
  EXPECT_EQ(answer->statements, 3u);
  EXPECT_EQ(sql("INSERT INTO t VALUES (4); INSERT INTO t VALUES (1)").error().code, Code::unique_violation);
  EXPECT_EQ(must("SELECT count(*) FROM t").rows[0][0], "3");
  EXPECT_EQ(sql("SELECT 1; SELECT a FROM t WHERE a > 1; ")->rows.size(), 2u);
  EXPECT_EQ(sql("CREATE TABLE u (a); INSERT INTO u VALUES (5); SELECT a FROM u")->rows[0][0], "5");
  EXPECT_EQ(sql("CREATE TABLE w (a); SELECT nope FROM w").error().code, Code::undefined_column);
  EXPECT_EQ(sql("SELECT * FROM w").error().code, Code::undefined_table);
}

TEST_F(BackendTest, raw_sql_errors_tell_where) {
  const auto answer = sql("select 'é'; selec 1");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::syntax_error);
  EXPECT_THAT(answer.error().fields, Contains(Pair("position", "13")));
  for (const char* text : {"", "  ", ";;", "-- nothing"}) EXPECT_EQ(sql(text).error().code, Code::syntax_error) << text;
  EXPECT_EQ(sql("SELECT \"nope\"").error().code, Code::undefined_column);
  Native elsewhere{"SELECT 1", {}, "public"};
  EXPECT_EQ(wait_for(execute_and_drain(*backend_, elsewhere, call())).error().code, Code::undefined_object);
}

TEST_F(BackendTest, like_is_case_sensitive) {
  EXPECT_THAT(must("SELECT 'Ada' LIKE 'ada', 'Ada' LIKE 'Ad%', lower('Ada') LIKE lower('aDA')").rows[0],
              ElementsAre("0", "1", "1"));
}

TEST_F(BackendTest, large_results_come_in_batches) {
  make_numbers(20'000);
  const auto answer = sql("SELECT * FROM numbers ORDER BY i");
  ASSERT_TRUE(answer) << why(answer);
  EXPECT_EQ(answer->rows.size(), 20'000u);
  EXPECT_EQ(answer->rows.back()[0], "20000");
  EXPECT_GT(answer->batches, 20u);
  query::Select short_but_wide = select_from("numbers");
  short_but_wide.limit = 1'000;  // more than a batch: begins on the loop, ends on a thread
  for (int i = 0; i < 3; ++i) EXPECT_EQ(query(short_but_wide)->rows.size(), 1'000u);
}

TEST_F(BackendTest, results_of_any_size_take_bounded_memory) {
  // A hundred megabytes, of which two batches are in memory at a time.
  const auto pull = [](Backend& backend, Call call) -> Async<std::size_t> {
    Native native{std::string(kEndless) + "SELECT i, zeroblob(10000) FROM r LIMIT 10000", {}, ""};
    ATHENA_CO_TRY(const auto stream, co_await backend.execute(std::move(native), call));
    std::size_t rows = 0;
    while (true) {
      ATHENA_CO_TRY(const RowBatch batch, co_await stream->next());
      std::size_t bytes = 0;
      for (const Cell& cell : batch.cells) bytes += cell.kind() == CellKind::bytes ? cell.view().size() : 8;
      EXPECT_LE(bytes, 64u * 1024 + 10'000);
      rows += batch.rows;
      if (batch.last) co_return rows;
    }
  };
  EXPECT_EQ(*wait_for(pull(*backend_, call())), 10'000u);
}

TEST_F(BackendTest, rows_that_a_write_returns_are_bounded) {
  must("CREATE TABLE t (a)");
  const auto answer =
      sql(std::string("INSERT INTO t ") + kEndless + "SELECT zeroblob(1000000) FROM r LIMIT 80 RETURNING a");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::result_too_large);
  EXPECT_EQ(must("SELECT count(*) FROM t").rows[0][0], "0");
}

TEST_F(BackendTest, values_beyond_the_bound_are_refused) {
  const auto answer = sql("SELECT length(zeroblob(1000000000))");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::limit_exceeded);
}

TEST_F(BackendTest, schema_tells_tables_and_is_loaded_again_when_asked) {
  make_users();
  const auto schema = wait_for(backend_->schema(call()));
  ASSERT_TRUE(schema);
  EXPECT_NE((*schema)->find("", "users", {}), nullptr);
  elsewhere("CREATE TABLE late (a)");
  EXPECT_NE((*wait_for(backend_->schema(call(), true)))->find("", "late", {}), nullptr);
}

TEST_F(BackendTest, own_ddl_is_seen_by_the_next_statement) {
  must("CREATE TABLE t (id INTEGER PRIMARY KEY, note TEXT)");
  EXPECT_TRUE(query(insert_into("t", {{{"id", number("1")}, {"note", std::string("n")}}})));
  must("ALTER TABLE t ADD COLUMN extra TEXT DEFAULT 'e'");
  EXPECT_THAT(query(select_from("t"))->columns, ElementsAre("id", "note", "extra"));
  must("ALTER TABLE t DROP COLUMN note");
  EXPECT_THAT(query(by_key("t", "id", number("1")))->rows[0], ElementsAre("1", "'e'"));
  must("DROP TABLE t");
  EXPECT_EQ(query(select_from("t")).error().code, Code::undefined_table);
}

TEST_F(BackendTest, ddl_of_other_programs_is_noticed) {
  make_users();
  EXPECT_TRUE(query(by_key("users", "id", number("1"))));
  elsewhere("CREATE TABLE late (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO late VALUES (1, 'x')");
  EXPECT_EQ(query(by_key("late", "id", number("1")))->rows.size(), 1u);
  elsewhere("ALTER TABLE late RENAME COLUMN a TO b");
  EXPECT_THAT(query(by_key("late", "b", std::string("x")))->columns, ElementsAre("id", "b"));
  elsewhere("ALTER TABLE late RENAME COLUMN b TO c");
  // The statement that is printed names a column that is gone: it is printed again, from new tables.
  EXPECT_THAT(query(by_key("late", "id", number("1")))->columns, ElementsAre("id", "c"));
  elsewhere("ALTER TABLE late RENAME COLUMN c TO d");
  EXPECT_TRUE(query(insert_into("late", {{{"id", number("2")}, {"d", std::string("y")}}})));
  elsewhere("DROP TABLE late");
  EXPECT_EQ(query(select_from("late")).error().code, Code::undefined_table);
}

TEST_F(BackendTest, misspelt_names_do_not_load_the_tables_again) {
  make_users();
  EXPECT_TRUE(query(by_key("users", "id", number("1"))));
  observer_.kinds.clear();
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(query(select_from("nope")));
  EXPECT_EQ(std::ranges::count(observer_.kinds, Event::Kind::schema_loaded), 0);
}

TEST_F(BackendTest, a_request_that_came_too_late_is_not_begun) {
  make_users();
  EXPECT_EQ(query(by_key("users", "id", number("1")), call(milliseconds(-1))).error().code, Code::statement_timeout);
  EXPECT_EQ(sql("DELETE FROM users", {}, call(milliseconds(-1))).error().code, Code::statement_timeout);
  Cancellation gone;
  gone.cancel(CancelReason::client_gone);
  Call call = Fixture::call();
  call.cancellation = &gone;
  EXPECT_EQ(query(by_key("users", "id", number("1")), call).error().code, Code::cancelled);
  EXPECT_EQ(must("SELECT count(*) FROM users").rows[0][0], "2");
}

}  // namespace
}  // namespace athena::driver::sqlite
