#include "postgres/live_fixture.h"

#include <gmock/gmock.h>

namespace athena::driver::postgres {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;

class Postgres : public testing::Test {
 protected:
  Postgres() : database(environment("ATHENA_TEST_POSTGRES")) {
    const auto made = database.sql(
        "DROP TABLE IF EXISTS live_notes; "
        "CREATE TABLE live_notes (id int PRIMARY KEY, body text, amount numeric, seen timestamptz, tags text[], extra "
        "jsonb); "
        "INSERT INTO live_notes SELECT i, 'note ' || i, i * 1.5, '2024-01-02 03:04:05+00', ARRAY['a','b'], '{\"n\": "
        "1}' "
        "FROM generate_series(1, 1000) i; ANALYZE live_notes");
    EXPECT_TRUE(made) << made.error().error << made.error().log_detail;
    EXPECT_TRUE(database.run(database.backend->schema(LiveDatabase::call(), true)));
  }

  LiveDatabase database;
};

// Errors first.

TEST(PostgresSecret, is_asked_for_when_a_connection_opens_and_stands_in_no_error) {
  int asked = 0;
  {
    LiveDatabase database(environment("ATHENA_TEST_POSTGRES"), {.max_connections = 2, .min_connections = 1}, {},
                          [&asked]() -> Result<std::string> { return "password " + std::to_string(++asked); });
    EXPECT_TRUE(database.sql("SELECT 1"));
    EXPECT_GE(asked, 1);
  }
  LiveDatabase without(environment("ATHENA_TEST_POSTGRES"), {}, {}, []() -> Result<std::string> {
    return fail(Code::configuration_error, "the variable SECRET_NAME is not set");
  });
  const auto answer = without.sql("SELECT 1");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::connection_error);
  EXPECT_EQ(answer.error().error, "The password of this client is not to be had");
  EXPECT_EQ(answer.error().error.find("SECRET_NAME"), std::string::npos);
}

TEST_F(Postgres, an_unknown_table_is_answered_after_one_look_at_a_newer_schema) {
  database.run(database.loop.sleep(milliseconds(500)));  // until the listener's own look is over
  const std::uint64_t loads = database.counter.count(Event::Kind::schema_loaded);
  const auto answer = database.statement(select_by("live_nots", "id", "1"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::undefined_table);
  EXPECT_EQ(database.counter.count(Event::Kind::schema_loaded), loads + 1);
  EXPECT_FALSE(database.statement(select_by("live_nots", "id", "1")));
  EXPECT_EQ(database.counter.count(Event::Kind::schema_loaded), loads + 1) << "once a second at most";
}

TEST_F(Postgres, a_unique_violation_names_its_constraint) {
  query::Insert insert;
  insert.into.name = "live_notes";
  insert.rows = {{{"id", query::Number{"7"}}}};
  const auto answer = database.statement(insert);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::unique_violation);
}

TEST_F(Postgres, an_error_in_one_statement_leaves_its_neighbours_alone) {
  query::Insert bad;
  bad.into.name = "live_notes";
  bad.rows = {{{"id", query::Number{"7"}}}};
  std::vector<std::optional<Result<Answer>>> answers(30);
  std::size_t left = answers.size();
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const query::Statement statement =
        i % 3 == 1 ? query::Statement(bad) : query::Statement(select_by("live_notes", "id", std::to_string(i + 1)));
    asio::co_spawn(database.loop.executor(), database.ask(statement, LiveDatabase::call()),
                   [&answers, &left, i](std::exception_ptr, Result<Answer> answer) {
                     answers[i] = std::move(answer);
                     --left;
                   });
  }
  while (left > 0) database.loop.context().run_one();
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (i % 3 == 1) {
      EXPECT_FALSE(*answers[i]);
    } else {
      ASSERT_TRUE(*answers[i]) << (*answers[i]).error().error;
      EXPECT_EQ((*answers[i])->at(0, 1), "note " + std::to_string(i + 1));
    }
  }
}

TEST_F(Postgres, a_syntax_error_says_where_in_the_callers_text) {
  const auto answer = database.sql("SELECT 1; SELEC 2");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::syntax_error);
}

TEST_F(Postgres, a_semantic_error_says_where_in_the_callers_text) {
  const auto answer = database.sql("SELECT 'ä'; SELECT nope FROM live_notes");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::undefined_column);
  EXPECT_THAT(answer.error().fields, testing::Contains(testing::Pair("position", "20")));
}

