#pragma once

#include <atomic>
#include <memory>
#include <unordered_set>
#include <vector>

#include <athena/base/async.h>
#include <athena/base/event.h>
#include <athena/base/loop.h>
#include <athena/driver/backend.h>

#include "sqlite/database.h"

namespace athena::driver::sqlite {

class Job;

/// The jobs of one loop that other threads hold. stop() cancels them and waits until the last one has come back, so
/// that no thread ever posts to a loop that is gone.
class JobBook {
 public:
  explicit JobBook(Loop& loop) : loop_(loop) {}
  JobBook(const JobBook&) = delete;
  JobBook& operator=(const JobBook&) = delete;

  Loop& loop() noexcept { return loop_; }
  bool stopping() const noexcept { return stopping_; }
  Task<> stop();

 private:
  friend class Job;
  Loop& loop_;
  std::unordered_set<std::shared_ptr<Job>> jobs_;
  bool stopping_ = false;
  athena::Event empty_;
};

/// Work that a loop gives to another thread. Both hold it (shared_ptr): the thread may still run it when the caller has
/// gone, and the caller may still read it when the thread is done.
class Job : public std::enable_shared_from_this<Job> {
 public:
  /// `book`: shared, because a stream may outlive its backend.
  Job(std::shared_ptr<JobBook> book, TimePoint deadline) : deadline_(deadline), book_(std::move(book)) {}
  virtual ~Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  // Any thread.
  void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed); }
  TimePoint deadline() const noexcept { return deadline_; }
  Guard guard() const noexcept { return {deadline_, &cancelled_, true}; }
  Loop& loop() const noexcept { return book_->loop(); }
  /// Sends the job back to its loop.
  void post_home();

  // The loop.
  /// Before the job is handed to another thread; done() is false until it comes back.
  void leave_home();
  /// Back without having been run.
  void come_home();
  bool done() const noexcept { return done_; }
  /// Waits until the job is done, the deadline passed, the caller went away or the backend stops. Look at done() then.
  Task<> wait(TimePoint until, Cancellation* cancellation);
  /// Waits until the job is done or the time is over, whoever goes away: for a verdict that is about to come.
  Task<> wait_for_verdict(TimePoint until) { return wait_until(until, nullptr); }

 private:
  friend class JobBook;
  Task<> wait_until(TimePoint until, Cancellation* cancellation);
  virtual void on_home() {}

  const TimePoint deadline_;
  std::atomic<bool> cancelled_ = false;
  const std::shared_ptr<JobBook> book_;
  bool done_ = true;
  void wake_all();
  std::vector<athena::Event*> waiters_;  ///< in the frames of wait()
  std::vector<athena::Event*> waking_;   ///< those of them that are being woken
};

/// Why a wait ended without an answer.
Error gave_up(const JobBook& book, const Cancellation* cancellation);

}  // namespace athena::driver::sqlite
