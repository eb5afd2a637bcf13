#include "d1/backend.h"

#include <gmock/gmock.h>

#include "backend_fixture.h"
#include "d1/scripted_proxy.h"

namespace athena::driver::d1 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using Then = ScriptedProxy::Step::Then;

constexpr std::string_view kOne = R"({"rows":[{"c0":1}],"columns":["c0"],"bookmark":"b-9","meta":{"changes":1}})";

query::Insert insert_one() {
  query::Insert insert;
  insert.into.name = "users";
  insert.rows = {{{"email", std::string("a")}}};
  insert.returning.emplace_back().column.name = "id";
  return insert;
}
query::Select ids() {
  query::Select select = select_from("users");
  select.columns.emplace_back().column.name = "id";
  return select;
}

class D1 : public BackendFixture {
 protected:
  D1() {
    target_.kind = "d1";
    target_.url = proxy_.url();
    target_.host = "127.0.0.1";
    target_.port = proxy_.port();
    target_.password = "t0ken";
    target_.binding = "DB";
    open();
  }
  ~D1() override { close(); }
  void open() {
    shared_ = share(target_);
    backend_ = d1::open(target_, shared_, {loop_, observer_});
  }
  std::size_t statements() const { return proxy_.bodies().size(); }

  ScriptedProxy proxy_;
};

TEST_F(D1, sends_the_protocol_and_reads_its_answer) {
  target_.session_mode = "first-primary";
  close();
  open();
  proxy_.will(ScriptedProxy::answer(
      200, R"({"rows":[{"c0":1,"c1":"a"},{"c0":"9223372036854775807","c1":null}],"columns":["c0","c1"],"meta":{}})"));
  query::Select select = ids();
  select.columns.emplace_back().column.name = "email";
  select.columns.back().alias = "mail";
  const auto answer = query(select);
  ASSERT_TRUE(answer) << why(answer);
  EXPECT_THAT(answer->columns, ElementsAre("id", "mail"));
  EXPECT_THAT(answer->rows, ElementsAre(ElementsAre("1", "'a'"), ElementsAre("9223372036854775807", "null")));
  ASSERT_EQ(statements(), 1U);
  EXPECT_THAT(proxy_.bodies()[0], HasSubstr(R"("databaseBinding":"DB","sessionMode":"first-primary","bookmark":null)"));
  EXPECT_THAT(proxy_.heads()[0], HasSubstr("POST /query HTTP/1.1"));
  EXPECT_THAT(proxy_.heads()[0], HasSubstr("Authorization: Bearer t0ken"));
}

TEST_F(D1, carries_mode_and_bookmark_there_and_back) {
  ReadSession session{.mode = " first-unconstrained ", .bookmark = "b-1", .reached = ""};
  Call with = call();
  with.session = &session;
  proxy_.will(ScriptedProxy::answer(200, kOne, "x-athena-d1-bookmark: header\r\n"));
  ASSERT_TRUE(query(ids(), with));
  EXPECT_THAT(proxy_.bodies()[0], HasSubstr(R"("sessionMode":"first-unconstrained","bookmark":"b-1")"));
  EXPECT_EQ(session.reached, "header");
  EXPECT_EQ(session.bookmark, "b-1");
  proxy_.will(ScriptedProxy::answer(200, kOne));
  ASSERT_TRUE(query(ids(), with));
  EXPECT_THAT(proxy_.bodies()[1], HasSubstr(R"("bookmark":"header")")) << "what a request got to, it goes on from";
  EXPECT_EQ(session.reached, "b-9");
  proxy_.will(
      ScriptedProxy::answer(400, R"({"message":"D1_ERROR: UNIQUE constraint failed: users.email: SQLITE_CONSTRAINT"})",
                            "x-athena-d1-bookmark: of-a-failure\r\n"));
  EXPECT_FALSE(query(insert_one(), with));
  EXPECT_EQ(session.reached, "of-a-failure");
}