TEST_F(Postgres, transaction_control_and_copying_are_refused_and_the_connection_lives_on) {
  for (const char* text : {"BEGIN", "SELECT 1; COMMIT; SELECT 2"}) {
    const auto answer = database.sql(text);
    ASSERT_FALSE(answer) << text;
    EXPECT_EQ(answer.error().code, Code::unsupported_statement);
  }
  for (const char* text :
       {"COPY live_notes FROM STDIN", "COPY live_notes TO STDOUT", "COPY live_notes FROM STDIN; SELECT 1"}) {
    const auto answer = database.sql(text);
    ASSERT_FALSE(answer) << text;
    EXPECT_EQ(answer.error().code, Code::unsupported_statement);
    EXPECT_TRUE(database.sql("SELECT 1"));
  }
}

TEST_F(Postgres, a_deadline_ends_the_wait_and_the_statement) {
  const TimePoint start = Clock::now();
  const auto answer =
      database.run(database.ask(Native{"SELECT pg_sleep(20)", {}, {}}, LiveDatabase::call(milliseconds(200))));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::statement_timeout);
  EXPECT_LT(Clock::now() - start, milliseconds(1'000));
  std::optional<std::string> running;
  for (int i = 0; i < 20 && running != "0"; ++i) {
    database.run(database.loop.sleep(milliseconds(20)));
    running = database
                  .sql(
                      "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(20)' "
                      "AND state = 'active'")
                  ->at(0, 0);
  }
  EXPECT_EQ(running, "0");
}

TEST_F(Postgres, a_caller_that_goes_away_stops_the_statement) {
  Cancellation cancellation;
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer(database.loop.executor(),
                                                                              milliseconds(100));
  timer.async_wait([&](boost::system::error_code) { cancellation.cancel(CancelReason::client_gone); });
  const auto answer = database.run(
      database.ask(Native{"SELECT pg_sleep(20)", {}, {}}, LiveDatabase::call(milliseconds(10'000), &cancellation)));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::cancelled);
}

TEST_F(Postgres, a_write_is_refused_where_only_reads_are_allowed) {
  Call call = LiveDatabase::call();
  call.read_only = true;
  for (const char* text : {"DELETE FROM live_notes", "SET TRANSACTION READ WRITE; DELETE FROM live_notes",
                           "SELECT set_config('transaction_read_only', 'off', true); DELETE FROM live_notes"}) {
    EXPECT_FALSE(database.run(database.ask(Native{text, {}, {}}, call))) << text;
  }
  query::Delete erase;
  erase.from.name = "live_notes";
  const auto answer = database.run(database.ask(query::Statement(erase), call));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::read_only_violation);
  EXPECT_EQ(database.sql("SELECT count(*) FROM live_notes")->at(0, 0), "1000");
}

TEST_F(Postgres, more_rows_than_allowed_are_not_changed) {
  query::Update update;
  update.table.name = "live_notes";
  update.set = {{"body", std::string("changed")}};
  update.where.terms.emplace_back(compare("id", query::Op::lte, "5"));
  update.max_affected = 4;
  const auto refused = database.statement(update);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::too_many_affected);
  EXPECT_EQ(database.sql("SELECT count(*) FROM live_notes WHERE body = 'changed'")->at(0, 0), "0");
  update.max_affected = 5;
  const auto done = database.statement(update);
  ASSERT_TRUE(done) << done.error().error;
  EXPECT_EQ(done->affected, 5U);
  EXPECT_EQ(done->rows.size(), 5U);
  EXPECT_EQ(database.sql("SELECT count(*) FROM live_notes WHERE body = 'changed'")->at(0, 0), "5");
}

TEST_F(Postgres, an_unknown_schema_is_an_error_and_not_an_empty_path) {
  const auto answer = database.run(database.ask(Native{"SELECT 1", {}, "no\"such"}, LiveDatabase::call()));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::undefined_object);
}

// Reads.

TEST_F(Postgres, a_row_comes_with_its_types) {
  const auto answer = database.statement(select_by("live_notes", "id", "7"));
  ASSERT_TRUE(answer) << answer.error().error << answer.error().log_detail;
  EXPECT_THAT(answer->columns, ElementsAre("id", "body", "amount", "seen", "tags", "extra"));
  ASSERT_EQ(answer->rows.size(), 1U);
  EXPECT_THAT(answer->rows[0],
              ElementsAre(Optional(std::string("7")), Optional(std::string("note 7")), Optional(std::string("10.5")),
                          Optional(std::string("2024-01-02T03:04:05+00:00")), Optional(HasSubstr("\"a\"")),
                          Optional(HasSubstr("\"n\": 1"))));
}

TEST_F(Postgres, a_template_gives_what_its_statement_gives_also_when_the_table_has_changed) {
  const auto of = std::make_shared<query::SelectTemplate>();
  of->select = select_by("live_notes", "id", "0");
  query::Predicate by_body;
  by_body.column.name = "body";
  by_body.operands.emplace_back(std::string());
  of->select.where.terms.emplace_back(by_body);
  const auto recall = [&](std::string id, std::string body) {
    return database.run([](LiveDatabase& db, query::Recurring recurring) -> Async<Answer> {
      ATHENA_CO_TRY(auto stream, co_await db.backend->execute_recurring(std::move(recurring), LiveDatabase::call()));
      co_return co_await read_all(std::move(stream));
    }(database, {of, {query::Number{std::move(id)}, std::move(body)}}));
  };
  for (const int id : {7, 8, 9}) {
    const std::string digits = std::to_string(id), body = "note " + digits;
    const auto recalled = recall(digits, body);
    const auto asked = database.statement(of->with(std::vector<query::Scalar>{query::Number{digits}, body}));
    ASSERT_TRUE(recalled && asked) << digits;
    EXPECT_EQ(recalled->columns, asked->columns);
    EXPECT_EQ(recalled->rows, asked->rows);
    EXPECT_THAT(recalled->rows, testing::SizeIs(1));
  }
  EXPECT_THAT(recall("7", "' OR true --")->rows, testing::IsEmpty());
  const auto wrong = recall("99999999999999999", "x");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, database.statement(select_by("live_notes", "id", "99999999999999999")).error().code);
  // Behind the back of the schema that the template was printed for.
  ASSERT_TRUE(database.sql("ALTER TABLE live_notes DROP COLUMN extra; ALTER TABLE live_notes ADD COLUMN late int"));
  const auto changed = recall("7", "note 7");
  ASSERT_TRUE(changed) << changed.error().error << changed.error().log_detail;
  EXPECT_THAT(changed->columns, ElementsAre("id", "body", "amount", "seen", "tags", "late"));
  ASSERT_TRUE(database.sql("DROP TABLE live_notes"));
  const auto gone = recall("7", "note 7");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Code::undefined_table);
}

