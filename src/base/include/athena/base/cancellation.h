#pragma once

#include <cassert>
#include <cstdint>
#include <functional>
#include <utility>

namespace athena {

/// Why the work for a request should stop.
enum class CancelReason : std::uint8_t { none, client_gone, deadline, shutdown };

/// Says to whoever works for a request that nobody waits for the answer any more. Belongs to one loop.
///
/// The session (or the deadline) calls cancel(); whoever currently waits on the request's behalf has put a handler
/// here, which must wake it. One handler at a time: requests wait in one place.
class Cancellation {
 public:
  Cancellation() = default;
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;

  bool cancelled() const noexcept { return reason_ != CancelReason::none; }
  CancelReason reason() const noexcept { return reason_; }

  /// The first reason wins; the handler runs once, inside the call.
  void cancel(CancelReason reason) {
    if (cancelled()) return;
    reason_ = reason;
    if (handler_) std::exchange(handler_, nullptr)();
  }
  void reset() noexcept {
    reason_ = CancelReason::none;
    handler_ = nullptr;
  }

  /// Runs `handler` if the request is cancelled while the Watch lives. The caller checks cancelled() first. Watches do
  /// not overlap: the second would take the place of the first, and leave nobody to be woken when it goes.
  class Watch {
   public:
    Watch(Cancellation* cancellation, std::move_only_function<void()> handler) : cancellation_(cancellation) {
      if (!cancellation_) return;
      assert(!cancellation_->handler_);
      cancellation_->handler_ = std::move(handler);
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() {
      if (cancellation_) cancellation_->handler_ = nullptr;
    }

   private:
    Cancellation* cancellation_;
  };

 private:
  std::move_only_function<void()> handler_;
  CancelReason reason_ = CancelReason::none;
};

}  // namespace athena
