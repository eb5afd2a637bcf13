#pragma once

#include <cassert>
#include <functional>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>

#include <athena/base/async.h>

namespace athena {

/// Wakes one waiting coroutine on the same loop. Not thread-safe: an Event belongs to one loop.
///
/// set() resumes the waiter inline, inside the call: whatever set() stands in must be ready to see the world changed
/// when it returns (the Event itself may be gone by then). That saves a turn of the loop for each request. An Event
/// that is set stays set until reset().
///
/// A coroutine that waits is kept alive by its Event alone. An Event that goes has it destroyed at the next turn of the
/// loop, so it must not outlive the loop; and one that lives in the very coroutine that waits on it has to be set
/// before the loop goes, or both leak.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  bool is_set() const noexcept { return set_; }
  void reset() noexcept { set_ = false; }

  /// Marks the event and resumes the waiter, if there is one, before it returns.
  void set() {
    set_ = true;
    if (waiter_) std::exchange(waiter_, nullptr)();
  }

  /// Returns when the event is set. At most one coroutine may wait at a time.
  Task<> wait() {
    if (!set_) co_await suspend();
  }
  /// The same for who has seen that it is not set: a coroutine less on the way of a request.
  Task<> suspend() {
    assert(!set_);
    return asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
        [this](auto handler) {
          assert(!waiter_);
          waiter_ = std::move(handler);
        },
        use_task);
  }

 private:
  std::move_only_function<void()> waiter_;
  bool set_ = false;
};

}  // namespace athena
