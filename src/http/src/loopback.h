#pragma once

// For tests: a server on loopback with a handler that does what the path says, and a peer that speaks through a raw
// socket, so that it can say what no client library would.

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <athena/base/loop.h>
#include <athena/http/server.h>

namespace athena::http::testing {

/// Paths: /hello, /echo, /ignore (reads no body), /throw, /close, /abort?when, /wait (until cancelled), /sleep?ms,
/// /stream?chunks,bytes, /big?bytes, /status?code, /peer, /redirect, /late-failure, /split-header.
class TestHandler final : public Handler {
 public:
  explicit TestHandler(Loop& loop) : loop_(loop) {}
  Task<> handle(Exchange& exchange) override;
  void refuse(Exchange& exchange, const Error& error) override;

  std::atomic<int> handled{0}, running{0}, refused{0}, chunks_flushed{0};
  std::atomic<int> cancelled_for{0};  ///< CancelReason of the last handler that was cancelled

 private:
  Task<> wait(Exchange& exchange);
  Task<> stream(Exchange& exchange);
  Task<> echo(Exchange& exchange);

  Loop& loop_;
};

class TestServer {
 public:
  explicit TestServer(Limits limits = {}, Listen listen = {}, std::size_t loops = 2);
  /// Drains, stops the loops and joins their threads.
  ~TestServer();

  std::uint16_t port() const { return server->port(); }
  const Counters& counters() const { return server->counters(); }
  /// Stops the loops at once, whatever they are at.
  void stop_loops();
  int handled() const;
  int running() const;
  int cancelled_for() const;
  int chunks_flushed() const;

 private:
  std::vector<std::unique_ptr<TestHandler>> handlers_;  // outlive what is suspended in the loops
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::thread> threads_;

 public:
  std::unique_ptr<Server> server;
};

struct Reply {
  int status = 0;                                   ///< 0: the connection ended before an answer
  std::multimap<std::string, std::string> headers;  ///< names lower-cased
  std::string body;
  bool complete = false;

  std::string header(const std::string& name) const {
    const auto it = headers.find(name);
    return it == headers.end() ? "" : it->second;
  }
};

/// A blocking socket whose waits end after some seconds, so that a wrong server fails a test instead of hanging it.
class Peer {
 public:
  explicit Peer(std::uint16_t port, int receive_buffer = 0);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  Peer& send(std::string_view bytes);
  void half_close();
  /// Closes with a RST.
  void reset();
  void close();
  Reply read(bool is_head_request = false);
  /// Whatever comes until the server closes.
  std::string read_all();
  /// At least `n` bytes, or fewer if the connection ends.
  std::string read_some(std::size_t n);
  /// True if the server closes within the time, and sends nothing more before.
  bool is_closed_within(std::chrono::milliseconds time);

 private:
  bool fill();
  std::string take_line();

  int socket_;
  std::string buffer_;
};

/// Polls until `condition`, for some seconds at most.
template <class Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

inline std::string get(std::string_view path, std::string_view headers = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(headers) + "\r\n";
}
inline std::string post(std::string_view path, std::string_view body, std::string_view headers = "") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(headers) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

}  // namespace athena::http::testing
