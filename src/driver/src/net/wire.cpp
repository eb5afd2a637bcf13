#include "net/wire.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>

#include "net/tls.h"

namespace athena::driver {
namespace {

std::unexpected<Error> lost(const boost::system::error_code& error) {
  if (error == asio::error::operation_aborted) return fail(Code::cancelled);
  return fail(Error(Code::connection_error, "The connection to the database was lost").logged(error.message()));
}
std::unexpected<Error> lost(std::string_view why) {
  return fail(Error(Code::connection_error, "The connection to the database was lost").logged(std::string(why)));
}

int family_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  return ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 ? address.ss_family : AF_INET;
}

}  // namespace

Wire::Wire(Executor executor, int fd, ssl_st* tls) : socket_(executor), tls_(tls) {
  const int own = ::dup(fd);  // libpq closes its own descriptor with the PGconn, which may live longer
  if (own < 0) return;
  boost::system::error_code error;
  socket_.assign(asio::generic::stream_protocol(family_of(own), 0), own, error);
  if (error) ::close(own);
}

Wire::Wire(Executor executor, int fd) : socket_(executor), tls_(nullptr) {
  boost::system::error_code error;
  socket_.assign(asio::generic::stream_protocol(family_of(fd), 0), fd, error);
  if (error) ::close(fd);
}

Async<> Wire::start_tls(const std::string& host, bool verifies) {
  ATHENA_CO_TRY(own_tls_, begin_tls(socket_.native_handle(), host, verifies));
  for (;;) {
    if (!socket_.is_open()) co_return lost("closed");
    switch (tls_handshake(own_tls_.get()).kind) {
      case TlsOutcome::Kind::done:
        tls_ = own_tls_.get();
        co_return Result<>();
      case TlsOutcome::Kind::want_read:
        ATHENA_CO_TRY_VOID(co_await wait(Socket::wait_read));
        break;
      case TlsOutcome::Kind::want_write:
        ATHENA_CO_TRY_VOID(co_await wait(Socket::wait_write));
        break;
      case TlsOutcome::Kind::closed:
      case TlsOutcome::Kind::broken:
        co_return fail(tls_failure(own_tls_.get()));
    }
  }
}

Async<std::size_t> Wire::read_some(char* into, std::size_t bytes) {
  if (tls_) co_return co_await read_tls(into, bytes);
  boost::system::error_code error;
  const std::size_t got =
      co_await socket_.async_read_some(asio::buffer(into, bytes), asio::redirect_error(use_task, error));
  if (error) co_return lost(error);
  co_return got;
}

Async<std::size_t> Wire::read_tls(char* into, std::size_t bytes) {
  for (;;) {
    if (!socket_.is_open()) co_return lost("closed");
    const TlsOutcome outcome = tls_read(tls_, into, bytes);
    switch (outcome.kind) {
      case TlsOutcome::Kind::done:
        co_return outcome.bytes;
      case TlsOutcome::Kind::want_read:
        ATHENA_CO_TRY_VOID(co_await wait(Socket::wait_read));
        break;
      case TlsOutcome::Kind::want_write:
        ATHENA_CO_TRY_VOID(co_await wait(Socket::wait_write));
        break;
      case TlsOutcome::Kind::closed:
        co_return lost("end of the TLS session");
      case TlsOutcome::Kind::broken:
        co_return lost("broken TLS session");
    }
  }
}

Result<std::size_t> Wire::try_read(char* into, std::size_t bytes) {
  if (!socket_.is_open()) return lost("closed");
  if (tls_) {
    const TlsOutcome outcome = tls_read(tls_, into, bytes);
    const bool is_good = outcome.kind == TlsOutcome::Kind::done || outcome.kind == TlsOutcome::Kind::want_read;
    if (!is_good) return lost("end of the TLS session");
    return outcome.bytes;
  }
  const ssize_t got = ::recv(socket_.native_handle(), into, bytes, MSG_DONTWAIT);
  if (got > 0) return static_cast<std::size_t>(got);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return 0;
  return lost(got == 0 ? "closed by the server" : "broken");
}

Result<std::size_t> Wire::try_write(std::string_view bytes) {
  if (!socket_.is_open()) return lost("closed");
  if (tls_) {
    // A write that would block must be tried again with the same bytes; the buffer may have moved, the bytes have not.
    const TlsOutcome outcome = tls_write(tls_, bytes.data(), bytes.size());
    tls_write_wants_read_ = outcome.kind == TlsOutcome::Kind::want_read;
    switch (outcome.kind) {
      case TlsOutcome::Kind::done:
        return outcome.bytes;
      case TlsOutcome::Kind::want_read:
      case TlsOutcome::Kind::want_write:
        return 0;
      case TlsOutcome::Kind::closed:
      case TlsOutcome::Kind::broken:
        return lost("broken TLS session");
    }
  }
  for (;;) {
    const ssize_t put = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put >= 0) return static_cast<std::size_t>(put);
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    if (errno != EINTR) return lost(boost::system::error_code(errno, boost::system::system_category()));
  }
}

Async<> Wire::wait_writable() {
  co_return co_await wait(tls_write_wants_read_ ? Socket::wait_read : Socket::wait_write);
}

Async<> Wire::write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    ATHENA_CO_TRY(const std::size_t put, try_write(bytes));
    bytes.remove_prefix(put);
    if (put == 0) ATHENA_CO_TRY_VOID(co_await wait_writable());
  }
  co_return Result<>();
}

Async<> Wire::wait(Socket::wait_type what) {
  boost::system::error_code error;
  co_await socket_.async_wait(what, asio::redirect_error(use_task, error));
  if (error) co_return lost(error);
  co_return Result<>();
}

void Wire::interrupt() {
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void Wire::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace athena::driver
