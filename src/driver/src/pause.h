#pragma once

#include <athena/base/cancellation.h>
#include <athena/base/event.h>
#include <athena/base/loop.h>

namespace athena::driver {

/// Returns at the first tick of the loop from `until` on, or when the request is cancelled.
inline Task<> pause(Loop& loop, TimePoint until, Cancellation* cancellation) {
  if (cancellation && cancellation->cancelled()) co_return;
  athena::Event over;
  const auto tick = loop.watch([&over, until](TimePoint now) {
    if (now >= until) over.set();
  });
  const Cancellation::Watch watch(cancellation, [&over] { over.set(); });
  co_await over.wait();
}

}  // namespace athena::driver
