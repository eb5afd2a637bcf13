#include "listener.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>

#include "session.h"

namespace athena::http {
namespace {

/// Connections taken at one go, so that a flood of them does not keep requests waiting.
constexpr int kAcceptsAtOnce = 64;
/// How long nothing is accepted after the system ran out of descriptors or memory.
constexpr milliseconds kAcceptPause{100};
/// Connections over the limit that are told so at the same time; beyond that they are just closed.
constexpr std::size_t kRefusalsAtOnce = 128;
/// Bounds of one tick's work.
constexpr std::size_t kSuspectsAtOnce = 1024;
constexpr std::size_t kSliceOfWaiting = 16, kMinSlice = 512;

Error system_error(std::string_view what, const boost::system::error_code& error) {
  return Error(Code::configuration_error, std::string(what) + ": " + error.message(), "Check api.host and api.port");
}

std::string text_of(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof text);
  } else if (address.ss_family == AF_INET6) {
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
      inet_ntop(AF_INET, v6.s6_addr + 12, text, sizeof text);
    } else {
      inet_ntop(AF_INET6, &v6, text, sizeof text);
    }
  }
  return text;
}

using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

}  // namespace

Listener::Listener(Loop& loop, Handler& handler, std::shared_ptr<ServerState> state)
    : loop_(loop), handler_(handler), state_(std::move(state)), acceptor_(loop.executor()), now_(Clock::now()) {}

Result<> Listener::listen(const asio::ip::tcp::endpoint& endpoint, int backlog) {
  boost::system::error_code error;
  acceptor_.open(endpoint.protocol(), error);
  if (error) return fail(system_error("A listening socket cannot be opened", error));
  acceptor_.set_option(Acceptor::reuse_address(true), error);
  if (!error) acceptor_.set_option(ReusePort(true), error);
  if (!error && endpoint.address().is_v6()) acceptor_.set_option(asio::ip::v6_only(false), error);
  if (!error) acceptor_.native_non_blocking(true, error);
  if (error) return fail(system_error("The listening socket cannot be set up", error));
  acceptor_.bind(endpoint, error);
  if (error) return fail(system_error("The server's address cannot be used", error));
  acceptor_.listen(backlog, error);
  if (error) return fail(system_error("The server cannot listen on its address", error));
  return {};
}

std::uint16_t Listener::port() const {
  boost::system::error_code error;
  return acceptor_.local_endpoint(error).port();
}

void Listener::start() {
  if (draining_) return;
  now_ = Clock::now();
  clock_lines_.update(std::time(nullptr));
  ticks_ = loop_.watch([this](TimePoint now) { tick(now); });
  accept_when_ready();
}

void Listener::accept_when_ready() {
  // The wait keeps the listener; it ends when the acceptor is closed, or with the loop.
  acceptor_.async_wait(Acceptor::wait_read, [self = shared_from_this()](boost::system::error_code error) {
    if (!error && self->acceptor_.is_open()) self->accept_some();
  });
}

void Listener::accept_some() {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    const int descriptor =
        ::accept4(acceptor_.native_handle(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
      admit(descriptor, peer);
    } else if (errno == EAGAIN) {
      break;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      // Connections wait in the backlog meanwhile. To try again at once would only burn the processor.
      state_->counters.connections_refused.fetch_add(1, std::memory_order_relaxed);
      accept_again_at_ = now_ + kAcceptPause;
      return;
    }  // everything else concerns that one connection, which is gone
  }
  if (acceptor_.is_open() && !draining_) accept_when_ready();
}

void Listener::admit(int descriptor, const sockaddr_storage& peer) {
  state_->counters.connections_accepted.fetch_add(1, std::memory_order_relaxed);
  const std::size_t open = open_.load(std::memory_order_relaxed);
  const bool full = open >= state_->limits.max_connections;
  if (full) state_->counters.connections_refused.fetch_add(1, std::memory_order_relaxed);
  if (open >= state_->limits.max_connections + kRefusalsAtOnce) {
    ::close(descriptor);
    return;
  }
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Ssl tls;
  Socket socket(loop_.executor());
  boost::system::error_code error;
  socket.assign(peer.ss_family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), descriptor, error);
  if (error) {
    ::close(descriptor);
    return;
  }
  TlsContext context;
  {
    const std::lock_guard lock(state_->tls_mutex);
    context = state_->tls;
  }
  if (context) {
    tls = open_tls(*context, descriptor);
    if (!tls) return;
  }
  auto session =
      std::make_unique<Session>(shared_from_this(), Transport(std::move(socket), std::move(tls)), text_of(peer),
                                full ? Session::Admission::refused : Session::Admission::admitted);
  asio::co_spawn(loop_.executor(), Session::run(std::move(session)), asio::detached);
}

void Listener::enter(Session& session) {
  waiting_.push_back(session);
  open_.fetch_add(1, std::memory_order_relaxed);
  state_->counters.connections_open.fetch_add(1, std::memory_order_relaxed);
}

