#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>

#include <athena/base/buffer.h>
#include <athena/gateway/gateway.h>

namespace athena::app {

/// Writes log lines to a file descriptor from a thread of its own, so that nothing that serves requests ever waits for
/// a disk or a terminal. Beyond the bound lines are dropped and counted; the count is a log line itself.
class LogWriter final : public gateway::LogSink {
 public:
  static constexpr std::size_t kMaxWaitingBytes = 8 * 1024 * 1024;
  /// Lines gather for so long before they are written: one write for many of them.
  static constexpr milliseconds kGather{5};

  explicit LogWriter(int descriptor, std::size_t max_waiting_bytes = kMaxWaitingBytes);
  /// Writes what waits, then ends the thread.
  ~LogWriter() override;

  void write(std::string_view lines) noexcept override;

 private:
  void run();

  const int descriptor_;
  const std::size_t max_waiting_bytes_;
  std::mutex mutex_;
  std::condition_variable wake_;
  Buffer waiting_;             // guarded by mutex_
  std::uint64_t dropped_ = 0;  // guarded by mutex_
  bool is_ending_ = false;     // guarded by mutex_
  std::thread thread_;         // last: it uses what stands above
};

/// Writes all of `text`, whatever the descriptor's mood; gives up on an error.
void write_all(int descriptor, std::string_view text) noexcept;

}  // namespace athena::app
