#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include <athena/base/clock.h>
#include <athena/driver/health.h>

namespace athena::driver {

/// Whether one host may be tried: told what happened and the time, it reads no clock and knows no host.
///
/// Failures without a success between them, as many as the threshold and none older than the window, open it. When it
/// has been open for long enough, one trial is admitted; its outcome closes or opens. Each change of state begins a new
/// generation: the outcome of a permit from an older one says nothing about the present state, and is passed over.
class Breaker {
 public:
  /// A state that was entered, to be told to an observer.
  enum class Change : std::uint8_t { none, opened, on_trial, closed };
  struct Leave {
    std::uint64_t generation = 0;
    bool is_trial = false;
  };

  /// `config` is borrowed. Generations count on from `generation`, so that a breaker which takes the place of another
  /// does not take its permits for own ones.
  Breaker(const HealthConfig& config, std::uint64_t generation) noexcept : config_(config), generation_(generation) {}

  /// None: the host is left alone. Sets `change`.
  std::optional<Leave> admit(TimePoint now, Change& change);
  Change succeeded(Leave leave);
  Change failed(Leave leave, TimePoint now);
  /// The outcome will never be known: a trial is given to the next who asks.
  void abandoned(Leave leave) noexcept;

  Change force_offline(Duration duration, TimePoint now);
  Change reset();

  HostState state() const noexcept { return state_; }
  bool is_offline(TimePoint now) const noexcept { return state_ == HostState::open && now < until_; }
  /// Until a trial: zero if one may begin now, or if there is nothing to wait for.
  Duration wait(TimePoint now) const noexcept { return is_offline(now) ? until_ - now : Duration{}; }
  std::uint32_t recent_failures(TimePoint now) const noexcept;
  /// Nothing would be lost if it were forgotten.
  bool is_healthy() const noexcept { return state_ == HostState::closed && failures_.empty(); }

 private:
  void enter(HostState state) noexcept;

  const HealthConfig& config_;
  std::uint64_t generation_;
  HostState state_ = HostState::closed;
  bool is_trial_given_ = false;
  TimePoint until_{};               ///< while open
  std::deque<TimePoint> failures_;  ///< while closed, oldest first; fewer than the threshold
};

}  // namespace athena::driver