TEST_F(Postgres, keys_of_the_answer_are_the_callers) {
  query::Select select = select_by("live_notes", "id", "7");
  select.columns = {output("body", "text")};
  const auto first = database.statement(select);
  select.columns[0].alias = "words";
  const auto second = database.statement(select);
  ASSERT_TRUE(first);
  ASSERT_TRUE(second);
  EXPECT_THAT(first->columns, ElementsAre("text"));
  EXPECT_THAT(second->columns, ElementsAre("words"));
}

TEST_F(Postgres, writes_give_back_what_they_wrote) {
  query::Insert insert;
  insert.into.name = "live_notes";
  insert.rows = {{{"id", query::Number{"2001"}}, {"body", std::string("new")}}, {{"id", query::Number{"2002"}}}};
  const auto inserted = database.statement(insert);
  ASSERT_TRUE(inserted) << inserted.error().error;
  EXPECT_EQ(inserted->affected, 2U);
  EXPECT_EQ(inserted->at(1, 0), "2002");
  query::Delete erase;
  erase.from.name = "live_notes";
  erase.resource_id = query::Number{"2001"};
  const auto erased = database.statement(erase);
  ASSERT_TRUE(erased) << erased.error().error;
  EXPECT_EQ(erased->affected, 1U);
}

TEST_F(Postgres, an_unbounded_read_streams) {
  query::Select select;
  select.from.name = "live_notes";
  const auto answer = database.statement(select);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->rows.size(), 1000U);
}

TEST_F(Postgres, counts_are_exact_planned_or_estimated) {
  query::Select select = select_by("live_notes", "id", "7");
  EXPECT_EQ(database.run(database.backend->count(select, query::Count::exact, LiveDatabase::call())), 1U);
  EXPECT_EQ(database.run(database.backend->count(select, query::Count::planned, LiveDatabase::call())), 1U);
  select.where.terms.clear();
  EXPECT_EQ(database.run(database.backend->count(select, query::Count::exact, LiveDatabase::call())), 1000U);
  EXPECT_EQ(database.run(database.backend->count(select, query::Count::estimated, LiveDatabase::call())), 1000U);
}

