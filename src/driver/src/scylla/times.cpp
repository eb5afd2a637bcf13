#include "scylla/times.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include <fmt/format.h>

namespace athena::driver::scylla {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kSecondNs = 1'000'000'000, kHourNs = 3'600 * kSecondNs, kMinuteNs = 60 * kSecondNs;
constexpr std::int64_t kEpochDay = std::int64_t{1} << 31;
constexpr std::int64_t kDaysOfEra = 146'097;  // 400 years

struct Civil {
  std::int64_t year;
  std::uint32_t month, day;
};

/// Days since 1970 to the proleptic Gregorian calendar, with years from March on so that the leap day comes last.
Civil civil_of(std::int64_t days) noexcept {
  days += 719'468;  // since 0000-03-01
  const std::int64_t era = (days >= 0 ? days : days - kDaysOfEra + 1) / kDaysOfEra;
  const std::int64_t of_era = days - era * kDaysOfEra;
  const std::int64_t year_of_era = (of_era - of_era / 1'460 + of_era / 36'524 - of_era / 146'096) / 365;
  const std::int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month = (5 * of_year + 2) / 153;
  const auto day = static_cast<std::uint32_t>(of_year - (153 * month + 2) / 5 + 1);
  const auto real_month = static_cast<std::uint32_t>(month < 10 ? month + 3 : month - 9);
  return {year_of_era + era * 400 + (real_month <= 2 ? 1 : 0), real_month, day};
}

std::int64_t days_of(Civil date) noexcept {
  const std::int64_t year = date.year - (date.month <= 2 ? 1 : 0);
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t of_year =
      (153 * (static_cast<std::int64_t>(date.month) + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
  return era * kDaysOfEra + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719'468;
}

bool is_leap(std::int64_t year) noexcept {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/// Takes digits off the front of `text`: at least one, at most `most`.
std::optional<std::int64_t> take_number(std::string_view& text, std::size_t least, std::size_t most) {
  std::size_t count = 0;
  std::int64_t value = 0;
  while (count < text.size() && count < most && text[count] >= '0' && text[count] <= '9') {
    value = value * 10 + (text[count++] - '0');
  }
  if (count < least) return std::nullopt;
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, char c) noexcept {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::int64_t> take_date(std::string_view& text) {
  const bool negative = text.starts_with('-');
  const bool has_sign = negative || text.starts_with('+');
  if (has_sign) text.remove_prefix(1);
  const auto year = take_number(text, 4, 9);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_number(text, 2, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_number(text, 2, 2);
  if (!day || *month < 1 || *month > 12) return std::nullopt;
  const Civil date{negative ? -*year : *year, static_cast<std::uint32_t>(*month), static_cast<std::uint32_t>(*day)};
  constexpr std::array kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const int length = kDays[date.month - 1] + (date.month == 2 && is_leap(date.year) ? 1 : 0);
  if (*day < 1 || *day > length) return std::nullopt;
  return days_of(date);
}

/// `03:04`, `03:04:05`, `03:04:05.123456789`, in nanoseconds.
std::optional<std::int64_t> take_time(std::string_view& text, bool needs_seconds) {
  const auto hour = take_number(text, 2, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = take_number(text, 2, 2);
  if (!minute || *minute > 59) return std::nullopt;
  std::int64_t second = 0, nanos = 0;
  if (take(text, ':')) {
    const auto seconds = take_number(text, 2, 2);
    if (!seconds || *seconds > 59) return std::nullopt;
    second = *seconds;
    if (take(text, '.')) {
      const std::size_t before = text.size();
      const auto fraction = take_number(text, 1, 9);
      if (!fraction) return std::nullopt;
      nanos = *fraction;
      for (std::size_t digits = before - text.size(); digits < 9; ++digits) nanos *= 10;
    }
  } else if (needs_seconds) {
    return std::nullopt;
  }
  return *hour * kHourNs + *minute * kMinuteNs + second * kSecondNs + nanos;
}

/// `Z`, `+02`, `+0200`, `+02:00`, or nothing; in minutes.
std::optional<std::int64_t> take_offset(std::string_view& text) {
  if (text.empty() || take(text, 'Z') || take(text, 'z')) return 0;
  const bool negative = text.starts_with('-');
  if (!negative && !text.starts_with('+')) return std::nullopt;
  text.remove_prefix(1);
  const auto hours = take_number(text, 2, 2);
  if (!hours || *hours > 18) return std::nullopt;
  std::int64_t minutes = 0;
  if (take(text, ':') || !text.empty()) {
    const auto value = take_number(text, 2, 2);
    if (!value || *value > 59) return std::nullopt;
    minutes = *value;
  }
  const std::int64_t offset = *hours * 60 + minutes;
  return negative ? -offset : offset;
}

void append_civil(std::string& out, std::int64_t days) {
  const Civil date = civil_of(days);
  if (date.year >= 0 && date.year <= 9'999) {
    fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}", date.year, date.month, date.day);
  } else {  // ISO 8601's expanded years have a sign
    fmt::format_to(std::back_inserter(out), "{}{:04}-{:02}-{:02}", date.year < 0 ? '-' : '+',
                   date.year < 0 ? -date.year : date.year, date.month, date.day);
  }
}

void append_fraction(std::string& out, std::int64_t value, int digits) {
  if (value == 0) return;
  std::string text = fmt::format(".{:0{}}", value, digits);
  while (text.back() == '0') text.pop_back();
  out += text;
}

struct Unit {
  std::string_view name;
  std::int64_t months, days, nanos;
};
/// CQL's, those that begin alike with the longer first.
constexpr Unit kUnits[] = {{"mo", 1, 0, 0},      {"ms", 0, 0, 1'000'000}, {"us", 0, 0, 1'000},   {"µs", 0, 0, 1'000},
                           {"ns", 0, 0, 1},      {"y", 12, 0, 0},         {"w", 0, 7, 0},        {"d", 0, 1, 0},
                           {"h", 0, 0, kHourNs}, {"m", 0, 0, kMinuteNs},  {"s", 0, 0, kSecondNs}};
constexpr Unit kIsoDateUnits[] = {{"Y", 12, 0, 0}, {"M", 1, 0, 0}, {"W", 0, 7, 0}, {"D", 0, 1, 0}};
constexpr Unit kIsoTimeUnits[] = {{"H", 0, 0, kHourNs}, {"M", 0, 0, kMinuteNs}, {"S", 0, 0, kSecondNs}};

class DurationSum {
 public:
  /// `fraction` in billionths of the unit.
  bool add(const Unit& unit, std::int64_t count, std::int64_t fraction = 0) {
    std::int64_t months = 0, days = 0, nanos = 0;
    const bool too_large =
        __builtin_mul_overflow(unit.months, count, &months) || __builtin_mul_overflow(unit.days, count, &days) ||
        __builtin_mul_overflow(unit.nanos, count, &nanos) || __builtin_add_overflow(months_, months, &months_) ||
        __builtin_add_overflow(days_, days, &days_) || __builtin_add_overflow(nanos_, nanos, &nanos_);
    if (too_large || (fraction != 0 && unit.nanos != kSecondNs)) return false;
    return !__builtin_add_overflow(nanos_, fraction, &nanos_);
  }
  std::optional<CqlDuration> finish(bool negative) const {
    constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
    if (months_ > kMost || days_ > kMost) return std::nullopt;
    const int sign = negative ? -1 : 1;
    return CqlDuration{static_cast<std::int32_t>(sign * months_), static_cast<std::int32_t>(sign * days_),
                       sign * nanos_};
  }

 private:
  std::int64_t months_ = 0, days_ = 0, nanos_ = 0;
};

template <std::size_t N>
bool take_part(std::string_view& text, const Unit (&units)[N], DurationSum& sum) {
  const auto count = take_number(text, 1, 18);
  if (!count) return false;
  std::int64_t fraction = 0;
  if (take(text, '.')) {
    const std::size_t before = text.size();
    const auto digits = take_number(text, 1, 9);
    if (!digits) return false;
    fraction = *digits;
    for (std::size_t i = before - text.size(); i < 9; ++i) fraction *= 10;
  }
  const auto* unit = std::ranges::find_if(units, [text](const Unit& u) { return text.starts_with(u.name); });
  if (unit == std::end(units)) return false;
  text.remove_prefix(unit->name.size());
  return sum.add(*unit, *count, fraction);
}

}  // namespace

void append_timestamp(std::string& out, std::int64_t ms) {
  const std::int64_t days = ms / kDayMs - (ms % kDayMs < 0 ? 1 : 0);
  const std::int64_t rest = ms % kDayMs + (ms % kDayMs < 0 ? kDayMs : 0);
  append_civil(out, days);
  fmt::format_to(std::back_inserter(out), "T{:02}:{:02}:{:02}", rest / 3'600'000, rest / 60'000 % 60,
                 rest / 1'000 % 60);
  append_fraction(out, rest % 1'000, 3);
  out += "+00:00";
}

std::optional<std::int64_t> timestamp_of(std::string_view text) {
  const auto days = take_date(text);
  if (!days) return std::nullopt;
  std::int64_t nanos = 0;
  if (!text.empty() && (text[0] == 'T' || text[0] == 't' || text[0] == ' ')) {
    text.remove_prefix(1);
    const auto time = take_time(text, false);
    if (!time) return std::nullopt;
    nanos = *time;
  }
  const auto offset = take_offset(text);
  if (!offset || !text.empty() || nanos % 1'000'000 != 0) return std::nullopt;
  // Before 1970 from the day's end, so that the first day that there is does not overflow.
  const std::int64_t whole_days = *days < 0 ? *days + 1 : *days;
  const std::int64_t rest = nanos / 1'000'000 - *offset * 60'000 - (*days < 0 ? kDayMs : 0);
  std::int64_t ms = 0;
  if (__builtin_mul_overflow(whole_days, kDayMs, &ms) || __builtin_add_overflow(ms, rest, &ms)) return std::nullopt;
  return ms;
}

void append_date(std::string& out, std::uint32_t days) {
  append_civil(out, static_cast<std::int64_t>(days) - kEpochDay);
}

std::optional<std::uint32_t> date_of(std::string_view text) {
  const auto days = take_date(text);
  if (!days || !text.empty()) return std::nullopt;
  const std::int64_t counted = *days + kEpochDay;
  if (counted < 0 || counted > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  return static_cast<std::uint32_t>(counted);
}

void append_time(std::string& out, std::int64_t ns) {
  fmt::format_to(std::back_inserter(out), "{:02}:{:02}:{:02}", ns / kHourNs, ns / kMinuteNs % 60, ns / kSecondNs % 60);
  append_fraction(out, ns % kSecondNs, 9);
}

std::optional<std::int64_t> time_of(std::string_view text) {
  const auto time = take_time(text, false);
  if (!time || !text.empty()) return std::nullopt;
  return time;
}

void append_duration(std::string& out, CqlDuration duration) {
  // One sign stands for all; the least values have no positive counterpart, so they are counted unsigned.
  const auto size_of = [](std::int64_t value) {
    return value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  };
  if (duration.months < 0 || duration.days < 0 || duration.nanoseconds < 0) out.push_back('-');
  const std::size_t before = out.size();
  const auto part = [&out](std::uint64_t count, std::string_view unit) {
    if (count > 0) out.append(std::to_string(count)).append(unit);
  };
  const std::uint64_t months = size_of(duration.months), nanos = size_of(duration.nanoseconds);
  part(months / 12, "y");
  part(months % 12, "mo");
  part(size_of(duration.days), "d");
  part(nanos / kHourNs, "h");
  part(nanos / kMinuteNs % 60, "m");
  part(nanos / kSecondNs % 60, "s");
  part(nanos / 1'000'000 % 1'000, "ms");
  part(nanos / 1'000 % 1'000, "us");
  part(nanos % 1'000, "ns");
  if (out.size() == before) out += "0s";
}

std::optional<CqlDuration> duration_of(std::string_view text) {
  const bool negative = take(text, '-');
  DurationSum sum;
  if (text.empty()) return std::nullopt;
  if (take(text, 'P')) {
    if (text.empty()) return std::nullopt;
    while (!text.empty() && text[0] != 'T') {
      if (!take_part(text, kIsoDateUnits, sum)) return std::nullopt;
    }
    if (take(text, 'T') && text.empty()) return std::nullopt;
    while (!text.empty()) {
      if (!take_part(text, kIsoTimeUnits, sum)) return std::nullopt;
    }
  } else {
    while (!text.empty()) {
      if (!take_part(text, kUnits, sum)) return std::nullopt;
    }
  }
  return sum.finish(negative);
}

}  // namespace athena::driver::scylla
