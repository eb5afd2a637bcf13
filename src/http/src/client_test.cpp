#include <athena/http/client.h>

#include <cstdlib>
#include <future>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include "certificate.h"
#include "loopback.h"

namespace athena::http {
namespace {

using namespace http::testing;

/// A client on a loop of its own.
class ClientTest : public ::testing::Test {
 protected:
  ClientTest() : client(Client::create(loop)), thread_([this] { loop.run(); }) {}
  ~ClientTest() override {
    on_loop([this] { client.reset(); });
    loop.stop();
    thread_.join();
  }

  std::future<Result<ClientResponse>> begin(ClientRequest request) {
    return asio::co_spawn(loop.executor(), client->send(std::move(request), &cancellation), asio::use_future);
  }
  Result<ClientResponse> send(ClientRequest request) { return begin(std::move(request)).get(); }
  ClientRequest to(std::string_view path) const {
    ClientRequest request;
    request.url = "http://127.0.0.1:" + std::to_string(server.port()) + std::string(path);
    return request;
  }
  template <class Step>
  void on_loop(Step step) {
    std::promise<void> done;
    asio::post(loop.executor(), [&] {
      step();
      done.set_value();
    });
    done.get_future().wait();
  }

  TestServer server;
  Loop loop;
  Cancellation cancellation;
  std::unique_ptr<Client> client;

 private:
  std::thread thread_;
};

TEST_F(ClientTest, gets_status_headers_and_body) {
  const auto response = send(to("/hello"));
  ASSERT_TRUE(response) << response.error().log_detail;
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "hello");
  EXPECT_THAT(response->headers,
              ::testing::Contains(std::pair<std::string, std::string>("content-type", "text/plain")));
  EXPECT_THAT(response->headers, ::testing::Contains(std::pair<std::string, std::string>("server", "athena")));
  EXPECT_EQ(send(to("/nowhere"))->status, 404);
}

TEST_F(ClientTest, sends_bodies_with_any_method) {
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE"}) {
    for (const std::size_t size : {0, 10, 3'000'000}) {
      ClientRequest request = to("/echo");
      request.method = method;
      request.body = std::string(size, 'x');
      request.headers = {{"Content-Type", "text/plain"}, {"X-Empty", ""}};
      const auto response = send(request);
      ASSERT_TRUE(response) << response.error().log_detail;
      EXPECT_EQ(response->body, request.body) << method;
    }
  }
  ClientRequest head = to("/hello");
  head.method = "HEAD";
  EXPECT_EQ(send(head)->body, "");
}

TEST_F(ClientTest, reuses_connections) {
  for (int i = 0; i < 10; ++i) EXPECT_EQ(send(to("/hello"))->body, "hello");
  EXPECT_EQ(server.counters().connections_accepted, 1U);
}