TEST_F(Postgres, constraints_are_listed) {
  const auto constraints = database.run(database.backend->constraints(LiveDatabase::call()));
  ASSERT_TRUE(constraints);
  EXPECT_TRUE(std::ranges::any_of(*constraints, [](const ConstraintInfo& c) { return c.table == "live_notes"; }));
}

// Raw SQL.

TEST_F(Postgres, several_statements_are_one_transaction_and_give_the_last_result) {
  const auto answer = database.sql("UPDATE live_notes SET body = 'x' WHERE id <= 3; SELECT 1 AS one, 'a'::text AS two");
  ASSERT_TRUE(answer) << answer.error().error;
  EXPECT_EQ(answer->statements, 2U);
  EXPECT_THAT(answer->columns, ElementsAre("one", "two"));
  EXPECT_THAT(answer->types, ElementsAre("integer", "text"));
  EXPECT_EQ(answer->affected, 3U);
  EXPECT_FALSE(database.sql("UPDATE live_notes SET body = 'y'; SELECT 1/0"));
  EXPECT_EQ(database.sql("SELECT count(*) FROM live_notes WHERE body = 'y'")->at(0, 0), "0");
}

TEST_F(Postgres, parameters_are_bound_and_each_statement_takes_as_many_as_it_names) {
  const auto one = database.sql("SELECT $1::int + $2::int", {query::Number{"40"}, query::Number{"2"}});
  ASSERT_TRUE(one) << one.error().error;
  EXPECT_EQ(one->at(0, 0), "42");
  const auto two =
      database.sql("SELECT $1::int; SELECT $1::int + $2::int, 'x'; ", {query::Number{"40"}, query::Number{"2"}});
  ASSERT_TRUE(two) << two.error().error;
  EXPECT_EQ(two->at(0, 0), "42");
}

TEST_F(Postgres, statements_that_refuse_transaction_blocks_run_alone) {
  const auto answer = database.sql("VACUUM live_notes");
  EXPECT_TRUE(answer) << answer.error().error;
}

TEST_F(Postgres, a_schema_comes_first_in_the_path_for_one_statement) {
  ASSERT_TRUE(
      database.sql("DROP SCHEMA IF EXISTS \"Live x\" CASCADE; CREATE SCHEMA \"Live x\"; CREATE TABLE \"Live "
                   "x\".only_there (a int)"));
  EXPECT_TRUE(
      database.run(database.ask(Native{"SELECT * FROM only_there, live_notes", {}, "Live x"}, LiveDatabase::call())));
  EXPECT_FALSE(database.sql("SELECT * FROM only_there"));
}

TEST_F(Postgres, nothing_of_a_session_is_left_for_the_next_request) {
  ASSERT_TRUE(database.sql("SET search_path TO pg_catalog"));
  ASSERT_TRUE(database.sql("SET TimeZone TO 'Asia/Tokyo'"));
  ASSERT_TRUE(database.sql("CREATE TEMP TABLE left_behind (a int)"));
  ASSERT_TRUE(database.sql("SELECT pg_advisory_lock(42)"));
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(database.sql("SHOW TimeZone")->at(0, 0), "UTC");
    EXPECT_THAT(database.sql("SHOW search_path")->at(0, 0), Optional(HasSubstr("public")));
    // Of this session: the one before may still be clearing up on its own connection.
    EXPECT_EQ(database.sql("SELECT to_regclass('left_behind') IS NULL")->at(0, 0), "true");
    EXPECT_EQ(
        database.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")->at(0, 0),
        "0");
  }
}

// Healing.

TEST_F(Postgres, prepared_statements_that_the_server_lost_are_prepared_again) {
  ASSERT_TRUE(database.statement(select_by("live_notes", "id", "7")));
  // Not by us, but by whatever may sit between: every lane's statements are closed behind its back.
  ASSERT_TRUE(database.sql("ALTER TABLE live_notes ALTER COLUMN body TYPE varchar(50)"));
  const auto altered = database.statement(select_by("live_notes", "id", "7"));
  ASSERT_TRUE(altered) << altered.error().error;
  ASSERT_TRUE(database.sql("ALTER TABLE live_notes ADD COLUMN added int DEFAULT 5"));
  const auto added = database.statement(select_by("live_notes", "id", "7"));
  ASSERT_TRUE(added) << added.error().error;
  EXPECT_GE(database.counter.count(Event::Kind::prepared_again), 1U);
}

