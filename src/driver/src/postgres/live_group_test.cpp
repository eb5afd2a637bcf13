#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/detached.hpp>

#include "postgres/lane.h"
#include "postgres/live_fixture.h"
#include "postgres/live_network.h"

namespace athena::driver::postgres {
namespace {

constexpr const char* kTooLong = "99999999999999999999999";  // no bigint: the server refuses to bind it

/// One lane to a table of a hundred rows, and what goes over it.
class Group : public testing::Test {
 protected:
  void SetUp() override { open(4); }
  /// With up to 4 connections there is one lane, and never a second; with 8 there may be.
  void open(std::uint32_t max_connections) {
    database.reset();
    auto direct = parse_uri(environment("ATHENA_TEST_POSTGRES"));
    ASSERT_TRUE(direct) << direct.error().error;
    network.emplace(direct->port);
    PoolConfig pool;
    pool.max_connections = max_connections;
    pool.min_connections = 0;
    database.emplace("postgres://" + direct->user + "@127.0.0.1:" + std::to_string(network->port()) + "/" +
                         direct->database + "?sslmode=disable",
                     pool);
    ASSERT_TRUE(database->sql("DROP TABLE IF EXISTS live_group"));
    ASSERT_TRUE(
        database->sql("CREATE TABLE live_group AS SELECT i::bigint AS id, 'row ' || i AS name "
                      "FROM generate_series(1, 100) AS i"));
    ASSERT_TRUE(database->sql("ALTER TABLE live_group ADD PRIMARY KEY (id)"));
    reload();
  }
  void reload() {
    ASSERT_TRUE(database->run(database->backend->schema(LiveDatabase::call(), true)));
    ASSERT_TRUE(read({"1"})[0]);  // the lane is there, the statement known
  }

