#pragma once

#include <cstdint>

#include <athena/base/clock.h>

namespace athena::driver {

/// When to try to connect again, and whether to let requests wait for it. Told what happened and the time; reads no
/// clock and no random source.
class Backoff {
 public:
  static constexpr milliseconds kFirst{25};
  static constexpr milliseconds kLongest{5'000};
  /// A restart takes this long: requests wait for it. Beyond, the database counts as down and they are refused at once.
  static constexpr milliseconds kPatience{3'000};

  /// `seed`: so that the connections of one process do not all knock at the same time.
  explicit Backoff(std::uint64_t seed, milliseconds first = kFirst) : first_(first), random_(seed | 1) {}

  bool may_try(TimePoint now) const noexcept { return now >= next_try_; }
  TimePoint next_try() const noexcept { return next_try_; }
  bool is_failing() const noexcept { return failures_ > 0; }
  /// Failing for longer than anyone should wait, or for a reason that waiting does not mend.
  bool is_down(TimePoint now) const noexcept {
    return failures_ > 0 && (is_permanent_ || now - first_failure_ >= kPatience);
  }
  /// For Retry-After: whole seconds until the next try, at least one.
  std::uint32_t retry_after_s(TimePoint now) const noexcept;

  void succeeded() noexcept;
  /// `is_permanent`: wrong password, no such database.
  void failed(TimePoint now, bool is_permanent) noexcept;

 private:
  std::uint64_t random() noexcept;

  milliseconds first_;
  std::uint64_t random_;
  std::uint32_t failures_ = 0;
  bool is_permanent_ = false;
  TimePoint first_failure_{}, next_try_{};
};

}  // namespace athena::driver
