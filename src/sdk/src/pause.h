#pragma once

#include <memory>

#include <boost/asio/steady_timer.hpp>

#include <athena/base/cancellation.h>
#include <athena/base/event.h>
#include <athena/base/loop.h>

namespace athena::sdk {

/// Waits until `event` is set, the time has come, or the work is cancelled. The event belongs to the caller, and is set
/// afterwards in every case.
inline Task<> wait_until(Loop& loop, Event& event, TimePoint time, Cancellation* cancellation) {
  if (cancellation && cancellation->cancelled()) co_return;
  const auto alive = std::make_shared<bool>(true);  // the timer may have expired, and not have run yet, when this ends
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer(loop.executor(), time);
  timer.async_wait([&event, alive](boost::system::error_code error) {
    if (!error && *alive) event.set();
  });
  const Cancellation::Watch watch(cancellation, [&event] { event.set(); });
  co_await event.wait();
  *alive = false;
}

}  // namespace athena::sdk
