#include "transform/time_bucket.h"

#include <gtest/gtest.h>

namespace athena::gateway {
namespace {

std::string label(std::string_view time, Granularity granularity) {
  const auto seconds = parse_time(time);
  return seconds ? bucket_label(*seconds, granularity) : seconds.error().error;
}

TEST(ParseTime, what_is_no_time_is_refused_and_named) {
  for (const std::string_view text : {"",
                                      "x",
                                      "2025",
                                      "2025-01",
                                      "2025-1-1",
                                      "2025-13-01",
                                      "2025-00-10",
                                      "2025-02-29",
                                      "2025-01-32",
                                      "20250131",
                                      "2025-01-31T",
                                      "2025-01-31T1",
                                      "2025-01-31T25:00",
                                      "2025-01-31T10:60",
                                      "2025-01-31T10:00:61",
                                      "2025-01-31T10:00:",
                                      "2025-01-31T10:00Zx",
                                      "2025-01-31T10:00+",
                                      "2025-01-31T10:00+2",
                                      "2025-01-31T10:00+02:",
                                      "2025-01-31T10:00+24:00",
                                      "2025-01-31T10:00+02:60",
                                      "-025-01-31",
                                      "2025-01-31_10:00",
                                      "infinity"}) {
    const auto parsed = parse_time(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Code::post_processing_failed);
    EXPECT_EQ(parsed.error().error,
              "Post-processing failure: Failed to parse datetime string: '" + std::string(text) + "'");
  }
}

TEST(ParseTime, a_long_text_is_shortened_in_the_error) {
  EXPECT_LT(parse_time(std::string(10'000, '1')).error().error.size(), 200U);
}

TEST(ParseTime, reads_what_databases_write) {
  for (const std::string_view text :
       {"2025-01-31T13:05:09Z", "2025-01-31 13:05:09", "2025-01-31T13:05:09.123456+00:00", "2025-01-31 13:05:09+00",
        "2025-01-31T15:05:09+02:00", "2025-01-31T15:05:09+0200", "2025-01-31T15:05:09+02", "2025-01-31t08:35:09-0430",
        "2025-01-31T13:05:09z"}) {
    EXPECT_EQ(parse_time(text).value_or(0), 1'738'328'709) << text;
  }
  EXPECT_EQ(parse_time("1970-01-01").value_or(1), 0);
  EXPECT_EQ(parse_time("1969-12-31T23:59:59Z").value_or(1), -1);
  EXPECT_EQ(parse_time("2024-02-29").value_or(0), 1'709'164'800);
}

TEST(BucketLabel, names_the_bucket_in_utc) {
  constexpr std::string_view kTime = "2025-01-31T01:05:59+02:00";  // the day before, in UTC
  EXPECT_EQ(label(kTime, Granularity::minute), "2025-01-30 23:05");
  EXPECT_EQ(label(kTime, Granularity::hour), "2025-01-30 23:00");
  EXPECT_EQ(label(kTime, Granularity::day), "2025-01-30");
  EXPECT_EQ(label(kTime, Granularity::week), "2025-01-27");
  EXPECT_EQ(label(kTime, Granularity::month), "2025-01");
  EXPECT_EQ(label(kTime, Granularity::year), "2025");
}

TEST(BucketLabel, weeks_begin_on_monday_across_years) {
  EXPECT_EQ(label("2025-01-01", Granularity::week), "2024-12-30");
  EXPECT_EQ(label("2024-12-30", Granularity::week), "2024-12-30");
  EXPECT_EQ(label("2024-12-29", Granularity::week), "2024-12-23");
}

TEST(BucketLabel, times_before_1970_fall_into_their_own_bucket) {
  EXPECT_EQ(bucket_label(-1, Granularity::minute), "1969-12-31 23:59");
  EXPECT_EQ(bucket_label(-86'401, Granularity::day), "1969-12-30");
}

TEST(GranularityOf, takes_words_in_any_case) {
  EXPECT_EQ(granularity_of("Minute"), Granularity::minute);
  EXPECT_EQ(granularity_of("year"), Granularity::year);
}

}  // namespace
}  // namespace athena::gateway
