#include "health/breaker.h"

#include <algorithm>

namespace athena::driver {

std::optional<Breaker::Leave> Breaker::admit(TimePoint now, Change& change) {
  change = Change::none;
  switch (state_) {
    case HostState::closed:
      return Leave{generation_, false};
    case HostState::open:
      if (now < until_) return std::nullopt;
      enter(HostState::half_open);
      change = Change::on_trial;
      break;
    case HostState::half_open:
      if (is_trial_given_) return std::nullopt;
      break;
  }
  is_trial_given_ = true;
  return Leave{generation_, true};
}

Breaker::Change Breaker::succeeded(Leave leave) {
  if (leave.generation != generation_) return Change::none;
  failures_.clear();
  if (!leave.is_trial) return Change::none;
  enter(HostState::closed);
  return Change::closed;
}

Breaker::Change Breaker::failed(Leave leave, TimePoint now) {
  if (leave.generation != generation_) return Change::none;
  if (!leave.is_trial) {
    if (!config_.enabled) return Change::none;
    while (!failures_.empty() && now - failures_.front() > config_.failure_window) failures_.pop_front();
    failures_.push_back(now);
    if (failures_.size() < config_.failure_threshold) return Change::none;
  }
  until_ = now + config_.offline;
  enter(HostState::open);
  return Change::opened;
}

void Breaker::abandoned(Leave leave) noexcept {
  if (leave.generation == generation_ && leave.is_trial) is_trial_given_ = false;
}

Breaker::Change Breaker::force_offline(Duration duration, TimePoint now) {
  until_ = now + duration;
  enter(HostState::open);
  return Change::opened;
}

Breaker::Change Breaker::reset() {
  const bool was_closed = state_ == HostState::closed;
  enter(HostState::closed);
  return was_closed ? Change::none : Change::closed;
}

std::uint32_t Breaker::recent_failures(TimePoint now) const noexcept {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(failures_, [&](TimePoint at) { return now - at <= config_.failure_window; }));
}

void Breaker::enter(HostState state) noexcept {
  state_ = state;
  ++generation_;
  is_trial_given_ = false;
  failures_.clear();
}

}  // namespace athena::driver
