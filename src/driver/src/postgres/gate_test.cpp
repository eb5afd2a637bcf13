#include "postgres/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace athena::driver::postgres {
namespace {

using testing::HasSubstr;
using testing::Not;

const TimePoint kStart{seconds(1'000)};

class Silent final : public Observer {
 public:
  void observe(const Event&) noexcept override {}
};

Error no_answer() {
  return Error(Code::connection_error, "The database could not be reached").logged("connection refused by db1");
}
Error refusal(std::string sql_state, Code code = Code::connection_error) {
  return Error(code, "The database says no").with("sql_state", std::move(sql_state));
}

Target target() {
  Target target;
  target.host = "db1";
  target.port = 5433;
  return target;
}

class GateTest : public testing::Test {
 protected:
  /// An attempt that fails as soon as the pauses allow; gives when that was.
  TimePoint fail_next(const Error& error, TimePoint from) {
    TimePoint now = from;
    while (!gate.may_enter(now)) now += milliseconds(1);
    gate.enter(health.get(), now).failed(error, now);
    return now;
  }
  void prove() { gate.enter(health.get(), kStart).connected(kStart); }

  Silent observer;
  std::shared_ptr<HostHealth> health = HostHealth::create({}, observer);
  Gate gate{target()};
};

TEST_F(GateTest, lets_one_try_until_somebody_has_answered_and_then_everyone) {
  auto first = gate.enter(health.get(), kStart);
  ASSERT_TRUE(first);
  EXPECT_FALSE(gate.enter(health.get(), kStart));
  EXPECT_FALSE(gate.may_enter(kStart));
  first.connected(kStart);
  const auto second = gate.enter(health.get(), kStart);
  EXPECT_TRUE(second && gate.enter(health.get(), kStart));
}

TEST_F(GateTest, an_attempt_that_is_given_up_makes_room_for_the_next) {
  EXPECT_TRUE(gate.enter(health.get(), kStart));
  EXPECT_TRUE(gate.enter(health.get(), kStart));
}

TEST_F(GateTest, a_connection_that_was_lost_has_the_next_one_prove_the_server_again) {
  prove();
  gate.lost(false, "reset", kStart);
  const auto next = gate.enter(health.get(), kStart);
  EXPECT_TRUE(next);
  EXPECT_FALSE(gate.enter(health.get(), kStart));
  EXPECT_EQ(gate.last_error(), "reset");
}

TEST_F(GateTest, a_server_that_takes_connections_and_drops_them_is_paused_for) {
  prove();
  gate.lost(true, "reset", kStart);
  EXPECT_FALSE(gate.enter(health.get(), kStart));
  EXPECT_TRUE(gate.is_failing());
  EXPECT_TRUE(gate.enter(health.get(), kStart + Gate::kFirstPause));
}

TEST_F(GateTest, a_dead_host_is_tried_as_often_as_the_threshold_over_longer_than_a_restart_takes) {
  TimePoint now = kStart;
  int attempts = 0;
  for (; !gate.is_down(now); ++attempts) now = fail_next(no_answer(), now);
  EXPECT_EQ(attempts, 5);
  EXPECT_GE(now - kStart, milliseconds(1'100));
  EXPECT_LE(now - kStart, Backoff::kPatience);
  const Error error = gate.unavailable(now);
  EXPECT_EQ(error.code, Code::database_unavailable);
  EXPECT_EQ(error.retry_after_s, 60U);
  EXPECT_THAT(error.error + error.hint, Not(HasSubstr("db1")));
  EXPECT_THAT(error.log_detail, HasSubstr("db1"));
  for (int i = 0; i < 59; ++i) EXPECT_FALSE(gate.enter(health.get(), now + seconds(i)));
}

TEST_F(GateTest, an_open_host_is_tried_once_and_comes_back) {
  TimePoint now = kStart;
  while (!gate.is_down(now)) now = fail_next(no_answer(), now);
  now = fail_next(no_answer(), now + seconds(60));
  EXPECT_TRUE(gate.is_down(now));
  EXPECT_FALSE(gate.enter(health.get(), now + seconds(59)));
  gate.enter(health.get(), now + seconds(60)).connected(now + seconds(60));
  EXPECT_FALSE(gate.is_down(now + seconds(60)));
  EXPECT_FALSE(health->is_offline("postgresql|db1:5433", now + seconds(60)));
}

TEST_F(GateTest, a_host_that_failed_another_client_is_left_alone_by_this_one) {
  for (int i = 0; i < 5; ++i) health->admit("postgresql|db1:5433", kStart)->failed(kStart);
  EXPECT_FALSE(gate.enter(health.get(), kStart));
  EXPECT_TRUE(gate.is_down(kStart));
  EXPECT_EQ(gate.unavailable(kStart).retry_after_s, 60U);
}

TEST_F(GateTest, a_wrong_password_is_no_fault_of_the_host) {
  TimePoint now = kStart;
  for (int i = 0; i < 10; ++i) now = fail_next(refusal("28P01"), now);
  EXPECT_TRUE(gate.is_down(now));
  EXPECT_EQ(gate.unavailable(now).error, "The database says no");
  EXPECT_TRUE(health->admit("postgresql|db1:5433", now));
}

TEST_F(GateTest, a_server_that_is_full_or_starting_is_tried_again_when_the_pauses_allow) {
  TimePoint now = kStart;
  for (int i = 0; i < 10; ++i) now = fail_next(refusal("53300", Code::too_many_connections), now);
  for (int i = 0; i < 10; ++i) now = fail_next(refusal("57P03", Code::database_unavailable), now);
  EXPECT_FALSE(health->is_offline("postgresql|db1:5433", now));
  EXPECT_TRUE(gate.may_enter(now + Backoff::kLongest));
}

TEST_F(GateTest, without_health_no_host_is_left_alone) {
  health = nullptr;
  TimePoint now = kStart;
  for (int i = 0; i < 20; ++i) now = fail_next(no_answer(), now);
  EXPECT_TRUE(gate.is_down(now));
  EXPECT_TRUE(gate.may_enter(now + Backoff::kLongest));
}

}  // namespace
}  // namespace athena::driver::postgres
