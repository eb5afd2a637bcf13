#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include <athena/base/clock.h>

namespace athena::driver {

/// How much more than they were asked for the loops of one client may send: a tenth of the requests, and a few at once.
/// Thread-safe.
class RetryBudget {
 public:
  static constexpr std::int32_t kRequestsForOne = 10;
  static constexpr std::int32_t kMostSaved = 20 * kRequestsForOne;

  /// A request that is no retry.
  void earn() noexcept {
    if (saved_.load(std::memory_order_relaxed) < kMostSaved) saved_.fetch_add(1, std::memory_order_relaxed);
  }
  /// False: no retry is left.
  bool spend() noexcept;

 private:
  std::atomic<std::int32_t> saved_{kMostSaved};
};

/// How often, and how far apart.
struct RetryPolicy {
  std::uint32_t most_tries = 3;  ///< the first one included
  milliseconds first{50}, longest{1'000};
};

/// Whether and when one request that failed is sent again: a few times, after growing pauses of which chance takes a
/// part off, so that those who failed together do not come back together. Told the time and a random number. Only for
/// what may be done twice: reads, and writes marked idempotent.
class Retry {
 public:
  explicit Retry(TimePoint deadline, RetryPolicy policy = {}) noexcept : deadline_(deadline), policy_(policy) {}

  /// When to send it again; none: never, since it was tried often enough, would come too late, or the budget is spent.
  /// `retry_after_s`: what the server asked for; 0: nothing. `random` is from 0 to 1.
  std::optional<TimePoint> next(TimePoint now, std::uint32_t retry_after_s, double random,
                                RetryBudget& budget) noexcept;
  std::uint32_t tries() const noexcept { return tries_; }

 private:
  const TimePoint deadline_;
  const RetryPolicy policy_;
  std::uint32_t tries_ = 1;
};

}  // namespace athena::driver
