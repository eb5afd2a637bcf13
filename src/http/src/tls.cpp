#include "tls.h"

#include <string_view>

#include <openssl/err.h>

#include <athena/base/socket_bio.h>

namespace athena::http {
namespace {

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* offered,
                    unsigned offered_size, void*) {
  static constexpr unsigned char kOurs[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* match = nullptr;
  if (SSL_select_next_proto(&match, chosen_size, kOurs, sizeof kOurs, offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = match;
  return SSL_TLSEXT_ERR_OK;
}

std::unexpected<Error> refuse(std::string_view what, const std::string& file) {
  char reason[256] = "";
  ERR_error_string_n(ERR_get_error(), reason, sizeof reason);
  ERR_clear_error();
  return fail(Error(Code::configuration_error, std::string(what), "Check api.tls_cert and api.tls_key")
                  .logged(file + ": " + reason));
}

}  // namespace

Result<TlsContext> load_tls(const std::string& certificate_file, const std::string& key_file) {
  ERR_clear_error();
  TlsContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return refuse("TLS cannot be set up", certificate_file);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // What is left of a write lies elsewhere when it is tried again, and idle connections keep no record buffers.
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()) != 1) {
    return refuse("The TLS certificate cannot be read", certificate_file);
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return refuse("The TLS key cannot be read, or does not belong to the certificate", key_file);
  }
  if (SSL_CTX_check_private_key(context.get()) != 1) {
    return refuse("The TLS key does not belong to the certificate", key_file);
  }
  return context;
}

Ssl open_tls(SSL_CTX& context, int socket) {
  Ssl ssl(SSL_new(&context));
  if (!ssl) return nullptr;
  BIO* bio = make_socket_bio(socket);
  if (!bio) return nullptr;
  SSL_set_bio(ssl.get(), bio, bio);
  SSL_set_accept_state(ssl.get());
  return ssl;
}

}  // namespace athena::http
