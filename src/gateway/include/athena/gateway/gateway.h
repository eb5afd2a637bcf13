#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include <athena/base/loop.h>
#include <athena/gateway/settings.h>
#include <athena/http/server.h>

namespace athena::gateway {

/// Where log lines go: whole lines, each ending in '\n', from any thread. Must not block for long.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void write(std::string_view lines) noexcept = 0;
};

/// The product: endpoints and the services they use. Built once, before the loops run; gives each loop its handler.
class Gateway {
 public:
  /// `loops` and `sink` are borrowed and outlive the gateway. Errors: configuration_error (unknown backend kind, two
  /// clients of one name).
  static Result<std::unique_ptr<Gateway>> create(Settings settings, std::vector<Loop*> loops, LogSink& sink);
  virtual ~Gateway() = default;

  /// The handler of loops[index].
  virtual http::Handler& handler(std::size_t index) = 0;
  /// Readiness (GET /ready): false until the app says so, and again while it drains. Thread-safe.
  virtual void set_ready(bool ready) = 0;
  /// Replaces what a running gateway can take over (clients, shapes, limits, CORS). Thread-safe; requests in flight end
  /// with the old settings. SIGHUP.
  virtual Result<> reload(Settings settings) = 0;
  /// Closes all backends and writes the last log lines. Called after the server has drained, while the loops still run.
  virtual void stop() = 0;
};

/// A line of the operational log, as JSON: {"time","level","event",…}. `fields` are name/value pairs.
void log_line(LogSink& sink, LogLevel level, std::string_view event,
              std::initializer_list<std::pair<std::string_view, std::string_view>> fields);

/// Route rows for `athena diag`, docs and the OpenAPI test: method, path, summary.
struct RouteInfo {
  std::string_view method, path, summary;
};
std::vector<RouteInfo> routes();

}  // namespace athena::gateway