void Listener::leave(Session& session) {
  (session.has_handler() ? running_ : waiting_).remove(session);
  std::erase(delayed_, &session);
  std::ranges::replace(suspects_, &session, nullptr);
  state_->counters.connections_open.fetch_sub(1, std::memory_order_relaxed);
  if (!draining_) {
    open_.fetch_sub(1, std::memory_order_release);
    return;
  }
  publish();
  const std::lock_guard lock(state_->drain_mutex);
  open_.fetch_sub(1, std::memory_order_release);
  state_->session_ended.notify_all();
}

void Listener::handler_begins(Session& session) {
  waiting_.remove(session);
  running_.push_back(session);
}

void Listener::handler_ended(Session& session) {
  running_.remove(session);
  waiting_.push_back(session);
}

void Listener::send_later(Session& session) {
  delayed_.push_back(&session);
  if (delayed_.size() > 1) return;
  asio::post(loop_.executor(), [self = shared_from_this()] { self->send_delayed(); });
}

void Listener::send_delayed() {
  // A session that finds its peer gone wakes its handler, and with that anything may happen to delayed_.
  while (!delayed_.empty()) {
    Session* session = delayed_.back();
    delayed_.pop_back();
    session->send_delayed();
  }
}

void Listener::tick(TimePoint now) {
  now_ = now;
  clock_lines_.update(std::time(nullptr));
  if (now >= accept_again_at_) {
    accept_again_at_ = TimePoint::max();
    if (!draining_) accept_some();
  }
  expire_waiting(now);
  expire_running(now);
  publish();
  look_for_lost_peers(now);
}

/// A slice of them at each tick, from the front to the back of the ring: ten thousand idle connections cost no more
/// than the few hundred that are looked at.
void Listener::expire_waiting(TimePoint now) {
  for (std::size_t left = std::min(waiting_.size(), std::max(kMinSlice, waiting_.size() / kSliceOfWaiting)); left > 0;
       --left) {
    Session& session = *waiting_.first();
    waiting_.remove(session);
    waiting_.push_back(session);
    session.expire_if_due(now);
    session.rest(now);
  }
}

/// Those whose handler waits for a body, or for the peer to take the answer.
void Listener::expire_running(TimePoint now) {
  for (Session* session = running_.first(); session; session = running_.next(*session)) {
    session->expire_if_due(now);
  }
}

/// One poll() for all sessions whose handler runs for long, instead of a read that waits beside each handler. Input
/// that is there but unread does not hide the end behind it: POLLRDHUP looks at the connection, not at the bytes.
void Listener::look_for_lost_peers(TimePoint now) {
  suspects_.clear();
  for (Session* session = running_.first(); session; session = running_.next(*session)) {
    if (now - session->running_since() < Session::kSuspectAfter) break;  // the rest began later still
    if (session->may_be_lost()) suspects_.push_back(session);
  }
  if (suspects_.empty()) return;
  const std::size_t n = std::min(suspects_.size(), kSuspectsAtOnce);
  std::ranges::rotate(suspects_, suspects_.begin() + static_cast<std::ptrdiff_t>(next_suspect_ % suspects_.size()));
  next_suspect_ = n < suspects_.size() ? next_suspect_ + n : 0;
  suspects_.resize(n);
  polls_.clear();
  for (Session* session : suspects_) polls_.push_back({session->descriptor(), POLLRDHUP, 0});
  if (::poll(polls_.data(), polls_.size(), 0) > 0) {
    // To cancel one request may end others, which leave() then takes out of suspects_.
    for (std::size_t i = 0; i < n; ++i) {
      if (polls_[i].revents != 0 && suspects_[i] && suspects_[i]->may_be_lost()) suspects_[i]->peer_is_gone();
    }
  }
  suspects_.clear();
}

void Listener::publish() noexcept {
  Counters& counters = state_->counters;
  const auto add = [](std::atomic<std::uint64_t>& to, std::uint64_t& from) {
    if (from != 0) to.fetch_add(std::exchange(from, 0), std::memory_order_relaxed);
  };
  add(counters.requests, tally_.requests);
  add(counters.refused_by_parser, tally_.refused_by_parser);
  add(counters.timeouts, tally_.timeouts);
  add(counters.client_gone, tally_.client_gone);
  add(counters.cut_streams, tally_.cut_streams);
  add(counters.handler_failures, tally_.handler_failures);
  add(counters.bytes_in, tally_.bytes_in);
  add(counters.bytes_out, tally_.bytes_out);
}

void Listener::begin_drain() {
  if (draining_) return;
  if (acceptor_.is_open()) accept_some();  // whoever is in the backlog has been promised an answer
  draining_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  for (Session* session = waiting_.first(); session; session = waiting_.next(*session)) session->close_if_idle();
}

void Listener::end_drain() {
  ended_ = true;
  for (Session* session = waiting_.first(); session; session = waiting_.next(*session)) session->shut_down();
  suspects_.clear();
  for (Session* session = running_.first(); session; session = running_.next(*session)) suspects_.push_back(session);
  for (std::size_t i = 0; i < suspects_.size(); ++i) {  // cancelling one may end others
    if (suspects_[i]) suspects_[i]->shut_down();
  }
  suspects_.clear();
}

void Listener::stop() {
  ticks_ = Loop::Handle();
  publish();
}

}  // namespace athena::http
