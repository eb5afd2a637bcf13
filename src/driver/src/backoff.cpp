#include "backoff.h"

#include <algorithm>

namespace athena::driver {

std::uint32_t Backoff::retry_after_s(TimePoint now) const noexcept {
  if (next_try_ <= now) return 1;
  const auto whole = std::chrono::ceil<seconds>(next_try_ - now).count();
  return static_cast<std::uint32_t>(std::max<std::int64_t>(1, whole));
}

void Backoff::succeeded() noexcept {
  failures_ = 0;
  is_permanent_ = false;
  next_try_ = TimePoint{};
}

void Backoff::failed(TimePoint now, bool is_permanent) noexcept {
  if (failures_ == 0) first_failure_ = now;
  is_permanent_ = is_permanent;
  const Duration doubled = first_ * (std::int64_t{1} << std::min<std::uint32_t>(failures_, 20));
  const Duration wait = std::min<Duration>(doubled, kLongest);
  ++failures_;
  // Between half and all of it: the expected wait still doubles, and no two fall into step.
  next_try_ =
      now + wait / 2 + Duration(static_cast<Duration::rep>(random() % static_cast<std::uint64_t>((wait / 2).count())));
}

std::uint64_t Backoff::random() noexcept {  // xorshift64: spread is all that is wanted
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return random_;
}

}  // namespace athena::driver
