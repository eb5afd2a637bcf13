#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <athena/base/async.h>
#include <athena/base/buffer.h>
#include <athena/base/clock.h>
#include <athena/base/loop.h>
#include <athena/driver/target.h>

#include "net/wire.h"
#include "postgres/protocol.h"

struct pg_conn;
struct pg_cancel;

namespace athena::driver::postgres {

/// What PQcancel needs. Shared by the connection and the thread that cancels, whichever lives longer.
using CancelKey = std::shared_ptr<pg_cancel>;

/// An open, authenticated connection with our session settings (ISO dates, UTC, UTF-8). libpq opened it and keeps what
/// cancelling and TLS need; our protocol speaks on its socket. Belongs to one loop, and to one user at a time.
class Connection {
 public:
  struct CloseHandle {
    void operator()(pg_conn* handle) const noexcept;
  };
  using Handle = std::unique_ptr<pg_conn, CloseHandle>;

  Connection(Executor executor, Handle handle);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Wire& wire() noexcept { return wire_; }
  const CancelKey& cancel_key() const noexcept { return cancel_key_; }
  /// A pooler hands us another server connection for each transaction: nothing that outlives one may be relied on.
  bool is_pooled() const noexcept { return is_pooled_; }
  TransactionStatus transaction() const noexcept { return transaction_; }

  /// What is to be sent next.
  Buffer& out() noexcept { return out_; }
  Encoder encode() noexcept { return Encoder(out_); }
  Async<> send();
  /// Told with each Sync and Query, so that is_settled() knows.
  void expect_ready() noexcept { ++expected_ready_; }
  /// Everything that was asked is answered.
  bool is_settled() const noexcept { return expected_ready_ == 0; }

  /// The next message that matters. Notices are dropped, notifications go to on_notification, the transaction's status
  /// is kept. Views are valid until the next call.
  Async<Frame> receive();
  /// The same for what is here already: `incomplete` when the next message is not.
  Result<Frame> received();
  /// How many bytes wait to be looked at. Bounded by the longest message plus 64 KiB.
  std::size_t held_bytes() const noexcept { return in_.size(); }

  /// Runs settings and the like: text without parameters whose rows do not matter. The first error is the result.
  Async<> run(std::string_view sql);
  /// Session settings, again after DISCARD ALL. `detect_pooler` the first time.
  Async<> prepare_session(bool detect_pooler);

  /// The server has ended the session while nothing was asked of it. Costs a system call.
  bool is_dead();
  /// Ends a wait of send() or receive() in another coroutine, with Code::cancelled.
  void interrupt() { wire_.interrupt(); }
  /// Says goodbye if that needs no waiting, and closes.
  void close();

  std::function<void(const Notification&)> on_notification;

 private:
  Async<> fill();

  Handle handle_;
  Wire wire_;
  CancelKey cancel_key_;
  Buffer in_, out_;
  std::size_t consumed_ = 0;  // of in_: the message given out last
  std::uint32_t expected_ready_ = 0;
  TransactionStatus transaction_ = TransactionStatus::idle;
  bool is_pooled_ = false;
};

/// Opens a connection by `deadline`: resolves without blocking the loop, connects, authenticates, prepares the session.
/// Errors: connection_error, database_unavailable, too_many_connections; details for the log only.
Async<std::unique_ptr<Connection>> connect(Loop& loop, const Target& target, TimePoint deadline);

/// Trying again within a second will not help: wrong password, no such database.
bool is_permanent(const Error& error) noexcept;

/// Removes the environment variables that libpq would obey (contract 2: none applies). Parameters cannot overrule
/// PGSERVICE, PGOPTIONS and PGTZ, so all are unset: once, before the first connection.
void forget_libpq_environment();

}  // namespace athena::driver::postgres
