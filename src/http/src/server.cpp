#include <athena/http/server.h>

#include <chrono>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>

#include "listener.h"

namespace athena::http {
namespace {

/// After drain()'s grace handlers are cancelled; how long they may take to notice.
constexpr seconds kCancelGrace{10};

Result<asio::ip::tcp::endpoint> resolve(const Listen& listen) {
  std::string host = listen.host;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (!error) return asio::ip::tcp::endpoint(address, listen.port);
  asio::io_context context;
  asio::ip::tcp::resolver resolver(context);
  const auto found = resolver.resolve(host, std::to_string(listen.port), asio::ip::tcp::resolver::passive, error);
  if (error || found.empty()) {
    return fail(Code::configuration_error, "The server's host cannot be resolved: " + error.message(),
                "Check api.host");
  }
  // A name such as localhost has addresses of both kinds; most callers try the older one in the end.
  for (const auto& entry : found) {
    if (entry.endpoint().address().is_v4()) return entry.endpoint();
  }
  return found.begin()->endpoint();
}

/// With SO_REUSEPORT two servers can share a port without a word, and each gets half of the connections. So the port is
/// tried once without it.
Result<> check_unused(const asio::ip::tcp::endpoint& endpoint) {
  asio::io_context context;
  asio::ip::tcp::acceptor probe(context);
  boost::system::error_code error;
  probe.open(endpoint.protocol(), error);
  if (!error) probe.set_option(asio::ip::tcp::acceptor::reuse_address(true), error);
  if (!error && endpoint.address().is_v6()) probe.set_option(asio::ip::v6_only(false), error);
  if (!error) probe.bind(endpoint, error);
  if (!error) probe.listen(1, error);
  if (!error) return {};
  return fail(Code::configuration_error, "The server's address cannot be used: " + error.message(),
              "Check api.host and api.port: another process may be listening there");
}

class AsioServer final : public Server {
 public:
  AsioServer(Listen listen, Limits limits) : listen_(std::move(listen)), state_(std::make_shared<ServerState>()) {
    state_->limits = limits;
  }
  ~AsioServer() override { drain(Duration::zero()); }

  Result<> open(const std::vector<LoopHandler>& loops) {
    if (loops.empty()) return fail(Code::configuration_error, "The server has no loops");
    ATHENA_TRY_VOID(reload_tls());
    ATHENA_TRY(auto endpoint, resolve(listen_));
    if (endpoint.port() != 0) ATHENA_TRY_VOID(check_unused(endpoint));
    for (const LoopHandler& loop : loops) {
      auto listener = std::make_shared<Listener>(*loop.loop, *loop.handler, state_);
      ATHENA_TRY_VOID(listener->listen(endpoint, listen_.backlog));
      endpoint.port(listener->port());
      listeners_.push_back(std::move(listener));
    }
    port_ = endpoint.port();
    return {};
  }

  void start() override {
    started_ = true;
    for (const auto& listener : listeners_) {
      asio::post(listener->loop().executor(), [listener] { listener->start(); });
    }
  }
  std::uint16_t port() const noexcept override { return port_; }
  const Counters& counters() const noexcept override { return state_->counters; }

  Result<> reload_tls() override {
    if (listen_.tls_certificate_file.empty() != listen_.tls_key_file.empty()) {
      return fail(Code::configuration_error, "TLS needs both a certificate and a key",
                  "Set api.tls_cert and api.tls_key, or neither");
    }
    if (listen_.tls_certificate_file.empty()) return {};
    ATHENA_TRY(auto context, load_tls(listen_.tls_certificate_file, listen_.tls_key_file));
    const std::lock_guard lock(state_->tls_mutex);
    state_->tls = std::move(context);
    return {};
  }

  void drain(Duration grace) override {
    if (drained_ || !started_) return;
    drained_ = true;
    for_each_loop([](Listener& listener) { listener.begin_drain(); });
    if (!wait_for_sessions(grace)) {
      for_each_loop([](Listener& listener) { listener.end_drain(); });
      wait_for_sessions(kCancelGrace);
    }
    for_each_loop([](Listener& listener) { listener.stop(); });
  }

 private:
  /// Runs `step` on each loop and waits until all have done so. A loop that was stopped has nobody to run it, and no
  /// handler that could.
  template <class Step>
  void for_each_loop(Step step) {
    const auto begun = std::make_shared<std::size_t>(0);  // the loop may get to it after we stopped waiting
    for (const auto& listener : listeners_) {
      asio::post(listener->loop().executor(), [listener, step, begun, state = state_] {
        step(*listener);
        const std::lock_guard lock(state->drain_mutex);
        ++*begun;
        state->session_ended.notify_all();
      });
    }
    wait(kCancelGrace, [&] { return *begun >= running_loops(); });
  }
  bool wait_for_sessions(Duration bound) {
    return wait(bound, [this] {
      for (const auto& listener : listeners_) {
        if (!listener->loop().context().stopped() && listener->open_sessions() > 0) return false;
      }
      return true;
    });
  }
  std::size_t running_loops() const {
    std::size_t n = 0;
    for (const auto& listener : listeners_) n += !listener->loop().context().stopped();
    return n;
  }
  /// In slices, since nobody tells us that a loop was stopped.
  template <class Done>
  bool wait(Duration bound, Done done) {
    const TimePoint end = Clock::now() + bound;
    std::unique_lock lock(state_->drain_mutex);
    while (!done()) {
      const TimePoint now = Clock::now();
      if (now >= end) return false;
      state_->session_ended.wait_until(lock, std::min(end, now + milliseconds(50)));
    }
    return true;
  }

  const Listen listen_;
  const std::shared_ptr<ServerState> state_;  // sessions of a loop that was stopped keep it
  std::vector<std::shared_ptr<Listener>> listeners_;
  std::uint16_t port_ = 0;
  bool started_ = false, drained_ = false;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::open(Listen listen, Limits limits, std::vector<LoopHandler> loops) {
  auto server = std::make_unique<AsioServer>(std::move(listen), limits);
  ATHENA_TRY_VOID(server->open(loops));
  return server;
}

}  // namespace athena::http
