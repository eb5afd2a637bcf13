#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "sqlite/fixture.h"
#include "sqlite/readers.h"
#include "sqlite/writer.h"

namespace athena::driver::sqlite {
namespace {

using ::testing::AnyOf;

constexpr const char* kEndless = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) ";

/// Several requests at once, and what became of them.
class ConcurrencyTest : public Fixture {
 protected:
  template <class Work>
  std::size_t start(Work work, Call call) {
    answers_.emplace_back();
    asio::co_spawn(loop_.executor(), keep(*this, answers_.size() - 1, *backend_, std::move(work), call),
                   asio::detached);
    return answers_.size() - 1;
  }
  std::size_t start_sql(std::string text, Call call = Fixture::call()) {
    return start(Native{std::move(text), {}, ""}, call);
  }
  void finish() {
    while (running_ > 0 || starting()) loop_.context().run_one();
  }
  void run_for(milliseconds time) { loop_.context().run_for(time); }
  bool starting() const {
    for (const auto& answer : answers_) {
      if (!answer) return true;
    }
    return false;
  }
  const Result<Answer>& answer(std::size_t which) const { return *answers_[which]; }
  Code code(std::size_t which) const { return answer(which) ? Code::internal_error : answer(which).error().code; }

  /// Holds the file's write lock, as another program would.
  class Lock {
   public:
    explicit Lock(const std::string& path) {
      EXPECT_EQ(sqlite3_open(path.c_str(), &db_), SQLITE_OK);
      EXPECT_EQ(sqlite3_exec(db_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
    }
    ~Lock() { release(); }
    void release() {
      if (!db_) return;
      sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
      sqlite3_close(db_);
      db_ = nullptr;
    }

   private:
    sqlite3* db_ = nullptr;
  };

  std::vector<std::optional<Result<Answer>>> answers_;
  int running_ = 0;

 private:
  template <class Work>
  static Task<> keep(ConcurrencyTest& test, std::size_t slot, Backend& backend, Work work, Call call) {
    ++test.running_;
    Result<Answer> answer = co_await execute_and_drain(backend, std::move(work), call);
    test.answers_[slot] = std::move(answer);
    --test.running_;
  }
};

TEST_F(ConcurrencyTest, writes_share_a_commit_and_a_failing_one_fails_alone) {
  must("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)");
  for (int i = 0; i < 50; ++i) {
    start_sql("INSERT INTO t VALUES (" + std::to_string(i == 25 ? 7 : i) + ", 'x')");
  }
  finish();
  int failed = 0;
  for (std::size_t i = 0; i < 50; ++i) {
    if (answer(i)) continue;
    ++failed;
    EXPECT_EQ(code(i), Code::unique_violation);
    EXPECT_THAT(i, AnyOf(7u, 25u));
  }
  EXPECT_EQ(failed, 1);
  EXPECT_EQ(must("SELECT count(*) FROM t").rows[0][0], "49");
}

TEST_F(ConcurrencyTest, what_takes_the_whole_transaction_back_costs_the_others_nothing) {
  must("CREATE TABLE t (id INTEGER PRIMARY KEY, v UNIQUE ON CONFLICT ROLLBACK); INSERT INTO t VALUES (1000, 'taken')");
  for (int round = 0; round < 5; ++round) {
    answers_.clear();
    {
      const Lock lock(target_.database);  // so that all are in one group
      for (int i = 0; i < 30; ++i) {
        const std::string value = i % 10 == 5 ? "taken" : std::to_string(round * 100 + i);
        start_sql("INSERT INTO t (v) VALUES ('" + value + "') RETURNING v");
      }
      run_for(milliseconds(50));
    }
    finish();
    for (std::size_t i = 0; i < 30; ++i) {
      if (i % 10 == 5) {
        EXPECT_EQ(code(i), Code::unique_violation) << i;
      } else {
        ASSERT_TRUE(answer(i)) << why(answer(i));
        EXPECT_EQ(answer(i)->rows[0][0], "'" + std::to_string(round * 100 + static_cast<int>(i)) + "'");
      }
    }
  }
  EXPECT_EQ(must("SELECT count(*) FROM t").rows[0][0], "136");
}

TEST_F(ConcurrencyTest, an_endless_write_ends_at_its_deadline_and_hurts_nobody) {
  must("CREATE TABLE t (a)");
  const std::size_t endless =
      start_sql(std::string("INSERT INTO t ") + kEndless + "SELECT i FROM r WHERE i < 0", call(milliseconds(200)));
  run_for(milliseconds(20));
  std::vector<std::size_t> others;
  for (int i = 0; i < 10; ++i) others.push_back(start_sql("INSERT INTO t VALUES (1)"));
  finish();
  EXPECT_EQ(code(endless), Code::statement_timeout);
  for (const std::size_t other : others) EXPECT_TRUE(answer(other)) << why(answer(other));
  EXPECT_EQ(must("SELECT count(*) FROM t").rows[0][0], "10");
}

TEST_F(ConcurrencyTest, a_write_that_never_got_its_turn_says_so_and_is_not_done) {
  must("CREATE TABLE t (a)");
  const Lock lock(target_.database);
  const TimePoint begun = Clock::now();
  const std::size_t write = start_sql("INSERT INTO t VALUES (1)", call(milliseconds(150)));
  finish();
  EXPECT_EQ(code(write), Code::statement_timeout);
  EXPECT_LT(Clock::now() - begun, seconds(2));
  EXPECT_EQ(must("SELECT count(*) FROM t").rows[0][0], "0");
}

TEST_F(ConcurrencyTest, a_write_waits_for_another_program_within_its_deadline) {
  must("CREATE TABLE t (a)");
  Lock lock(target_.database);
  const std::size_t write = start_sql("INSERT INTO t VALUES (1)");
  run_for(milliseconds(100));
  EXPECT_EQ(running_, 1);
  lock.release();
  finish();
  EXPECT_TRUE(answer(write)) << why(answer(write));
}

TEST_F(ConcurrencyTest, a_write_whose_caller_has_gone_is_not_begun) {
  must("CREATE TABLE t (a)");
  Cancellation gone;
  Call call = Fixture::call();
  call.cancellation = &gone;
  Lock lock(target_.database);
  const std::size_t write = start_sql("INSERT INTO t VALUES (1)", call);
  run_for(milliseconds(50));
  gone.cancel(CancelReason::client_gone);
  lock.release();
  finish();
  EXPECT_EQ(code(write), Code::cancelled);
  EXPECT_EQ(must("SELECT count(*) FROM t").rows[0][0], "0");
}

TEST_F(ConcurrencyTest, readers_see_whole_transactions_while_writes_go_on) {
  must("CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO t VALUES (1, 0), (2, 0)");
  for (int i = 0; i < 40; ++i) {
    start_sql("UPDATE t SET v = v + 1 WHERE id = 1; UPDATE t SET v = v + 1 WHERE id = 2");
    start_sql("SELECT (SELECT v FROM t WHERE id = 1) = (SELECT v FROM t WHERE id = 2)");
    query::Select both = select_from("t");
    both.limit = 2;
    start(query::Statement(both), call());
  }
  finish();
  for (std::size_t i = 0; i < answers_.size(); i += 3) {
    ASSERT_TRUE(answer(i)) << why(answer(i));
    ASSERT_TRUE(answer(i + 1)) << why(answer(i + 1));
    EXPECT_EQ(answer(i + 1)->rows[0][0], "1");
    ASSERT_TRUE(answer(i + 2)) << why(answer(i + 2));
    EXPECT_EQ(answer(i + 2)->rows[0][1], answer(i + 2)->rows[1][1]);
  }
  EXPECT_EQ(must("SELECT v FROM t WHERE id = 1").rows[0][0], "40");
}

TEST_F(ConcurrencyTest, an_answered_write_is_seen_by_the_next_read_on_the_loop) {
  must("CREATE TABLE t (id INTEGER PRIMARY KEY)");
  for (int i = 1; i <= 100; ++i) {
    must("INSERT INTO t VALUES (" + std::to_string(i) + ")");
    ASSERT_EQ(query(by_key("t", "id", number(std::to_string(i))))->rows.size(), 1u);
  }
}

TEST_F(ConcurrencyTest, an_endless_read_ends_at_its_deadline) {
  const TimePoint begun = Clock::now();
  EXPECT_EQ(sql(std::string(kEndless) + "SELECT count(*) FROM r", {}, call(milliseconds(200))).error().code,
            Code::statement_timeout);
  EXPECT_EQ(sql(std::string(kEndless) + "SELECT i FROM r", {}, call(milliseconds(200))).error().code,
            Code::statement_timeout);
  EXPECT_LT(Clock::now() - begun, seconds(3));
}

TEST_F(ConcurrencyTest, a_read_that_is_too_long_for_the_loop_goes_to_a_thread) {
  must(std::string("CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t ") + kEndless +
       "SELECT i, i FROM r LIMIT 3;"
       "CREATE VIEW slow AS WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 500000) "
       "SELECT max(i) AS m FROM r");
  query::Select slow = select_from("slow");
  slow.limit = 1;
  const std::size_t long_one = start(query::Statement(slow), call());
  // The loop goes on meanwhile.
  const TimePoint begun = Clock::now();
  loop_.context().poll();
  EXPECT_LT(Clock::now() - begun, milliseconds(500));
  finish();
  ASSERT_TRUE(answer(long_one)) << why(answer(long_one));
  EXPECT_EQ(answer(long_one)->rows[0][0], "500000");
  EXPECT_EQ(query(slow, call(milliseconds(20))).error().code, Code::statement_timeout);
}

TEST_F(ConcurrencyTest, a_caller_that_goes_away_stops_its_read) {
  Cancellation gone;
  Call call = Fixture::call();
  call.cancellation = &gone;
  const std::size_t read = start_sql(std::string(kEndless) + "SELECT count(*) FROM r", call);
  run_for(milliseconds(50));
  EXPECT_EQ(backend_->health().busy, 1u);
  const TimePoint begun = Clock::now();
  gone.cancel(CancelReason::client_gone);
  EXPECT_EQ(code(read), Code::cancelled);
  while (backend_->health().busy > 0 && Clock::now() - begun < seconds(2)) run_for(milliseconds(1));
  EXPECT_EQ(backend_->health().busy, 0u);
  EXPECT_LT(Clock::now() - begun, milliseconds(500));
}

/// Takes one batch and leaves the stream where it is.
Async<std::unique_ptr<RowStream>> open_stream(Backend& backend, Call call) {
  Native native{std::string(kEndless) + "SELECT i, zeroblob(1000) FROM r", {}, ""};
  ATHENA_CO_TRY(std::unique_ptr<RowStream> stream, co_await backend.execute(std::move(native), call));
  ATHENA_CO_TRY(const RowBatch batch, co_await stream->next());
  EXPECT_GT(batch.rows, 0u);
  co_return stream;
}
Async<RowBatch> pull(RowStream& stream) {
  co_return co_await stream.next();
}

TEST_F(ConcurrencyTest, slow_readers_hold_connections_but_no_threads) {
  std::vector<std::unique_ptr<RowStream>> slow;
  for (std::size_t i = 0; i < Readers::kMostConnections - 1; ++i) {
    auto stream = wait_for(open_stream(*backend_, call()));
    ASSERT_TRUE(stream) << why(stream);
    slow.push_back(*std::move(stream));
  }
  run_for(milliseconds(50));
  EXPECT_EQ(backend_->health().busy, Readers::kMostConnections - 1);
  EXPECT_EQ(must("SELECT 1").rows[0][0], "1");
  // The last connection taken: others wait for their deadline, and say what they waited for.
  slow.push_back(*wait_for(open_stream(*backend_, call())));
  const auto refused = sql("SELECT 1", {}, call(milliseconds(50)));
  EXPECT_EQ(refused.error().code, Code::pool_timeout);
  const std::size_t waiting = start_sql("SELECT 2");
  run_for(milliseconds(20));
  slow.pop_back();
  finish();
  EXPECT_TRUE(answer(waiting)) << why(answer(waiting));
  slow.clear();
  run_for(milliseconds(100));
  EXPECT_EQ(backend_->health().busy, 0u);
}

TEST_F(ConcurrencyTest, a_reader_that_does_not_come_back_lets_go_at_its_deadline) {
  auto stream = wait_for(open_stream(*backend_, call(milliseconds(150))));
  ASSERT_TRUE(stream) << why(stream);
  run_for(milliseconds(20));
  EXPECT_EQ(backend_->health().busy, 1u);
  run_for(milliseconds(300));
  EXPECT_EQ(backend_->health().busy, 0u);
  EXPECT_EQ(wait_for(pull(**stream)).error().code, Code::statement_timeout);
}

TEST_F(ConcurrencyTest, streams_dropped_at_any_moment_leave_nothing_behind) {
  for (int i = 0; i < 60; ++i) {
    auto stream = wait_for(open_stream(*backend_, call()));
    ASSERT_TRUE(stream) << why(stream);
    if (i % 3 == 1) run_for(milliseconds(1));
    if (i % 3 == 2) EXPECT_TRUE(wait_for(pull(**stream)));
    stream->reset();
  }
  run_for(milliseconds(100));
  EXPECT_EQ(backend_->health().busy, 0u);
}

TEST_F(ConcurrencyTest, too_many_writes_are_refused_at_once) {
  must("CREATE TABLE t (a)");
  {
    const Lock lock(target_.database);
    // Past the readers, which find out that each of these writes.
    query::Insert insert;
    insert.into.name = "t";
    insert.rows = {{{"a", number("1")}}};
    for (std::size_t i = 0; i < Writer::kMostWaiting + Writer::kMostInGroup + 10; ++i) {
      start(query::Statement(insert), call(seconds(20)));
    }
    run_for(milliseconds(200));
  }
  finish();
  std::size_t refused = 0, done = 0;
  for (std::size_t i = 0; i < answers_.size(); ++i) {
    refused += code(i) == Code::overloaded ? 1 : 0;
    done += answer(i) ? 1 : 0;
  }
  EXPECT_GE(refused, 10u);
  EXPECT_EQ(refused + done, answers_.size());
  EXPECT_EQ(must("SELECT count(*) FROM t").rows[0][0], std::to_string(done));
}

TEST_F(ConcurrencyTest, stop_ends_what_runs_and_waits_for_it) {
  must("CREATE TABLE t (a)");
  const std::size_t read = start_sql(std::string(kEndless) + "SELECT count(*) FROM r");
  const std::size_t write = start_sql(std::string("INSERT INTO t ") + kEndless + "SELECT i FROM r WHERE i < 0");
  run_for(milliseconds(50));
  const TimePoint begun = Clock::now();
  EXPECT_TRUE(wait_for(stop(*backend_)));
  finish();
  EXPECT_LT(Clock::now() - begun, seconds(2));
  EXPECT_THAT(code(read), AnyOf(Code::shutting_down, Code::cancelled));
  EXPECT_THAT(code(write), AnyOf(Code::shutting_down, Code::cancelled));
  EXPECT_EQ(sql("SELECT 1").error().code, Code::shutting_down);
}

TEST_F(ConcurrencyTest, stop_does_not_wait_for_streams_that_nobody_reads) {
  std::vector<std::unique_ptr<RowStream>> slow;
  for (std::size_t i = 0; i < Readers::kMostConnections; ++i) {
    slow.push_back(*wait_for(open_stream(*backend_, call())));
  }
  const std::size_t waits_for_the_tables = start(query::Statement(select_from("t")), call());
  const std::size_t waits_for_a_connection = start_sql("SELECT 1");
  run_for(milliseconds(20));
  const TimePoint begun = Clock::now();
  EXPECT_TRUE(wait_for(stop(*backend_)));
  finish();
  EXPECT_LT(Clock::now() - begun, seconds(2));
  EXPECT_THAT(code(waits_for_the_tables), AnyOf(Code::shutting_down, Code::cancelled));
  EXPECT_THAT(code(waits_for_a_connection), AnyOf(Code::shutting_down, Code::cancelled));
  EXPECT_EQ(wait_for(pull(*slow.front())).error().code, Code::shutting_down);
}

TEST_F(ConcurrencyTest, loops_share_the_writer_and_the_schema) {
  must("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, loop INTEGER)");
  constexpr int kLoops = 3, kWrites = 40;
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int which = 0; which < kLoops; ++which) {
    threads.emplace_back([this, which, &failures] {
      Loop loop;
      Recorder observer;
      auto backend = sqlite::open(target_, shared_, {loop, observer});
      const auto work = [](Backend& own, int number_of_loop, std::atomic<int>& failed, Loop& own_loop) -> Task<> {
        for (int i = 0; i < kWrites; ++i) {
          query::Insert insert;
          insert.into.name = "t";
          insert.rows = {{{"loop", number(std::to_string(number_of_loop))}}};
          const auto written = co_await execute_and_drain(own, query::Statement(insert), call());
          const bool is_there =
              written && (co_await execute_and_drain(
                              own, query::Statement(by_key("t", "id", number(written->rows[0][0]))), call()))
                                 ->rows.size() == 1;
          if (!is_there) ++failed;
          if (i % 10 == 0) {
            Native ddl{"CREATE TABLE l" + std::to_string(number_of_loop) + "_" + std::to_string(i) + " (a)", {}, ""};
            if (!co_await execute_and_drain(own, std::move(ddl), call())) ++failed;
          }
        }
        co_await own.stop();
        own_loop.stop();
      };
      asio::co_spawn(loop.executor(), work(*backend, which, failures, loop), asio::detached);
      loop.run();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(must("SELECT count(*) FROM t").rows[0][0], std::to_string(kLoops * kWrites));
  EXPECT_EQ(query(select_from("l2_30"))->rows.size(), 0u);
}

Call late_enough() {
  Call call{};
  call.deadline = Clock::now() + seconds(30);
  return call;
}

/// Runs an insert on a loop and a thread of its own, and returns when it has its answer.
void insert_from_another_loop(const Target& target, const std::shared_ptr<SharedState>& shared, std::string id) {
  std::thread([&] {
    Loop loop;
    struct Silent final : Observer {
      void observe(const Event&) noexcept override {}
    } observer;
    const auto backend = sqlite::open(target, shared, {loop, observer});
    const auto work = [](Backend& own, Loop& own_loop, std::string key) -> Task<> {
      query::Insert insert;
      insert.into.name = "t";
      insert.rows = {{{"id", number(key)}}};
      const auto written = co_await own.execute(query::Statement(insert), late_enough());
      EXPECT_TRUE(written) << why(written);
      co_await own.stop();
      own_loop.stop();
    };
    asio::co_spawn(loop.executor(), work(*backend, loop, id), asio::detached);
    loop.run();
  }).join();
}

TEST_F(ConcurrencyTest, a_commit_ends_the_snapshot_that_reads_of_one_turn_share) {
  must("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)");
  query::Select all = select_from("t");
  all.limit = 10;
  const auto rows = [&]() -> Async<std::size_t> {
    ATHENA_CO_TRY(const Answer answer, co_await execute_and_drain(*backend_, query::Statement(all), call()));
    co_return answer.rows.size();
  };
  const auto turn = [&]() -> Async<std::vector<std::size_t>> {
    std::vector<std::size_t> seen;
    ATHENA_CO_TRY(seen.emplace_back(), co_await rows());  // opens the connection
    ATHENA_CO_TRY(seen.emplace_back(), co_await rows());
    sqlite3* other = nullptr;  // another program: its commit is counted nowhere
    sqlite3_open(target_.database.c_str(), &other);
    EXPECT_EQ(sqlite3_exec(other, "INSERT INTO t VALUES (2)", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(other);
    ATHENA_CO_TRY(seen.emplace_back(), co_await rows());
    insert_from_another_loop(target_, shared_, "3");
    ATHENA_CO_TRY(seen.emplace_back(), co_await rows());
    co_return seen;
  };
  const auto seen = wait_for(turn());
  ASSERT_TRUE(seen) << why(seen);
  EXPECT_EQ(seen->at(0), 1u);
  EXPECT_EQ(seen->at(1), 1u);
  EXPECT_LE(seen->at(2), 2u);  // it may be seen, and need not
  EXPECT_EQ(seen->at(3), 3u);
}

TEST_F(ConcurrencyTest, what_another_program_writes_is_seen_in_the_next_turn) {
  must("CREATE TABLE t (id INTEGER PRIMARY KEY)");
  for (int i = 1; i <= 20; ++i) {
    EXPECT_EQ(query(by_key("t", "id", number(std::to_string(i))))->rows.size(), 0u);
    sqlite3* other = nullptr;
    sqlite3_open(target_.database.c_str(), &other);
    const std::string sql = "INSERT INTO t VALUES (" + std::to_string(i) + ")";
    EXPECT_EQ(sqlite3_exec(other, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(other);
    EXPECT_EQ(query(by_key("t", "id", number(std::to_string(i))))->rows.size(), 1u);
  }
}

}  // namespace
}  // namespace athena::driver::sqlite
