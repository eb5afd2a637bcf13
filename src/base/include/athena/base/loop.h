#pragma once

#include <functional>
#include <list>
#include <memory>

#include <boost/asio/steady_timer.hpp>

#include <athena/base/async.h>
#include <athena/base/clock.h>

namespace athena {

/// One I/O loop: one thread, one io_context, and a coarse tick that stands in for a timer per request.
/// Everything that belongs to a loop is touched by its thread alone; other threads post().
class Loop {
 public:
  /// How often watchers run, and so how late a deadline can be noticed.
  static constexpr milliseconds kTick{10};

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  asio::io_context& context() noexcept { return context_; }
  Executor executor() noexcept { return context_.get_executor(); }

  /// Runs until stop(). Called by the loop's own thread.
  void run();
  /// Thread-safe, and may be called more than once. Handlers that are queued are dropped with the loop.
  void stop();

  using Watcher = std::function<void(TimePoint now)>;
  /// Calls `watcher` at each tick until the handle is destroyed (on the loop's thread, which may be inside the
  /// watcher). A watcher that is added during a tick is called from the next one on. Watchers must not throw.
  class Handle {
   public:
    Handle() = default;
    explicit Handle(std::shared_ptr<Watcher> watcher) : watcher_(std::move(watcher)) {}

   private:
    std::shared_ptr<Watcher> watcher_;
  };
  [[nodiscard]] Handle watch(Watcher watcher);

  /// Returns after `duration`, measured by a timer of its own. For background work; requests use the tick.
  Task<> sleep(Duration duration);

 private:
  void arm();
  void tick();

  asio::io_context context_{1};
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer_;
  std::list<std::weak_ptr<Watcher>> watchers_;
  asio::executor_work_guard<Executor> work_;
  bool armed_ = false;
};

}  // namespace athena
