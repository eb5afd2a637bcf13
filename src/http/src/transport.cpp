#include "transport.h"

#include <algorithm>
#include <cerrno>
#include <limits>

#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace athena::http {
namespace {

Attempt after_system_call(ssize_t returned, Attempt::Is wait) noexcept {
  if (returned >= 0) return {Attempt::Is::done, static_cast<std::size_t>(returned)};
  return {errno == EAGAIN || errno == EINTR ? wait : Attempt::Is::failed};
}

}  // namespace

Attempt Transport::shake_hands() noexcept {
  ERR_clear_error();
  const int returned = SSL_accept(tls_.get());
  if (returned == 1) return {Attempt::Is::done};
  return after_tls(returned);
}

Attempt Transport::read(char* at, std::size_t size) noexcept {
  if (tls_) {
    ERR_clear_error();
    std::size_t n = 0;
    const int returned = SSL_read_ex(tls_.get(), at, size, &n);
    if (returned == 1) return {Attempt::Is::done, n};
    return after_tls(returned);
  }
  const Attempt attempt = after_system_call(::recv(descriptor(), at, size, 0), Attempt::Is::wait_read);
  if (attempt.is == Attempt::Is::done && attempt.bytes == 0) return {Attempt::Is::closed};
  return attempt;
}

Attempt Transport::write(std::string_view first, std::string_view second) noexcept {
  if (tls_) {
    ERR_clear_error();
    const std::string_view bytes = first.empty() ? second : first;
    std::size_t n = 0;
    const int returned = SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &n);
    if (returned == 1) return {Attempt::Is::done, n};
    return after_tls(returned);
  }
  if (second.empty()) {
    return after_system_call(::send(descriptor(), first.data(), first.size(), MSG_NOSIGNAL), Attempt::Is::wait_write);
  }
  iovec pieces[2] = {{const_cast<char*>(first.data()), first.size()},
                     {const_cast<char*>(second.data()), second.size()}};
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  return after_system_call(::sendmsg(descriptor(), &message, MSG_NOSIGNAL), Attempt::Is::wait_write);
}

Attempt Transport::after_tls(int returned) noexcept {
  switch (SSL_get_error(tls_.get(), returned)) {
    case SSL_ERROR_WANT_READ:
      return {Attempt::Is::wait_read};
    case SSL_ERROR_WANT_WRITE:
      return {Attempt::Is::wait_write};
    case SSL_ERROR_ZERO_RETURN:
      return {Attempt::Is::closed};
  }
  ERR_clear_error();
  return {Attempt::Is::failed};
}

void Transport::end_output() noexcept {
  if (tls_ && SSL_is_init_finished(tls_.get())) {
    ERR_clear_error();
    SSL_shutdown(tls_.get());
    ERR_clear_error();
  }
  ::shutdown(descriptor(), SHUT_WR);
}

void Transport::reset_on_close() noexcept {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(descriptor(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace athena::http
