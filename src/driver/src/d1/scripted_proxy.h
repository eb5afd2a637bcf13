#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace athena::driver::d1 {

/// For tests: a proxy on loopback that answers as a script says, wrongly if need be, and remembers what it was asked.
/// Questions about the tables are answered rightly, and count for nothing.
class ScriptedProxy {
 public:
  struct Step {
    std::string bytes;  ///< sent as they are
    enum class Then { keep, close, reset, stall } then = Then::keep;
  };
  static Step answer(int status, std::string_view body, std::string_view headers = "") {
    return {"HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: application/json\r\n" + std::string(headers) +
                "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body),
            Step::Then::keep};
  }

  ScriptedProxy() : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(listener_, 64);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~ScriptedProxy() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
    }
    changed_.notify_all();
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (std::thread& thread : threads_) thread.join();
    ::close(listener_);
  }
  ScriptedProxy(const ScriptedProxy&) = delete;
  ScriptedProxy& operator=(const ScriptedProxy&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  /// What the next statements get, one after the other; then an empty result.
  void will(Step step) {
    const std::lock_guard lock(mutex_);
    script_.push_back(std::move(step));
  }
  /// Bodies of the statements that came whole, and heads.
  std::vector<std::string> bodies() const {
    const std::lock_guard lock(mutex_);
    return bodies_;
  }
  std::vector<std::string> heads() const {
    const std::lock_guard lock(mutex_);
    return heads_;
  }
  /// Waits until so many statements have come.
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return bodies_.size() >= count; });
  }
  /// Waits until a connection that stalls has been closed by the other side.
  bool wait_for_hang_up() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return hung_up_ > 0; });
  }

 private:
  static constexpr std::string_view kTables =
      R"-({"rows":[{"type":"table","name":"users","sql":)-"
      R"-("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, score INTEGER, data BLOB)"}],)-"
      R"-("columns":["type","name","sql"],"meta":{}})-";

  void accept_all() {
    while (true) {
      const int socket = ::accept(listener_, nullptr, nullptr);
      if (socket < 0) return;
      const std::lock_guard lock(mutex_);
      if (stopping_) {
        ::close(socket);
        return;
      }
      sockets_.push_back(socket);
      threads_.emplace_back([this, socket] { serve(socket); });
    }
  }
  void serve(int socket) {
    std::string buffer;
    while (take_request(socket, buffer)) {
    }
    const std::lock_guard lock(mutex_);
    sockets_.remove(socket);
    ::close(socket);
  }
  /// False: the connection is done.
  bool take_request(int socket, std::string& buffer) {
    std::size_t head_end;
    while ((head_end = buffer.find("\r\n\r\n")) == std::string::npos) {
      if (!read_more(socket, buffer)) return false;
    }
    const std::string head = buffer.substr(0, head_end);
    const std::size_t at = head.find("Content-Length: ");
    const std::size_t size = at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
    while (buffer.size() < head_end + 4 + size) {
      if (!read_more(socket, buffer)) return false;
    }
    const std::string body = buffer.substr(head_end + 4, size);
    buffer.erase(0, head_end + 4 + size);
    return react(socket, step_for(head, body));
  }
  static bool read_more(int socket, std::string& buffer) {
    char bytes[4096];
    const ssize_t n = ::recv(socket, bytes, sizeof bytes, 0);
    if (n <= 0) return false;
    buffer.append(bytes, static_cast<std::size_t>(n));
    return true;
  }
  Step step_for(const std::string& head, const std::string& body) {
    if (body.find("FROM sqlite_schema") != std::string::npos) return answer(200, kTables);
    const std::lock_guard lock(mutex_);
    heads_.push_back(head);
    bodies_.push_back(body);
    changed_.notify_all();
    if (script_.empty()) return answer(200, R"({"rows":[],"columns":[],"meta":{"changes":0}})");
    Step step = std::move(script_.front());
    script_.pop_front();
    return step;
  }
  bool react(int socket, const Step& step) {
    for (std::size_t sent = 0; sent < step.bytes.size();) {
      const ssize_t n = ::send(socket, step.bytes.data() + sent, step.bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<std::size_t>(n);
    }
    switch (step.then) {
      case Step::Then::keep:
        return true;
      case Step::Then::close:
        return false;
      case Step::Then::reset: {
        const linger hard{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        return false;
      }
      case Step::Then::stall: {
        std::string ignored;
        while (read_more(socket, ignored)) {
        }
        const std::lock_guard lock(mutex_);
        ++hung_up_;
        changed_.notify_all();
        return false;
      }
    }
    return false;
  }

  int listener_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  int hung_up_ = 0;
  std::deque<Step> script_;
  std::vector<std::string> bodies_, heads_;
  std::list<int> sockets_;
  std::list<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace athena::driver::d1