TEST_F(ClientTest, sends_many_requests_at_once) {
  std::vector<std::future<Result<ClientResponse>>> responses;
  std::vector<std::unique_ptr<Cancellation>> cancellations;  // one for each: they wait at the same time
  for (int i = 0; i < 50; ++i) {
    cancellations.push_back(std::make_unique<Cancellation>());
    responses.push_back(asio::co_spawn(
        loop.executor(), client->send(to("/stream?10,10000"), cancellations.back().get()), asio::use_future));
  }
  for (auto& response : responses) EXPECT_EQ(response.get()->body.size(), 100'003U);
}

TEST_F(ClientTest, reads_chunks_and_bounds_them) {
  EXPECT_EQ(send(to("/stream?10,1000"))->body.size(), 10'003U);
  for (const char* path : {"/stream?10,1000", "/big?10003"}) {
    ClientRequest request = to(path);
    request.max_body_bytes = 10'003;
    EXPECT_EQ(send(request)->body.size(), 10'003U);
    request.max_body_bytes = 10'002;
    const auto response = send(request);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Code::result_too_large);
  }
}

TEST_F(ClientTest, gives_up_at_its_deadline) {
  ClientRequest request = to("/sleep?2000");
  request.timeout = milliseconds(50);
  const auto response = send(request);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::deadline_exceeded);
  EXPECT_EQ(send(to("/hello"))->body, "hello");
}

TEST_F(ClientTest, says_when_nobody_answers) {
  ClientRequest request;
  request.url = "http://127.0.0.1:1/";
  EXPECT_EQ(send(request).error().code, Code::database_unavailable);
  request.url = "http://no-such-host.invalid/";
  EXPECT_EQ(send(request).error().code, Code::database_unavailable);
  EXPECT_EQ(send(to("/throw")).error().code, Code::database_unavailable);
  EXPECT_EQ(send(to("/abort?streaming")).error().code, Code::database_unavailable);
}

TEST_F(ClientTest, ends_at_once_when_cancelled) {
  auto response = begin(to("/wait"));
  ASSERT_TRUE(eventually([&] { return server.running() == 1; }));
  on_loop([this] { cancellation.cancel(CancelReason::client_gone); });
  EXPECT_EQ(response.get().error().code, Code::cancelled);
  EXPECT_TRUE(eventually([&] { return server.running() == 0; }));
  EXPECT_EQ(begin(to("/hello")).get().error().code, Code::cancelled);
}

TEST_F(ClientTest, wakes_everyone_when_it_goes) {
  auto response = begin(to("/wait"));
  ASSERT_TRUE(eventually([&] { return server.running() == 1; }));
  on_loop([this] { client.reset(); });
  EXPECT_EQ(response.get().error().code, Code::cancelled);
}

TEST_F(ClientTest, says_whether_a_request_has_left) {
  bool sent = false;
  ClientRequest request;
  request.sent = &sent;
  request.url = "http://127.0.0.1:1/";
  EXPECT_FALSE(send(request).has_value());
  EXPECT_FALSE(sent);
  request.url = to("/throw").url;
  EXPECT_FALSE(send(request).has_value());
  EXPECT_TRUE(sent);
}

TEST_F(ClientTest, sends_what_may_not_be_repeated_once) {
  EXPECT_EQ(send(to("/hello"))->body, "hello");  // leaves a kept connection
  ClientRequest request = to("/throw");
  request.may_repeat = false;
  const auto once = send(request);
  ASSERT_FALSE(once);
  EXPECT_EQ(once.error().code, Code::database_unavailable);
  EXPECT_EQ(server.handled(), 2);
}

TEST_F(ClientTest, does_not_follow_redirects) {
  EXPECT_EQ(send(to("/redirect"))->status, 302);
  EXPECT_EQ(server.handled(), 1);
}

TEST_F(ClientTest, connects_to_the_pinned_address_alone) {
  ClientRequest request;
  request.url = "http://no-such-host.invalid:" + std::to_string(server.port()) + "/hello";
  request.pinned_address = "no-such-host.invalid:" + std::to_string(server.port()) + ":127.0.0.1";
  const auto response = send(request);
  ASSERT_TRUE(response) << response.error().log_detail;
  EXPECT_EQ(response->body, "hello");

  request = to("/hello");  // there is a connection to the right one: it may not be reused
  EXPECT_EQ(send(request)->body, "hello");
  request.pinned_address = "127.0.0.1:" + std::to_string(server.port()) + ":127.0.0.2";
  const std::uint64_t accepted = server.counters().connections_accepted;
  EXPECT_FALSE(send(request).has_value());  // the server listens on 127.0.0.1 only
  EXPECT_EQ(server.counters().connections_accepted, accepted);
  for (const char* nonsense : {"a", "a:1", "a:1:", "a:1:127.0.0.1,127.0.0.2"}) {
    request.pinned_address = nonsense;
    EXPECT_EQ(send(request).error().code, Code::configuration_error) << nonsense;
  }
}

TEST_F(ClientTest, sends_nothing_that_would_be_read_as_something_else) {
  ClientRequest request = to("/hello");
  request.headers = {{"X-A", "b\r\nX-Injected: c"}};
  EXPECT_EQ(send(request).error().code, Code::configuration_error);
  request.headers.clear();
  request.method = "GET / HTTP/1.1\r\nX: y";
  EXPECT_EQ(send(request).error().code, Code::configuration_error);
  request = to("/hello");
  request.url = "file:///etc/passwd";
  EXPECT_EQ(send(request).error().code, Code::configuration_error);
  EXPECT_EQ(server.handled(), 0);
}

TEST_F(ClientTest, ignores_proxies_of_the_environment) {
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  EXPECT_EQ(send(to("/hello"))->body, "hello");
  ::unsetenv("http_proxy");
}

TEST_F(ClientTest, trusts_no_certificate_that_nobody_signed) {
  const Certificate certificate("localhost");
  Listen listen;
  listen.tls_certificate_file = certificate.certificate_file();
  listen.tls_key_file = certificate.key_file();
  TestServer secure({}, listen);
  ClientRequest request;
  request.url = "https://localhost:" + std::to_string(secure.port()) + "/hello";
  const auto response = send(request);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::database_unavailable);
  EXPECT_THAT(response.error().log_detail, ::testing::HasSubstr("certificate"));
  EXPECT_EQ(secure.handled(), 0);
}

}  // namespace
}  // namespace athena::http
