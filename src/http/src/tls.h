#pragma once

#include <memory>
#include <string>

#include <openssl/ssl.h>

#include <athena/base/result.h>

namespace athena::http {

/// Shared because connections keep the context that they began with when a reload swaps it.
using TlsContext = std::shared_ptr<SSL_CTX>;

struct SslDeleter {
  void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
};
using Ssl = std::unique_ptr<SSL, SslDeleter>;

/// A server's context: TLS 1.2 and later, HTTP/1.1 by ALPN. Errors: configuration_error.
Result<TlsContext> load_tls(const std::string& certificate_file, const std::string& key_file);

/// A connection on a non-blocking socket, which stays the caller's. Null if there is no memory for it.
Ssl open_tls(SSL_CTX& context, int socket);

}  // namespace athena::http
