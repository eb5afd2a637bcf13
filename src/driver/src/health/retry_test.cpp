#include <athena/driver/retry.h>

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace athena::driver {
namespace {

const TimePoint kStart{seconds(1'000)};
constexpr int kSavedRetries = RetryBudget::kMostSaved / RetryBudget::kRequestsForOne;

int spend_all(RetryBudget& budget) {
  int retries = 0;
  while (budget.spend()) ++retries;
  return retries;
}

TEST(Retry, waits_longer_each_time_and_gives_up) {
  RetryBudget budget;
  Retry retry(kStart + seconds(30));
  EXPECT_EQ(retry.next(kStart, 0, 1.0, budget), kStart + milliseconds(50));
  EXPECT_EQ(retry.next(kStart, 0, 1.0, budget), kStart + milliseconds(100));
  EXPECT_FALSE(retry.next(kStart, 0, 1.0, budget));
  EXPECT_EQ(retry.tries(), 3U);
}

TEST(Retry, waits_no_longer_than_the_policy_says) {
  RetryBudget budget;
  Retry retry(kStart + seconds(30), {.most_tries = 9, .first = milliseconds(50), .longest = milliseconds(150)});
  for (int i = 0; i < 2; ++i) retry.next(kStart, 0, 1.0, budget);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(retry.next(kStart, 0, 1.0, budget), kStart + milliseconds(150));
  EXPECT_FALSE(retry.next(kStart, 0, 1.0, budget));
}

TEST(Retry, chance_takes_up_to_half_off) {
  RetryBudget budget;
  EXPECT_EQ(Retry(kStart + seconds(30)).next(kStart, 0, 0.0, budget), kStart + milliseconds(25));
  EXPECT_EQ(Retry(kStart + seconds(30)).next(kStart, 0, 0.5, budget), kStart + microseconds(37'500));
}

TEST(Retry, waits_as_long_as_the_server_asks_if_that_is_in_time) {
  RetryBudget budget;
  EXPECT_EQ(Retry(kStart + seconds(30)).next(kStart, 5, 1.0, budget), kStart + seconds(5));
  EXPECT_FALSE(Retry(kStart + seconds(5)).next(kStart, 5, 1.0, budget));
  EXPECT_FALSE(Retry(kStart).next(kStart, 0, 0.0, budget));
}

TEST(Retry, spends_nothing_on_what_it_refuses) {
  RetryBudget budget;
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(Retry(kStart).next(kStart, 0, 0.0, budget));
  EXPECT_EQ(spend_all(budget), kSavedRetries);
}

TEST(Retry, is_refused_when_the_budget_is_spent) {
  RetryBudget budget;
  spend_all(budget);
  EXPECT_FALSE(Retry(kStart + seconds(30)).next(kStart, 0, 0.0, budget));
}

TEST(RetryBudget, allows_a_tenth_of_the_requests_and_a_few_at_once) {
  RetryBudget budget;
  EXPECT_EQ(spend_all(budget), kSavedRetries);
  for (int i = 0; i < 95; ++i) budget.earn();
  EXPECT_EQ(spend_all(budget), 9);
}

TEST(RetryBudget, savings_have_an_end) {
  RetryBudget budget;
  for (int i = 0; i < 100'000; ++i) budget.earn();
  EXPECT_EQ(spend_all(budget), kSavedRetries);
}

TEST(RetryBudget, holds_when_threads_fail_at_the_same_time) {
  RetryBudget budget;
  constexpr int kThreads = 4, kRequests = 20'000;
  std::atomic<int> retries{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRequests; ++i) {
        budget.earn();
        if (budget.spend()) ++retries;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(retries.load(), kThreads * kRequests / RetryBudget::kRequestsForOne + kSavedRetries);
  EXPECT_GE(retries.load(), kThreads * kRequests / RetryBudget::kRequestsForOne - kSavedRetries);
}

}  // namespace
}  // namespace athena::driver
