#include "sqlite/jobs.h"

#include <utility>

#include <boost/asio/post.hpp>

namespace athena::driver::sqlite {

Task<> JobBook::stop() {
  stopping_ = true;
  // Waking a waiter may change the set.
  const std::vector<std::shared_ptr<Job>> jobs(jobs_.begin(), jobs_.end());
  for (const auto& job : jobs) {
    job->cancel();
    job->wake_all();
  }
  empty_.reset();
  if (!jobs_.empty()) co_await empty_.wait();
}

void Job::post_home() {
  asio::post(loop().executor(), [job = shared_from_this()] { job->come_home(); });
}

void Job::leave_home() {
  done_ = false;
  book_->jobs_.insert(shared_from_this());
}

void Job::come_home() {
  const auto self = shared_from_this();
  const auto book = book_;
  done_ = true;
  book->jobs_.erase(self);
  on_home();
  wake_all();
  if (book->stopping_ && book->jobs_.empty()) book->empty_.set();
}

/// A woken coroutine runs inside this call. It may end another one that waits here, and it may wait again, which then
/// is not for this turn.
void Job::wake_all() {
  waking_.insert(waking_.end(), waiters_.begin(), waiters_.end());
  waiters_.clear();
  while (!waking_.empty()) {
    athena::Event* waiter = waking_.back();
    waking_.pop_back();
    waiter->set();
  }
}

Task<> Job::wait(TimePoint until, Cancellation* cancellation) {
  if (!book_->stopping_ && !(cancellation && cancellation->cancelled())) co_await wait_until(until, cancellation);
}

Task<> Job::wait_until(TimePoint until, Cancellation* cancellation) {
  const auto self = shared_from_this();
  if (done_) co_return;
  athena::Event event;
  waiters_.push_back(&event);
  {
    const auto tick = loop().watch([&event, until](TimePoint now) {
      if (now >= until) event.set();
    });
    const Cancellation::Watch watch(cancellation, [&event] { event.set(); });
    co_await event.wait();
  }
  std::erase(waiters_, &event);
  std::erase(waking_, &event);
}

Error gave_up(const JobBook& book, const Cancellation* cancellation) {
  if (book.stopping()) return Error(Code::shutting_down);
  if (cancellation && cancellation->cancelled()) {
    switch (cancellation->reason()) {
      case CancelReason::none:
      case CancelReason::client_gone: return Error(Code::cancelled);
      case CancelReason::deadline: return Error(Code::statement_timeout);
      case CancelReason::shutdown: return Error(Code::shutting_down);
    }
  }
  return Error(Code::statement_timeout);
}

}  // namespace athena::driver::sqlite
