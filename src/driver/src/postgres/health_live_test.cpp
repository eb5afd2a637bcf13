#include <memory>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <athena/driver/health.h>

#include "backoff.h"
#include "postgres/live_fixture.h"

namespace athena::driver::postgres {
namespace {

using Tcp = asio::ip::tcp;

/// Stands between the driver and the PostgreSQL of the tests, counts who connects, and plays dead on demand. On a
/// thread of its own, so that it answers whatever the driver's loop does.
class Relay {
 public:
  explicit Relay(std::uint16_t server_port) : server_port_(server_port) {
    accept();
    thread_ = std::thread([this] { context_.run(); });
  }
  ~Relay() {
    context_.stop();
    thread_.join();
  }
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  void set_dead(bool dead) { dead_ = dead; }
  std::uint32_t accepted() const { return accepted_; }

 private:
  void accept() {
    acceptor_.async_accept([this](boost::system::error_code error, Tcp::socket socket) {
      if (error) return;
      ++accepted_;
      if (!dead_) connect(std::move(socket));
      accept();
    });
  }

  void connect(Tcp::socket client) {
    Tcp::socket server(context_);
    server.connect({asio::ip::address_v4::loopback(), server_port_});
    const auto one = std::make_shared<Tcp::socket>(std::move(client));
    const auto other = std::make_shared<Tcp::socket>(std::move(server));
    pump(one, other, std::make_shared<std::vector<char>>(16 * 1024));
    pump(other, one, std::make_shared<std::vector<char>>(16 * 1024));
  }

  void pump(std::shared_ptr<Tcp::socket> from, std::shared_ptr<Tcp::socket> to,
            std::shared_ptr<std::vector<char>> bytes) {
    from->async_read_some(asio::buffer(*bytes), [=, this](boost::system::error_code error, std::size_t got) {
      boost::system::error_code ignored;
      if (error || dead_) {
        from->close(ignored), to->close(ignored);
        return;
      }
      asio::write(*to, asio::buffer(bytes->data(), got), ignored);
      pump(from, to, bytes);
    });
  }

  asio::io_context context_;
  const std::uint16_t server_port_;
  Tcp::acceptor acceptor_{context_, {asio::ip::address_v4::loopback(), 0}};
  std::atomic<bool> dead_{false};
  std::atomic<std::uint32_t> accepted_{0};
  std::thread thread_;
};

constexpr std::uint32_t kThreshold = 5;

/// Two loops would share all this as one does: what is shared is behind the gate.
class PostgresHealth : public testing::Test {
 protected:
  PostgresHealth() {
    database.run(database.backend->stop());
    database.backend = open_at(relay.port());
  }

  std::unique_ptr<Backend> open_at(std::uint16_t port) {
    Target target = parse_uri(environment("ATHENA_TEST_POSTGRES")).value();
    target.port = port;
    target.host = "127.0.0.1";
    target.sslmode = "disable";
    database.shared = share(target);
    return open(target, database.shared, Runtime{database.loop, database.counter, health});
  }

  /// `count` statements at once; gives their errors' codes.
  std::vector<Result<Answer>> ask_at_once(std::size_t count) {
    std::vector<Result<Answer>> answers;
    for (std::size_t i = 0; i < count; ++i) {
      asio::co_spawn(database.loop.executor(), database.ask(Native{"SELECT 1", {}, {}}, LiveDatabase::call()),
                     [&answers](std::exception_ptr, Result<Answer> answer) { answers.push_back(std::move(answer)); });
    }
    while (answers.size() < count) database.loop.context().run_one();
    return answers;
  }
  void wait_until(auto condition) {
    while (!condition()) database.loop.context().run_one();
  }

