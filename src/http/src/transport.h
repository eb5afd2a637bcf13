#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <athena/base/async.h>

#include "tls.h"

namespace athena::http {

using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;

/// What one non-blocking attempt came to.
struct Attempt {
  enum class Is : std::uint8_t { done, closed, wait_read, wait_write, failed } is;
  std::size_t bytes = 0;  ///< if done
};

/// A connection's socket, with or without TLS. Everything is attempted at once, by the system call itself; waiting is
/// the session's. So a plain connection pays nothing for the existence of the other kind, and there is one session for
/// both.
class Transport {
 public:
  /// `tls` may be null: plain text.
  Transport(Socket socket, Ssl tls) : socket_(std::move(socket)), tls_(std::move(tls)) {}

  Socket& socket() noexcept { return socket_; }
  int descriptor() noexcept { return socket_.native_handle(); }
  bool is_tls() const noexcept { return tls_ != nullptr; }

  Attempt shake_hands() noexcept;
  Attempt read(char* at, std::size_t size) noexcept;
  /// `first`, then `second`, as far as the socket takes them.
  Attempt write(std::string_view first, std::string_view second) noexcept;
  /// Tells the peer that nothing more comes.
  void end_output() noexcept;
  /// The peer will see an error, not an end: for streams whose end is the connection's.
  void reset_on_close() noexcept;

 private:
  Attempt after_tls(int returned) noexcept;

  Socket socket_;
  Ssl tls_;
};

}  // namespace athena::http
