#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/ip/address.hpp>

#include <athena/base/socket_bio.h>

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

/// The clients' settings; made once, since reading the system's roots takes milliseconds.
SSL_CTX* client_context() {
  static SSL_CTX* const context = [] {
    SSL_CTX* made = SSL_CTX_new(TLS_client_method());
    if (!made) return made;
    SSL_CTX_set_min_proto_version(made, TLS1_2_VERSION);
    SSL_CTX_set_options(made, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    // What is left of a write lies elsewhere when it is tried again.
    SSL_CTX_set_mode(made,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_default_verify_paths(made);
    return made;
  }();
  return context;
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

void FreeTls::operator()(ssl_st* session) const noexcept {
  SSL_free(session);
}

Result<TlsSession> begin_tls(int socket, const std::string& host, bool verifies) {
  TlsSession session(client_context() ? SSL_new(client_context()) : nullptr);
  BIO* bio = session ? make_socket_bio(socket) : nullptr;
  if (!bio) return fail(Error(Code::connection_error, "TLS cannot be set up").logged("out of memory"));
  SSL_set_bio(session.get(), bio, bio);
  SSL_set_connect_state(session.get());
  boost::system::error_code not_numeric;
  boost::asio::ip::make_address(host, not_numeric);
  if (not_numeric) SSL_set_tlsext_host_name(session.get(), host.c_str());
  if (verifies) {
    const bool is_set = not_numeric ? SSL_set1_host(session.get(), host.c_str()) == 1
                                    : X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session.get()), host.c_str()) == 1;
    if (!is_set) return fail(Error(Code::connection_error, "TLS cannot be set up").logged("host to be verified"));
    SSL_set_verify(session.get(), SSL_VERIFY_PEER, nullptr);
  }
  return session;
}

TlsOutcome tls_handshake(ssl_st* session) noexcept {
  ERR_clear_error();
  return outcome(session, SSL_do_handshake(session), 0);
}

Error tls_failure(ssl_st* session) {
  if (const long verdict = SSL_get_verify_result(session); verdict != X509_V_OK) {
    return Error(Code::connection_error, "The certificate of the database is not one that this client trusts",
                 "Its authority must be known here (SSL_CERT_FILE), and it must be for the host that this client names")
        .with(std::string(kTlsFault), "tls")
        .logged(X509_verify_cert_error_string(verdict));
  }
  Error error(Code::connection_error, "No TLS connection to the database could be made");
  const unsigned long code = ERR_peek_error();
  if (code == 0) return std::move(error).logged("the server ended the handshake");
  char reason[256] = "";
  ERR_error_string_n(code, reason, sizeof reason);
  const bool is_lost = ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  if (ERR_GET_LIB(code) == ERR_LIB_SSL && !is_lost) {
    error.hint = "Does the database speak TLS on this port?";
    error.fields.emplace_back(kTlsFault, "tls");
  }
  return std::move(error).logged(reason);
}

}  // namespace athena::driver
