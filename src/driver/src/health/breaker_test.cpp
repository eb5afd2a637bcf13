#include "health/breaker.h"

#include <gtest/gtest.h>

namespace athena::driver {
namespace {

using Change = Breaker::Change;
const TimePoint kStart{seconds(1'000)};

class BreakerTest : public testing::Test {
 protected:
  std::optional<Breaker::Leave> admit(TimePoint now) { return breaker.admit(now, change); }
  Change fail_at(TimePoint now) { return breaker.failed(admit(now).value(), now); }
  void open_at(TimePoint now) {
    for (int i = 0; i < 3; ++i) fail_at(now);
    ASSERT_EQ(breaker.state(), HostState::open);
  }

  HealthConfig config{.enabled = true, .failure_threshold = 3, .failure_window = seconds(60), .offline = seconds(30)};
  Breaker breaker{config, 7};
  Change change = Change::none;
};

TEST_F(BreakerTest, admits_everyone_while_closed) {
  for (int i = 0; i < 100; ++i) {
    const auto leave = admit(kStart);
    ASSERT_TRUE(leave);
    EXPECT_FALSE(leave->is_trial);
    EXPECT_EQ(change, Change::none);
  }
}

TEST_F(BreakerTest, as_many_failures_as_the_threshold_open_it) {
  EXPECT_EQ(fail_at(kStart), Change::none);
  EXPECT_EQ(fail_at(kStart), Change::none);
  EXPECT_EQ(breaker.recent_failures(kStart), 2U);
  EXPECT_EQ(fail_at(kStart), Change::opened);
  EXPECT_EQ(breaker.state(), HostState::open);
  EXPECT_TRUE(breaker.is_offline(kStart));
  EXPECT_EQ(breaker.wait(kStart + seconds(10)), seconds(20));
  EXPECT_FALSE(admit(kStart));
}

TEST_F(BreakerTest, failures_older_than_the_window_do_not_count) {
  fail_at(kStart);
  fail_at(kStart);
  EXPECT_EQ(fail_at(kStart + seconds(61)), Change::none);
  EXPECT_EQ(breaker.recent_failures(kStart + seconds(61)), 1U);
}

TEST_F(BreakerTest, failures_as_old_as_the_window_do) {
  fail_at(kStart);
  fail_at(kStart);
  EXPECT_EQ(fail_at(kStart + seconds(60)), Change::opened);
}

TEST_F(BreakerTest, a_success_forgets_the_failures_before_it) {
  fail_at(kStart);
  fail_at(kStart);
  EXPECT_EQ(breaker.succeeded(admit(kStart).value()), Change::none);
  EXPECT_TRUE(breaker.is_healthy());
  EXPECT_EQ(fail_at(kStart), Change::none);
  EXPECT_FALSE(breaker.is_healthy());
}

TEST_F(BreakerTest, failures_of_permits_that_were_given_before_it_opened_do_not_extend_it) {
  const auto late = admit(kStart);
  open_at(kStart);
  EXPECT_EQ(breaker.failed(*late, kStart + seconds(20)), Change::none);
  EXPECT_EQ(breaker.wait(kStart + seconds(20)), seconds(10));
}

TEST_F(BreakerTest, a_late_success_of_an_older_generation_does_not_close_it) {
  const auto late = admit(kStart);
  open_at(kStart);
  EXPECT_EQ(breaker.succeeded(*late), Change::none);
  EXPECT_EQ(breaker.state(), HostState::open);
  EXPECT_TRUE(admit(kStart + seconds(30))->is_trial);
  EXPECT_EQ(breaker.succeeded(*late), Change::none);
  EXPECT_EQ(breaker.state(), HostState::half_open);
}

TEST_F(BreakerTest, admits_exactly_one_trial_when_the_time_is_over) {
  open_at(kStart);
  EXPECT_FALSE(admit(kStart + seconds(30) - Duration(1)));
  const auto trial = admit(kStart + seconds(30));
  ASSERT_TRUE(trial);
  EXPECT_TRUE(trial->is_trial);
  EXPECT_EQ(change, Change::on_trial);
  EXPECT_EQ(breaker.state(), HostState::half_open);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(admit(kStart + seconds(30 + i)));
}

TEST_F(BreakerTest, a_trial_that_succeeds_closes) {
  open_at(kStart);
  EXPECT_EQ(breaker.succeeded(admit(kStart + seconds(30)).value()), Change::closed);
  EXPECT_TRUE(breaker.is_healthy());
  EXPECT_FALSE(admit(kStart + seconds(30))->is_trial);
}

TEST_F(BreakerTest, a_trial_that_fails_opens_again_at_once) {
  open_at(kStart);
  const TimePoint later = kStart + seconds(30);
  EXPECT_EQ(breaker.failed(admit(later).value(), later), Change::opened);
  EXPECT_FALSE(admit(later + seconds(29)));
  EXPECT_TRUE(admit(later + seconds(30))->is_trial);
}

TEST_F(BreakerTest, a_trial_that_is_given_up_goes_to_the_next_and_is_told_once) {
  open_at(kStart);
  const TimePoint later = kStart + seconds(30);
  breaker.abandoned(admit(later).value());
  const auto next = admit(later);
  ASSERT_TRUE(next);
  EXPECT_TRUE(next->is_trial);
  EXPECT_EQ(change, Change::none);
  EXPECT_FALSE(admit(later));
}

TEST_F(BreakerTest, giving_up_an_old_trial_does_not_free_the_present_one) {
  open_at(kStart);
  const auto old = admit(kStart + seconds(30));
  breaker.reset();
  open_at(kStart + seconds(31));
  ASSERT_TRUE(admit(kStart + seconds(61)));
  breaker.abandoned(*old);
  EXPECT_FALSE(admit(kStart + seconds(61)));
}

TEST_F(BreakerTest, giving_up_a_permit_judges_nobody) {
  fail_at(kStart);
  fail_at(kStart);
  breaker.abandoned(admit(kStart).value());
  EXPECT_EQ(breaker.recent_failures(kStart), 2U);
  EXPECT_EQ(breaker.state(), HostState::closed);
}

TEST_F(BreakerTest, forced_offline_is_not_ended_by_an_outcome) {
  const auto before = admit(kStart);
  EXPECT_EQ(breaker.force_offline(seconds(300), kStart), Change::opened);
  EXPECT_EQ(breaker.succeeded(*before), Change::none);
  EXPECT_TRUE(breaker.is_offline(kStart + seconds(299)));
  EXPECT_FALSE(admit(kStart + seconds(299)));
}

TEST_F(BreakerTest, forced_offline_ends_the_say_of_a_trial_under_way) {
  open_at(kStart);
  const auto trial = admit(kStart + seconds(30));
  breaker.force_offline(seconds(300), kStart + seconds(30));
  EXPECT_EQ(breaker.succeeded(*trial), Change::none);
  EXPECT_TRUE(breaker.is_offline(kStart + seconds(31)));
}

TEST_F(BreakerTest, forced_offline_is_ended_by_time_with_a_trial) {
  breaker.force_offline(seconds(300), kStart);
  EXPECT_FALSE(breaker.is_offline(kStart + seconds(300)));
  EXPECT_TRUE(admit(kStart + seconds(300))->is_trial);
}

TEST_F(BreakerTest, forced_offline_may_shorten) {
  open_at(kStart);
  breaker.force_offline(seconds(5), kStart);
  EXPECT_EQ(breaker.wait(kStart), seconds(5));
}

TEST_F(BreakerTest, reset_closes_and_forgets) {
  open_at(kStart);
  EXPECT_EQ(breaker.reset(), Change::closed);
  EXPECT_TRUE(breaker.is_healthy());
  EXPECT_TRUE(admit(kStart));
  EXPECT_EQ(breaker.reset(), Change::none);
}

TEST_F(BreakerTest, disabled_it_counts_nothing_and_can_still_be_forced) {
  config.enabled = false;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(fail_at(kStart), Change::none);
  EXPECT_TRUE(breaker.is_healthy());
  breaker.force_offline(seconds(10), kStart);
  EXPECT_FALSE(admit(kStart));
}

}  // namespace
}  // namespace athena::driver
