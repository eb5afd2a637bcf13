#include "budget.h"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace athena::driver {
namespace {

TEST(Budget, gives_no_more_places_than_there_are) {
  Budget budget(2);
  Budget::Place one = budget.take();
  const Budget::Place two = budget.take();
  EXPECT_TRUE(one);
  EXPECT_TRUE(two);
  EXPECT_FALSE(budget.take());
  one = {};
  EXPECT_TRUE(budget.take());
}

TEST(Budget, a_place_that_is_moved_is_given_back_once) {
  Budget budget(1);
  {
    Budget::Place one = budget.take();
    const Budget::Place moved = std::move(one);
    EXPECT_TRUE(moved);
    EXPECT_EQ(budget.used(), 1U);
  }
  EXPECT_EQ(budget.used(), 0U);
}

TEST(Budget, is_wanted_only_while_somebody_waits_and_nothing_is_left) {
  Budget budget(1);
  const Budget::Want want(budget);
  EXPECT_FALSE(budget.is_wanted());
  const Budget::Place place = budget.take();
  EXPECT_TRUE(budget.is_wanted());
}

TEST(Budget, holds_when_threads_take_and_give_back_at_the_same_time) {
  Budget budget(3);
  std::atomic<int> held{0}, most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        const Budget::Place place = budget.take();
        if (!place) continue;
        const int now = ++held;
        int seen = most.load();
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        --held;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most.load(), 3);
  EXPECT_EQ(budget.used(), 0U);
}

}  // namespace
}  // namespace athena::driver
