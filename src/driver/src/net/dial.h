#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <athena/base/async.h>
#include <athena/base/clock.h>
#include <athena/base/loop.h>

#include "net/wire.h"

namespace athena::driver {

/// Numeric addresses of a host, without blocking the loop; a numeric one is its own. At most eight.
/// Error: connection_error.
Async<std::vector<std::string>> resolve(Loop& loop, std::string host, TimePoint deadline);

/// Where to connect, and how.
struct Destination {
  std::string address;  ///< numeric
  std::uint16_t port = 0;
  enum class Tls : std::uint8_t { none, unverified, verified } tls = Tls::none;
  std::string host;  ///< what the certificate must be for
  /// ScyllaDB chooses the shard of a connection by its source port modulo this; 0: any port.
  std::uint32_t source_modulus = 0, source_rest = 0;
};

/// Opens a connection, and TLS on it. Error: connection_error; the reason is for the log.
Async<std::unique_ptr<Wire>> dial(Loop& loop, Destination destination, TimePoint deadline);

/// Ends what waits on a wire at a point in time: it fails with `cancelled`. The wire outlives it.
class WireDeadline {
 public:
  WireDeadline(Loop& loop, Wire& wire, TimePoint deadline);
  ~WireDeadline() { *armed_ = false; }
  WireDeadline(const WireDeadline&) = delete;
  WireDeadline& operator=(const WireDeadline&) = delete;

 private:
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer_;
  std::shared_ptr<bool> armed_ = std::make_shared<bool>(true);  // the timer may have expired, and not have run yet
};

}  // namespace athena::driver
