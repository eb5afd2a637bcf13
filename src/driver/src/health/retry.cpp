#include <athena/driver/retry.h>

#include <algorithm>

namespace athena::driver {

bool RetryBudget::spend() noexcept {
  std::int32_t saved = saved_.load(std::memory_order_relaxed);
  while (saved >= kRequestsForOne) {
    if (saved_.compare_exchange_weak(saved, saved - kRequestsForOne, std::memory_order_relaxed)) return true;
  }
  return false;
}

std::optional<TimePoint> Retry::next(TimePoint now, std::uint32_t retry_after_s, double random,
                                     RetryBudget& budget) noexcept {
  if (tries_ >= policy_.most_tries) return std::nullopt;
  const milliseconds longest =
      std::min(policy_.longest, policy_.first * (std::int64_t{1} << std::min<std::uint32_t>(tries_ - 1, 20)));
  Duration wait = std::chrono::duration_cast<Duration>(longest * (1 + random) / 2);
  wait = std::max<Duration>(wait, seconds(retry_after_s));
  if (now + wait >= deadline_) return std::nullopt;  // one that would come too late would only cost
  if (!budget.spend()) return std::nullopt;
  ++tries_;
  return now + wait;
}

}  // namespace athena::driver
