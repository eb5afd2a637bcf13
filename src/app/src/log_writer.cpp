#include "log_writer.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

namespace athena::app {

void write_all(int descriptor, std::string_view text) noexcept {
  while (!text.empty()) {
    const auto written = ::write(descriptor, text.data(), text.size());
    if (written > 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      return;
    }
  }
}

LogWriter::LogWriter(int descriptor, std::size_t max_waiting_bytes)
    : descriptor_(descriptor), max_waiting_bytes_(max_waiting_bytes), thread_([this] { run(); }) {}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void LogWriter::write(std::string_view lines) noexcept {
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() + lines.size() > max_waiting_bytes_) {
      dropped_ += static_cast<std::uint64_t>(std::ranges::count(lines, '\n'));
      return;
    }
    was_empty = waiting_.empty();
    waiting_.append(lines);
  }
  // The writer sleeps only while nothing waits: one wake-up for each of its rounds, not for each line.
  if (was_empty) wake_.notify_one();
}

void LogWriter::run() {
  Buffer writing;
  while (true) {
    std::uint64_t dropped = 0;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return is_ending_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      wake_.wait_for(lock, kGather, [this] { return is_ending_; });
      std::swap(writing, waiting_);
      dropped = std::exchange(dropped_, 0);
    }
    write_all(descriptor_, writing.view());
    writing.recycle(256 * 1024);
    if (dropped > 0)
      gateway::log_line(*this, LogLevel::warn, "log_lines_dropped", {{"count", std::to_string(dropped)}});
  }
}

}  // namespace athena::app
