#include <athena/driver/health.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace athena::driver {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const TimePoint kStart{seconds(1'000)};
constexpr std::string_view kHost = "scylla|db1.internal:9042";

class Recorder final : public Observer {
 public:
  void observe(const Event& event) noexcept override {
    const std::lock_guard lock(mutex_);
    kinds.push_back(event.kind);
    targets.emplace_back(event.target);
  }
  std::vector<Event::Kind> kinds;
  std::vector<std::string> targets;

 private:
  std::mutex mutex_;
};

class HostHealthTest : public testing::Test {
 protected:
  void fail_times(int times, std::string_view host = kHost) {
    for (int i = 0; i < times; ++i) health->admit(host, kStart)->failed(kStart);
  }

  Recorder observer;
  std::shared_ptr<HostHealth> health = HostHealth::create({}, observer);
};

TEST_F(HostHealthTest, a_host_that_fails_is_refused_for_everyone_with_the_time_to_come_back) {
  fail_times(5);
  const auto refused = health->admit(kHost, kStart + milliseconds(100));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::database_unavailable);
  EXPECT_EQ(refused.error().retry_after_s, 60U);
  EXPECT_TRUE(health->is_offline(kHost, kStart));
}

TEST_F(HostHealthTest, the_refusal_names_the_host_to_the_log_only) {
  fail_times(5);
  const auto refused = health->admit(kHost, kStart);
  EXPECT_THAT(refused.error().error + refused.error().hint, Not(HasSubstr("db1")));
  EXPECT_THAT(refused.error().log_detail, HasSubstr("db1.internal:9042"));
}

TEST_F(HostHealthTest, hosts_and_backends_are_told_apart) {
  fail_times(5);
  EXPECT_TRUE(health->admit("scylla|db2.internal:9042", kStart));
  EXPECT_TRUE(health->admit("supabase|db1.internal:9042", kStart));
}

TEST_F(HostHealthTest, tells_the_observer_of_each_change_once) {
  fail_times(5);
  const TimePoint later = kStart + seconds(60);
  auto trial = health->admit(kHost, later);
  EXPECT_FALSE(health->admit(kHost, later));
  trial->failed(later);
  health->admit(kHost, later + seconds(60))->succeeded(later + seconds(60));
  using Kind = Event::Kind;
  EXPECT_THAT(observer.kinds, ElementsAre(Kind::host_opened, Kind::host_on_trial, Kind::host_opened,
                                          Kind::host_on_trial, Kind::host_closed));
  EXPECT_EQ(observer.targets.front(), "db1.internal:9042");
}

TEST_F(HostHealthTest, who_is_refused_during_a_trial_is_to_come_back_soon) {
  fail_times(5);
  const auto trial = health->admit(kHost, kStart + seconds(60));
  ASSERT_TRUE(trial && trial->is_trial());
  EXPECT_EQ(health->admit(kHost, kStart + seconds(60)).error().retry_after_s, 1U);
}

TEST_F(HostHealthTest, a_permit_that_goes_without_an_outcome_frees_the_trial) {
  fail_times(5);
  const TimePoint later = kStart + seconds(60);
  {
    const auto given_up = health->admit(kHost, later);
  }
  auto next = health->admit(kHost, later);
  ASSERT_TRUE(next);
  EXPECT_TRUE(next->is_trial());
  HostHealth::Permit moved = std::move(*next);
  EXPECT_FALSE(health->admit(kHost, later));
  moved = HostHealth::Permit();
  EXPECT_TRUE(health->admit(kHost, later));
}

TEST_F(HostHealthTest, an_outcome_counts_once) {
  auto permit = health->admit(kHost, kStart);
  for (int i = 0; i < 10; ++i) permit->failed(kStart);
  EXPECT_TRUE(health->admit(kHost, kStart));
  EXPECT_EQ(health->report(kStart).at(0).recent_failures, 1U);
}

TEST_F(HostHealthTest, forced_offline_and_reset_are_told_and_reported) {
  health->force_offline(kHost, seconds(10), kStart);
  EXPECT_TRUE(health->is_offline(kHost, kStart + seconds(9)));
  EXPECT_FALSE(health->is_offline(kHost, kStart + seconds(10)));
  health->reset(kHost);
  EXPECT_FALSE(health->is_offline(kHost, kStart));
  health->reset("scylla|nobody:9042");
  EXPECT_THAT(observer.kinds, ElementsAre(Event::Kind::host_opened, Event::Kind::host_closed));
}

