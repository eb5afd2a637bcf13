#include "d1/retry.h"

#include <algorithm>

namespace athena::driver::d1 {

bool RetryBudget::spend() noexcept {
  std::int32_t saved = saved_.load(std::memory_order_relaxed);
  while (saved >= kRequestsForOne) {
    if (saved_.compare_exchange_weak(saved, saved - kRequestsForOne, std::memory_order_relaxed)) return true;
  }
  return false;
}

std::optional<TimePoint> Retry::next(const Outcome& outcome, TimePoint now, double random,
                                     RetryBudget& budget) noexcept {
  const bool helps = outcome.effect == Effect::not_run || outcome.effect == Effect::unknown;
  // What was not carried out could be sent again whatever it is; but "not carried out" is the proxy's word, and only
  // what may happen twice is staked on it.
  if (!helps || !may_repeat_ || tries_ == kMostTries) return std::nullopt;
  const auto doubled = std::min<Duration>(kFirst * (1 << (tries_ - 1)), kLongest);
  Duration wait = std::chrono::duration_cast<Duration>(doubled * (0.5 + random / 2));
  if (outcome.retry_after_s) wait = std::max<Duration>(wait, seconds(*outcome.retry_after_s));
  if (now + wait >= deadline_ || !budget.spend()) return std::nullopt;
  ++tries_;
  return now + wait;
}

}  // namespace athena::driver::d1
