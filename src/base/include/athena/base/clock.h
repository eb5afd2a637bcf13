#pragma once

#include <chrono>

namespace athena {

/// Monotonic time: deadlines and durations. Policies get it as an argument and never read it themselves.
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace athena
