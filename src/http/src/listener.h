#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <athena/base/clock.h>
#include <athena/base/loop.h>
#include <athena/http/server.h>

#include "answer.h"
#include "ring.h"
#include "tls.h"
#include "transport.h"

namespace athena::http {

class Session;

/// What all loops of a server share.
struct ServerState {
  Limits limits;
  Counters counters;

  std::mutex tls_mutex;
  TlsContext tls;  ///< guarded by tls_mutex; null: plain text

  std::mutex drain_mutex;
  std::condition_variable session_ended;  ///< told while draining
};

/// What a loop counts, in plain integers; the tick adds it to the server's counters, so that a request pays for no
/// atomic.
struct Tally {
  std::uint64_t requests = 0, refused_by_parser = 0, timeouts = 0, client_gone = 0, cut_streams = 0,
                handler_failures = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;
};

/// One loop's share of a server: accepts connections, and watches over their sessions at each tick.
///
/// Shared, since a session that is still suspended when its loop stops keeps its listener until the loop is destroyed.
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;

  Listener(Loop& loop, Handler& handler, std::shared_ptr<ServerState> state);

  /// Before any thread runs the loop, or on it.
  Result<> listen(const asio::ip::tcp::endpoint& endpoint, int backlog);
  std::uint16_t port() const;

  // On the loop's thread.
  void start();
  /// Accepts no more, closes what is idle; requests that run end with Connection: close.
  void begin_drain();
  /// Cancels the requests that still run, closes everything else.
  void end_drain();
  void stop();

  // From any thread.
  Loop& loop() noexcept { return loop_; }
  std::size_t open_sessions() const noexcept { return open_.load(std::memory_order_acquire); }

  // For the sessions.
  Handler& handler() noexcept { return handler_; }
  const Limits& limits() const noexcept { return state_->limits; }
  Tally& tally() noexcept { return tally_; }
  const ClockLines& clock_lines() const noexcept { return clock_lines_; }
  /// The time of the last tick: what deadlines are counted from, without asking for the time.
  TimePoint now() const noexcept { return now_; }
  bool is_draining() const noexcept { return draining_; }
  /// The drain is over: nobody waits for anything any more.
  bool has_ended() const noexcept { return ended_; }

  void enter(Session& session);
  void leave(Session& session);
  void handler_begins(Session& session);
  void handler_ended(Session& session);
  /// The session has answers that wait for company. They are sent at the end of this turn of the loop at the latest.
  void send_later(Session& session);

 private:
  void accept_when_ready();
  void accept_some();
  void admit(int descriptor, const sockaddr_storage& peer);
  void tick(TimePoint now);
  void look_for_lost_peers(TimePoint now);
  void expire_waiting(TimePoint now);
  void expire_running(TimePoint now);
  void send_delayed();
  void publish() noexcept;

  Loop& loop_;
  Handler& handler_;
  const std::shared_ptr<ServerState> state_;
  Acceptor acceptor_;
  Loop::Handle ticks_;
  TimePoint now_;
  TimePoint accept_again_at_ = TimePoint::max();
  ClockLines clock_lines_;
  Tally tally_;
  std::atomic<std::size_t> open_{0};
  bool draining_ = false, ended_ = false;

  Ring<Session> waiting_;           ///< for bytes of a request, or to close
  Ring<Session> running_;           ///< whose handler runs, longest first
  std::vector<Session*> delayed_;   ///< see send_later()
  std::vector<Session*> suspects_;  ///< work space of look_for_lost_peers
  std::vector<pollfd> polls_;       ///< the same
  std::size_t next_suspect_ = 0;
};

}  // namespace athena::http
