#pragma once

#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace athena::driver::postgres {

/// Stands between a client and the server. Can hold back what the server says, as a slow network would, and counts what
/// the client sends.
class Network {
 public:
  explicit Network(std::uint16_t server_port) : server_port_(server_port) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0)
      throw std::runtime_error("no port to listen on");
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~Network() {
    stopping_ = true;
    thread_.join();
    for (const Pair& pair : pairs_) ::close(pair.client), ::close(pair.server);
    ::close(listener_);
  }
  std::uint16_t port() const { return port_; }
  /// While on, nothing that the server sends on connections that are open now gets through; new ones are not held.
  void hold(bool on) { held_ = on ? open_.load() : 0; }
  /// How many messages of a type the clients have sent: 'E' Execute, 'S' Sync …
  std::size_t sent(char type) const { return sent_[static_cast<unsigned char>(type)]; }
  /// How many connections the server has closed, of those that are not held.
  std::size_t closed_by_server() const { return closed_; }

 private:
  struct Pair {
    int client, server;
    bool done = false, has_begun = false;
    std::string unread{};  ///< of the client's: the begin of a message
  };

  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }
  void accept_one() {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(server_port_);
    if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) std::abort();
    pairs_.push_back({client, server});
    ++open_;
  }
  /// False: the sender has closed.
  bool pass(Pair& pair, bool from_client) {
    const int from = from_client ? pair.client : pair.server, to = from_client ? pair.server : pair.client;
    char bytes[16 * 1024];
    const ssize_t got = ::recv(from, bytes, sizeof bytes, 0);
    if (got > 0 && from_client) count(pair, {bytes, static_cast<std::size_t>(got)});
    return got > 0 && ::send(to, bytes, static_cast<std::size_t>(got), MSG_NOSIGNAL) == got;
  }
  /// Messages begin with their type, but for the first of a connection: no TLS here.
  void count(Pair& pair, std::string_view bytes) {
    pair.unread.append(bytes);
    for (;;) {
      const std::size_t type_bytes = pair.has_begun ? 1 : 0;
      if (pair.unread.size() < type_bytes + 4) return;
      const auto* length = reinterpret_cast<const unsigned char*>(pair.unread.data()) + type_bytes;
      const std::size_t size = type_bytes + (std::size_t{length[0]} << 24 | std::size_t{length[1]} << 16 |
                                             std::size_t{length[2]} << 8 | length[3]);
      if (pair.unread.size() < size) return;
      if (pair.has_begun) ++sent_[static_cast<unsigned char>(pair.unread[0])];
      pair.has_begun = true;
      pair.unread.erase(0, size);
    }
  }
  void run() {
    while (!stopping_) {
      std::vector<pollfd> polls{{listener_, POLLIN, 0}};
      for (std::size_t i = 0; i < pairs_.size(); ++i) {
        const bool is_held = i < held_;
        polls.push_back({pairs_[i].done ? -1 : pairs_[i].client, POLLIN, 0});
        polls.push_back({pairs_[i].done || is_held ? -1 : pairs_[i].server, POLLIN, 0});
      }
      if (::poll(polls.data(), polls.size(), 5) <= 0) continue;
      for (std::size_t i = 0; i < pairs_.size(); ++i) {
        Pair& pair = pairs_[i];
        const bool client_closed = polls[2 * i + 1].revents != 0 && !pass(pair, true);
        const bool server_closed = polls[2 * i + 2].revents != 0 && !pass(pair, false);
        if (!client_closed && !server_closed) continue;
        pair.done = true;
        ::shutdown(pair.client, SHUT_RDWR);
        ::shutdown(pair.server, SHUT_RDWR);
        if (server_closed) ++closed_;
      }
      if (polls[0].revents != 0) accept_one();
    }
  }

  const std::uint16_t server_port_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  std::vector<Pair> pairs_;  ///< the thread's
  std::atomic<std::size_t> open_ = 0, held_ = 0, closed_ = 0;
  std::atomic<std::size_t> sent_[256] = {};
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace athena::driver::postgres
