#pragma once

#include <cstddef>
#include <cstdint>

struct ssl_st;

/// Reads and writes through a TLS session that libpq negotiated. Nothing else of TLS is needed here.
namespace athena::driver {

struct TlsOutcome {
  enum class Kind : std::uint8_t { done, want_read, want_write, closed, broken } kind = Kind::broken;
  std::size_t bytes = 0;
};
TlsOutcome tls_read(ssl_st* session, char* into, std::size_t bytes) noexcept;
TlsOutcome tls_write(ssl_st* session, const char* from, std::size_t bytes) noexcept;

}  // namespace athena::driver
