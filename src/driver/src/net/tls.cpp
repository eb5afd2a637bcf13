#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace athena::driver {
namespace {

TlsOutcome outcome(ssl_st* session, int result, std::size_t bytes) noexcept {
  using Kind = TlsOutcome::Kind;
  if (result > 0) return {Kind::done, bytes};
  switch (SSL_get_error(session, result)) {
    case SSL_ERROR_WANT_READ:
      return {Kind::want_read, 0};
    case SSL_ERROR_WANT_WRITE:
      return {Kind::want_write, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {Kind::closed, 0};
    default:
      return {Kind::broken, 0};
  }
}

}  // namespace

TlsOutcome tls_read(ssl_st* session, char* into, std::size_t bytes) noexcept {
  ERR_clear_error();  // SSL_get_error looks at what other users of the thread left behind, too
  std::size_t got = 0;
  return outcome(session, SSL_read_ex(session, into, bytes, &got), got);
}

TlsOutcome tls_write(ssl_st* session, const char* from, std::size_t bytes) noexcept {
  ERR_clear_error();
  std::size_t put = 0;
  return outcome(session, SSL_write_ex(session, from, bytes, &put), put);
}

}  // namespace athena::driver
