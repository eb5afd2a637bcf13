#include "transform/time_bucket.h"

#include <cassert>
#include <chrono>

#include <athena/base/text.h>

namespace athena::gateway {
namespace {

namespace chrono = std::chrono;
constexpr std::string_view kWords[] = {"minute", "hour", "day", "week", "month", "year"};

/// Reads exactly `count` digits at `at` and moves on; -1 if they are not there.
int take_digits(std::string_view text, std::size_t& at, std::size_t count) {
  if (text.size() < at + count) return -1;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const char c = text[at + i];
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  at += count;
  return value;
}

bool take(std::string_view text, std::size_t& at, char c) {
  if (at >= text.size() || text[at] != c) return false;
  ++at;
  return true;
}

/// `Z`, `+02`, `+02:00`, `-0530`, or nothing: minutes east of UTC. False: malformed.
bool read_offset(std::string_view text, int& minutes) {
  minutes = 0;
  if (text.empty() || text == "Z" || text == "z") return true;
  const int sign = text.front() == '+' ? 1 : text.front() == '-' ? -1 : 0;
  if (sign == 0) return false;
  std::size_t at = 1;
  const int hours = take_digits(text, at, 2);
  const bool colon = take(text, at, ':');
  const int rest = colon || at < text.size() ? take_digits(text, at, 2) : 0;
  minutes = sign * (hours * 60 + rest);
  return hours >= 0 && hours <= 23 && rest >= 0 && rest <= 59 && at == text.size();
}

std::unexpected<Error> unreadable(std::string_view text) {
  return fail(Code::post_processing_failed,
              "Post-processing failure: Failed to parse datetime string: '" + std::string(text.substr(0, 64)) + "'");
}

void append_number(std::string& out, int value, int width) {
  const std::string digits = std::to_string(value);
  out.append(static_cast<std::size_t>(std::max(0, width - static_cast<int>(digits.size()))), '0');
  out += digits;
}

}  // namespace

Granularity granularity_of(std::string_view word) {
  for (std::size_t i = 0; i < std::size(kWords); ++i) {
    if (text::iequals(kWords[i], word)) return static_cast<Granularity>(i);
  }
  assert(false && "the reader lets only known words through");
  return Granularity::day;
}

Result<std::int64_t> parse_time(std::string_view text) {
  std::size_t at = 0;
  const int year = take_digits(text, at, 4);
  const bool dash1 = take(text, at, '-');
  const int month = take_digits(text, at, 2);
  const bool dash2 = take(text, at, '-');
  const int day = take_digits(text, at, 2);
  const chrono::year_month_day date{chrono::year(year), chrono::month(static_cast<unsigned>(month)),
                                    chrono::day(static_cast<unsigned>(day))};
  if (year < 0 || !dash1 || month < 0 || !dash2 || day < 0 || !date.ok()) return unreadable(text);
  const std::int64_t midnight = chrono::sys_days(date).time_since_epoch().count() * std::int64_t{86'400};
  if (at == text.size()) return midnight;
  if (!take(text, at, 'T') && !take(text, at, ' ') && !take(text, at, 't')) return unreadable(text);
  const int hour = take_digits(text, at, 2);
  const bool colon = take(text, at, ':');
  const int minute = take_digits(text, at, 2);
  int second = 0;
  if (take(text, at, ':')) second = take_digits(text, at, 2);
  if (take(text, at, '.')) {
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  }
  int offset = 0;
  const bool in_range = hour >= 0 && hour <= 23 && colon && minute >= 0 && minute <= 59 && second >= 0 && second <= 60;
  if (!in_range || !read_offset(text.substr(at), offset)) return unreadable(text);
  return midnight + hour * 3'600 + (minute - offset) * 60 + second;
}

std::string bucket_label(std::int64_t seconds, Granularity granularity) {
  const chrono::sys_seconds time{chrono::seconds(seconds)};
  auto day = chrono::floor<chrono::days>(time);
  const auto in_day = static_cast<int>((time - day).count());
  if (granularity == Granularity::week) day -= chrono::weekday(day) - chrono::Monday;
  const chrono::year_month_day date(day);
  std::string label;
  append_number(label, static_cast<int>(date.year()), 4);
  if (granularity == Granularity::year) return label;
  label += '-';
  append_number(label, static_cast<int>(static_cast<unsigned>(date.month())), 2);
  if (granularity == Granularity::month) return label;
  label += '-';
  append_number(label, static_cast<int>(static_cast<unsigned>(date.day())), 2);
  if (granularity == Granularity::day || granularity == Granularity::week) return label;
  label += ' ';
  append_number(label, in_day / 3'600, 2);
  label += ':';
  append_number(label, granularity == Granularity::minute ? in_day / 60 % 60 : 0, 2);
  return label;
}

}  // namespace athena::gateway
