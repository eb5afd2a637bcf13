#include "loopback.h"

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <athena/base/event.h>
#include <athena/base/text.h>

namespace athena::http::testing {
namespace {

std::size_t number(std::string_view text) {
  return static_cast<std::size_t>(text::parse_u64(text).value_or(0));
}

void put_error(Exchange& exchange, const Error& error) {
  exchange.set_status(error.row().status);
  exchange.add_header("Content-Type", "application/json");
  exchange.body().append("{\"code\":\"" + std::string(error.row().wire_code) + "\"}");
}

/// Counts while it lives, also if its coroutine is destroyed.
struct Counting {
  std::atomic<int>& count;
  explicit Counting(std::atomic<int>& c) : count(c) { ++count; }
  ~Counting() { --count; }
};

std::string text_of(std::size_t n) {
  std::string text;
  for (std::size_t i = 0; text.size() < n; ++i) text += "{\"row\":" + std::to_string(i) + "},";
  text.resize(n);
  return text;
}

}  // namespace

Task<> TestHandler::handle(Exchange& exchange) {
  const Counting counting(running);
  ++handled;
  const std::string_view path = exchange.request().path, query = exchange.request().query;
  exchange.add_header("Content-Type", "text/plain");
  if (path == "/hello") {
    exchange.body().append("hello");
  } else if (path == "/echo") {
    co_await echo(exchange);
  } else if (path == "/ignore") {
    exchange.body().append("ignored");
  } else if (path == "/throw") {
    throw std::runtime_error("a bug");
  } else if (path == "/close") {
    exchange.close_after();
    exchange.body().append("closing");
  } else if (path == "/abort") {
    exchange.body().append("some");
    if (query == "streaming") (void)co_await exchange.flush();
    exchange.abort();
  } else if (path == "/wait") {
    co_await wait(exchange);
  } else if (path == "/sleep") {
    co_await loop_.sleep(milliseconds(number(query)));
    exchange.body().append("slept");
  } else if (path == "/stream") {
    co_await stream(exchange);
  } else if (path == "/big") {
    exchange.add_header("ETag", "\"v1\"");
    exchange.body().append(text_of(number(query)));
  } else if (path == "/status") {
    exchange.set_status(static_cast<int>(number(query)));
    exchange.body().append("text");
  } else if (path == "/peer") {
    exchange.body().append(exchange.peer());
    exchange.body().append(exchange.is_tls() ? " tls" : " plain");
  } else if (path == "/redirect") {
    exchange.set_status(302);
    exchange.add_header("Location", "/hello");
  } else if (path == "/late-failure") {
    exchange.add_header("X-Early", "1");
    exchange.body().append("half of it");
    exchange.reset_response();
    put_error(exchange, Error(Code::database_error));
  } else if (path == "/split-header") {
    exchange.add_header("X-Split", "a\r\nX-Injected: b");
    exchange.add_header("Content-Length", "99");
    exchange.add_header("Connection", "close");
  } else {
    put_error(exchange, Error(Code::route_not_found));
  }
}

Task<> TestHandler::echo(Exchange& exchange) {
  auto body = co_await exchange.read_body();
  body = co_await exchange.read_body();  // again: the same, whatever it was
  if (!body) {
    put_error(exchange, body.error());
  } else {
    exchange.body().append(*body);
  }
}

Task<> TestHandler::wait(Exchange& exchange) {
  Event cancelled;
  {
    const Cancellation::Watch watch(&exchange.cancellation(), [&cancelled] { cancelled.set(); });
    co_await cancelled.wait();
  }
  cancelled_for = static_cast<int>(exchange.cancellation().reason());
  put_error(exchange, Error(Code::shutting_down));
}

Task<> TestHandler::stream(Exchange& exchange) {
  const std::string_view query = exchange.request().query;
  const std::size_t comma = query.find(',');
  const std::string chunk = text_of(number(query.substr(comma + 1)));
  for (std::size_t i = 0; i < number(query.substr(0, comma)); ++i) {
    exchange.body().append(chunk);
    const auto flushed = co_await exchange.flush();
    if (!flushed) {
      cancelled_for = static_cast<int>(exchange.cancellation().reason());
      co_return;
    }
    ++chunks_flushed;
  }
  exchange.body().append("end");
}

void TestHandler::refuse(Exchange& exchange, const Error& error) {
  ++refused;
  put_error(exchange, error);
}

TestServer::TestServer(Limits limits, Listen listen, std::size_t loops) {
  std::vector<Server::LoopHandler> pairs;
  for (std::size_t i = 0; i < loops; ++i) {
    loops_.push_back(std::make_unique<Loop>());
    handlers_.push_back(std::make_unique<TestHandler>(*loops_.back()));
    pairs.push_back({loops_.back().get(), handlers_.back().get()});
  }
  auto opened = Server::open(std::move(listen), limits, pairs);
  if (!opened) throw std::runtime_error(opened.error().error + opened.error().log_detail);
  server = *std::move(opened);
  server->start();
  for (const auto& loop : loops_) threads_.emplace_back([&loop] { loop->run(); });
}

TestServer::~TestServer() {
  server.reset();
  stop_loops();
}

void TestServer::stop_loops() {
  for (const auto& loop : loops_) loop->stop();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

int TestServer::handled() const {
  int n = 0;
  for (const auto& handler : handlers_) n += handler->handled;
  return n;
}
int TestServer::running() const {
  int n = 0;
  for (const auto& handler : handlers_) n += handler->running;
  return n;
}
int TestServer::cancelled_for() const {
  for (const auto& handler : handlers_) {
    if (handler->cancelled_for != 0) return handler->cancelled_for;
  }
  return 0;
}
int TestServer::chunks_flushed() const {
  int n = 0;
  for (const auto& handler : handlers_) n += handler->chunks_flushed;
  return n;
}

Peer::Peer(std::uint16_t port, int receive_buffer) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_buffer > 0) ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  const timeval patience{10, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error(std::string("cannot connect: ") + std::strerror(errno));
  }
}