  Relay relay{parse_uri(environment("ATHENA_TEST_POSTGRES")).value().port};
  LiveDatabase database{environment("ATHENA_TEST_POSTGRES")};
  std::shared_ptr<HostHealth> health =
      HostHealth::create({.failure_threshold = kThreshold, .offline = seconds(1)}, database.counter);
};

TEST_F(PostgresHealth, a_dead_host_costs_a_thousand_requests_no_more_attempts_than_the_threshold_and_a_trial) {
  relay.set_dead(true);
  const TimePoint start = Clock::now();
  const auto answers = ask_at_once(1'000);
  const Duration first_wave = Clock::now() - start;
  for (const Result<Answer>& answer : answers) {
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::database_unavailable);
    EXPECT_GE(answer.error().retry_after_s, 1U);
  }
  EXPECT_LE(relay.accepted(), kThreshold + 1);
  EXPECT_LT(first_wave, Backoff::kPatience + seconds(1));
  EXPECT_EQ(database.counter.count(Event::Kind::host_opened), 1U);

  const TimePoint opened = Clock::now();
  EXPECT_FALSE(database.sql("SELECT 1"));
  EXPECT_FALSE(database.statement(select_by("live_notes", "id", "7")));
  EXPECT_LT(Clock::now() - opened, milliseconds(20)) << "two refusals, ten milliseconds each";
  EXPECT_LE(relay.accepted(), kThreshold + 1);
}

TEST_F(PostgresHealth, a_host_that_is_back_is_found_by_one_trial_without_anyone_asking) {
  relay.set_dead(true);
  ask_at_once(10);
  relay.set_dead(false);
  wait_until([this] { return database.counter.count(Event::Kind::host_closed) == 1; });
  EXPECT_EQ(database.counter.count(Event::Kind::host_on_trial), 1U);
  EXPECT_TRUE(database.sql("SELECT 1"));
  EXPECT_FALSE(health->is_offline("postgresql|127.0.0.1:" + std::to_string(relay.port()), Clock::now()));
}

TEST_F(PostgresHealth, a_server_that_is_gone_for_a_moment_opens_nothing) {
  ASSERT_TRUE(database.sql("SELECT 1"));
  relay.set_dead(true);
  std::optional<Result<Answer>> answer;
  asio::co_spawn(database.loop.executor(), database.ask(Native{"SELECT 1", {}, {}}, LiveDatabase::call()),
                 [&answer](std::exception_ptr, Result<Answer> got) { answer = std::move(got); });
  wait_until([this] { return database.counter.count(Event::Kind::connect_failed) >= 1; });
  relay.set_dead(false);
  wait_until([&answer] { return answer.has_value(); });
  EXPECT_TRUE(*answer) << answer->error().error;
  EXPECT_EQ(database.counter.count(Event::Kind::host_opened), 0U);
}

TEST_F(PostgresHealth, a_client_that_insists_on_tls_does_not_spoil_the_host_for_others) {
  Target strict = parse_uri(environment("ATHENA_TEST_POSTGRES")).value();
  strict.sslmode = "require";
  strict.port = relay.port();
  const auto backend = open(strict, share(strict), Runtime{database.loop, database.counter, health});
  std::optional<Result<Answer>> refused;
  const auto ask = [&]() -> Async<Answer> {
    ATHENA_CO_TRY(auto stream, co_await backend->execute(Native{"SELECT 1", {}, {}}, LiveDatabase::call()));
    co_return co_await read_all(std::move(stream));
  };
  asio::co_spawn(database.loop.executor(), ask(),
                 [&refused](std::exception_ptr, Result<Answer> answer) { refused = std::move(answer); });
  wait_until([this] { return relay.accepted() > kThreshold; });
  EXPECT_EQ(database.counter.count(Event::Kind::host_opened), 0U);
  EXPECT_TRUE(database.sql("SELECT 1"));
  database.run(backend->stop());
  wait_until([&refused] { return refused.has_value(); });
  EXPECT_FALSE(*refused);
}

TEST_F(PostgresHealth, a_host_that_is_forced_offline_is_not_tried) {
  health->force_offline("postgresql|127.0.0.1:" + std::to_string(relay.port()), seconds(300), Clock::now());
  const auto answer = database.sql("SELECT 1");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::database_unavailable);
  EXPECT_GT(answer.error().retry_after_s, 250U);
  EXPECT_EQ(relay.accepted(), 0U);
}

}  // namespace
}  // namespace athena::driver::postgres
