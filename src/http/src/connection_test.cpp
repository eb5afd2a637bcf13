// How connections begin and end: deadlines, peers that go away, limits, drain, TLS.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <athena/http/server.h>

#include "loopback.h"

namespace athena::http {
namespace {

using namespace http::testing;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

milliseconds since(steady_clock::time_point then) {
  return std::chrono::duration_cast<milliseconds>(steady_clock::now() - then);
}

TEST(Connection, a_head_that_trickles_in_is_given_up) {
  TestServer server({.head_timeout = milliseconds(100)});
  Peer peer(server.port());
  peer.send("GET /hello HTTP/1.1\r\n");
  const auto begin = steady_clock::now();
  const Reply reply = peer.read();
  EXPECT_EQ(reply.status, 408);
  EXPECT_THAT(reply.body, HasSubstr("request_timeout"));
  EXPECT_GE(since(begin).count(), 80);
  EXPECT_EQ(peer.read_all(), "");
  EXPECT_TRUE(eventually([&] { return server.counters().timeouts == 1; }));
}

TEST(Connection, bytes_of_a_head_do_not_extend_its_time) {
  TestServer server({.head_timeout = milliseconds(150)});
  Peer peer(server.port());
  const auto begin = steady_clock::now();
  peer.send("GET /hello HTTP/1.1\r\n");
  while (!peer.is_closed_within(milliseconds(10)) && since(begin).count() < 3'000) peer.send("A");
  EXPECT_LT(since(begin).count(), 1'500);
  EXPECT_EQ(server.handled(), 0);
}

TEST(Connection, a_body_that_stops_is_given_up) {
  TestServer server({.body_timeout = milliseconds(100)});
  for (const char* framing : {"Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\na\r\nhalf",
                              "Content-Length: 100000\r\n\r\nhalf"}) {
    Peer peer(server.port());
    peer.send("POST /echo HTTP/1.1\r\nHost: localhost\r\n" + std::string(framing));
    EXPECT_EQ(peer.read().status, 408);
    EXPECT_EQ(peer.read_all(), "");
  }
  EXPECT_TRUE(eventually([&] { return server.counters().timeouts == 3; }));
}

TEST(Connection, a_body_that_goes_on_slowly_is_read) {
  TestServer server({.body_timeout = milliseconds(500)});
  Peer peer(server.port());
  peer.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n");
  for (const char c : std::string("body")) {
    std::this_thread::sleep_for(milliseconds(30));
    peer.send({&c, 1});
  }
  EXPECT_EQ(peer.read().body, "body");
}

TEST(Connection, an_idle_one_is_closed_silently) {
  TestServer server({.idle_timeout = milliseconds(100)});
  Peer fresh(server.port());
  EXPECT_TRUE(fresh.is_closed_within(milliseconds(3'000)));
  Peer used(server.port());
  EXPECT_EQ(used.send(get("/hello")).read().body, "hello");
  EXPECT_TRUE(used.is_closed_within(milliseconds(3'000)));
  EXPECT_TRUE(eventually([&] { return server.counters().connections_open == 0; }));
  EXPECT_EQ(server.counters().timeouts, 0U);
}

TEST(Connection, a_reader_that_takes_nothing_is_dropped) {
  TestServer server({.write_timeout = milliseconds(100)});
  Peer whole(server.port(), 4'096);
  whole.send(get("/big?50000000"));
  Peer stream(server.port(), 4'096);
  stream.send(get("/stream?1000,100000"));
  EXPECT_TRUE(eventually([&] { return server.handled() == 2 && server.counters().connections_open == 0; }));
  EXPECT_EQ(server.cancelled_for(), static_cast<int>(CancelReason::client_gone));
  EXPECT_LT(server.chunks_flushed(), 1000);
  EXPECT_TRUE(eventually([&] { return server.counters().cut_streams == 1 && server.counters().timeouts == 2; }));
}

TEST(Connection, a_slow_reader_holds_the_handler_back) {
  TestServer server;
  Peer peer(server.port(), 4'096);
  peer.send(get("/stream?400,100000"));
  int flushed = -1;
  EXPECT_TRUE(eventually([&] {
    std::this_thread::sleep_for(milliseconds(50));
    return std::exchange(flushed, server.chunks_flushed()) == server.chunks_flushed();
  }));
  EXPECT_LT(server.chunks_flushed(), 400);
  const Reply reply = peer.read();
  EXPECT_TRUE(reply.complete);
  EXPECT_EQ(reply.body.size(), 40'000'003U);
}

struct Goodbye {
  const char* what;
  void (*say)(Peer&);
};

class GoodbyeTest : public ::testing::TestWithParam<Goodbye> {};

TEST_P(GoodbyeTest, cancels_a_running_request_within_100_ms) {
  TestServer server;
  Peer peer(server.port());
  peer.send(get("/wait"));
  ASSERT_TRUE(eventually([&] { return server.running() == 1; }));
  std::this_thread::sleep_for(milliseconds(30));
  const auto begin = steady_clock::now();
  GetParam().say(peer);
  EXPECT_TRUE(eventually([&] { return server.running() == 0; }));
  EXPECT_LT(since(begin).count(), 100);
  EXPECT_EQ(server.cancelled_for(), static_cast<int>(CancelReason::client_gone));
  EXPECT_TRUE(
      eventually([&] { return server.counters().client_gone == 1 && server.counters().connections_open == 0; }));
}

INSTANTIATE_TEST_SUITE_P(all, GoodbyeTest,
                         ::testing::Values(Goodbye{"closes", [](Peer& peer) { peer.close(); }},
                                           Goodbye{"resets", [](Peer& peer) { peer.reset(); }},
                                           Goodbye{"half-closes", [](Peer& peer) { peer.half_close(); }},
                                           Goodbye{"closes behind pipelined requests",
                                                   [](Peer& peer) {
                                                     peer.send(get("/hello") + get("/hello"));
                                                     peer.close();
                                                   }}),
                         [](const auto& test) {
                           std::string name = test.param.what;
                           for (char& c : name) c = c == ' ' || c == '-' ? '_' : c;
                           return name;
                         });

TEST(Connection, a_half_closed_peer_gets_its_short_answers) {
  TestServer server;
  Peer peer(server.port());
  peer.send(get("/hello") + post("/echo", "body"));
  peer.half_close();
  EXPECT_EQ(peer.read().body, "hello");
  EXPECT_EQ(peer.read().body, "body");
  EXPECT_EQ(peer.read_all(), "");
}

TEST(Connection, goodbyes_at_every_point_leave_nothing_behind) {
  TestServer server;
  const std::string request = post("/echo", std::string(200, 'x'));
  for (const bool reset : {false, true}) {
    for (std::size_t sent = 0; sent <= request.size(); sent += 7) {
      Peer peer(server.port());
      peer.send(request.substr(0, sent));
      if (reset) peer.reset();
    }
    Peer streaming(server.port(), 4'096);
    streaming.send(get("/stream?1000,100000"));
    EXPECT_EQ(streaming.read_some(1'000).size(), 1'000U);
    if (reset) streaming.reset();
  }
  EXPECT_EQ(Peer(server.port()).send(get("/hello")).read().status, 200);
  EXPECT_TRUE(eventually([&] { return server.counters().connections_open == 0 && server.running() == 0; }));
}

TEST(Connection, a_handler_that_throws_ends_its_connection_alone) {
  TestServer server;
  Peer other(server.port());
  EXPECT_EQ(other.send(get("/hello")).read().body, "hello");
  Peer peer(server.port());
  peer.send(get("/hello") + get("/throw") + get("/hello"));
  EXPECT_EQ(peer.read().body, "hello");
  EXPECT_EQ(peer.read_all(), "");
  EXPECT_EQ(other.send(get("/hello")).read().body, "hello");
  EXPECT_TRUE(eventually([&] { return server.counters().handler_failures == 1; }));
}

TEST(Connection, an_aborted_answer_is_seen_to_be_cut) {
  TestServer server;
  Peer before(server.port());
  EXPECT_EQ(before.send(get("/abort?before")).read().status, 0);
  Peer streaming(server.port());
  const Reply reply = streaming.send(get("/abort?streaming")).read();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "some");
  EXPECT_FALSE(reply.complete);
  EXPECT_TRUE(eventually([&] { return server.counters().cut_streams == 1; }));
}

TEST(Connection, one_too_many_is_told_so) {
  TestServer server({.max_connections = 2}, {}, 1);
  Peer first(server.port()), second(server.port());
  EXPECT_EQ(first.send(get("/hello")).read().status, 200);
  EXPECT_EQ(second.send(get("/hello")).read().status, 200);
  Peer third(server.port());
  third.send(get("/hello"));
  const Reply reply = third.read();
  EXPECT_EQ(reply.status, 503);
  EXPECT_THAT(reply.body, HasSubstr("overloaded"));
  EXPECT_EQ(third.read_all(), "");
  EXPECT_EQ(server.counters().connections_refused, 1U);
  third.close();
  first.close();
  EXPECT_TRUE(eventually([&] { return server.counters().connections_open == 1; }));
  Peer fourth(server.port());
  EXPECT_EQ(fourth.send(get("/hello")).read().status, 200);
}

TEST(Connection, accepting_goes_on_when_descriptors_are_free_again) {
  TestServer server({}, {}, 1);
  Peer early(server.port());
  EXPECT_EQ(early.send(get("/hello")).read().status, 200);
  rlimit usual{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &usual), 0);
  const int lowest_free = ::dup(0);
  ::close(lowest_free);
  rlimit few = usual;
  few.rlim_cur = static_cast<rlim_t>(lowest_free) + 1;  // one more: the peer's
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  Peer late(server.port());
  late.send(get("/hello"));
  EXPECT_TRUE(eventually([&] { return server.counters().connections_refused > 0; }));
  EXPECT_EQ(early.send(get("/hello")).read().status, 200);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &usual), 0);
  EXPECT_EQ(late.read().status, 200);
}

TEST(Drain, lets_running_requests_finish_and_closes_the_idle) {
  TestServer server;
  Peer idle(server.port()), busy(server.port());
  EXPECT_EQ(idle.send(get("/hello")).read().status, 200);
  busy.send(get("/sleep?200"));
  ASSERT_TRUE(eventually([&] { return server.running() == 1; }));
  const auto begin = steady_clock::now();
  server.server->drain(milliseconds(5'000));
  EXPECT_LT(since(begin).count(), 2'000);
  EXPECT_EQ(server.running(), 0);
  const Reply reply = busy.read();
  EXPECT_EQ(reply.body, "slept");
  EXPECT_EQ(reply.header("connection"), "close");
  EXPECT_EQ(idle.read_all(), "");
  EXPECT_ANY_THROW(Peer(server.port()));
}

TEST(Drain, cancels_what_outlasts_the_grace) {
  TestServer server;
  Peer peer(server.port());
  peer.send(get("/wait"));
  ASSERT_TRUE(eventually([&] { return server.running() == 1; }));
  server.server->drain(milliseconds(50));
  EXPECT_EQ(server.running(), 0);
  EXPECT_EQ(server.cancelled_for(), static_cast<int>(CancelReason::shutdown));
  const Reply reply = peer.read();
  EXPECT_EQ(reply.status, 503);
  EXPECT_THAT(reply.body, HasSubstr("shutting_down"));
}

TEST(Drain, does_not_wait_for_peers_that_send_or_read_nothing) {
  TestServer server;
  Peer head(server.port()), body(server.port()), reader(server.port(), 4'096);
  head.send("GET /hello HTTP/1.1\r\n");
  body.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf");
  reader.send(get("/stream?1000,100000"));
  ASSERT_TRUE(eventually([&] { return server.running() == 2; }));
  const auto begin = steady_clock::now();
  server.server->drain(milliseconds(50));
  EXPECT_LT(since(begin).count(), 2'000);
  EXPECT_EQ(server.running(), 0);
  EXPECT_EQ(server.counters().connections_open, 0U);
}

TEST(Drain, answers_requests_that_had_arrived) {
  for (int round = 0; round < 20; ++round) {
    TestServer server;
    Peer peer(server.port());
    EXPECT_EQ(peer.send(get("/hello")).read().status, 200);
    peer.send(get("/hello"));
    server.server->drain(milliseconds(1'000));
    EXPECT_EQ(peer.read().status, 200);
  }
}

TEST(Server, goes_away_cleanly_in_any_order) {
  {
    TestServer never_used;
  }
  {
    TestServer server;
    Peer idle(server.port()), head(server.port()), busy(server.port());
    head.send("GET /");
    busy.send(get("/sleep?100000"));
    ASSERT_TRUE(eventually([&] { return server.running() == 1; }));
    server.stop_loops();
  }
  {
    Loop loop;
    TestHandler handler(loop);
    const auto server = Server::open({}, {}, {{&loop, &handler}});
    ASSERT_TRUE(server);
    EXPECT_GT((*server)->port(), 0);
  }
}

TEST(Server, says_why_it_cannot_listen) {
  Loop loop;
  TestHandler handler(loop);
  TestServer server;
  Listen taken;
  taken.port = server.port();
  auto opened = Server::open(taken, {}, {{&loop, &handler}});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::configuration_error);
  EXPECT_THAT(opened.error().error, HasSubstr("in use"));

  Listen nowhere;
  nowhere.host = "no such host";
  opened = Server::open(nowhere, {}, {{&loop, &handler}});
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().error, HasSubstr("cannot be resolved"));

  Listen half;
  half.tls_key_file = "/nonexistent";
  EXPECT_FALSE(Server::open(half, {}, {{&loop, &handler}}));
  EXPECT_FALSE(Server::open({}, {}, {}));
}

TEST(Server, listens_on_names_and_ipv6) {
  for (const char* host : {"localhost", "::", "[::]", "0.0.0.0"}) {
    Listen listen;
    listen.host = host;
    TestServer server({}, listen);
    Peer peer(server.port());
    EXPECT_EQ(peer.send(get("/peer")).read().body, "127.0.0.1 plain") << host;
  }
}

}  // namespace
}  // namespace athena::http