TEST_F(D1, asks_for_the_token_each_time) {
  int asked = 0;
  target_.secret = [&asked]() -> Result<std::string> {
    if (++asked == 3) return " ";
    if (asked == 4) return fail(Code::configuration_error, "missing Cloudflare D1 proxy auth token env var 'X'");
    return "token-" + std::to_string(asked) + "\n";
  };
  close();
  open();
  ASSERT_TRUE(query(ids()));
  EXPECT_THAT(proxy_.heads()[0], HasSubstr("Bearer token-2\r\n"));  // the first was for the tables
  EXPECT_EQ(query(ids()).error().code, Code::configuration_error);
  EXPECT_THAT(query(ids()).error().error, HasSubstr("env var 'X'"));
  EXPECT_EQ(statements(), 1U);
}

TEST_F(D1, sends_a_read_again_and_a_write_never) {
  const ScriptedProxy::Step mishaps[] = {
      ScriptedProxy::answer(500, R"({"message":"D1_ERROR: Network connection lost."})"),
      ScriptedProxy::answer(502, "<html>Bad gateway</html>"),
      {"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"rows\":[", Then::close},  // truncated
      {"", Then::reset},
      {"", Then::close},
  };
  for (const auto& mishap : mishaps) {
    std::size_t before = statements();
    proxy_.will(mishap);
    proxy_.will(ScriptedProxy::answer(200, kOne));
    const auto read = query(ids());
    ASSERT_TRUE(read) << mishap.bytes << why(read);
    EXPECT_EQ(statements(), before + 2) << mishap.bytes;

    before = statements();
    proxy_.will(mishap);
    const auto write = query(insert_one());
    ASSERT_FALSE(write) << mishap.bytes;
    EXPECT_EQ(write.error().code, Code::write_outcome_unknown) << mishap.bytes << why(write);
    EXPECT_EQ(statements(), before + 1) << mishap.bytes;

    before = statements();
    proxy_.will(mishap);
    proxy_.will(ScriptedProxy::answer(200, kOne));
    Call idempotent = call();
    idempotent.idempotent = true;
    EXPECT_TRUE(query(insert_one(), idempotent)) << mishap.bytes;
    EXPECT_EQ(statements(), before + 2) << mishap.bytes;
  }
}

TEST_F(D1, gives_up_after_three_tries) {
  for (int i = 0; i < 4; ++i) proxy_.will(ScriptedProxy::answer(503, ""));
  const auto read = query(ids());
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::database_unavailable);
  EXPECT_EQ(statements(), 3U);
}

TEST_F(D1, waits_as_long_as_it_is_told) {
  proxy_.will(ScriptedProxy::answer(429, "", "Retry-After: 1\r\n"));
  proxy_.will(ScriptedProxy::answer(200, kOne));
  const TimePoint before = Clock::now();
  ASSERT_TRUE(query(ids()));
  EXPECT_GE(Clock::now() - before, seconds(1));
  proxy_.will(ScriptedProxy::answer(429, "", "Retry-After: 60\r\n"));
  const auto later = query(ids());  // beyond the deadline: the caller is told instead
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().code, Code::database_unavailable);
  EXPECT_EQ(later.error().retry_after_s, 60U);
  EXPECT_EQ(statements(), 3U);
  proxy_.will(ScriptedProxy::answer(429, "", "Retry-After: 1\r\n"));
  const auto write = query(insert_one());
  ASSERT_FALSE(write);
  EXPECT_EQ(write.error().code, Code::database_unavailable);  // it was not done, and may be sent again
  EXPECT_EQ(statements(), 4U);
}

TEST_F(D1, says_that_a_strange_answer_is_none) {
  for (const char* body : {"<html>hello</html>", "[]", "{}", R"({"rows":[{"c0":1})", R"({"rows":[7]})",
                           R"({"rows":[{}]})", R"({"rows":[{"c0":1}{"c0":2}]})", R"({"rows":"x"})"}) {
    const std::size_t before = statements();
    proxy_.will(ScriptedProxy::answer(200, body));
    const auto read = query(ids());
    ASSERT_FALSE(read) << body;
    EXPECT_EQ(read.error().code, Code::database_error) << body << why(read);
    EXPECT_EQ(statements(), before + 1) << body;
  }
  proxy_.will(ScriptedProxy::answer(200, "<html>hello</html>"));
  EXPECT_EQ(query(insert_one()).error().code, Code::write_outcome_unknown);
  proxy_.will(
      ScriptedProxy::answer(200, R"({"success":false,"error":"D1_ERROR: near \"x\": syntax error: SQLITE_ERROR"})"));
  EXPECT_EQ(sql("SELECT 1").error().code, Code::syntax_error);
}

