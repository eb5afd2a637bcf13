#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include <athena/base/clock.h>

#include "d1/errors.h"

namespace athena::driver::d1 {

/// How much more than they were asked for all loops of a client may send: a tenth of the requests, and a few at once.
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

/// Whether and when one request is sent again. Told what happened, the time and a random number.
class Retry {
 public:
  static constexpr int kMostTries = 3;
  static constexpr milliseconds kFirst{100}, kLongest{1'000};

  /// `may_repeat`: a read, or a write that does the same when it is done twice.
  Retry(bool may_repeat, TimePoint deadline) noexcept : may_repeat_(may_repeat), deadline_(deadline) {}

  struct Outcome {
    Effect effect = Effect::refused;
    std::optional<std::uint32_t> retry_after_s;
  };
  /// When to send it again after a try that failed; none: never. `random` is from 0 to 1.
  std::optional<TimePoint> next(const Outcome& outcome, TimePoint now, double random, RetryBudget& budget) noexcept;

  int tries() const noexcept { return tries_; }

 private:
  const bool may_repeat_;
  const TimePoint deadline_;
  int tries_ = 1;
};

}  // namespace athena::driver::d1
