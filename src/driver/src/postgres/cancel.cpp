#include "postgres/cancel.h"

#include <array>
#include <utility>

#include <libpq-fe.h>

#include <boost/asio/post.hpp>

namespace athena::driver::postgres {

Helper::~Helper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stop_by_ = Clock::now() + kStopPatience;
  }
  has_work_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Helper::cancel(CancelKey key, Executor executor, std::function<void(bool sent)> done) {
  return run([key = std::move(key), executor, done = std::move(done)]() mutable {
    std::array<char, 256> ignored;
    const bool sent = PQcancel(key.get(), ignored.data(), static_cast<int>(ignored.size())) == 1;
    asio::post(executor, [done = std::move(done), sent] { done(sent); });
  });
}

bool Helper::run(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || jobs_.size() >= kMaxJobs) return false;
    jobs_.push_back(std::move(job));
    if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  }
  has_work_.notify_one();
  return true;
}

void Helper::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    has_work_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty() || (stopping_ && Clock::now() >= stop_by_)) return;
    std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;  // whatever it holds is let go of outside the lock
    lock.lock();
  }
}

}  // namespace athena::driver::postgres
