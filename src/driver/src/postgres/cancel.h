#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include <athena/base/async.h>
#include <athena/base/clock.h>

#include "cancelled.h"
#include "postgres/connect.h"

namespace athena::driver::postgres {

/// Sends CancelRequests. libpq does that blocking, on a connection of its own, and returns when the server has closed
/// it: by then the signal was sent, so it can hit nothing that is sent later. Hence a thread, one for each client,
/// started when it is first needed; it also takes other work that would stall a loop.
class Helper {
 public:
  /// Beyond, a job is refused: whoever wants to cancel then closes the connection instead.
  static constexpr std::size_t kMaxJobs = 256;

  /// For what still waits when it is stopped: cancels of statements that would run on.
  static constexpr milliseconds kStopPatience{2'000};

  Helper() = default;
  /// Waits for the job that runs: at most for as long as the network lets libpq wait (10 s, see connect.cpp).
  ~Helper();
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;

  /// `done` runs on `executor` when the cancel connection was closed by the server; false: it could not be sent.
  /// Returns false, and calls nothing, if too many wait.
  bool cancel(CancelKey key, Executor executor, std::function<void(bool sent)> done);
  bool run(std::function<void()> job);

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable has_work_;
  std::deque<std::function<void()>> jobs_;
  std::thread thread_;
  bool stopping_ = false;
  TimePoint stop_by_;
};

}  // namespace athena::driver::postgres
