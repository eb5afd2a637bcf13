#include "postgres/live_fixture.h"

#include <fstream>
#include <map>
#include <random>
#include <thread>

#include <unistd.h>

#include <gmock/gmock.h>

namespace athena::driver::postgres {
namespace {

/// Requests in flight at a time.
constexpr std::size_t kWorkers = 64;

std::size_t soak_requests() {
  const std::string wanted = environment("ATHENA_SOAK_REQUESTS");
  return wanted.empty() ? 5'000 : std::stoul(wanted);
}

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// Every row carries its mark, so an answer that belongs to another request is seen.
std::string mark_of(std::uint64_t id) {
  return "mark " + std::to_string(id);
}

class Soak : public testing::Test {
 protected:
  explicit Soak(const char* uri = "ATHENA_TEST_POSTGRES") : database(environment(uri)) {
    make("DROP VIEW IF EXISTS live_slow; DROP VIEW IF EXISTS live_forget; DROP TABLE IF EXISTS live_marks");
    make(
        "CREATE TABLE live_marks (id int PRIMARY KEY, mark text); "
        "INSERT INTO live_marks SELECT i, 'mark ' || i FROM generate_series(1, 1000) i; ANALYZE live_marks");
    make(
        "CREATE VIEW live_slow AS SELECT id, mark, pg_sleep(CASE WHEN id % 20 = 0 THEN 0.15 ELSE 0 END)::text AS slept "
        "FROM live_marks");
    make(
        "CREATE OR REPLACE FUNCTION live_forget_all(int) RETURNS int LANGUAGE plpgsql AS "
        "$$ BEGIN EXECUTE 'DEALLOCATE ALL'; RETURN 1; END $$; "
        "CREATE VIEW live_forget AS SELECT id, mark, live_forget_all(id) AS forgot FROM live_marks");
    EXPECT_TRUE(database.run(database.backend->schema(LiveDatabase::call(), true)));
  }
  void make(const std::string& sql) {
    const auto made = database.sql(sql);
    ASSERT_TRUE(made) << made.error().error << ' ' << made.error().log_detail;
  }

  /// Runs `worker` kWorkers times side by side, until all have ended.
  template <class Worker>
  void run_workers(Worker worker) {
    std::size_t left = kWorkers;
    for (std::size_t i = 0; i < kWorkers; ++i) {
      asio::co_spawn(database.loop.executor(), worker(i), [&left](std::exception_ptr error) {
        if (error) std::rethrow_exception(error);
        --left;
      });
    }
    while (left > 0) database.loop.context().run_one();
  }

  /// Statements of ours that the server still runs.
  std::string still_running() {
    for (int i = 0; i < 50; ++i) {
      const auto answer = database.sql(
          "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'athena' AND state <> 'idle' "
          "AND pid <> pg_backend_pid()");
      if (!answer) return answer.error().error;
      if (answer->at(0, 0) == "0") return "0";
      database.run(database.loop.sleep(milliseconds(50)));
    }
    return "some";
  }