TEST_F(D1, takes_no_answer_that_is_too_large) {
  proxy_.will({"HTTP/1.1 200 OK\r\nContent-Length: 40000000\r\n\r\n", Then::stall});
  EXPECT_EQ(query(ids()).error().code, Code::result_too_large);
  proxy_.will({"HTTP/1.1 200 OK\r\nContent-Length: 40000000\r\n\r\n", Then::stall});
  EXPECT_EQ(query(insert_one()).error().code, Code::write_outcome_unknown);
  EXPECT_EQ(statements(), 2U);
}

TEST_F(D1, ends_at_the_deadline) {
  ASSERT_TRUE(query(ids()));
  proxy_.will({"", Then::stall});
  const TimePoint before = Clock::now();
  EXPECT_EQ(query(ids(), call(milliseconds(200))).error().code, Code::statement_timeout);
  EXPECT_LT(Clock::now() - before, seconds(5));
  proxy_.will({"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", Then::stall});
  EXPECT_EQ(query(insert_one(), call(milliseconds(200))).error().code, Code::write_outcome_unknown);
  EXPECT_EQ(statements(), 3U);
}

TEST_F(D1, hangs_up_when_the_caller_goes) {
  ASSERT_TRUE(query(ids()));
  proxy_.will({"", Then::stall});
  Cancellation cancellation;
  Call gone = call();
  gone.cancellation = &cancellation;
  std::thread canceller([&] {
    proxy_.wait_for(2);
    asio::post(loop_.executor(), [&] { cancellation.cancel(CancelReason::client_gone); });
  });
  EXPECT_EQ(query(ids(), gone).error().code, Code::cancelled);
  canceller.join();
  EXPECT_TRUE(proxy_.wait_for_hang_up());
  EXPECT_EQ(statements(), 2U);
}

TEST_F(D1, says_that_a_write_was_not_sent_when_nobody_listens) {
  ASSERT_TRUE(query(ids()));
  close();
  target_.url = "http://127.0.0.1:1";
  open();
  const auto write = query(insert_one());
  ASSERT_FALSE(write);
  EXPECT_EQ(write.error().code, Code::database_unavailable);
  EXPECT_THAT(write.error().error, Not(HasSubstr("127.0.0.1")));
}

TEST_F(D1, tells_a_too_large_change_from_no_change) {
  query::Delete del;
  del.from.name = "users";
  del.where.terms.emplace_back(equals("score", number("7")));
  del.max_affected = 2;
  proxy_.will(ScriptedProxy::answer(200, R"({"rows":[],"meta":{"changes":0}})"));
  proxy_.will(ScriptedProxy::answer(200, R"({"rows":[{"c0":3}],"meta":{}})"));
  EXPECT_EQ(query(del).error().code, Code::too_many_affected);
  EXPECT_THAT(proxy_.bodies()[1], HasSubstr("SELECT count(*) AS c0"));
  proxy_.will(ScriptedProxy::answer(200, R"({"rows":[],"meta":{"changes":0}})"));
  proxy_.will(ScriptedProxy::answer(200, R"({"rows":[{"c0":0}],"meta":{}})"));
  const auto nothing = query(del);
  ASSERT_TRUE(nothing) << why(nothing);
  EXPECT_THAT(nothing->rows, IsEmpty());
}

