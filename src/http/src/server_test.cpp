// Requests and answers over a real socket. Life and death of connections: connection_test.cpp.
#include <athena/http/server.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loopback.h"

namespace athena::http {
namespace {

using namespace http::testing;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

struct Smuggled {
  const char* what;
  std::string bytes;
  int status;
};

void PrintTo(const Smuggled& smuggled, std::ostream* out) {
  *out << smuggled.what;
}

class Smuggling : public ::testing::TestWithParam<Smuggled> {};

TEST_P(Smuggling, is_refused_and_nothing_behind_it_is_a_request) {
  TestServer server;
  Peer peer(server.port());
  peer.send(GetParam().bytes + get("/hello") + get("/hello"));
  const Reply reply = peer.read();
  EXPECT_EQ(reply.status, GetParam().status);
  EXPECT_EQ(reply.header("connection"), "close");
  EXPECT_THAT(reply.body, HasSubstr("code"));
  EXPECT_EQ(peer.read_all(), "");
  EXPECT_EQ(server.handled(), 0);
}

std::string with(std::string_view headers, std::string_view body = "") {
  return "POST /echo HTTP/1.1\r\nHost: localhost\r\n" + std::string(headers) + "\r\n" + std::string(body);
}

INSTANTIATE_TEST_SUITE_P(
    all, Smuggling,
    ::testing::Values(
        Smuggled{"CL.TE", with("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG"), 400},
        Smuggled{"TE.CL", with("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "5c\r\n"), 400},
        Smuggled{"TE.TE", with("Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n", "0\r\n\r\n"), 400},
        Smuggled{"TE with a blank", with("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400},
        Smuggled{"TE of another kind", with("Transfer-Encoding: gzip\r\n", "x"), 501},
        Smuggled{"TE with a tab inside", with("Transfer-Encoding: chu\tnked\r\n", "0\r\n\r\n"), 501},
        Smuggled{"TE in 1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        Smuggled{"CL.CL", with("Content-Length: 0\r\nContent-Length: 40\r\n"), 400},
        Smuggled{"CL list", with("Content-Length: 0, 40\r\n"), 400},
        Smuggled{"CL signed", with("Content-Length: +0\r\n"), 400},
        Smuggled{"CL folded", with("Content-Length:\r\n 0\r\n"), 400},
        Smuggled{"CL overflow", with("Content-Length: 18446744073709551616\r\n"), 400},
        Smuggled{"CL beyond the limit", with("Content-Length: 18446744073709551615\r\n"), 413},
        Smuggled{"bare LF", "GET /hello HTTP/1.1\nHost: localhost\n\n", 400},
        Smuggled{"LF between headers", with("A: b\nTransfer-Encoding: chunked\r\n"), 400},
        Smuggled{"bare CR", with("A: b\rTransfer-Encoding: chunked\r\n"), 400},
        Smuggled{"Host twice", with("Host: other\r\n"), 400}, Smuggled{"no Host", "GET /hello HTTP/1.1\r\n\r\n", 400},
        Smuggled{"another host in the target", "GET http://a/hello HTTP/1.1\r\nHost: b\r\n\r\n", 400},
        Smuggled{"NUL", with(std::string("A: \0\r\n", 6)), 400},
        Smuggled{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        Smuggled{"expectation", with("Expect: 200-ok\r\n"), 417},
        Smuggled{"long target", "GET /" + std::string(9'000, 'a') + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414},
        Smuggled{"large head", with("A: " + std::string(33'000, 'a') + "\r\n"), 431}));

TEST(Server, refuses_chunks_that_are_not_valid_and_reads_no_request_behind_them) {
  TestServer server;
  for (const char* chunks : {"3\nabc\n0\n\n", "3\r\nabcd\r\n0\r\n\r\n", "x\r\n", "0x3\r\nabc\r\n0\r\n\r\n",
                             "3 ;a\r\nabc\r\n0\r\n\r\n", "fffffffffffffffff\r\n"}) {
    Peer peer(server.port());
    peer.send(with("Transfer-Encoding: chunked\r\n", chunks) + get("/hello"));
    EXPECT_EQ(peer.read().status, 400) << chunks;
    EXPECT_EQ(peer.read_all(), "");
  }
}

TEST(Server, refuses_a_body_over_the_limit_while_it_is_still_sent) {
  TestServer server({.max_body_bytes = 1'000});
  Peer declared(server.port());
  declared.send(post("/echo", std::string(3'000'000, 'x')));
  EXPECT_EQ(declared.read().status, 413);
  EXPECT_EQ(declared.read_all(), "");

  Peer chunked(server.port());
  chunked.send(with("Transfer-Encoding: chunked\r\n", "2dc6c0\r\n" + std::string(3'000'000, 'x')));
  EXPECT_EQ(chunked.read().status, 413);
  EXPECT_EQ(chunked.read_all(), "");
  EXPECT_TRUE(eventually([&] { return server.counters().connections_open == 0; }));
}

TEST(Server, answers_a_head_that_ends_early) {
  TestServer server;
  Peer peer(server.port());
  peer.send("GET /hello HT");
  peer.half_close();
  EXPECT_EQ(peer.read().status, 400);
  EXPECT_TRUE(eventually([&] { return server.counters().refused_by_parser == 1; }));
}

TEST(Server, answers_with_its_own_headers_around_those_of_the_handler) {
  TestServer server;
  Peer peer(server.port());
  const Reply reply = peer.send(get("/hello")).read();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "hello");
  EXPECT_EQ(reply.header("server"), "athena");
  EXPECT_THAT(reply.header("date"), MatchesRegex("[A-Z][a-z]+, [0-9]+ [A-Z][a-z]+ 20[0-9]+ [0-9:]+ GMT"));
  EXPECT_EQ(reply.header("content-type"), "text/plain");
  EXPECT_EQ(reply.header("content-length"), "5");
  EXPECT_EQ(reply.headers.count("connection"), 0U);
  EXPECT_EQ(peer.send(get("/peer")).read().body, "127.0.0.1 plain");
}

TEST(Server, keeps_line_ends_and_its_own_names_out_of_added_headers) {
  TestServer server;
  Peer peer(server.port());
  const Reply reply = peer.send(get("/split-header")).read();
  EXPECT_EQ(reply.header("x-split"), "a  X-Injected: b");
  EXPECT_EQ(reply.headers.count("x-injected"), 0U);
  EXPECT_EQ(reply.header("content-length"), "0");
  EXPECT_EQ(reply.headers.count("connection"), 0U);
}

TEST(Server, starts_an_answer_over_when_the_handler_resets_it) {
  TestServer server;
  Peer peer(server.port());
  const Reply reply = peer.send(get("/late-failure")).read();
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(reply.headers.count("x-early"), 0U);
  EXPECT_EQ(reply.body, "{\"code\":\"database_error\"}");
}

TEST(Server, reads_a_request_that_comes_byte_by_byte) {
  TestServer server;
  Peer peer(server.port());
  for (const char c : post("/echo", "body")) peer.send({&c, 1});
  EXPECT_EQ(peer.read().body, "body");
}

TEST(Server, reads_requests_split_at_every_boundary) {
  TestServer server;
  const std::string requests = post("/echo", "one") +
                               with("Transfer-Encoding: chunked\r\n", "2\r\ntw\r\n1;x\r\no\r\n0\r\nT: t\r\n\r\n") +
                               get("/hello");
  Peer peer(server.port());
  for (std::size_t split = 1; split < requests.size(); ++split) {
    peer.send(requests.substr(0, split));
    if (split % 3 == 0) std::this_thread::yield();
    peer.send(requests.substr(split));
    EXPECT_EQ(peer.read().body, "one") << split;
    EXPECT_EQ(peer.read().body, "two") << split;
    EXPECT_EQ(peer.read().body, "hello") << split;
  }
}

TEST(Server, answers_a_hundred_pipelined_requests_in_order) {
  TestServer server;
  Peer peer(server.port());
  std::string requests;
  for (int i = 0; i < 100; ++i) requests += post("/echo", "number " + std::to_string(i));
  peer.send(requests);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(peer.read().body, "number " + std::to_string(i));
}

TEST(Server, does_not_hold_back_an_answer_for_a_slow_request_behind_it) {
  TestServer server;
  Peer peer(server.port());
  peer.send(get("/hello") + get("/wait"));
  EXPECT_EQ(peer.read().body, "hello");
  EXPECT_EQ(server.running(), 1);
}

/// Asks one by one, so that each answer goes out at the end of a turn in which nothing else is asked on the connection,
/// and reads nothing. Returns after `most` requests, or as soon as the server handles no more.
int ask_without_reading(TestServer& server, Peer& peer, std::string_view request, int most) {
  const int before = server.handled();
  for (int sent = 1; sent <= most; ++sent) {
    peer.send(request);
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
    while (server.handled() - before < sent) {
      if (std::chrono::steady_clock::now() > end) return sent;
      std::this_thread::yield();
    }
  }
  return most;
}

TEST(Server, short_answers_that_a_slow_reader_leaves_lying_are_all_sent) {
  TestServer server;
  const std::string body(3'000, 'x'), request = post("/echo", body);
  int fill = 0;
  {
    Peer peer(server.port(), 4'096);
    fill = ask_without_reading(server, peer, request, 20'000);
    ASSERT_LT(fill, 20'000) << "the socket never filled up";
    for (int i = 0; i < fill; ++i) ASSERT_EQ(peer.read().body.size(), body.size()) << i;
  }
  // Of these, one ends with the very answer that does not fit any more: nothing that comes later pushes its rest out.
  for (int requests = std::max(1, fill - 12); requests <= fill; ++requests) {
    Peer peer(server.port(), 4'096);
    const int sent = ask_without_reading(server, peer, request, requests);
    for (int i = 0; i < sent; ++i) ASSERT_EQ(peer.read().body.size(), body.size()) << i << " of " << sent;
  }
}

TEST(Server, answers_large_bodies_behind_each_other) {
  TestServer server;
  Peer peer(server.port());
  peer.send(get("/big?300000") + get("/hello") + get("/big?5000") + get("/hello"));
  EXPECT_EQ(peer.read().body.size(), 300'000U);
  EXPECT_EQ(peer.read().body, "hello");
  EXPECT_EQ(peer.read().body.size(), 5'000U);
  EXPECT_EQ(peer.read().body, "hello");
}

TEST(Server, reads_bodies_of_every_size) {
  TestServer server;
  Peer peer(server.port());
  for (const std::size_t size : {0, 1, 4'000, 4'096, 5'000, 70'000, 2'000'000}) {
    const std::string body(size, 'x');
    peer.send(post("/echo", body));
    EXPECT_EQ(peer.read().body, body);
    std::string chunked = with("Transfer-Encoding: chunked\r\n");
    for (std::size_t at = 0; at < size; at += 7'000) {
      const std::string chunk = body.substr(at, 7'000);
      char digits[16];
      char* end = std::to_chars(digits, digits + sizeof digits, chunk.size(), 16).ptr;
      chunked += std::string(digits, end) + "\r\n" + chunk + "\r\n";
    }
    peer.send(chunked + "0\r\n\r\n" + get("/hello"));
    EXPECT_EQ(peer.read().body, body);
    EXPECT_EQ(peer.read().body, "hello");
  }
}

TEST(Server, closes_when_either_side_asks_for_it) {
  TestServer server;
  Peer asking(server.port());
  EXPECT_EQ(asking.send(get("/hello", "Connection: close\r\n")).read().header("connection"), "close");
  EXPECT_TRUE(asking.is_closed_within(milliseconds(2'000)));
  Peer asked(server.port());
  EXPECT_EQ(asked.send(get("/close")).read().header("connection"), "close");
  EXPECT_TRUE(asked.is_closed_within(milliseconds(2'000)));
}

TEST(Server, speaks_http_1_0) {
  TestServer server;
  Peer peer(server.port());
  peer.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  Reply reply = peer.read();
  EXPECT_EQ(reply.body, "hello");
  EXPECT_EQ(reply.header("connection"), "keep-alive");
  peer.send("GET /stream?3,1000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  reply = peer.read();
  EXPECT_EQ(reply.header("connection"), "close");
  EXPECT_EQ(reply.headers.count("transfer-encoding"), 0U);
  EXPECT_EQ(reply.body.size(), 3'003U);
}

TEST(Server, answers_head_without_a_body) {
  TestServer server;
  Peer peer(server.port());
  const std::string host = " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  Reply reply = peer.send("HEAD /hello" + host).read(true);
  EXPECT_EQ(reply.header("content-length"), "5");
  reply = peer.send("HEAD /stream?3,1000" + host).read(true);
  EXPECT_EQ(reply.header("transfer-encoding"), "chunked");
  reply = peer.send("HEAD /big?100000" + host).read(true);
  EXPECT_EQ(reply.header("content-length"), "100000");
  EXPECT_EQ(peer.send(get("/hello")).read().body, "hello");
}

TEST(Server, sends_no_body_where_there_is_none) {
  TestServer server;
  Peer peer(server.port());
  EXPECT_EQ(peer.send(get("/status?204")).read().headers.count("content-length"), 0U);
  EXPECT_EQ(peer.send(get("/status?304")).read().status, 304);
  EXPECT_EQ(peer.send(get("/status?201")).read().body, "text");
}

TEST(Server, streams_chunks) {
  TestServer server;
  Peer peer(server.port());
  const Reply reply = peer.send(get("/stream?5,100000")).read();
  EXPECT_TRUE(reply.complete);
  EXPECT_EQ(reply.header("transfer-encoding"), "chunked");
  EXPECT_EQ(reply.headers.count("content-length"), 0U);
  EXPECT_EQ(reply.body.size(), 500'003U);
  EXPECT_EQ(peer.send(get("/stream?0,0")).read().body, "end");
}

TEST(Server, invites_a_body_when_the_handler_reads_it) {
  TestServer server;
  Peer peer(server.port());
  peer.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(peer.read().status, 100);
  peer.send("body");
  EXPECT_EQ(peer.read().body, "body");
  EXPECT_EQ(peer.send(get("/hello")).read().body, "hello");
}

TEST(Server, does_not_invite_a_body_that_is_not_read_or_already_there) {
  TestServer server;
  Peer unwanted(server.port());
  unwanted.send("POST /ignore HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  const Reply reply = unwanted.read();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.header("connection"), "close");
  unwanted.send(get("/hello"));
  EXPECT_EQ(unwanted.read_all(), "");

  Peer present(server.port());
  present.send(post("/echo", "body", "Expect: 100-continue\r\n"));
  EXPECT_EQ(present.read().status, 200);
}

TEST(Server, passes_over_a_short_body_that_is_there) {
  TestServer server;
  Peer peer(server.port());
  peer.send(post("/ignore", std::string(3'000, 'x')) + get("/hello"));
  EXPECT_EQ(peer.read().body, "ignored");
  EXPECT_EQ(peer.read().body, "hello");
  peer.send(with("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n").replace(6, 4, "ignore") + get("/hello"));
  EXPECT_EQ(peer.read().body, "ignored");
  EXPECT_EQ(peer.read().body, "hello");
}

TEST(Server, closes_rather_than_read_a_long_body_for_nothing) {
  TestServer server;
  Peer peer(server.port());
  peer.send(post("/ignore", std::string(5'000'000, 'x')));
  const Reply reply = peer.read();
  EXPECT_EQ(reply.body, "ignored");
  EXPECT_EQ(reply.header("connection"), "close");
  EXPECT_EQ(peer.read_all(), "");
}

TEST(Server, never_takes_an_unread_body_for_a_request) {
  TestServer server;
  Peer peer(server.port());
  peer.send("POST /ignore HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + get("/hello"));
  EXPECT_EQ(peer.read().body, "ignored");
  peer.half_close();
  EXPECT_EQ(peer.read_all(), "");
  EXPECT_EQ(server.handled(), 1);
}

TEST(Server, compresses_what_is_large_for_those_who_ask) {
  TestServer server;
  Peer peer(server.port());
  for (const char* coding : {"gzip", "br", "zstd"}) {
    const Reply reply = peer.send(get("/big?100000", "Accept-Encoding: " + std::string(coding) + "\r\n")).read();
    EXPECT_EQ(reply.header("content-encoding"), coding);
    EXPECT_EQ(reply.header("vary"), "Accept-Encoding");
    EXPECT_EQ(reply.header("etag"), "W/\"v1\"");
    EXPECT_LT(reply.body.size(), 30'000U);
  }
  const Reply plain = peer.send(get("/big?100000")).read();
  EXPECT_EQ(plain.headers.count("content-encoding"), 0U);
  EXPECT_EQ(plain.header("vary"), "Accept-Encoding");
  EXPECT_EQ(plain.header("etag"), "\"v1\"");
  const Reply small = peer.send(get("/big?1399", "Accept-Encoding: gzip\r\n")).read();
  EXPECT_EQ(small.headers.count("content-encoding"), 0U);
  EXPECT_EQ(small.headers.count("vary"), 0U);
}

TEST(Server, says_of_a_compressed_answer_the_same_for_head) {
  TestServer server;
  Peer peer(server.port());
  const Reply got = peer.send(get("/big?100000", "Accept-Encoding: gzip\r\n")).read();
  const Reply head = peer.send("HEAD /big?100000 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n").read(true);
  EXPECT_EQ(head.header("content-length"), got.header("content-length"));
  EXPECT_EQ(head.header("content-encoding"), "gzip");
  EXPECT_EQ(head.header("etag"), got.header("etag"));
}

TEST(Server, compresses_streams_so_that_each_chunk_can_be_read_at_once) {
  TestServer server;
  Peer peer(server.port());
  for (const char* coding : {"gzip", "br", "zstd"}) {
    const Reply reply = peer.send(get("/stream?5,10000", "Accept-Encoding: " + std::string(coding) + "\r\n")).read();
    EXPECT_TRUE(reply.complete);
    EXPECT_EQ(reply.header("content-encoding"), coding);
    EXPECT_LT(reply.body.size(), 30'000U);
  }
}

}  // namespace
}  // namespace athena::http
