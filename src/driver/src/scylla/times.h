#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// CQL's times to and from text: ISO 8601 for moments, and CQL's own form for durations.
namespace athena::driver::scylla {

/// Milliseconds since 1970 ↔ `2024-01-02T03:04:05.678+00:00` (the fraction only if there is one).
void append_timestamp(std::string& out, std::int64_t milliseconds);
/// A date, a time after `T` or a blank, `Z` or an offset; without one it is UTC. None: not that, or finer than a
/// millisecond, which would be lost.
std::optional<std::int64_t> timestamp_of(std::string_view text);

/// Days, 2³¹ being 1970-01-01 ↔ `2024-01-02`.
void append_date(std::string& out, std::uint32_t days);
std::optional<std::uint32_t> date_of(std::string_view text);

/// Nanoseconds since midnight ↔ `03:04:05.000000678`.
void append_time(std::string& out, std::int64_t nanoseconds);
std::optional<std::int64_t> time_of(std::string_view text);

struct CqlDuration {
  std::int32_t months = 0, days = 0;
  std::int64_t nanoseconds = 0;  ///< all of one sign
  bool operator==(const CqlDuration&) const = default;
};
/// `1y2mo3d4h5m6s7ms8us9ns`, the parts that are not 0.
void append_duration(std::string& out, CqlDuration duration);
/// That form, or ISO 8601's `P1Y2M3W4DT5H6M7.8S`, with a sign in front.
std::optional<CqlDuration> duration_of(std::string_view text);

}  // namespace athena::driver::scylla
