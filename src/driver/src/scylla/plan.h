#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <athena/base/clock.h>

#include "scylla/ring.h"

namespace athena::driver::scylla {

/// What is known about the nodes when a request starts.
struct PlanInput {
  const Ring& ring;
  std::span<const NodeIndex> replicas;         ///< of the request's token; empty: not known
  std::span<const bool> usable;                ///< by node: has a connection, or may be tried
  std::span<const std::uint32_t> in_flight{};  ///< by node, answers that it owes; empty: all alike
  std::uint64_t turn = 0;                      ///< grows by one with each request: spreads the load
};
/// In which order nodes are tried: local replicas (the less busy of the first two first), other local nodes, remote
/// replicas, the rest; those that are not usable come last, in the same order.
std::vector<NodeIndex> plan_hosts(const PlanInput& input);

/// How an attempt ended that gave no answer for the caller.
enum class Failure : std::uint8_t {
  not_sent,         ///< no connection, or the request never left: nothing can have happened
  bootstrapping,    ///< the coordinator takes no requests yet: nothing happened
  overloaded,       ///< the coordinator shed it: some replicas may have had a write by then
  connection_lost,  ///< after it was sent: a write may have happened
  unavailable,      ///< not enough replicas alive: of a conditional write the first rounds may have passed
  read_timeout,
  write_timeout,
  unprepared,  ///< the node forgot the statement: prepare there, and again
  refused,     ///< the caller's mistake, or the database's last word
};
struct FailureFacts {
  Failure kind = Failure::refused;
  bool enough_replies = false;  ///< read_timeout: only the data was missing; write_timeout: it was the batch log
};
enum class Next : std::uint8_t {
  give_up,
  same_host,     ///< once more where it was
  next_host,     ///< the next of the plan
  prepare_again  ///< on the same host, then execute
};

/// Decides what follows an attempt: told what happened, does nothing itself. One for each request.
class RetryDecision {
 public:
  RetryDecision(bool is_idempotent, std::uint32_t hosts) : hosts_(hosts), is_idempotent_(is_idempotent) {}
  Next after(FailureFacts failure) noexcept;
  std::uint32_t attempts() const noexcept { return attempts_; }

 private:
  static constexpr std::uint32_t kMaxAttempts = 5;
  Next next_host() noexcept;

  std::uint32_t attempts_ = 0;  ///< that failed
  std::uint32_t hosts_;         ///< of the plan
  std::uint32_t host_ = 0;
  bool is_idempotent_;
  bool retried_ = false;  ///< what gets one more chance had it
  bool prepared_again_ = false;
};

/// When another host is asked although the first has not said no (idempotent requests only). One for each request.
class Speculation {
 public:
  /// `delay` 0: never. `extra`: at most so many besides the first.
  Speculation(bool is_idempotent, milliseconds delay, std::uint32_t extra)
      : delay_(delay), left_(is_idempotent && delay.count() > 0 ? extra : 0) {}
  void started(TimePoint now) noexcept { next_ = now + delay_; }
  /// When the next is due; none: no more. Ask again after each start.
  std::optional<TimePoint> due() const noexcept { return left_ > 0 ? std::optional(next_) : std::nullopt; }
  /// Whether to start one now; if so, it counts.
  bool take(TimePoint now) noexcept;
  /// What was taken could not be started: it is due again, a delay later.
  void give_back() noexcept { ++left_; }

 private:
  milliseconds delay_;
  std::uint32_t left_;
  TimePoint next_{};
};

/// How late the slower answers of a host come, so that a speculation is due at the right time: a decaying estimate of
/// the 99th percentile, without memory of single answers.
class LatencyEstimate {
 public:
  void add(Duration latency) noexcept;
  milliseconds delay() const noexcept;  ///< 0 until enough was seen

 private:
  static constexpr std::uint32_t kEnough = 100;
  double estimate_us_ = 0;
  std::uint32_t seen_ = 0;
};

}  // namespace athena::driver::scylla