TEST_F(D1, judges_raw_sql_before_it_is_sent) {
  EXPECT_EQ(sql("BEGIN").error().code, Code::unsupported_statement);
  EXPECT_EQ(sql("SELECT 1; SELECT ?1", {number("1")}).error().code, Code::feature_not_supported);
  EXPECT_EQ(sql("SELECT ?1").error().code, Code::invalid_parameter);
  EXPECT_EQ(sql(" -- nothing").error().code, Code::invalid_value);
  EXPECT_EQ(sql(std::string(100'001, ' ')).error().code, Code::limit_exceeded);
  Call reads = call();
  reads.read_only = true;
  EXPECT_EQ(sql("DELETE FROM users", {}, reads).error().code, Code::read_only_violation);
  EXPECT_EQ(sql("SELECT new_function(1)", {}, reads).error().code, Code::read_only_violation);
  EXPECT_EQ(wait_for(execute_and_drain(*backend_, Native{"SELECT 1", {}, "other"}, call())).error().code,
            Code::undefined_object);
  EXPECT_EQ(statements(), 0U);
  // What is not known here is the database's to judge.
  ASSERT_TRUE(sql("SELECT new_function(1)"));
  EXPECT_EQ(statements(), 1U);
}

TEST_F(D1, gives_raw_sql_its_columns_and_types) {
  proxy_.will(ScriptedProxy::answer(
      200, R"({"rows":[{"data":{"__athena_blob_hex":"00ff"},"n":7}],"columns":["data","n"],"meta":{}})"));
  const auto answer =
      sql("SELECT data, 3 + 4 AS n FROM users WHERE email = $2 AND score = $1", {number("1"), std::string("a")});
  ASSERT_TRUE(answer) << why(answer);
  EXPECT_THAT(answer->rows, ElementsAre(ElementsAre("\"\\\\x00ff\"", "7")));
  EXPECT_THAT(proxy_.bodies()[0], HasSubstr(R"("params":["a",1])"));
  const auto nothing = sql("SELECT data FROM users");  // an empty result has its columns, too
  ASSERT_TRUE(nothing);
  EXPECT_THAT(nothing->columns, ElementsAre("data"));
}

TEST_F(D1, counts_and_refuses_a_count_that_is_none) {
  proxy_.will(ScriptedProxy::answer(200, R"({"rows":[{"c0":41}],"meta":{}})"));
  EXPECT_EQ(wait_for(backend_->count(ids(), query::Count::exact, call())).value(), 41U);
  for (const char* rows : {"[]", "[{}]", "[7]", R"([{"c0":"41"}])"}) {
    proxy_.will(ScriptedProxy::answer(200, "{\"rows\":" + std::string(rows) + "}"));
    EXPECT_EQ(wait_for(backend_->count(ids(), query::Count::exact, call())).error().code, Code::database_error) << rows;
  }
}

TEST_F(D1, knows_tables_and_constraints) {
  const auto schema = wait_for(backend_->schema(call()));
  ASSERT_TRUE(schema) << why(schema);
  ASSERT_THAT((*schema)->tables(), SizeIs(1));
  const auto constraints = wait_for(backend_->constraints(call()));
  ASSERT_TRUE(constraints);
  EXPECT_THAT(*constraints, SizeIs(2));
  const auto facts = backend_->analyze("INSERT INTO users (email) VALUES ('a')");
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->writes.front().name, "users");
  EXPECT_EQ(query(select_from("nope")).error().code, Code::undefined_table);
}

TEST_F(D1, stops_under_a_statement) {
  ASSERT_TRUE(query(ids()));
  proxy_.will({"", Then::stall});
  std::optional<Result<Answer>> answer;
  asio::co_spawn(
      loop_.executor(),
      [](Backend& backend, std::optional<Result<Answer>>& to) -> Task<> {
        to = co_await execute_and_drain(backend, query::Statement(ids()), call());
      }(*backend_, answer),
      asio::detached);
  std::thread stopper([&] {
    proxy_.wait_for(2);
    asio::post(loop_.executor(), [] {});
  });
  while (statements() < 2) loop_.context().run_one();
  (void)wait_for(stop(*backend_));
  stopper.join();
  while (!answer) loop_.context().run_one();
  EXPECT_EQ(answer->error().code, Code::shutting_down) << why(*answer);
  EXPECT_EQ(query(ids()).error().code, Code::shutting_down);
}

TEST_F(D1, is_a_kind_of_database_by_three_names) {
  for (const char* name : {"d1", "cloudflare-d1", "CLOUDFLARE_D1"}) {
    ASSERT_TRUE(find_backend_kind(name)) << name;
    EXPECT_EQ(find_backend_kind(name)->name, "d1");
  }
}

}  // namespace
}  // namespace athena::driver::d1
