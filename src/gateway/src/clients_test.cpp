#include "clients.h"

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>

#include <athena/testing/fake_backend.h>
#include <athena/testing/run.h>

namespace athena::gateway {
namespace {

/// A kind whose backends take as long to stop as a test wants; they do nothing else.
struct SlowState : driver::SharedState {
  Event may_stop;
  bool is_stopping = false;
};
class SlowBackend : public driver::Backend {
 public:
  explicit SlowBackend(std::shared_ptr<SlowState> state) : state_(std::move(state)) {}

  Async<std::unique_ptr<driver::RowStream>> execute(query::Statement, driver::Call) override { co_return refused(); }
  Async<std::unique_ptr<driver::RowStream>> execute(driver::Native, driver::Call) override { co_return refused(); }
  Async<std::uint64_t> count(query::Select, query::Count, driver::Call) override { co_return refused(); }
  Async<std::shared_ptr<const query::Schema>> schema(driver::Call, bool) override { co_return refused(); }
  Async<std::vector<driver::ConstraintInfo>> constraints(driver::Call) override { co_return refused(); }
  Result<driver::SqlFacts> analyze(std::string_view) const override { return refused(); }
  driver::Health health() const override { return {}; }
  Task<> stop() override {
    state_->is_stopping = true;
    co_await state_->may_stop.wait();
  }

 private:
  static std::unexpected<Error> refused() { return fail(Code::feature_not_supported); }

  std::shared_ptr<SlowState> state_;
};
const driver::BackendKind* find_slow_kind(std::string_view) noexcept {
  static constexpr driver::BackendKind kSlow{
      .name = "slow",
      .aliases = {},
      .can = {},
      .language = {},
      .share = [](const driver::Target&) -> std::shared_ptr<driver::SharedState> {
        return std::make_shared<SlowState>();
      },
      .open = [](driver::Target, std::shared_ptr<driver::SharedState> shared,
                 driver::Runtime) -> std::unique_ptr<driver::Backend> {
        return std::make_unique<SlowBackend>(std::static_pointer_cast<SlowState>(std::move(shared)));
      }};
  return &kSlow;
}

class LoopBackendsTest : public ::testing::Test {
 protected:
  struct Silent : driver::Observer {
    void observe(const driver::Event&) noexcept override {}
  };

  static Settings with_clients(std::vector<std::string> names) {
    Settings settings;
    for (std::string& name : names) {
      ClientSettings& client = settings.clients.emplace_back();
      client.name = std::move(name);
      client.target.kind = "fake";
    }
    return settings;
  }

  Loop loop_;
  Silent observer_;
  LoopBackends backends_{loop_, observer_};
};

TEST_F(LoopBackendsTest, an_unknown_kind_and_two_clients_of_one_name_are_refused) {
  EXPECT_EQ(make_snapshot(with_clients({"a", "A"}), nullptr, testing::find_fake_kind).error().code,
            Code::configuration_error);
  Settings settings = with_clients({"a"});
  settings.clients.front().target.kind = "oracle";
  EXPECT_EQ(make_snapshot(std::move(settings), nullptr, testing::find_fake_kind).error().code,
            Code::configuration_error);
}

TEST_F(LoopBackendsTest, a_client_is_found_in_any_case_and_opened_once) {
  const auto snapshot = make_snapshot(with_clients({"b", "Reporting"}), nullptr, testing::find_fake_kind).value();
  const auto* client = snapshot->find("REPORTING");
  ASSERT_TRUE(client);
  EXPECT_EQ(snapshot->find("report"), nullptr);
  EXPECT_EQ(backends_.peek(**client), nullptr);
  EXPECT_EQ(backends_.get(*client), backends_.get(*client));
}

TEST_F(LoopBackendsTest, a_client_keeps_its_connections_unless_anything_of_its_target_changed) {
  const Settings settings = with_clients({"a"});
  const auto before = make_snapshot(settings, nullptr, testing::find_fake_kind).value();
  const auto after = [&](auto change) {
    Settings changed = settings;
    change(changed.clients.front().target);
    const auto next = make_snapshot(std::move(changed), before.get(), testing::find_fake_kind).value();
    return next->clients.front()->shared;
  };
  const auto& kept = before->clients.front()->shared;
  EXPECT_EQ(after([](driver::Target&) {}), kept);
  EXPECT_NE(after([](driver::Target& target) { target.password = "new"; }), kept);
  EXPECT_NE(after([](driver::Target& target) { target.more_hosts.push_back({"h2", 0}); }), kept);
  EXPECT_NE(after([](driver::Target& target) { target.url = "https://other.example.org"; }), kept);
  EXPECT_NE(after([](driver::Target& target) { target.binding = "OTHER"; }), kept);
  EXPECT_NE(after([](driver::Target& target) { target.session_mode = "first-primary"; }), kept);
  EXPECT_NE(after([](driver::Target& target) { target.pool.idle_timeout = seconds(1); }), kept);
  EXPECT_NE(after([](driver::Target& target) { target.secret = [] { return std::string("key"); }; }), kept);
}

TEST_F(LoopBackendsTest, a_client_that_is_gone_is_stopped_when_no_request_holds_it) {
  const auto before = make_snapshot(with_clients({"a"}), nullptr, testing::find_fake_kind).value();
  auto slot = backends_.get(before->clients.front());
  const auto shared = slot->client->shared;
  const auto& stopped = static_cast<testing::FakeDatabase&>(*shared).stopped;
  backends_.retire_missing(*make_snapshot(with_clients({"b"}), before.get(), testing::find_fake_kind).value());
  backends_.sweep(Clock::now());
  loop_.context().poll();
  EXPECT_FALSE(stopped) << "a request runs on it";
  slot.reset();
  backends_.sweep(Clock::now());
  testing::run_until(loop_, [&] { return stopped; });
}

TEST_F(LoopBackendsTest, stop_waits_for_what_is_being_stopped_already) {
  const auto before = make_snapshot(with_clients({"a"}), nullptr, find_slow_kind).value();
  backends_.get(before->clients.front());
  const auto shared = std::static_pointer_cast<SlowState>(before->clients.front()->shared);
  backends_.retire_missing(Snapshot());
  backends_.sweep(Clock::now());
  bool all_stopped = false;
  asio::co_spawn(loop_.executor(), backends_.stop(), [&](const std::exception_ptr&) { all_stopped = true; });
  testing::run_until(loop_, [&] { return shared->is_stopping; });
  loop_.context().poll();
  EXPECT_FALSE(all_stopped);
  shared->may_stop.set();
  testing::run_until(loop_, [&] { return all_stopped; });
}

TEST_F(LoopBackendsTest, the_target_of_a_caller_is_a_guest_without_a_telling_name) {
  driver::Target target;
  target.kind = "sqlite";
  target.host = "db.example.org";
  target.user = "someone";
  target.password = "secret";
  const auto slot = backends_.get_direct("key", target);
  EXPECT_EQ(slot->client->settings.name, "direct");
  EXPECT_EQ(slot->client->settings.target.pool.max_connections, LoopBackends::kDirectConnections);
  EXPECT_EQ(backends_.get_direct("key", target), slot);
  testing::run(loop_, backends_.stop());
}

}  // namespace
}  // namespace athena::gateway
