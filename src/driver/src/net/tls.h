#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <athena/base/result.h>

struct ssl_st;

/// Reads and writes through a TLS session: one that libpq negotiated, or one of our own.
namespace athena::driver {

struct TlsOutcome {
  enum class Kind : std::uint8_t { done, want_read, want_write, closed, broken } kind = Kind::broken;
  std::size_t bytes = 0;
};
TlsOutcome tls_read(ssl_st* session, char* into, std::size_t bytes) noexcept;
TlsOutcome tls_write(ssl_st* session, const char* from, std::size_t bytes) noexcept;

struct FreeTls {
  void operator()(ssl_st* session) const noexcept;
};
using TlsSession = std::unique_ptr<ssl_st, FreeTls>;

/// Begins a session as the client of a server over `socket`, which is not owned. `host` is what the certificate must be
/// for if `verifies` (a name or a numeric address; the system's roots, or SSL_CERT_FILE); otherwise any will do.
Result<TlsSession> begin_tls(int socket, const std::string& host, bool verifies);
/// Call until it is done.
TlsOutcome tls_handshake(ssl_st* session) noexcept;
/// Why the handshake failed: connection_error, with the field kTlsFault if trying again would not help, because the
/// certificate is not trusted or the other side speaks no TLS.
Error tls_failure(ssl_st* session);
inline constexpr std::string_view kTlsFault = "own_fault";

}  // namespace athena::driver
