#include "parser.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chunked.h"

namespace athena::http {
namespace {

using State = HeadParser::State;

struct Refusal {
  const char* what;
  std::string bytes;
  Code code;
  const char* text;
};

void PrintTo(const Refusal& refusal, std::ostream* out) {
  *out << refusal.what;
}

const std::string kHost = "Host: example.org\r\n";

HeadLimits small_limits() {
  return {.max_head_bytes = 512, .max_target_bytes = 64, .max_headers = 8};
}

class Refused : public testing::TestWithParam<Refusal> {};

TEST_P(Refused, with_its_code_and_reason_however_it_arrives) {
  HeadParser whole(small_limits());
  EXPECT_EQ(whole.feed(GetParam().bytes), State::refused);
  EXPECT_EQ(whole.error().code, GetParam().code) << whole.error().error;
  EXPECT_THAT(whole.error().error, testing::HasSubstr(GetParam().text));

  HeadParser bytewise(small_limits());
  State state = State::incomplete;
  for (std::size_t n = 1; n <= GetParam().bytes.size() && state == State::incomplete; ++n) {
    const std::string so_far = GetParam().bytes.substr(0, n);  // each time somewhere else in memory
    state = bytewise.feed(so_far);
  }
  EXPECT_EQ(state, State::refused);
  EXPECT_EQ(bytewise.error().error, whole.error().error);
}

std::string get(std::string_view headers) {
  return "GET / HTTP/1.1\r\n" + kHost + std::string(headers) + "\r\n";
}

INSTANTIATE_TEST_SUITE_P(
    request_line, Refused,
    testing::Values(
        Refusal{"a TLS greeting", std::string("\x16\x03\x01\x02", 4), Code::malformed_http, "does not begin"},
        Refusal{"a blank first", " GET / HTTP/1.1\r\n\r\n", Code::malformed_http, "does not begin"},
        Refusal{"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\n\r\n", Code::malformed_http, "no request line"},
        Refusal{"a bare LF", "GET / HTTP/1.1\nHost: a\r\n\r\n", Code::malformed_http, "CR LF"},
        Refusal{"a bare LF alone", "\nGET / HTTP/1.1\r\n\r\n", Code::malformed_http, "does not begin"},
        Refusal{"a bare CR", "GET / HTTP/1.1\rHost: a\r\n\r\n", Code::malformed_http, "not 'method target"},
        Refusal{"a CR twice", "GET / HTTP/1.1\r\r\n\r\n", Code::malformed_http, "not 'method target"},
        Refusal{"HTTP/0.9", "GET /\r\n\r\n", Code::malformed_http, "not 'method target"},
        Refusal{"no method", "/ HTTP/1.1\r\n\r\n", Code::malformed_http, "does not begin with a method"},
        Refusal{"a method of other bytes", "G(T / HTTP/1.1\r\n\r\n", Code::malformed_http,
                "does not begin with a method"},
        Refusal{"a long method", std::string(33, 'A') + " / HTTP/1.1\r\n\r\n", Code::malformed_http, "method"},
        Refusal{"two blanks", "GET  / HTTP/1.1\r\n\r\n", Code::malformed_http, "percent-encoded"},
        Refusal{"a blank in the target", "GET /a b HTTP/1.1\r\n\r\n", Code::malformed_http, "percent-encoded"},
        Refusal{"a tab in the target", "GET /a\tb HTTP/1.1\r\n\r\n", Code::malformed_http, "percent-encoded"},
        Refusal{"a fragment", "GET /a#b HTTP/1.1\r\n\r\n", Code::malformed_http, "percent-encoded"},
        Refusal{"NUL in the target", std::string("GET /a\0b HTTP/1.1\r\n\r\n", 21), Code::malformed_http,
                "percent-encoded"},
        Refusal{"raw UTF-8", "GET /\xc3\xa4 HTTP/1.1\r\n\r\n", Code::malformed_http, "percent-encoded"},
        Refusal{"no path", "GET example.org HTTP/1.1\r\n\r\n", Code::malformed_http, "neither a path"},
        Refusal{"an authority", "CONNECT example.org:443 HTTP/1.1\r\n\r\n", Code::malformed_http, "neither a path"},
        Refusal{"another scheme", "GET ftp://example.org/ HTTP/1.1\r\n\r\n", Code::malformed_http, "neither a path"},
        Refusal{"an asterisk for GET", "GET * HTTP/1.1\r\n\r\n", Code::malformed_http, "OPTIONS"},
        Refusal{"no host in the URI", "GET http:///a HTTP/1.1\r\n\r\n", Code::malformed_http, "authority"},
        Refusal{"a user in the URI", "GET http://me@example.org/ HTTP/1.1\r\n" + kHost + "\r\n", Code::malformed_http,
                "authority"},
        Refusal{"another host in the URI", "GET http://example.com/ HTTP/1.1\r\n" + kHost + "\r\n",
                Code::malformed_http, "different hosts"},
        Refusal{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Code::http_version_not_supported, "HTTP/1.1"},
        Refusal{"HTTP/1.2", "GET / HTTP/1.2\r\n\r\n", Code::http_version_not_supported, "HTTP/1.1"},
        Refusal{"lower case", "GET / http/1.1\r\n\r\n", Code::malformed_http, "version"},
        Refusal{"no minor version", "GET / HTTP/1\r\n\r\n", Code::malformed_http, ""},
        Refusal{"a long target", "GET /" + std::string(64, 'a') + " HTTP/1.1\r\n\r\n", Code::uri_too_long, "target"},
        Refusal{"a line without end", "GET /" + std::string(200, 'a'), Code::uri_too_long, "request line"}));

INSTANTIATE_TEST_SUITE_P(
    headers, Refused,
    testing::Values(
        Refusal{"a bare LF", get("A: b\nC: d\r\n"), Code::malformed_http, "CR LF"},
        Refusal{"a bare LF at the end", "GET / HTTP/1.1\r\n" + kHost + "\n", Code::malformed_http, "CR LF"},
        Refusal{"a bare CR", get("A: b\rC: d\r\n"), Code::malformed_http, "control byte"},
        Refusal{"a folded line", get("A: b\r\n c\r\n"), Code::malformed_http, "folded"},
        Refusal{"a line folded by a tab", get("A: b\r\n\tc\r\n"), Code::malformed_http, "folded"},
        Refusal{"a fold before the first", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", Code::malformed_http, "folded"},
        Refusal{"a blank before the colon", get("A : b\r\n"), Code::malformed_http, "colon"},
        Refusal{"no colon", get("A\r\n"), Code::malformed_http, "colon"},
        Refusal{"no name", get(": b\r\n"), Code::malformed_http, "valid name"},
        Refusal{"a name of other bytes", get("A(: b\r\n"), Code::malformed_http, "colon"},
        Refusal{"a name beyond ASCII", get("\xc3\xa4: b\r\n"), Code::malformed_http, "valid name"},
        Refusal{"NUL in a name", get(std::string("A\0: b\r\n", 7)), Code::malformed_http, "colon"},
        Refusal{"NUL in a value", get(std::string("A: b\0c\r\n", 8)), Code::malformed_http, "control byte"},
        Refusal{"DEL in a value", get("A: b\x7f\r\n"), Code::malformed_http, "control byte"},
        Refusal{"a control byte in a long value",
                get("A: 0123456789012345678901234567890\x01"
                    "23\r\n"),
                Code::malformed_http, "control byte"},
        Refusal{"no Host", "GET / HTTP/1.1\r\n\r\n", Code::malformed_http, "Host header is missing"},
        Refusal{"Host twice", get(kHost), Code::malformed_http, "more than one Host"},
        Refusal{"an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", Code::malformed_http, "Host header is not valid"},
        Refusal{"a list of hosts", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", Code::malformed_http,
                "Host header is not valid"},
        Refusal{"a path in Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", Code::malformed_http,
                "Host header is not valid"},
        Refusal{"too many", get("A: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\n"),
                Code::headers_too_large, "too many"},
        Refusal{"too large", get("A: " + std::string(500, 'b') + "\r\n"), Code::headers_too_large, "too large"},
        Refusal{"without end", get("").substr(0, get("").size() - 2) + std::string(600, 'b'), Code::headers_too_large,
                "too large"}));

INSTANTIATE_TEST_SUITE_P(
    framing, Refused,
    testing::Values(
        Refusal{"both", get("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), Code::malformed_http, "exclude"},
        Refusal{"both, turned round", get("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), Code::malformed_http,
                "exclude"},
        Refusal{"two lengths", get("Content-Length: 3\r\nContent-Length: 4\r\n"), Code::malformed_http,
                "more than one Content-Length"},
        Refusal{"two equal lengths", get("Content-Length: 3\r\ncontent-length: 3\r\n"), Code::malformed_http,
                "more than one Content-Length"},
        Refusal{"a list of lengths", get("Content-Length: 3, 3\r\n"), Code::malformed_http, "not a number"},
        Refusal{"a signed length", get("Content-Length: +3\r\n"), Code::malformed_http, "not a number"},
        Refusal{"a negative length", get("Content-Length: -3\r\n"), Code::malformed_http, "not a number"},
        Refusal{"a length in hex", get("Content-Length: 0x3\r\n"), Code::malformed_http, "not a number"},
        Refusal{"no length", get("Content-Length: \r\n"), Code::malformed_http, "not a number"},
        Refusal{"an endless length", get("Content-Length: 18446744073709551616\r\n"), Code::malformed_http, "counted"},
        Refusal{"gzip", get("Transfer-Encoding: gzip\r\n"), Code::transfer_coding_not_implemented, "chunked"},
        Refusal{"gzip, chunked", get("Transfer-Encoding: gzip, chunked\r\n"), Code::transfer_coding_not_implemented,
                "chunked"},
        Refusal{"chunked, identity", get("Transfer-Encoding: chunked, identity\r\n"),
                Code::transfer_coding_not_implemented, "chunked"},
        Refusal{"xchunked", get("Transfer-Encoding: xchunked\r\n"), Code::transfer_coding_not_implemented, "chunked"},
        Refusal{"a vertical tab",
                get("Transfer-Encoding: \x0b"
                    "chunked\r\n"),
                Code::malformed_http, "control byte"},
        Refusal{"twice", get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), Code::malformed_http,
                "more than one Transfer-Encoding"},
        Refusal{"a blank before the colon", get("Transfer-Encoding : chunked\r\n"), Code::malformed_http, "colon"},
        Refusal{"in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Code::malformed_http,
                "HTTP/1.0"},
        Refusal{"another expectation", get("Expect: miracles\r\n"), Code::expectation_failed, "100-continue"},
        Refusal{"two expectations", get("Expect: 100-continue\r\nExpect: 100-continue\r\n"), Code::expectation_failed,
                "100-continue"}));

RequestHead parse(HeadParser& parser, std::string_view bytes) {
  EXPECT_EQ(parser.feed(bytes), State::complete) << parser.error().error;
  return parser.head();
}

TEST(HeadParser, reads_line_and_headers_as_views) {
  HeadParser parser({});
  const std::string bytes =
      "POST /gateway/fetch?a=b&c HTTP/1.1\r\nhOST: example.org:8080\r\nX-Empty:\r\nX-Blank: \t v w \t\r\n"
      "Content-Length: 5\r\n\r\nhello";
  const RequestHead head = parse(parser, bytes);
  EXPECT_EQ(head.method, Method::post);
  EXPECT_EQ(head.method_text, "POST");
  EXPECT_EQ(head.target, "/gateway/fetch?a=b&c");
  EXPECT_EQ(head.path, "/gateway/fetch");
  EXPECT_EQ(head.query, "a=b&c");
  EXPECT_EQ(head.minor_version, 1);
  ASSERT_EQ(head.headers.size(), 4U);
  EXPECT_EQ(head.find("host"), "example.org:8080");
  EXPECT_EQ(head.find("x-empty"), "");
  EXPECT_EQ(head.find("X-BLANK"), "v w");
  EXPECT_EQ(head.find("missing"), std::nullopt);
  EXPECT_EQ(head.count("x-blank"), 1U);
  EXPECT_EQ(head.headers[0].name, "hOST");
  EXPECT_EQ(parser.framing(), Framing::length);
  EXPECT_EQ(parser.content_length(), 5U);
  EXPECT_EQ(parser.size(), bytes.size() - 5);
  EXPECT_TRUE(parser.keep_alive());
}

TEST(HeadParser, forgives_one_empty_line_before_a_request) {
  HeadParser parser({});
  EXPECT_EQ(parse(parser, "\r\n" + get("")).path, "/");
  EXPECT_EQ(parser.size(), get("").size() + 2);
}

TEST(HeadParser, takes_the_path_of_an_absolute_target) {
  HeadParser parser({});
  const std::string bytes = "GET HTTP://Example.org/a?b HTTP/1.1\r\n" + kHost + "\r\n";
  const RequestHead head = parse(parser, bytes);
  EXPECT_EQ(head.path, "/a");
  EXPECT_EQ(head.query, "b");
  EXPECT_EQ(head.target, "HTTP://Example.org/a?b");

  HeadParser bare({});
  const std::string without_path = "GET https://example.org?b HTTP/1.1\r\n" + kHost + "\r\n";
  EXPECT_EQ(parse(bare, without_path).path, "/");
  EXPECT_EQ(bare.head().query, "b");
}

TEST(HeadParser, knows_the_methods_by_their_exact_names) {
  for (const auto& [name, method] :
       std::initializer_list<std::pair<std::string, Method>>{{"GET", Method::get},
                                                             {"HEAD", Method::head},
                                                             {"POST", Method::post},
                                                             {"PUT", Method::put},
                                                             {"PATCH", Method::patch},
                                                             {"DELETE", Method::del},
                                                             {"OPTIONS", Method::options},
                                                             {"get", Method::other},
                                                             {"TRACE", Method::other},
                                                             {"M-SEARCH", Method::other}}) {
    HeadParser parser({});
    const std::string bytes = name + " / HTTP/1.1\r\n" + kHost + "\r\n";
    EXPECT_EQ(parse(parser, bytes).method, method) << name;
    EXPECT_EQ(parser.head().method_text, name);
  }
  HeadParser parser({});
  const std::string asterisk = "OPTIONS * HTTP/1.1\r\n" + kHost + "\r\n";
  EXPECT_EQ(parse(parser, asterisk).path, "*");
}

TEST(HeadParser, decides_whether_the_connection_is_kept) {
  const auto kept = [](std::string_view version, std::string_view headers) {
    HeadParser parser({});
    const std::string bytes = "GET / HTTP/" + std::string(version) + "\r\n" + kHost + std::string(headers) + "\r\n";
    parse(parser, bytes);
    return parser.keep_alive();
  };
  EXPECT_TRUE(kept("1.1", ""));
  EXPECT_FALSE(kept("1.1", "Connection: close\r\n"));
  EXPECT_FALSE(kept("1.1", "Connection: upgrade , Close\r\n"));
  EXPECT_FALSE(kept("1.1", "Connection: keep-alive\r\nConnection: close\r\n"));
  EXPECT_FALSE(kept("1.0", ""));
  EXPECT_TRUE(kept("1.0", "Connection: Keep-Alive\r\n"));
  EXPECT_FALSE(kept("1.0", "Connection: keep-alive, close\r\n"));
}

TEST(HeadParser, finds_the_framing_of_the_body) {
  const auto framing = [](std::string_view headers) {
    HeadParser parser({});
    const std::string bytes = get(headers);
    parse(parser, bytes);
    return std::pair(parser.framing(), parser.expects_continue());
  };
  EXPECT_EQ(framing(""), std::pair(Framing::none, false));
  EXPECT_EQ(framing("Content-Length: 0\r\n"), std::pair(Framing::none, false));
  EXPECT_EQ(framing("Content-Length: 007\r\n"), std::pair(Framing::length, false));
  EXPECT_EQ(framing("Transfer-Encoding: Chunked\r\n"), std::pair(Framing::chunked, false));
  EXPECT_EQ(framing("Expect: 100-Continue\r\nContent-Length: 3\r\n"), std::pair(Framing::length, true));
  EXPECT_EQ(framing("Expect: 100-continue\r\n"), std::pair(Framing::none, false));
}

TEST(HeadParser, gives_the_same_whatever_the_pieces) {
  const std::string bytes =
      "\r\nPOST /a?b HTTP/1.1\r\n" + kHost + "A: b\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  HeadParser whole({});
  parse(whole, bytes);
  for (std::size_t split = 0; split <= whole.size(); ++split) {
    HeadParser parser({});
    const std::string first = bytes.substr(0, split);
    EXPECT_EQ(parser.feed(first), split < whole.size() ? State::incomplete : State::complete) << split;
    EXPECT_EQ(parser.feed(bytes), State::complete);
    EXPECT_EQ(parser.size(), whole.size());
    EXPECT_EQ(parser.framing(), Framing::chunked);
    EXPECT_EQ(parser.head().headers.size(), 3U);
  }
}

TEST(HeadParser, starts_over_after_a_reset) {
  HeadParser parser({});
  const std::string first = "POST /a?b HTTP/1.0\r\nContent-Length: 3\r\nConnection: close\r\n\r\n";
  parse(parser, first);
  parser.reset();
  const std::string second = get("");
  const RequestHead head = parse(parser, second);
  EXPECT_EQ(head.method, Method::get);
  EXPECT_EQ(head.query, "");
  EXPECT_EQ(head.headers.size(), 1U);
  EXPECT_EQ(parser.framing(), Framing::none);
  EXPECT_TRUE(parser.keep_alive());
}

TEST(FindControl, finds_the_first_at_every_offset) {
  for (std::size_t size = 0; size < 70; ++size) {
    std::string text(size, 'a');
    for (std::size_t at = 0; at < size; ++at) text[at] = at % 3 == 0 ? '\t' : at % 3 == 1 ? '\xff' : '~';
    EXPECT_EQ(find_control(text.data(), text.data() + size), text.data() + size);
    for (std::size_t at = 0; at < size; ++at) {
      for (const char c : {'\0', '\r', '\n', '\x1f', '\x7f'}) {
        std::string bad = text;
        bad[at] = c;
        EXPECT_EQ(find_control(bad.data(), bad.data() + size), bad.data() + at);
      }
    }
  }
}

struct Chunks {
  const char* what;
  std::string bytes;
  ChunkedDecoder::State state;
  std::string body;
  std::size_t used;
};

void PrintTo(const Chunks& chunks, std::ostream* out) {
  *out << chunks.what;
}

class Chunked : public testing::TestWithParam<Chunks> {};

TEST_P(Chunked, is_read_the_same_whatever_the_pieces) {
  constexpr std::size_t kMaxBody = 16;
  const Chunks& chunks = GetParam();
  for (const std::size_t piece : {chunks.bytes.size(), std::size_t{1}, std::size_t{2}}) {
    ChunkedDecoder decoder(kMaxBody);
    Buffer body;
    std::size_t used = 0;
    for (std::size_t at = 0; at < chunks.bytes.size(); at += piece) {
      used += decoder.feed(std::string_view(chunks.bytes).substr(at, piece), body);
    }
    EXPECT_EQ(decoder.state(), chunks.state);
    EXPECT_EQ(body.view(), chunks.body);
    EXPECT_EQ(used, chunks.used);
  }
}

using enum ChunkedDecoder::State;

INSTANTIATE_TEST_SUITE_P(
    all, Chunked,
    testing::Values(Chunks{"one chunk", "3\r\nabc\r\n0\r\n\r\n", complete, "abc", 13},
                    Chunks{"what follows", "3\r\nabc\r\n0\r\n\r\nGET /", complete, "abc", 13},
                    Chunks{"two chunks", "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", complete, "abc0123456789", 28},
                    Chunks{"nothing", "0\r\n\r\n", complete, "", 5},
                    Chunks{"leading zeros", "0003\r\nabc\r\n000\r\n\r\n", complete, "abc", 18},
                    Chunks{"an extension", "3;a=\"b\"\r\nabc\r\n0;x\r\n\r\n", complete, "abc", 21},
                    Chunks{"trailers", "0\r\nA: b\r\nC: d\r\n\r\n", complete, "", 17},
                    Chunks{"cut", "3\r\nab", incomplete, "ab", 5}, Chunks{"no size", "\r\nabc", malformed, "", 1},
                    Chunks{"a sign", "+3\r\nabc\r\n", malformed, "", 1},
                    Chunks{"a prefix", "0x3\r\nabc\r\n", malformed, "", 2},
                    Chunks{"a blank", "3 \r\nabc\r\n", malformed, "", 2},
                    Chunks{"a bare LF after the size", "3\nabc\r\n", malformed, "", 2},
                    Chunks{"a bare CR after the size", "3\rabc", malformed, "", 3},
                    Chunks{"a bare LF in an extension", "3;a\nabc\r\n", malformed, "", 4},
                    Chunks{"a bare LF after the data", "3\r\nabc\n0\r\n\r\n", malformed, "abc", 7},
                    Chunks{"more data than said", "3\r\nabcd\r\n0\r\n\r\n", malformed, "abc", 7},
                    Chunks{"a bare LF at the end", "0\r\n\n", malformed, "", 4},
                    Chunks{"a bare LF in a trailer", "0\r\nA: b\n\r\n", malformed, "", 8},
                    Chunks{"too many digits", "0000000000000003\r\nabc\r\n", malformed, "", 16},
                    Chunks{"too large", "11\r\n0123", too_large, "", 4},
                    Chunks{"too large together", "a\r\n0123456789\r\n7\r\n0123456\r\n", too_large, "0123456789", 18}));

TEST(ChunkedDecoder, bounds_what_carries_nothing) {
  Buffer body;
  ChunkedDecoder extension(16);
  extension.feed("3;" + std::string(9'000, 'a') + "\r\n", body);
  EXPECT_EQ(extension.state(), malformed);
  ChunkedDecoder trailer(16);
  trailer.feed("0\r\nA: " + std::string(9'000, 'a') + "\r\n", body);
  EXPECT_EQ(trailer.state(), malformed);
}

}  // namespace
}  // namespace athena::http
