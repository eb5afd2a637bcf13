#include "backoff.h"

#include <gtest/gtest.h>

namespace athena::driver {
namespace {

const TimePoint kStart{seconds(1'000)};

TEST(Backoff, tries_at_once_when_nothing_failed) {
  const Backoff backoff(1);
  EXPECT_TRUE(backoff.may_try(kStart));
  EXPECT_FALSE(backoff.is_down(kStart));
}

TEST(Backoff, waits_longer_after_each_failure_and_never_beyond_the_longest) {
  Backoff backoff(7);
  TimePoint now = kStart;
  Duration longest_so_far{};
  for (int i = 0; i < 40; ++i) {
    backoff.failed(now, false);
    const Duration wait = backoff.next_try() - now;
    EXPECT_LE(wait, Backoff::kLongest);
    EXPECT_FALSE(backoff.may_try(now));
    longest_so_far = std::max(longest_so_far, wait);
    now = backoff.next_try();
    EXPECT_TRUE(backoff.may_try(now));
  }
  EXPECT_GE(longest_so_far, Backoff::kLongest / 2);
}

TEST(Backoff, two_of_them_do_not_fall_into_step) {
  Backoff one(1), other(2);
  bool differ = false;
  for (int i = 0; i < 8; ++i) {
    one.failed(kStart, false);
    other.failed(kStart, false);
    differ |= one.next_try() != other.next_try();
  }
  EXPECT_TRUE(differ);
}

TEST(Backoff, requests_wait_for_a_restart_but_not_for_longer) {
  Backoff backoff(1);
  backoff.failed(kStart, false);
  EXPECT_FALSE(backoff.is_down(kStart + seconds(2)));
  EXPECT_TRUE(backoff.is_down(kStart + Backoff::kPatience));
}

TEST(Backoff, a_reason_that_waiting_does_not_mend_counts_as_down_at_once) {
  Backoff backoff(1);
  backoff.failed(kStart, true);
  EXPECT_TRUE(backoff.is_down(kStart));
  EXPECT_EQ(backoff.retry_after_s(kStart), 1U);
}

TEST(Backoff, success_forgets_all) {
  Backoff backoff(1);
  for (int i = 0; i < 10; ++i) backoff.failed(kStart, false);
  backoff.succeeded();
  EXPECT_TRUE(backoff.may_try(kStart));
  EXPECT_FALSE(backoff.is_down(kStart + seconds(100)));
}

}  // namespace
}  // namespace athena::driver
