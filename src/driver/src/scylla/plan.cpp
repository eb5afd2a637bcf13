#include "scylla/plan.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace athena::driver::scylla {

std::vector<NodeIndex> plan_hosts(const PlanInput& input) {
  const auto count = static_cast<NodeIndex>(input.ring.nodes().size());
  std::vector<NodeIndex> plan;
  plan.reserve(count);
  std::vector<bool> planned(count, false);
  const auto add = [&](NodeIndex node) {
    if (!planned[node]) plan.push_back(node);
    planned[node] = true;
  };
  const auto take_turns = [&](std::vector<NodeIndex>& nodes) {
    if (nodes.empty()) return;
    std::ranges::rotate(nodes, nodes.begin() + static_cast<std::ptrdiff_t>(input.turn % nodes.size()));
  };
  // Replicas take turns, so that a hot partition is not one node's burden; of the two at the front the less busy.
  std::vector<NodeIndex> local;
  std::ranges::copy_if(input.replicas, std::back_inserter(local), [&](NodeIndex n) { return input.ring.is_local(n); });
  take_turns(local);
  if (local.size() > 1 && !input.in_flight.empty() && input.in_flight[local[1]] < input.in_flight[local[0]])
    std::swap(local[0], local[1]);
  std::ranges::for_each(local, add);
  const auto add_all = [&](bool is_local) {
    std::vector<NodeIndex> group;
    for (NodeIndex node = 0; node < count; ++node) {
      if (input.ring.is_local(node) == is_local) group.push_back(node);
    }
    take_turns(group);
    std::ranges::for_each(group, add);
  };
  add_all(true);
  std::ranges::for_each(input.replicas, add);
  add_all(false);
  std::vector<NodeIndex> last;
  std::ranges::copy_if(plan, std::back_inserter(last), [&](NodeIndex node) { return !input.usable[node]; });
  std::erase_if(plan, [&](NodeIndex node) { return !input.usable[node]; });
  plan.insert(plan.end(), last.begin(), last.end());
  return plan;
}

Next RetryDecision::next_host() noexcept {
  if (host_ + 1 >= hosts_) return Next::give_up;
  ++host_;
  return Next::next_host;
}

Next RetryDecision::after(FailureFacts failure) noexcept {
  if (++attempts_ >= kMaxAttempts) return Next::give_up;
  switch (failure.kind) {
    case Failure::not_sent:
    case Failure::bootstrapping:
      return next_host();
    case Failure::overloaded:
    case Failure::connection_lost:
      return is_idempotent_ ? next_host() : Next::give_up;
    case Failure::unavailable:
      // Another coordinator may see more of the cluster; a third will not.
      if (retried_ || !is_idempotent_) return Next::give_up;
      retried_ = true;
      return next_host();
    case Failure::read_timeout:
      // Enough answered, but not the one asked for data: the coordinator asks another now.
      if (retried_ || !is_idempotent_ || !failure.enough_replies) return Next::give_up;
      retried_ = true;
      return Next::same_host;
    case Failure::write_timeout:
      if (retried_ || !is_idempotent_ || !failure.enough_replies) return Next::give_up;
      retried_ = true;
      return Next::same_host;
    case Failure::unprepared:
      if (prepared_again_) return Next::give_up;
      prepared_again_ = true;
      --attempts_;  // the statement itself has not been tried
      return Next::prepare_again;
    case Failure::refused:
      return Next::give_up;
  }
  return Next::give_up;
}

bool Speculation::take(TimePoint now) noexcept {
  if (left_ == 0 || now < next_) return false;
  --left_;
  next_ = now + delay_;
  return true;
}

void LatencyEstimate::add(Duration latency) noexcept {
  const auto us = static_cast<double>(std::chrono::duration_cast<microseconds>(latency).count());
  if (seen_ < kEnough) ++seen_;
  // A step up for what is above and one ninety-ninth of it down for what is below: it rests where one in a hundred is
  // above.
  const double step = std::max(estimate_us_, 100.0) * 0.05;
  estimate_us_ += us > estimate_us_ ? step : -step / 99;
  estimate_us_ = std::max(estimate_us_, 0.0);
}

milliseconds LatencyEstimate::delay() const noexcept {
  if (seen_ < kEnough) return milliseconds(0);
  return std::max(milliseconds(1), milliseconds(static_cast<std::int64_t>(estimate_us_ / 1'000) + 1));
}

}  // namespace athena::driver::scylla