Peer::~Peer() {
  close();
}

Peer& Peer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) break;  // the server has closed: what it answered is still to be read
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return *this;
}

void Peer::half_close() {
  ::shutdown(socket_, SHUT_WR);
}

void Peer::reset() {
  const linger now{1, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

void Peer::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

bool Peer::fill() {
  char bytes[64 * 1024];
  const ssize_t n = ::recv(socket_, bytes, sizeof bytes, 0);
  if (n <= 0) return false;
  buffer_.append(bytes, static_cast<std::size_t>(n));
  return true;
}

std::string Peer::read_some(std::size_t n) {
  while (buffer_.size() < n && fill()) continue;
  std::string taken = buffer_.substr(0, n);
  buffer_.erase(0, n);
  return taken;
}

std::string Peer::take_line() {
  std::size_t end;
  while ((end = buffer_.find("\r\n")) == std::string::npos) {
    if (!fill()) return std::exchange(buffer_, "");
  }
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return line;
}

Reply Peer::read(bool is_head_request) {
  Reply reply;
  const std::string status = take_line();
  if (!status.starts_with("HTTP/1.1 ")) return reply;
  reply.status = std::stoi(status.substr(9, 3));
  for (std::string line; !(line = take_line()).empty();) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) return reply;
    reply.headers.emplace(text::to_lower(line.substr(0, colon)), line.substr(colon + 2));
  }
  if (is_head_request || reply.status < 200 || reply.status == 204 || reply.status == 304) {
    reply.complete = true;
  } else if (reply.header("transfer-encoding") == "chunked") {
    for (;;) {
      const std::string size = take_line();
      if (size.empty()) return reply;
      const std::size_t n = std::stoul(size, nullptr, 16);
      const std::string chunk = read_some(n + 2);
      if (chunk.size() < n + 2) return reply;
      reply.body += chunk.substr(0, n);
      if (n == 0) break;
    }
    reply.complete = true;
  } else if (!reply.header("content-length").empty()) {
    const std::size_t n = std::stoul(reply.header("content-length"));
    reply.body = read_some(n);
    reply.complete = reply.body.size() == n;
  } else {
    reply.body = read_all();
    reply.complete = true;
  }
  return reply;
}

std::string Peer::read_all() {
  while (fill()) continue;
  return std::exchange(buffer_, "");
}

bool Peer::is_closed_within(std::chrono::milliseconds time) {
  if (!buffer_.empty()) return false;
  pollfd poll{socket_, POLLIN, 0};
  if (::poll(&poll, 1, static_cast<int>(time.count())) != 1) return false;
  char byte;
  return ::recv(socket_, &byte, 1, 0) <= 0;
}

}  // namespace athena::http::testing
