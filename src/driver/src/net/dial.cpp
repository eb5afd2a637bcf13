#include "net/dial.h"

#include <algorithm>
#include <optional>
#include <random>
#include <utility>

#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>

namespace athena::driver {
namespace {

constexpr std::size_t kMaxAddresses = 8;
constexpr std::uint32_t kFirstSourcePort = 20'000, kSourcePorts = 40'000;
/// Source ports that are tried before giving up: others of this machine use some.
constexpr std::uint32_t kSourceTries = 64;

using Tcp = asio::ip::tcp;
using Socket = asio::basic_stream_socket<Tcp, Executor>;
using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;

std::unexpected<Error> failed(std::string text, std::string detail) {
  return fail(Error(Code::connection_error, std::move(text)).logged(std::move(detail)));
}

/// Cancels what `object` waits for at a point in time.
template <class Object>
class Limit {
 public:
  Limit(Executor executor, TimePoint deadline, std::shared_ptr<Object> object) : timer_(executor, deadline) {
    timer_.async_wait([weak = std::weak_ptr(std::move(object))](boost::system::error_code error) {
      if (error) return;
      if (const auto alive = weak.lock()) alive->cancel();
    });
  }

 private:
  Timer timer_;
};

/// Binds the socket to a free port of the wanted residue. False: all that were tried are taken.
bool bind_source(Socket& socket, const Destination& destination, bool v6) {
  thread_local std::minstd_rand random(std::random_device{}());
  const std::uint32_t modulus = destination.source_modulus;
  for (std::uint32_t i = 0; i < kSourceTries; ++i) {
    const std::uint32_t any = kFirstSourcePort + static_cast<std::uint32_t>(random()) % kSourcePorts;
    const std::uint32_t port = any - any % modulus + destination.source_rest;
    if (port > 65'535) continue;
    boost::system::error_code error;
    socket.bind(Tcp::endpoint(v6 ? Tcp::v6() : Tcp::v4(), static_cast<std::uint16_t>(port)), error);
    if (!error) return true;
  }
  return false;
}

}  // namespace

Async<std::vector<std::string>> resolve(Loop& loop, std::string host, TimePoint deadline) {
  boost::system::error_code error;
  if (asio::ip::make_address(host, error); !error) co_return std::vector{std::move(host)};
  using Resolver = asio::ip::basic_resolver<Tcp, Executor>;
  const auto resolver = std::make_shared<Resolver>(loop.executor());
  const Limit<Resolver> limit(loop.executor(), deadline, resolver);
  const auto results = co_await resolver->async_resolve(host, "", asio::redirect_error(use_task, error));
  if (error) co_return failed("The database's host could not be resolved", error.message());
  std::vector<std::string> addresses;
  for (const auto& entry : results) {
    std::string address = entry.endpoint().address().to_string();
    if (addresses.size() < kMaxAddresses && std::ranges::find(addresses, address) == addresses.end()) {
      addresses.push_back(std::move(address));
    }
  }
  co_return addresses;
}

Async<std::unique_ptr<Wire>> dial(Loop& loop, Destination destination, TimePoint deadline) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(destination.address, error);
  if (error) co_return failed("The database could not be reached", "no numeric address");
  const auto socket = std::make_shared<Socket>(loop.executor());
  socket->open(address.is_v6() ? Tcp::v6() : Tcp::v4(), error);
  if (error) co_return failed("The database could not be reached", error.message());
  if (destination.source_modulus > 0 && !bind_source(*socket, destination, address.is_v6())) {
    co_return failed("The database could not be reached", "no source port is free");
  }
  {
    const Limit<Socket> limit(loop.executor(), deadline, socket);
    co_await socket->async_connect(Tcp::endpoint(address, destination.port), asio::redirect_error(use_task, error));
  }
  if (error == asio::error::operation_aborted) {
    co_return failed("The database did not answer in time", "connecting to " + destination.address);
  }
  if (error) co_return failed("The database could not be reached", destination.address + ": " + error.message());
  socket->set_option(Tcp::no_delay(true), error);
  socket->set_option(asio::socket_base::keep_alive(true), error);
  const int fd = socket->release(error);
  if (error) co_return failed("The database could not be reached", error.message());
  auto wire = std::make_unique<Wire>(loop.executor(), fd);
  if (!wire->is_open()) co_return failed("The database could not be reached", "no descriptor left");
  if (destination.tls != Destination::Tls::none) {
    const WireDeadline limit(loop, *wire, deadline);
    auto secured = co_await wire->start_tls(destination.host, destination.tls == Destination::Tls::verified);
    if (!secured && secured.error().code == Code::cancelled) {
      co_return failed("The database did not answer in time", "TLS handshake");
    }
    if (!secured) co_return fail(std::move(secured).error());
  }
  co_return wire;
}

WireDeadline::WireDeadline(Loop& loop, Wire& wire, TimePoint deadline) : timer_(loop.executor(), deadline) {
  timer_.async_wait([&wire, armed = armed_](boost::system::error_code error) {
    if (!error && *armed) wire.interrupt();
  });
}

}  // namespace athena::driver
