#pragma once

#include <cstddef>
#include <string_view>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include <athena/base/async.h>

#include "net/tls.h"

namespace athena::driver {

/// Bytes to and from the server, over a socket that libpq or dial() opened, through its TLS session if there is one.
/// One reader and one writer at a time. Every error is connection_error: the connection is of no more use.
class Wire {
 public:
  /// Owns a duplicate of `fd`. `tls` is borrowed from libpq, null: none.
  Wire(Executor executor, int fd, ssl_st* tls);
  /// Owns `fd`, which is connected.
  Wire(Executor executor, int fd);

  /// Begins TLS as the server's client, see begin_tls().
  Async<> start_tls(const std::string& host, bool verifies);

  /// At least one byte, as soon as there are any.
  Async<std::size_t> read_some(char* into, std::size_t bytes);
  /// What is there already; 0: nothing yet.
  Result<std::size_t> try_read(char* into, std::size_t bytes);
  /// As many bytes as fit without waiting; 0: none.
  Result<std::size_t> try_write(std::string_view bytes);
  /// Returns when try_write() is worth another try.
  Async<> wait_writable();
  Async<> write_all(std::string_view bytes);

  /// Ends what waits in another coroutine: it fails with `cancelled`, and no byte is lost.
  void interrupt();
  void close();
  bool is_open() const noexcept { return socket_.is_open(); }

 private:
  using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, Executor>;

  Async<std::size_t> read_tls(char* into, std::size_t bytes);
  Async<> wait(Socket::wait_type what);

  Socket socket_;
  TlsSession own_tls_;
  ssl_st* tls_;
  bool tls_write_wants_read_ = false;
};

}  // namespace athena::driver
