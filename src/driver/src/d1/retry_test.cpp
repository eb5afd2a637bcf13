#include "d1/retry.h"

#include <gtest/gtest.h>

namespace athena::driver::d1 {
namespace {

using enum Effect;

const TimePoint kNow{seconds(1'000)};
const TimePoint kDeadline = kNow + seconds(30);

TEST(D1Retry, of_reads_backs_off_and_ends) {
  RetryBudget budget;
  Retry retry(true, kDeadline);
  EXPECT_EQ(retry.next({unknown, {}}, kNow, 1, budget), kNow + milliseconds(100));
  EXPECT_EQ(retry.next({not_run, {}}, kNow, 0, budget), kNow + milliseconds(100));  // half of 200
  EXPECT_FALSE(retry.next({unknown, {}}, kNow, 1, budget));
  EXPECT_EQ(retry.tries(), 3);
}

TEST(D1Retry, never_sends_a_write_twice) {
  RetryBudget budget;
  Retry retry(false, kDeadline);
  for (const Effect effect : {refused, not_run, unknown, in_vain}) {
    EXPECT_FALSE(retry.next({effect, {}}, kNow, 1, budget));
  }
}

TEST(D1Retry, is_for_what_it_may_help) {
  RetryBudget budget;
  Retry retry(true, kDeadline);
  EXPECT_FALSE(retry.next({refused, {}}, kNow, 1, budget));
  EXPECT_FALSE(retry.next({in_vain, {}}, kNow, 1, budget));
}

TEST(D1Retry, waits_as_long_as_it_is_told_but_not_beyond_the_deadline) {
  RetryBudget budget;
  Retry retry(true, kDeadline);
  EXPECT_EQ(retry.next({not_run, 2}, kNow, 1, budget), kNow + seconds(2));
  EXPECT_FALSE(retry.next({not_run, 30}, kNow, 1, budget));
  EXPECT_FALSE(retry.next({not_run, {}}, kDeadline - milliseconds(1), 1, budget));
}

TEST(D1RetryBudget, adds_a_tenth_at_most) {
  RetryBudget budget;
  int spent = 0;
  while (budget.spend()) ++spent;
  EXPECT_EQ(spent, RetryBudget::kMostSaved / RetryBudget::kRequestsForOne);
  for (int i = 0; i < 1'000; ++i) budget.earn();
  for (spent = 0; budget.spend();) ++spent;
  EXPECT_EQ(spent, 20);  // what is not used is not saved for ever
  for (int i = 0; i < 19; ++i) budget.earn();
  EXPECT_TRUE(budget.spend());
  EXPECT_FALSE(budget.spend());
  Retry retry(true, kDeadline);
  EXPECT_FALSE(retry.next({unknown, {}}, kNow, 1, budget));
}

}  // namespace
}  // namespace athena::driver::d1
