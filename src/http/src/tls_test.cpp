#include <memory>
#include <string>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <athena/http/server.h>

#include "certificate.h"
#include "loopback.h"
#include "tls.h"

namespace athena::http {
namespace {

using namespace http::testing;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Listen listen_with(const Certificate& certificate) {
  Listen listen;
  listen.tls_certificate_file = certificate.certificate_file();
  listen.tls_key_file = certificate.key_file();
  return listen;
}

/// A blocking TLS connection.
class TlsPeer {
 public:
  explicit TlsPeer(std::uint16_t port, int max_version = 0, std::string protocols = "\x08http/1.1")
      : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free), socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval patience{10, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    SSL_CTX_set_max_proto_version(context_.get(), max_version);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                        static_cast<unsigned>(protocols.size()));
    SSL_set_fd(ssl_.get(), socket_);
    connected_ = SSL_connect(ssl_.get()) == 1;
  }
  ~TlsPeer() {
    ERR_clear_error();
    ssl_.reset();
    ::close(socket_);
  }
  bool connected() const { return connected_; }
  std::string version() const { return SSL_get_version(ssl_.get()); }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  std::string certificate_name() const {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(ssl_.get()), X509_free);
    char name[100] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name, sizeof name);
    return name;
  }
  TlsPeer& send(std::string_view bytes) {
    SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
    return *this;
  }
  /// Until `end` is what was read last, or the connection ends.
  std::string read_until(std::string_view end) {
    std::string text;
    char bytes[16 * 1024];
    while (!text.ends_with(end)) {
      const int n = SSL_read(ssl_.get(), bytes, sizeof bytes);
      if (n <= 0) break;
      text.append(bytes, static_cast<std::size_t>(n));
    }
    return text;
  }
  bool was_told_the_end() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  int socket_;
  Ssl ssl_;
  bool connected_ = false;
};

TEST(Tls, carries_requests_of_all_kinds) {
  const Certificate certificate("first");
  TestServer server({}, listen_with(certificate));
  TlsPeer peer(server.port());
  ASSERT_TRUE(peer.connected());
  EXPECT_EQ(peer.version(), "TLSv1.3");
  EXPECT_EQ(peer.protocol(), "http/1.1");
  EXPECT_THAT(peer.send(get("/peer")).read_until("tls"), HasSubstr("127.0.0.1 tls"));
  const std::string body = std::string(300'000, 'x') + "the end";
  EXPECT_THAT(peer.send(post("/echo", body)).read_until("the end"), HasSubstr(body));
  EXPECT_THAT(peer.send(get("/stream?20,50000")).read_until("0\r\n\r\n"), HasSubstr("chunked"));
  EXPECT_THAT(peer.send(get("/big?3000000") + get("/hello")).read_until("hello"), StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(peer.send(get("/close")).read_until("never"), HasSubstr("Connection: close"));
  EXPECT_TRUE(peer.was_told_the_end());
}

TEST(Tls, speaks_1_2_and_nothing_older) {
  const Certificate certificate("first");
  TestServer server({}, listen_with(certificate));
  EXPECT_EQ(TlsPeer(server.port(), TLS1_2_VERSION).version(), "TLSv1.2");
  EXPECT_FALSE(TlsPeer(server.port(), TLS1_1_VERSION).connected());
  EXPECT_FALSE(TlsPeer(server.port(), 0, "\x02h2").connected());
}

TEST(Tls, refuses_over_tls_what_it_refuses) {
  const Certificate certificate("first");
  TestServer server({.max_connections = 1}, listen_with(certificate), 1);
  TlsPeer first(server.port());
  EXPECT_THAT(first.send("GET /hello HTTP/1.1\r\n\r\n").read_until("}"), HasSubstr("malformed_http"));
  TlsPeer second(server.port());
  EXPECT_THAT(second.read_until("}"), HasSubstr("503"));
}

TEST(Tls, takes_a_new_certificate_for_new_connections) {
  Certificate certificate("first");
  TestServer server({}, listen_with(certificate));
  TlsPeer before(server.port());
  certificate.renew("second");
  ASSERT_TRUE(server.server->reload_tls());
  TlsPeer after(server.port());
  EXPECT_EQ(before.certificate_name(), "first");
  EXPECT_EQ(after.certificate_name(), "second");
  EXPECT_THAT(before.send(get("/hello")).read_until("hello"), HasSubstr("200 OK"));
  EXPECT_THAT(after.send(get("/hello")).read_until("hello"), HasSubstr("200 OK"));
}

TEST(Tls, keeps_the_old_certificate_when_the_new_one_is_no_good) {
  Certificate certificate("first");
  const Certificate other("other");
  TestServer server({}, listen_with(certificate));
  std::ofstream(certificate.key_file()) << std::ifstream(other.key_file()).rdbuf();
  const auto reloaded = server.server->reload_tls();
  ASSERT_FALSE(reloaded);
  EXPECT_EQ(reloaded.error().code, Code::configuration_error);
  EXPECT_THAT(reloaded.error().error, HasSubstr("key"));
  std::ofstream(certificate.certificate_file()) << "no certificate";
  EXPECT_FALSE(server.server->reload_tls());
  EXPECT_EQ(TlsPeer(server.port()).certificate_name(), "first");
}

TEST(Tls, gives_up_on_peers_that_do_not_shake_hands) {
  const Certificate certificate("first");
  TestServer server({.head_timeout = milliseconds(100)}, listen_with(certificate));
  Peer silent(server.port());
  EXPECT_TRUE(silent.is_closed_within(milliseconds(3'000)));
  Peer plain(server.port());
  plain.send(get("/hello"));
  EXPECT_THAT(plain.read_all(), ::testing::Not(HasSubstr("HTTP/1.1")));
  EXPECT_TRUE(eventually([&] { return server.counters().connections_open == 0; }));
  EXPECT_EQ(server.handled(), 0);
}

TEST(Tls, notices_a_peer_that_goes_away) {
  const Certificate certificate("first");
  TestServer server({}, listen_with(certificate));
  {
    TlsPeer peer(server.port());
    peer.send(get("/wait"));
    ASSERT_TRUE(eventually([&] { return server.running() == 1; }));
  }
  EXPECT_TRUE(eventually([&] { return server.running() == 0; }));
  EXPECT_EQ(server.cancelled_for(), static_cast<int>(CancelReason::client_gone));
}

}  // namespace
}  // namespace athena::http
