#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <boost/asio/detached.hpp>

#include "postgres/live_fixture.h"

namespace athena::driver::postgres {
namespace {

/// Stands between a client and the server, and can hold back what the server says: as a slow network would.
class SlowNetwork {
 public:
  explicit SlowNetwork(std::uint16_t server_port) : server_port_(server_port) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0)
      throw std::runtime_error("no port to listen on");
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~SlowNetwork() {
    stopping_ = true;
    thread_.join();
    for (const Pair& pair : pairs_) ::close(pair.client), ::close(pair.server);
    ::close(listener_);
  }
  std::uint16_t port() const { return port_; }
  /// While on, nothing that the server sends on connections that are open now gets through; new ones are not held.
  void hold(bool on) { held_ = on ? open_.load() : 0; }
  /// How many connections the server has closed, of those that are not held.
  std::size_t closed_by_server() const { return closed_; }

 private:
  struct Pair {
    int client, server;
    bool done = false;
  };

  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }
  void accept_one() {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(server_port_);
    if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) std::abort();
    pairs_.push_back({client, server});
    ++open_;
  }
  /// False: the sender has closed.
  static bool pass(int from, int to) {
    char bytes[16 * 1024];
    const ssize_t got = ::recv(from, bytes, sizeof bytes, 0);
    return got > 0 && ::send(to, bytes, static_cast<std::size_t>(got), MSG_NOSIGNAL) == got;
  }
  void run() {
    while (!stopping_) {
      std::vector<pollfd> polls{{listener_, POLLIN, 0}};
      for (std::size_t i = 0; i < pairs_.size(); ++i) {
        const bool is_held = i < held_;
        polls.push_back({pairs_[i].done ? -1 : pairs_[i].client, POLLIN, 0});
        polls.push_back({pairs_[i].done || is_held ? -1 : pairs_[i].server, POLLIN, 0});
      }
      if (::poll(polls.data(), polls.size(), 5) <= 0) continue;
      for (std::size_t i = 0; i < pairs_.size(); ++i) {
        Pair& pair = pairs_[i];
        const bool client_closed = polls[2 * i + 1].revents != 0 && !pass(pair.client, pair.server);
        const bool server_closed = polls[2 * i + 2].revents != 0 && !pass(pair.server, pair.client);
        if (!client_closed && !server_closed) continue;
        pair.done = true;
        ::shutdown(pair.client, SHUT_RDWR);
        ::shutdown(pair.server, SHUT_RDWR);
        if (server_closed) ++closed_;
      }
      if (polls[0].revents != 0) accept_one();
    }
  }

  const std::uint16_t server_port_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  std::vector<Pair> pairs_;  ///< the thread's
  std::atomic<std::size_t> open_ = 0, held_ = 0, closed_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

/// What the lane knows of the server's progress is what has come back. The server may be further on, and then a cancel
/// hits what it is at by now: a neighbour, which has to be run again, though the statement that was meant ended well.
TEST(Fence, stands_until_all_that_was_sent_before_the_cancel_is_answered) {
  auto direct = parse_uri(environment("ATHENA_TEST_POSTGRES"));
  ASSERT_TRUE(direct) << direct.error().error;
  SlowNetwork network(direct->port);
  PoolConfig pool;
  pool.max_connections = 4;  // so few that there is one lane
  pool.min_connections = 0;
  LiveDatabase database("postgres://" + direct->user + "@127.0.0.1:" + std::to_string(network.port()) + "/" +
                            direct->database + "?sslmode=disable",
                        pool);
  ASSERT_TRUE(database.sql("DROP VIEW IF EXISTS live_naps"));
  ASSERT_TRUE(
      database.sql("CREATE VIEW live_naps AS SELECT i AS id, pg_sleep(i / 1000.0)::text AS nap "
                   "FROM generate_series(1, 2000) AS i"));
  ASSERT_TRUE(database.run(database.backend->schema(LiveDatabase::call(), true)));
  ASSERT_TRUE(database.statement(select_by("live_naps", "id", "1", 1)));  // the lane is there, the statement known

  std::optional<Result<Answer>> left, stayed;
  const auto start = [&database](std::optional<Result<Answer>>& answer, const char* id, Cancellation* cancellation) {
    const auto work = [](LiveDatabase& db, std::optional<Result<Answer>>& to, std::string key,
                         Cancellation* own) -> Task<> {
      Result<Answer> got =
          co_await db.ask(select_by("live_naps", "id", key, 1), LiveDatabase::call(milliseconds(20'000), own));
      to = std::move(got);
    };
    asio::co_spawn(database.loop.executor(), work(database, answer, id, cancellation), asio::detached);
  };
  network.hold(true);
  const std::size_t closed = network.closed_by_server();
  Cancellation leaves;
  start(left, "5", &leaves);       // has ended long before it is cancelled, but its answer is held
  start(stayed, "1500", nullptr);  // is what the server is at when the cancel comes
  database.run(database.loop.sleep(milliseconds(20)));
  leaves.cancel(CancelReason::client_gone);
  // The server closes the cancel's connection when it has been sent; then word of that has to come to the lane.
  while (network.closed_by_server() == closed) database.run(database.loop.sleep(milliseconds(5)));
  database.run(database.loop.sleep(milliseconds(50)));
  network.hold(false);
  while (!stayed) database.loop.context().run_one();

  ASSERT_TRUE(left && !*left);
  EXPECT_EQ(left->error().code, Code::cancelled);
  ASSERT_TRUE(*stayed) << stayed->error().error << ' ' << stayed->error().log_detail;
  EXPECT_EQ((*stayed)->at(0, 0), "1500");
  EXPECT_EQ(database.counter.count(Event::Kind::statement_cancelled), 1U);
  EXPECT_EQ(database.counter.count(Event::Kind::cancel_absorbed), 1U);
}

}  // namespace
}  // namespace athena::driver::postgres