  LiveDatabase database;
  std::mt19937_64 random{42};
};

query::Insert insert_mark(std::uint64_t id) {
  query::Insert insert;
  insert.into.name = "live_marks";
  insert.rows = {{{"id", query::Number{std::to_string(id)}}, {"mark", mark_of(id)}}};
  return insert;
}

TEST_F(Soak, ten_thousand_pipelined_statements_of_all_kinds_get_their_own_answers) {
  std::size_t wrong = 0, done = 0;
  run_workers([&](std::size_t worker) -> Task<> {
    for (std::size_t i = 0; i < 10'000 / kWorkers; ++i) {
      const std::uint64_t fresh = 10'000 + worker * 1'000 + i, known = random() % 1'000 + 1;
      Result<Answer> answer;
      bool is_right = false;
      switch (i % 4) {
        case 0:
          answer = co_await database.ask(select_by("live_marks", "id", std::to_string(known)), LiveDatabase::call());
          is_right = answer && answer->rows.size() == 1 && answer->at(0, 1) == mark_of(known);
          break;
        case 1:
          answer = co_await database.ask(query::Statement(insert_mark(fresh)), LiveDatabase::call());
          is_right = answer && answer->at(0, 1) == mark_of(fresh);
          break;
        case 2:
          answer = co_await database.ask(query::Statement(insert_mark(known)), LiveDatabase::call());
          is_right = !answer && answer.error().code == Code::unique_violation;
          break;
        case 3: {
          query::Delete erase;
          erase.from.name = "live_marks";
          erase.resource_id = query::Number{std::to_string(fresh - 2)};
          answer = co_await database.ask(query::Statement(erase), LiveDatabase::call());
          is_right = answer && answer->rows.size() == 1 && answer->at(0, 1) == mark_of(fresh - 2);
          break;
        }
      }
      wrong += !is_right;
      ++done;
    }
  });
  EXPECT_EQ(wrong, 0U) << "of " << done;
}

TEST_F(Soak, random_deadlines_and_departures_leave_nothing_running_and_hit_nobody_else) {
  const std::size_t each = soak_requests() / kWorkers;
  std::map<Code, std::size_t> errors;
  std::size_t right = 0, wrong = 0;
  run_workers([&](std::size_t) -> Task<> {
    for (std::size_t i = 0; i < each; ++i) {
      const std::uint64_t id = random() % 1'000 + 1;
      const bool is_patient = random() % 3 == 0;
      const auto cancellation = std::make_shared<Cancellation>();  // the timer may be about to use it
      asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> leaves(database.loop.executor());
      Call call =
          LiveDatabase::call(is_patient ? milliseconds(60'000) : milliseconds(random() % 120), cancellation.get());
      if (!is_patient && random() % 2 == 0) {
        leaves.expires_after(microseconds(random() % 100'000));
        leaves.async_wait([cancellation](boost::system::error_code error) {
          if (!error) cancellation->cancel(CancelReason::client_gone);
        });
      }
      query::Select select = select_by("live_slow", "id", std::to_string(id));
      select.columns = {output("id", ""), output("mark", "")};
      if (random() % 10 == 0) select.limit.reset();  // on a connection of its own
      auto stream = co_await database.backend->execute(std::move(select), call);
      if (stream && random() % 5 == 0) continue;  // dropped, unread
      Result<Answer> answer = stream ? co_await read_all(*std::move(stream)) : fail(stream.error());
      if (answer) {
        const bool is_right = answer->rows.size() == 1 && answer->at(0, 1) == mark_of(id);
        is_right ? ++right : ++wrong;
      } else {
        ++errors[answer.error().code];
        // Only its own deadline or departure may end a request.
        if (is_patient)
          ADD_FAILURE() << answer.error().row().id << ' ' << answer.error().error << ' ' << answer.error().log_detail;
      }
    }
  });
  EXPECT_EQ(wrong, 0U);
  EXPECT_GT(right, 0U);
  EXPECT_EQ(still_running(), "0");
  for (const auto& [code, count] : errors) {
    const bool is_expected = code == Code::cancelled || code == Code::statement_timeout || code == Code::pool_timeout;
    EXPECT_TRUE(is_expected) << count << " times " << error_row(code).id;
  }
  database.run(database.loop.sleep(milliseconds(300)));
  EXPECT_EQ(database.backend->health().busy, 0U);
  RecordProperty("right", static_cast<int>(right));
  RecordProperty("cancelled", static_cast<int>(database.counter.count(Event::Kind::statement_cancelled)));
  RecordProperty("absorbed", static_cast<int>(database.counter.count(Event::Kind::cancel_absorbed)));
}

TEST_F(Soak, terminated_backends_give_no_wrong_answer_and_the_driver_is_back_within_a_second) {
  LiveDatabase killer(environment("ATHENA_TEST_POSTGRES"));
  bool stop = false;
  std::size_t wrong = 0, reads = 0, writes = 0, unknown = 0;
  std::map<Code, std::size_t> read_errors;
  std::vector<std::uint64_t> written, refused;
  TimePoint last_kill, first_success;
  std::size_t running = kWorkers;
  auto work = [&](std::size_t number) -> Task<> {
    std::size_t i = 0;
    while (!stop) {
      ++i;
      const std::uint64_t known = random() % 1'000 + 1, fresh = 100'000 + number * 100'000 + i;
      if (i % 2 == 0) {
        const auto answer =
            co_await database.ask(select_by("live_marks", "id", std::to_string(known)), LiveDatabase::call());
        if (!answer) ++read_errors[answer.error().code];
        if (answer && (answer->rows.size() != 1 || answer->at(0, 1) != mark_of(known))) ++wrong;
        ++reads;
        if (answer && first_success < last_kill) first_success = Clock::now();
      } else {
        const auto answer = co_await database.ask(query::Statement(insert_mark(fresh)), LiveDatabase::call());
        if (answer) {
          written.push_back(fresh);
        } else if (answer.error().code == Code::write_outcome_unknown) {
          ++unknown;
        } else {
          refused.push_back(fresh);
        }
        ++writes;
      }
    }
  };
  for (std::size_t worker = 0; worker < kWorkers; ++worker) {
    asio::co_spawn(database.loop.executor(), work(worker), [&running](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
      --running;
    });
  }
  for (int round = 0; round < 5; ++round) {
    database.run(database.loop.sleep(milliseconds(200)));
    last_kill = Clock::now();
    killer.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'athena' AND pid <> "
        "pg_backend_pid()");
    while (first_success < last_kill && Clock::now() - last_kill < seconds(3)) database.loop.context().run_one();
    EXPECT_LT(first_success - last_kill, seconds(1));
  }
  stop = true;
  while (running > 0) database.loop.context().run_one();
  EXPECT_EQ(wrong, 0U);
  for (const auto& [code, count] : read_errors) ADD_FAILURE() << count << " reads failed: " << error_row(code).id;
  std::map<std::uint64_t, bool> present;
  const auto all = database.sql("SELECT id FROM live_marks WHERE id >= 100000");
  ASSERT_TRUE(all);
  for (const auto& row : all->rows) present[std::stoull(*row[0])] = true;
  for (const std::uint64_t id : written) EXPECT_TRUE(present.contains(id)) << id;
  for (const std::uint64_t id : refused) EXPECT_FALSE(present.contains(id)) << id;
  EXPECT_GT(reads, 100U);
  EXPECT_GT(writes, 100U);
  RecordProperty("unknown", static_cast<int>(unknown));
}

TEST_F(Soak, statements_that_the_server_forgot_are_prepared_again_under_load) {
  std::size_t wrong = 0;
  run_workers([&](std::size_t) -> Task<> {
    for (int i = 0; i < 50; ++i) {
      const std::uint64_t id = random() % 1'000 + 1;
      const auto answer = co_await database.ask(
          select_by(random() % 20 == 0 ? "live_forget" : "live_marks", "id", std::to_string(id)), LiveDatabase::call());
      if (!answer) ADD_FAILURE() << answer.error().error << ' ' << answer.error().log_detail;
      wrong += !answer || answer->rows.size() != 1 || answer->at(0, 1) != mark_of(id);
    }
  });
  EXPECT_EQ(wrong, 0U);
  EXPECT_GT(database.counter.count(Event::Kind::prepared_again), 0U);
}

TEST_F(Soak, a_large_result_to_a_slow_reader_takes_little_memory) {
  const std::size_t before = resident_bytes();
  std::size_t most = 0, bytes = 0, rows = 0;
  const auto read = [&]() -> Task<bool> {
    auto stream = co_await database.backend->execute(
        Native{"SELECT i, repeat('x', 1000) FROM generate_series(1, 300000) i", {}, {}},
        LiveDatabase::call(seconds(60)));
    if (!stream) co_return false;
    for (std::size_t batches = 0;; ++batches) {
      const auto batch = co_await (*stream)->next();
      if (!batch) co_return false;
      rows += batch->rows;
      for (const Cell& cell : batch->cells) bytes += cell.view().size();
      if (batches % 200 == 0) {
        co_await database.loop.sleep(milliseconds(5));
        most = std::max(most, resident_bytes());
      }
      if (batch->last) co_return true;
    }
  };
  EXPECT_TRUE(database.run(read()));
  EXPECT_EQ(rows, 300'000U);
  EXPECT_GT(bytes, 300'000'000U);
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
  EXPECT_LT(most, before + 1024 * 1024);
#else
  static_cast<void>(before);
#endif
}

TEST_F(Soak, a_stream_that_is_dropped_stops_its_statement) {
  for (int i = 0; i < 20; ++i) {
    const auto start = [&]() -> Task<bool> {
      auto stream = co_await database.backend->execute(
          Native{"SELECT i, repeat('x', 1000) FROM generate_series(1, 1000000) i", {}, {}}, LiveDatabase::call());
      co_return stream && (co_await (*stream)->next()).has_value();
    };
    EXPECT_TRUE(database.run(start()));
  }
  EXPECT_EQ(still_running(), "0");
}

class Bouncer : public Soak {
 protected:
  Bouncer() : Soak("ATHENA_TEST_PGBOUNCER") {}
};

TEST_F(Bouncer, statements_of_all_kinds_work_without_names_that_outlive_a_transaction) {
  std::size_t wrong = 0;
  run_workers([&](std::size_t worker) -> Task<> {
    for (std::size_t i = 0; i < 60; ++i) {
      const std::uint64_t id = random() % 1'000 + 1, fresh = 10'000 + worker * 1'000 + i;
      const auto answer =
          i % 3 == 0 ? co_await database.ask(query::Statement(insert_mark(fresh)), LiveDatabase::call())
                     : co_await database.ask(select_by("live_marks", "id", std::to_string(id)), LiveDatabase::call());
      if (!answer) ADD_FAILURE() << answer.error().error << ' ' << answer.error().log_detail;
      wrong += !answer || answer->at(0, 1) != mark_of(i % 3 == 0 ? fresh : id);
    }
  });
  EXPECT_EQ(wrong, 0U);
}

TEST_F(Bouncer, raw_sql_leaves_nothing_behind_on_a_server_connection_that_others_share) {
  ASSERT_TRUE(database.sql("SET TimeZone TO 'Asia/Tokyo'"));
  ASSERT_TRUE(database.sql("SET search_path TO pg_catalog"));
  ASSERT_TRUE(database.sql("SELECT pg_advisory_lock(43)"));
  ASSERT_TRUE(database.sql("CREATE TEMP TABLE left_behind (a int); SELECT 1"));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(database.sql("SHOW TimeZone")->at(0, 0), "UTC");
    EXPECT_THAT(database.sql("SHOW search_path")->at(0, 0), testing::Optional(testing::HasSubstr("public")));
    EXPECT_EQ(database.sql("SELECT count(*) FROM pg_class WHERE relname = 'left_behind'")->at(0, 0), "0");
    EXPECT_EQ(database.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 43")->at(0, 0), "0");
  }
}

TEST_F(Bouncer, deadlines_stop_statements) {
  const auto answer =
      database.run(database.ask(Native{"SELECT pg_sleep(20)", {}, {}}, LiveDatabase::call(milliseconds(200))));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::statement_timeout);
  EXPECT_EQ(still_running(), "0");
}

}  // namespace
}  // namespace athena::driver::postgres