TEST_F(Postgres, a_table_that_was_dropped_and_made_again_is_found) {
  ASSERT_TRUE(database.statement(select_by("live_notes", "id", "7")));
  ASSERT_TRUE(
      database.sql("DROP TABLE live_notes; CREATE TABLE live_notes (id bigint PRIMARY KEY, other text); "
                   "INSERT INTO live_notes VALUES (7, 'again')"));
  const auto answer = database.statement(select_by("live_notes", "id", "7"));
  ASSERT_TRUE(answer) << answer.error().error;
  const auto dropped = database.sql("DROP TABLE live_notes");
  ASSERT_TRUE(dropped);
  const auto gone = database.statement(select_by("live_notes", "id", "7"));
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Code::undefined_table);
}

TEST_F(Postgres, a_change_of_the_schema_is_heard_of) {
  ASSERT_TRUE(database.statement(select_by("live_notes", "id", "7")));
  database.run(database.loop.sleep(milliseconds(300)));  // until the listener listens
  LiveDatabase other(environment("ATHENA_TEST_POSTGRES"));
  const std::uint64_t loads = database.counter.count(Event::Kind::schema_loaded);
  ASSERT_TRUE(other.sql("NOTIFY athena_schema"));
  for (int i = 0; i < 100 && database.counter.count(Event::Kind::schema_loaded) == loads; ++i) {
    database.run(database.loop.sleep(milliseconds(20)));
  }
  EXPECT_GT(database.counter.count(Event::Kind::schema_loaded), loads);
}

// Connections.

TEST_F(Postgres, the_minimum_is_opened_and_the_limit_is_kept) {
  const auto opened = database.statement(select_by("live_notes", "id", "7"));
  database.run(database.loop.sleep(milliseconds(300)));
  EXPECT_GE(database.backend->health().connections, 4U);
  LiveDatabase small(environment("ATHENA_TEST_POSTGRES"), PoolConfig{.max_connections = 1, .min_connections = 1});
  EXPECT_TRUE(small.statement(select_by("live_notes", "id", "7")));
  EXPECT_TRUE(small.sql("SELECT 1"));
  EXPECT_TRUE(small.statement(select_by("live_notes", "id", "7")));
  EXPECT_LE(small.backend->health().connections, 1U);
}

TEST_F(Postgres, who_gets_no_connection_in_time_is_told_so) {
  LiveDatabase small(environment("ATHENA_TEST_POSTGRES"), PoolConfig{.max_connections = 2, .min_connections = 1});
  // Two hold the connections for longer than the third may wait.
  std::size_t left = 3, timeouts = 0;
  for (const milliseconds patience : {milliseconds(5'000), milliseconds(5'000), milliseconds(300)}) {
    asio::co_spawn(small.loop.executor(), small.ask(Native{"SELECT pg_sleep(1)", {}, {}}, LiveDatabase::call(patience)),
                   [&](std::exception_ptr, Result<Answer> answer) {
                     timeouts += !answer && answer.error().code == Code::pool_timeout;
                     --left;
                   });
  }
  while (left > 0) small.loop.context().run_one();
  EXPECT_EQ(timeouts, 1U);
}

TEST(PostgresConnect, a_wrong_password_or_database_is_said_at_once) {
  LiveDatabase database(environment("ATHENA_TEST_POSTGRES"), PoolConfig(), "no_such_database");
  const TimePoint start = Clock::now();
  const auto answer = database.statement(select_by("x", "id", "1"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::connection_error);
  EXPECT_THAT(answer.error().error, HasSubstr("does not exist"));
  EXPECT_LT(Clock::now() - start, seconds(2));
}

TEST(PostgresConnect, nobody_at_the_other_end_is_unavailable_with_a_time_to_retry) {
  LiveDatabase database("postgres://nobody@127.0.0.1:1/nothing");
  const auto answer = database.statement(select_by("x", "id", "1"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::database_unavailable);
  EXPECT_GE(answer.error().retry_after_s, 1U);
  EXPECT_FALSE(database.backend->health().usable);
}

}  // namespace
}  // namespace athena::driver::postgres
