#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include <athena/base/buffer.h>
#include <athena/base/clock.h>
#include <athena/driver/backend.h>
#include <athena/gateway/gateway.h>

namespace athena::gateway {

/// What one loop has counted. Read by other threads: relaxed atomics, written by the loop alone.
struct LoopCounters {
  std::atomic<std::uint64_t> requests{0}, failures{0}, refused{0}, cut_streams{0};
};

/// One finished request, as the log line and the counters see it. Views: valid during the call.
struct RequestDone {
  std::string_view request_id, method, path, client, table, peer;
  int status = 0;
  std::uint64_t rows = 0;
  Duration duration{};
  std::string_view error_code, error_detail;
};

/// JSON log lines of one loop, gathered and handed to the sink in pieces: nothing else on the request path logs.
class RequestLog {
 public:
  static constexpr std::size_t kFlushBytes = 32 * 1024;

  enum class Mode : std::uint8_t { all, errors, sampled };
  RequestLog(LogSink& sink, std::string_view mode);

  void request_done(const RequestDone& done);
  /// The server refused what it could not read as a request.
  void request_refused() noexcept { counters_.refused.fetch_add(1, std::memory_order_relaxed); }
  /// An answer that had begun could not be ended.
  void stream_cut() noexcept { counters_.cut_streams.fetch_add(1, std::memory_order_relaxed); }
  /// Hands over what was gathered. Called at each tick, and when there is much.
  void flush();
  void set_mode(std::string_view mode);
  const LoopCounters& counters() const noexcept { return counters_; }

 private:
  LogSink& sink_;
  Mode mode_;
  Buffer lines_;
  LoopCounters counters_;
  std::uint32_t sample_ = 0;
};

/// The driver's events as log lines.
class DriverLog : public driver::Observer {
 public:
  explicit DriverLog(LogSink& sink) : sink_(sink) {}
  void observe(const driver::Event& event) noexcept override;

 private:
  LogSink& sink_;
};

/// Appends `2025-01-31T13:00:00.123Z`, now.
void append_time(Buffer& out);

}  // namespace athena::gateway
