#include "schema_cell.h"

#include <gtest/gtest.h>

namespace athena::driver {
namespace {

const TimePoint kStart{seconds(1'000)};

std::shared_ptr<const query::Schema> picture() {
  return std::make_shared<const query::Schema>(std::vector<query::TableDef>{}, std::vector<std::string>{"public"});
}

TEST(SchemaCell, nothing_is_loaded_until_somebody_asks) {
  SchemaCell cell;
  EXPECT_FALSE(cell.begin(kStart));
  EXPECT_EQ(cell.get(), nullptr);
}

TEST(SchemaCell, one_load_runs_at_a_time_and_all_who_join_wait_for_it) {
  SchemaCell cell;
  const std::uint64_t first = cell.join();
  EXPECT_EQ(cell.begin(kStart), first);
  EXPECT_EQ(cell.join(), first);
  EXPECT_FALSE(cell.begin(kStart));
  EXPECT_FALSE(cell.progress(first).ended);
  const std::uint64_t version = cell.version();
  cell.end(kStart, picture());
  EXPECT_TRUE(cell.progress(first).ended);
  EXPECT_NE(cell.version(), version);
  EXPECT_NE(cell.get(), nullptr);
}

TEST(SchemaCell, who_wants_it_newer_than_now_does_not_get_the_load_that_runs) {
  SchemaCell cell;
  const std::uint64_t first = cell.join();
  ASSERT_TRUE(cell.begin(kStart));
  const std::uint64_t second = cell.request();
  EXPECT_GT(second, first);
  cell.end(kStart, picture());
  EXPECT_FALSE(cell.progress(second).ended);
  EXPECT_FALSE(cell.begin(kStart)) << "not so soon";
  EXPECT_EQ(cell.begin(kStart + SchemaCell::kPause), second);
}

TEST(SchemaCell, a_failed_load_tells_why_and_keeps_the_picture) {
  SchemaCell cell;
  cell.join();
  cell.begin(kStart);
  cell.end(kStart, picture());
  const std::uint64_t number = cell.request();
  cell.begin(kStart + SchemaCell::kPause);
  cell.end(kStart + SchemaCell::kPause, fail(Code::database_unavailable));
  ASSERT_TRUE(cell.progress(number).error);
  EXPECT_EQ(cell.progress(number).error->code, Code::database_unavailable);
  EXPECT_NE(cell.get(), nullptr);
}

TEST(SchemaCell, errors_ask_for_a_load_once_a_second) {
  SchemaCell cell;
  EXPECT_TRUE(cell.request_after_error(kStart));
  EXPECT_FALSE(cell.request_after_error(kStart + milliseconds(999)));
  EXPECT_TRUE(cell.request_after_error(kStart + SchemaCell::kErrorInterval));
}

TEST(SchemaCell, an_old_picture_is_renewed_only_if_it_was_used) {
  SchemaCell cell;
  cell.join();
  cell.begin(kStart);
  cell.end(kStart, picture());
  const TimePoint later = kStart + SchemaCell::kRefreshInterval;
  cell.request_if_old(later);
  EXPECT_FALSE(cell.begin(later));
  cell.mark_used();
  cell.request_if_old(later - seconds(1));
  EXPECT_FALSE(cell.begin(later));
  cell.request_if_old(later);
  EXPECT_TRUE(cell.begin(later));
}

}  // namespace
}  // namespace athena::driver
