#include "scylla/plan.h"

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace athena::driver::scylla {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// Nodes 0, 1 and 2 are local, 3 and 4 are not.
const Ring& cluster() {
  static const Ring kRing = [] {
    std::vector<Node> nodes(5);
    for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i].data_center = i < 3 ? "here" : "there";
    return Ring(std::move(nodes), {}, "here");
  }();
  return kRing;
}
constexpr std::array<bool, 5> kAll{true, true, true, true, true};

TEST(Plan, local_replicas_come_first_then_local_nodes_then_remote_replicas) {
  const std::array<NodeIndex, 3> replicas{2, 4, 1};
  EXPECT_THAT(plan_hosts({.ring = cluster(), .replicas = replicas, .usable = kAll}), ElementsAre(2, 1, 0, 4, 3));
}

TEST(Plan, takes_turns) {
  const std::array<NodeIndex, 2> replicas{1, 2};
  EXPECT_EQ(plan_hosts({.ring = cluster(), .replicas = replicas, .usable = kAll, .turn = 0}).front(), 1U);
  EXPECT_EQ(plan_hosts({.ring = cluster(), .replicas = replicas, .usable = kAll, .turn = 1}).front(), 2U);
  std::array<int, 3> firsts{};
  for (std::uint64_t turn = 0; turn < 30; ++turn) {
    ++firsts[plan_hosts({.ring = cluster(), .replicas = {}, .usable = kAll, .turn = turn}).front()];
  }
  EXPECT_THAT(firsts, ElementsAre(10, 10, 10));
}

TEST(Plan, of_two_replicas_the_less_busy_is_first) {
  const std::array<NodeIndex, 3> replicas{0, 1, 2};
  const std::array<std::uint32_t, 5> busy{9, 3, 0, 0, 0};
  EXPECT_THAT(plan_hosts({.ring = cluster(), .replicas = replicas, .usable = kAll, .in_flight = busy}),
              ElementsAre(1, 0, 2, 3, 4));
}

TEST(Plan, what_is_not_usable_comes_last_but_comes) {
  const std::array<NodeIndex, 2> replicas{0, 1};
  const std::array<bool, 5> usable{false, true, true, false, true};
  EXPECT_THAT(plan_hosts({.ring = cluster(), .replicas = replicas, .usable = usable}), ElementsAre(1, 2, 4, 0, 3));
}

TEST(Plan, of_no_nodes_is_empty) {
  const Ring none({}, {}, "");
  EXPECT_THAT(plan_hosts({.ring = none, .replicas = {}, .usable = {}}), IsEmpty());
}

TEST(Retry, what_was_not_sent_goes_to_each_host_once) {
  RetryDecision retry(false, 3);
  EXPECT_EQ(retry.after({Failure::not_sent}), Next::next_host);
  EXPECT_EQ(retry.after({Failure::bootstrapping}), Next::next_host);
  EXPECT_EQ(retry.after({Failure::not_sent}), Next::give_up);
  EXPECT_EQ(retry.attempts(), 3U);
}

TEST(Retry, has_a_bound_however_many_hosts_there_are) {
  RetryDecision retry(true, 100);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(retry.after({Failure::not_sent}), Next::next_host);
  EXPECT_EQ(retry.after({Failure::not_sent}), Next::give_up);
}

TEST(Retry, what_may_have_happened_is_for_the_idempotent_only) {
  for (const Failure failure : {Failure::connection_lost, Failure::overloaded, Failure::unavailable}) {
    EXPECT_EQ(RetryDecision(false, 3).after({failure}), Next::give_up);
    EXPECT_EQ(RetryDecision(true, 3).after({failure}), Next::next_host);
  }
}

TEST(Retry, a_timeout_is_tried_again_once_and_only_with_cause) {
  EXPECT_EQ(RetryDecision(true, 3).after({Failure::read_timeout, false}), Next::give_up);
  RetryDecision read(true, 3);
  EXPECT_EQ(read.after({Failure::read_timeout, true}), Next::same_host);
  EXPECT_EQ(read.after({Failure::read_timeout, true}), Next::give_up);
  EXPECT_EQ(RetryDecision(false, 3).after({Failure::read_timeout, true}), Next::give_up) << "a CAS write's read";
  EXPECT_EQ(RetryDecision(false, 3).after({Failure::write_timeout, true}), Next::give_up);
  EXPECT_EQ(RetryDecision(true, 3).after({Failure::write_timeout, false}), Next::give_up);
  EXPECT_EQ(RetryDecision(true, 3).after({Failure::write_timeout, true}), Next::same_host);
}

TEST(Retry, unavailable_gets_another_coordinator_once) {
  RetryDecision retry(true, 3);
  EXPECT_EQ(retry.after({Failure::unavailable}), Next::next_host);
  EXPECT_EQ(retry.after({Failure::unavailable}), Next::give_up);
}

TEST(Retry, a_forgotten_statement_is_prepared_again_once_and_is_no_attempt) {
  RetryDecision retry(false, 2);
  EXPECT_EQ(retry.after({Failure::unprepared}), Next::prepare_again);
  EXPECT_EQ(retry.attempts(), 0U);
  EXPECT_EQ(retry.after({Failure::not_sent}), Next::next_host);
  EXPECT_EQ(retry.after({Failure::unprepared}), Next::give_up);
}

TEST(Retry, a_refusal_is_final) {
  EXPECT_EQ(RetryDecision(true, 3).after({Failure::refused}), Next::give_up);
}

TEST(Speculation, waits_its_delay_each_time_and_stops_at_its_bound) {
  const TimePoint start{};
  Speculation speculation(true, milliseconds(10), 2);
  speculation.started(start);
  EXPECT_EQ(speculation.due(), start + milliseconds(10));
  EXPECT_FALSE(speculation.take(start + milliseconds(9)));
  EXPECT_TRUE(speculation.take(start + milliseconds(12)));
  EXPECT_EQ(speculation.due(), start + milliseconds(22));
  EXPECT_TRUE(speculation.take(start + milliseconds(22)));
  EXPECT_EQ(speculation.due(), std::nullopt);
  speculation.give_back();
  EXPECT_EQ(speculation.due(), start + milliseconds(32));
  EXPECT_TRUE(speculation.take(start + milliseconds(32)));
  EXPECT_FALSE(speculation.take(start + seconds(9)));
}

TEST(Speculation, is_not_for_what_is_not_idempotent_or_has_no_delay) {
  EXPECT_EQ(Speculation(false, milliseconds(10), 2).due(), std::nullopt);
  EXPECT_EQ(Speculation(true, milliseconds(0), 2).due(), std::nullopt);
}

TEST(LatencyEstimate, rests_where_one_answer_in_a_hundred_is_slower) {
  LatencyEstimate estimate;
  EXPECT_EQ(estimate.delay(), milliseconds(0));
  for (int i = 0; i < 20'000; ++i) estimate.add(i % 50 == 0 ? milliseconds(80) : milliseconds(2));
  // Two in a hundred take 80 ms: the 99th percentile is one of them.
  EXPECT_GE(estimate.delay(), milliseconds(40));
  EXPECT_LE(estimate.delay(), milliseconds(100));
  for (int i = 0; i < 20'000; ++i) estimate.add(milliseconds(2));
  EXPECT_LE(estimate.delay(), milliseconds(5));
}

}  // namespace
}  // namespace athena::driver::scylla