TEST_F(HostHealthTest, reports_every_host_in_order) {
  fail_times(5);
  fail_times(2, "postgresql|db9:5432");
  const auto rows = health->report(kStart + seconds(1));
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].backend, "postgresql");
  EXPECT_EQ(rows[0].host, "db9:5432");
  EXPECT_EQ(rows[0].recent_failures, 2U);
  EXPECT_EQ(rows[0].state, HostState::closed);
  EXPECT_EQ(rows[1].state, HostState::open);
  EXPECT_EQ(rows[1].retry_in, seconds(59));
  EXPECT_EQ(rows[1].times_opened, 1U);
  EXPECT_EQ(rows[1].refused, 0U);
  EXPECT_FALSE(health->admit(kHost, kStart));
  EXPECT_EQ(health->report(kStart)[1].refused, 1U);
}

TEST_F(HostHealthTest, healthy_hosts_make_room_for_new_ones) {
  fail_times(5);
  for (std::size_t i = 0; i < 2 * HostHealth::kMaxHosts; ++i) {
    health->admit("scylla|h" + std::to_string(i) + ":9042", kStart + milliseconds(i))->succeeded(kStart);
  }
  EXPECT_EQ(health->report(kStart).size(), HostHealth::kMaxHosts);
  EXPECT_TRUE(health->is_offline(kHost, kStart));
}

TEST_F(HostHealthTest, newcomers_are_admitted_unwatched_when_every_watched_host_fails) {
  for (std::size_t i = 0; i < HostHealth::kMaxHosts; ++i) fail_times(5, "scylla|h" + std::to_string(i) + ":9042");
  fail_times(20, "scylla|newcomer:9042");
  EXPECT_TRUE(health->admit("scylla|newcomer:9042", kStart));
  EXPECT_EQ(health->report(kStart).size(), HostHealth::kMaxHosts);
}

TEST_F(HostHealthTest, permits_of_a_host_that_was_forgotten_say_nothing_about_the_next_of_its_name) {
  auto old = health->admit(kHost, kStart);
  for (std::size_t i = 0; i < HostHealth::kMaxHosts; ++i) {
    ASSERT_TRUE(health->admit("scylla|h" + std::to_string(i) + ":9042", kStart + seconds(1)));
  }
  fail_times(4);
  old->succeeded(kStart);
  fail_times(1);
  EXPECT_FALSE(health->admit(kHost, kStart));
}

TEST_F(HostHealthTest, disabled_leaves_nobody_alone) {
  health = HostHealth::create({.enabled = false}, observer);
  fail_times(100);
  EXPECT_TRUE(health->admit(kHost, kStart));
}

TEST_F(HostHealthTest, many_threads_share_one_trial) {
  fail_times(5);
  constexpr int kThreads = 8, kRounds = 2'000;
  std::atomic<int> trials_at_once{0}, most{0}, admitted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        const TimePoint now = kStart + seconds(60);
        auto permit = health->admit(kHost, now);
        if (!permit) continue;
        EXPECT_TRUE(permit->is_trial());
        ++admitted;
        const int here = ++trials_at_once;
        int seen = most.load();
        while (here > seen && !most.compare_exchange_weak(seen, here)) {
        }
        --trials_at_once;
        if (i % 16 == t) health->report(now);
      }  // given up
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(most.load(), 1);
  EXPECT_GT(admitted.load(), 0);
}

TEST_F(HostHealthTest, threads_that_open_reset_and_judge_at_the_same_time_leave_it_sound) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5'000; ++i) {
        const TimePoint now = kStart + milliseconds(i);
        if (auto permit = health->admit(kHost, now)) i % 3 == 0 ? permit->succeeded(now) : permit->failed(now);
        if (t == 0 && i % 64 == 0) health->reset(kHost);
        if (t == 1 && i % 128 == 0) health->force_offline(kHost, milliseconds(1), now);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  health->reset(kHost);
  EXPECT_TRUE(health->admit(kHost, kStart));
  fail_times(5);
  EXPECT_FALSE(health->admit(kHost, kStart));
}

}  // namespace
}  // namespace athena::driver