  /// All of them in one turn of the loop.
  std::vector<Result<Answer>> read(const std::vector<std::string>& ids, Cancellation* of_first = nullptr) {
    std::vector<std::optional<Result<Answer>>> answers(ids.size());
    const auto work = [](LiveDatabase& db, std::optional<Result<Answer>>& to, std::string id,
                         Cancellation* cancellation) -> Task<> {
      Result<Answer> got = co_await db.ask(select_by("live_group", "id", std::move(id), 1),
                                           LiveDatabase::call(milliseconds(20'000), cancellation));
      to = std::move(got);
    };
    for (std::size_t i = 0; i < ids.size(); ++i) {
      asio::co_spawn(database->loop.executor(), work(*database, answers[i], ids[i], i == 0 ? of_first : nullptr),
                     asio::detached);
    }
    const auto all = [&] { return std::ranges::all_of(answers, [](const auto& a) { return a.has_value(); }); };
    while (!all()) database->loop.context().run_one();
    std::vector<Result<Answer>> results;
    for (auto& answer : answers) results.push_back(*std::move(answer));
    return results;
  }

  static void expect_row(const Result<Answer>& answer, const std::string& id) {
    ASSERT_TRUE(answer) << id << ": " << answer.error().error << ' ' << answer.error().log_detail;
    ASSERT_EQ(answer->rows.size(), 1U) << id;
    EXPECT_EQ(answer->at(0, 0), id);
    EXPECT_EQ(answer->at(0, 1), "row " + id);
  }

  std::optional<Network> network;
  std::optional<LiveDatabase> database;
};

TEST_F(Group, reads_of_one_statement_by_key_share_a_sync) {
  const std::size_t executed = network->sent('E'), synced = network->sent('S');
  const auto answers = read({"1", "2", "3", "4", "5", "6", "7", "8"});
  for (std::size_t i = 0; i < answers.size(); ++i) expect_row(answers[i], std::to_string(i + 1));
  EXPECT_EQ(network->sent('E') - executed, 8U);
  EXPECT_EQ(network->sent('S') - synced, 1U);
}

TEST_F(Group, what_the_server_skipped_for_a_neighbours_error_is_sent_again_alone) {
  const std::size_t executed = network->sent('E'), synced = network->sent('S');
  const auto answers = read({"1", "2", kTooLong, "4", "5", kTooLong, "7"});
  for (const std::size_t i : {0, 1, 3, 4, 6}) expect_row(answers[i], std::to_string(i + 1));
  for (const std::size_t i : {2, 5}) {
    ASSERT_FALSE(answers[i]);
    EXPECT_EQ(answers[i].error().code, Code::value_out_of_range) << answers[i].error().error;
  }
  EXPECT_EQ(network->sent('E') - executed, 7U + 4U) << "only what was skipped";
  EXPECT_EQ(network->sent('S') - synced, 1U + 4U);
}

TEST_F(Group, an_error_at_either_end_concerns_nobody_else) {
  for (const std::size_t bad : {0U, 5U}) {
    std::vector<std::string> ids{"1", "2", "3", "4", "5", "6"};
    ids[bad] = kTooLong;
    const auto answers = read(ids);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (i == bad) {
        EXPECT_FALSE(answers[i]);
      } else {
        expect_row(answers[i], ids[i]);
      }
    }
  }
}

TEST_F(Group, a_statement_that_cannot_be_prepared_fails_for_each_who_asked) {
  ASSERT_TRUE(database->sql("ALTER TABLE live_group RENAME COLUMN name TO title"));
  const auto answers = read({"1", "2", "3"});  // "*" as the schema knew it; it is read again, and all come through
  for (std::size_t i = 0; i < answers.size(); ++i) {
    ASSERT_TRUE(answers[i]) << answers[i].error().error << ' ' << answers[i].error().log_detail;
    EXPECT_EQ(answers[i]->columns[1], "title");
  }
}

TEST_F(Group, who_goes_away_takes_nobody_along) {
  Cancellation leaves;
  network->hold(true);
  asio::post(database->loop.executor(), [&] {
    asio::post(database->loop.executor(), [&] {
      leaves.cancel(CancelReason::client_gone);
      network->hold(false);
    });
  });
  const auto answers = read({"1", "2", "3", "4"}, &leaves);
  ASSERT_FALSE(answers[0]);
  EXPECT_EQ(answers[0].error().code, Code::cancelled);
  for (std::size_t i = 1; i < answers.size(); ++i) expect_row(answers[i], std::to_string(i + 1));
}

TEST_F(Group, a_table_whose_policies_run_code_is_read_one_transaction_at_a_time) {
  ASSERT_TRUE(database->sql("ALTER TABLE live_group ENABLE ROW LEVEL SECURITY"));
  reload();
  const std::size_t synced = network->sent('S');
  const auto answers = read({"1", "2", "3"});
  for (std::size_t i = 0; i < answers.size(); ++i) expect_row(answers[i], std::to_string(i + 1));
  EXPECT_EQ(network->sent('S') - synced, 3U);
}

/// While one flight is under way the next gathers: a server far away, or at work, gets few large ones.
TEST_F(Group, statements_gather_while_flights_are_under_way) {
  network->hold(true);
  std::vector<std::string> ids;
  for (int i = 1; i <= 100; ++i) ids.push_back(std::to_string(i));
  const std::size_t executed = network->sent('E'), synced = network->sent('S');
  asio::co_spawn(
      database->loop.executor(),
      [](Loop& loop, Network& held) -> Task<> {
        co_await loop.sleep(milliseconds(30));
        held.hold(false);
      }(database->loop, *network),
      asio::detached);
  const auto answers = read(ids);
  for (std::size_t i = 0; i < answers.size(); ++i) expect_row(answers[i], ids[i]);
  EXPECT_EQ(network->sent('E') - executed, 100U);
  EXPECT_EQ(network->sent('S') - synced, (100U + Lane::kMaxGroup - 1) / Lane::kMaxGroup);
}

/// What was sent behind a slow statement has to wait for it. What was not goes to the lane that is opened meanwhile.
TEST_F(Group, what_waits_unsent_behind_a_slow_statement_goes_to_another_lane) {
  open(8);
  ASSERT_TRUE(database->sql("DROP VIEW IF EXISTS live_group_naps"));
  ASSERT_TRUE(
      database->sql("CREATE VIEW live_group_naps AS SELECT i AS id, pg_sleep(i / 1000.0)::text AS nap "
                    "FROM generate_series(1, 5000) AS i"));
  reload();
  bool nap_ended = false;
  asio::co_spawn(
      database->loop.executor(),
      [](LiveDatabase& db, bool& ended) -> Task<> {
        const auto nap = co_await db.ask(select_by("live_group_naps", "id", "1500", 1), LiveDatabase::call());
        EXPECT_TRUE(nap);
        ended = true;
      }(*database, nap_ended),
      asio::detached);
  const auto turn = [this] { database->run(database->loop.sleep(milliseconds(2))); };
  std::size_t answered = 0;
  const auto ask = [this, &answered] {
    asio::co_spawn(
        database->loop.executor(),
        [](LiveDatabase& db, std::size_t& count) -> Task<> {
          const auto answer = co_await db.ask(select_by("live_group", "id", "7", 1), LiveDatabase::call());
          expect_row(answer, "7");
          ++count;
        }(*database, answered),
        asio::detached);
  };
  turn();
  for (std::size_t i = 1; i < Lane::kMaxFlights; ++i) ask(), turn();  // each a flight of its own
  ask();                                                              // this one has to wait
  while (answered == 0) database->loop.context().run_one();
  EXPECT_FALSE(nap_ended);
  while (answered < Lane::kMaxFlights || !nap_ended) database->loop.context().run_one();
}

}  // namespace
}  // namespace athena::driver::postgres
