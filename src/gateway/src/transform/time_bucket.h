#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <athena/base/result.h>

namespace athena::gateway {

enum class Granularity : std::uint8_t { minute, hour, day, week, month, year };
/// None of the words: a programming error, since the reader checked it; asserted.
Granularity granularity_of(std::string_view word);

/// Seconds since 1970 of an RFC 3339 time, `YYYY-MM-DD HH:MM:SS` (taken as UTC), or a date.
/// Error: post_processing_failed.
Result<std::int64_t> parse_time(std::string_view text);

/// The label of the bucket that holds this second, in UTC: `2025-01-31`, `2025-01-31 13:00`, `2025-01-31 13:05`; weeks
/// by their Monday, months `2025-01`, years `2025`.
std::string bucket_label(std::int64_t seconds, Granularity granularity);

}  // namespace athena::gateway
