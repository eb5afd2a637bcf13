#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/async.h>
#include <athena/base/buffer.h>
#include <athena/base/cancellation.h>
#include <athena/base/clock.h>
#include <athena/base/loop.h>
#include <athena/http/message.h>

namespace athena::http {

/// Bounds of a server. Every one is enforced, and reaching it is counted in Counters.
struct Limits {
  std::size_t max_head_bytes = 32 * 1024;  ///< request line and headers: 431, or 414 for the line
  std::size_t max_target_bytes = 8 * 1024;
  std::size_t max_headers = 100;
  std::size_t max_body_bytes = 10 * 1024 * 1024;  ///< 413
  std::size_t max_connections = 10'000;           ///< per loop; beyond: 503 and close
  milliseconds head_timeout{10'000};              ///< from the first byte of a head to its end: 408
  milliseconds body_timeout{30'000};              ///< without progress while a body is read: 408
  milliseconds idle_timeout{75'000};              ///< between requests: closed silently
  milliseconds write_timeout{30'000};             ///< a reader that takes nothing for so long: closed
  std::size_t compress_from_bytes = 1'400;        ///< bodies below are never compressed
};

/// One request and its answer, from the head on. Belongs to the session; a handler has it until it returns.
///
/// The answer: set status and headers, append to body(). If that is all, the session sends it with Content-Length when
/// the handler returns. For streams: flush() sends what body() holds as a chunk and waits until the peer's window took
/// it.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const RequestHead& request() const noexcept = 0;
  /// Text of the peer's address, without port.
  virtual std::string_view peer() const noexcept = 0;
  virtual bool is_tls() const noexcept = 0;
  /// When the head's last byte was read.
  virtual TimePoint received_at() const noexcept = 0;

  /// The whole body, decoded; "" if there is none. (A body that is declared too large never gets here: refuse().) Sends
  /// `100 Continue` if asked for. Errors: payload_too_large, request_timeout, malformed_http (bad chunk), cancelled
  /// (the peer went away). Valid until the handler returns.
  virtual Async<std::string_view> read_body() = 0;
  /// The same if nothing has to be waited for, as when the body came along with its head: spares the request a
  /// coroutine. None: call read_body().
  virtual std::optional<std::string_view> body_at_hand() noexcept = 0;

  /// Set before the first flush(); 200 at the start.
  virtual void set_status(int status) noexcept = 0;
  virtual int status() const noexcept = 0;
  /// Adds a header line. Name and value are ours: CR and LF in a value are replaced by blanks.
  /// Content-Length, Transfer-Encoding, Connection, Date and Server are the session's: adding them has no effect. A
  /// body that comes with a Content-Encoding is sent as it is, others are compressed where the request allows it.
  virtual void add_header(std::string_view name, std::string_view value) = 0;
  /// Removes what was added: a handler that fails half-way starts over.
  virtual void reset_response() noexcept = 0;
  /// Bytes of the answer's body that were not sent yet.
  virtual Buffer& body() noexcept = 0;
  /// Sends the head (once) and what body() holds; returns when the socket took it. Error: cancelled (peer gone or
  /// stuck).
  virtual Async<> flush() = 0;
  /// True once flush() has sent a head: the status can no longer change.
  virtual bool head_sent() const noexcept = 0;
  /// The answer cannot be completed: closes without the last chunk, so that the peer sees that it is cut.
  virtual void abort() noexcept = 0;
  /// The connection closes after this answer.
  virtual void close_after() noexcept = 0;

  /// Cancelled when the peer goes away while the handler runs (noticed within 50 ms), or when the server drains too
  /// long.
  virtual Cancellation& cancellation() noexcept = 0;
};

/// What answers requests. One object for each loop, called on it.
class Handler {
 public:
  virtual ~Handler() = default;
  /// Must not throw; sets the answer on `exchange`.
  virtual Task<> handle(Exchange& exchange) = 0;
  /// The parser or a limit refused the request: put the error's shape on `exchange`. request() holds what was read,
  /// which may be nothing. The connection closes afterwards.
  virtual void refuse(Exchange& exchange, const Error& error) = 0;
};

/// What a server counts. Read by the metrics.
struct Counters {
  std::atomic<std::uint64_t> connections_accepted{0}, connections_open{0}, connections_refused{0};
  std::atomic<std::uint64_t> requests{0}, refused_by_parser{0}, timeouts{0}, client_gone{0}, cut_streams{0};
  std::atomic<std::uint64_t> handler_failures{0};  ///< handlers that threw: a bug of ours
  std::atomic<std::uint64_t> bytes_in{0}, bytes_out{0};
};

struct Listen {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0: any free one
  int backlog = 2048;
  std::string tls_certificate_file, tls_key_file;  ///< both empty: plain text. Read again by reload_tls()
};

/// Listens on each of the given loops with SO_REUSEPORT; a connection stays on the loop that accepted it.
class Server {
 public:
  struct LoopHandler {
    Loop* loop;        ///< borrowed; outlives the server
    Handler* handler;  ///< borrowed; outlives the server
  };
  /// Binds and listens; accepts nothing until start(). Errors: configuration_error (address in use, bad certificate,
  /// …).
  static Result<std::unique_ptr<Server>> open(Listen listen, Limits limits, std::vector<LoopHandler> loops);
  virtual ~Server() = default;

  virtual void start() = 0;
  virtual std::uint16_t port() const noexcept = 0;
  virtual const Counters& counters() const noexcept = 0;
  /// Reads the certificate again; connections that are open keep theirs. On error the old one stays.
  virtual Result<> reload_tls() = 0;
  /// Stops accepting, closes idle connections, lets requests that run finish (Connection: close); what still runs after
  /// `grace` is cancelled, and has ten seconds to notice. Blocks; called from a thread that is not a loop's. Afterwards
  /// no handler runs. The destructor does the same without any grace.
  virtual void drain(Duration grace) = 0;
};

}  // namespace athena::http
