#include "scylla/times.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace athena::driver::scylla {
namespace {

template <class T>
std::string show(void (*append)(std::string&, T), T value) {
  std::string out;
  append(out, value);
  return out;
}

TEST(Timestamp, is_the_same_both_ways) {
  const std::pair<std::int64_t, const char*> pairs[] = {
      {0, "1970-01-01T00:00:00+00:00"},
      {1, "1970-01-01T00:00:00.001+00:00"},
      {-1, "1969-12-31T23:59:59.999+00:00"},
      {1'704'164'645'670, "2024-01-02T03:04:05.67+00:00"},
      {951'782'400'000, "2000-02-29T00:00:00+00:00"},
      {-2'208'988'800'000, "1900-01-01T00:00:00+00:00"},
      {-62'167'219'200'000, "0000-01-01T00:00:00+00:00"},
      {-62'167'219'200'001, "-0001-12-31T23:59:59.999+00:00"},
      {253'402'300'800'000, "+10000-01-01T00:00:00+00:00"},
      {std::numeric_limits<std::int64_t>::max(), "+292278994-08-17T07:12:55.807+00:00"},
      {std::numeric_limits<std::int64_t>::min(), "-292275055-05-16T16:47:04.192+00:00"},
  };
  for (const auto& [value, text] : pairs) {
    EXPECT_EQ(show(append_timestamp, value), text);
    EXPECT_EQ(timestamp_of(text), value) << text;
  }
}

TEST(Timestamp, may_be_written_in_many_ways) {
  constexpr std::int64_t kMoment = 1'704'164'640'000;  // 2024-01-02T03:04:00Z
  for (const char* text :
       {"2024-01-02T03:04Z", "2024-01-02 03:04:00", "2024-01-02t03:04:00.000z", "2024-01-02T05:04:00+02",
        "2024-01-02T05:04:00+0200", "2024-01-01T22:04:00-05:00", "2024-01-02T03:04:00.000000000Z"}) {
    EXPECT_EQ(timestamp_of(text), kMoment) << text;
  }
  EXPECT_EQ(timestamp_of("2024-01-02"), kMoment - 11'040'000);
}

TEST(Timestamp, what_is_none_or_would_lose_something_is_refused) {
  for (const char* text : {"",
                           "now",
                           "2024",
                           "2024-13-01",
                           "2024-02-30",
                           "2023-02-29",
                           "2024-01-00",
                           "2024-1-2",
                           "24-01-02",
                           "2024-01-02T24:00",
                           "2024-01-02T03:60",
                           "2024-01-02T03:04:60",
                           "2024-01-02T03",
                           "2024-01-02T",
                           "2024-01-02T03:04:00.",
                           "2024-01-02T03:04:00.0001Z",
                           "2024-01-02T03:04+2",
                           "2024-01-02T03:04+02:",
                           "2024-01-02T03:04+02:60",
                           "2024-01-02T03:04+19",
                           "2024-01-02T03:04Zulu",
                           "2024-01-02X03:04",
                           "999999999-01-01",
                           "2024-01-02 03:04:00 ",
                           "1704164640000"}) {
    EXPECT_EQ(timestamp_of(text), std::nullopt) << text;
  }
}

TEST(Date, is_the_same_both_ways) {
  const std::pair<std::uint32_t, const char*> pairs[] = {
      {1U << 31, "1970-01-01"},
      {(1U << 31) - 1, "1969-12-31"},
      {(1U << 31) + 19'724, "2024-01-02"},
      {0, "-5877641-06-23"},
      {std::numeric_limits<std::uint32_t>::max(), "+5881580-07-11"},
  };
  for (const auto& [value, text] : pairs) {
    EXPECT_EQ(show(append_date, value), text);
    EXPECT_EQ(date_of(text), value) << text;
  }
  for (const char* text : {"", "2024-01-02T00:00", "2024-02-30", "+5881580-07-12", "-5877641-06-22"}) {
    EXPECT_EQ(date_of(text), std::nullopt) << text;
  }
}

TEST(Time, is_the_same_both_ways) {
  const std::pair<std::int64_t, const char*> pairs[] = {
      {0, "00:00:00"}, {11'045'000'000'678, "03:04:05.000000678"}, {86'399'999'999'999, "23:59:59.999999999"}};
  for (const auto& [value, text] : pairs) {
    EXPECT_EQ(show(append_time, value), text);
    EXPECT_EQ(time_of(text), value) << text;
  }
  EXPECT_EQ(time_of("03:04"), 11'040'000'000'000);
  for (const char* text : {"", "24:00", "3:04", "03:04:05Z", "03:04:05.0000000001", "03:04:05.", "-03:04"}) {
    EXPECT_EQ(time_of(text), std::nullopt) << text;
  }
}

TEST(Duration, is_the_same_both_ways) {
  const std::pair<CqlDuration, const char*> pairs[] = {
      {{}, "0s"},
      {{14, 3, 14'706'007'008'009}, "1y2mo3d4h5m6s7ms8us9ns"},
      {{-14, -3, -14'706'007'008'009}, "-1y2mo3d4h5m6s7ms8us9ns"},
      {{0, 40, 0}, "40d"},
      {{0, 0, 90'000'000'000'000}, "25h"},
      {{2'147'483'647, 2'147'483'647, std::numeric_limits<std::int64_t>::max()},
       "178956970y7mo2147483647d2562047h47m16s854ms775us807ns"},
  };
  for (const auto& [value, text] : pairs) {
    EXPECT_EQ(show(append_duration, value), text);
    EXPECT_EQ(duration_of(text), value) << text;
  }
}

TEST(Duration, the_least_values_are_written_whole) {
  constexpr std::int32_t kLeast = std::numeric_limits<std::int32_t>::min();
  EXPECT_EQ(show(append_duration, CqlDuration{kLeast, kLeast, std::numeric_limits<std::int64_t>::min()}),
            "-178956970y8mo2147483648d2562047h47m16s854ms775us808ns");
}

TEST(Duration, may_be_written_as_iso_has_it) {
  EXPECT_EQ(duration_of("P1Y2M3W4DT5H6M7.008S"), (CqlDuration{14, 25, 18'367'008'000'000}));
  EXPECT_EQ(duration_of("-P1D"), (CqlDuration{0, -1, 0}));
  EXPECT_EQ(duration_of("PT0S"), (CqlDuration{}));
  EXPECT_EQ(duration_of("2w"), (CqlDuration{0, 14, 0}));
  EXPECT_EQ(duration_of("5µs"), (CqlDuration{0, 0, 5'000}));
}

TEST(Duration, what_is_none_is_refused) {
  for (const char* text :
       {"", "-", "P", "PT", "-P", "1", "1x", "d", "1.5d", "P1.5D", "P1S", "P1DT", "1d ", "--1d", "3000000000d",
        "2147483648mo", "9223372036854775808ns", "9999999999h", "99999999999999999999ns"}) {
    EXPECT_EQ(duration_of(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace athena::driver::scylla
