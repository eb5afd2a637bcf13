#include <gtest/gtest.h>
#include <boost/asio/detached.hpp>

#include "postgres/live_fixture.h"
#include "postgres/live_network.h"

namespace athena::driver::postgres {
namespace {

/// What the lane knows of the server's progress is what has come back. The server may be further on, and then a cancel
/// hits what it is at by now: a neighbour, which has to be run again, though the statement that was meant ended well.
TEST(Fence, stands_until_all_that_was_sent_before_the_cancel_is_answered) {
  auto direct = parse_uri(environment("ATHENA_TEST_POSTGRES"));
  ASSERT_TRUE(direct) << direct.error().error;
  Network network(direct->port);
  PoolConfig pool;
  pool.max_connections = 4;  // so few that there is one lane
  pool.min_connections = 0;
  LiveDatabase database("postgres://" + direct->user + "@127.0.0.1:" + std::to_string(network.port()) + "/" +
                            direct->database + "?sslmode=disable",
                        pool);
  ASSERT_TRUE(database.sql("DROP VIEW IF EXISTS live_naps"));
  ASSERT_TRUE(
      database.sql("CREATE VIEW live_naps AS SELECT i AS id, pg_sleep(i / 1000.0)::text AS nap "
                   "FROM generate_series(1, 2000) AS i"));
  ASSERT_TRUE(database.run(database.backend->schema(LiveDatabase::call(), true)));
  ASSERT_TRUE(database.statement(select_by("live_naps", "id", "1", 1)));  // the lane is there, the statement known

  std::optional<Result<Answer>> left, stayed;
  const auto start = [&database](std::optional<Result<Answer>>& answer, const char* id, Cancellation* cancellation) {
    const auto work = [](LiveDatabase& db, std::optional<Result<Answer>>& to, std::string key,
                         Cancellation* own) -> Task<> {
      Result<Answer> got =
          co_await db.ask(select_by("live_naps", "id", key, 1), LiveDatabase::call(milliseconds(20'000), own));
      to = std::move(got);
    };
    asio::co_spawn(database.loop.executor(), work(database, answer, id, cancellation), asio::detached);
  };
  network.hold(true);
  const std::size_t closed = network.closed_by_server();
  Cancellation leaves;
  start(left, "5", &leaves);       // has ended long before it is cancelled, but its answer is held
  start(stayed, "1500", nullptr);  // is what the server is at when the cancel comes
  database.run(database.loop.sleep(milliseconds(20)));
  leaves.cancel(CancelReason::client_gone);
  // The server closes the cancel's connection when it has been sent; then word of that has to come to the lane.
  while (network.closed_by_server() == closed) database.run(database.loop.sleep(milliseconds(5)));
  database.run(database.loop.sleep(milliseconds(50)));
  network.hold(false);
  while (!stayed) database.loop.context().run_one();

  ASSERT_TRUE(left && !*left);
  EXPECT_EQ(left->error().code, Code::cancelled);
  ASSERT_TRUE(*stayed) << stayed->error().error << ' ' << stayed->error().log_detail;
  EXPECT_EQ((*stayed)->at(0, 0), "1500");
  EXPECT_EQ(database.counter.count(Event::Kind::statement_cancelled), 1U);
  EXPECT_EQ(database.counter.count(Event::Kind::cancel_absorbed), 1U);
}

}  // namespace
}  // namespace athena::driver::postgres
