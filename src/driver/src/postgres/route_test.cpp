#include "postgres/route.h"

#include <gtest/gtest.h>

namespace athena::driver::postgres {
namespace {

query::Printed printed(bool is_keyed, const query::TableDef* table = nullptr) {
  query::Printed p;
  p.is_keyed = is_keyed;
  p.table = table;
  return p;
}

query::Select select(std::optional<std::uint64_t> limit) {
  query::Select s;
  s.limit = limit;
  return s;
}

TEST(Route, an_unbounded_read_keeps_nobody_waiting) {
  EXPECT_EQ(choose_route(select(std::nullopt), printed(false)), Route::exclusive);
}

TEST(Route, a_read_by_key_goes_on_a_lane_whatever_its_limit) {
  EXPECT_EQ(choose_route(select(std::nullopt), printed(true)), Route::lane);
  EXPECT_EQ(choose_route(select(1'000'000'000), printed(true)), Route::lane);
}

TEST(Route, a_page_goes_on_a_lane_if_its_rows_are_known_to_be_small_enough) {
  query::TableDef wide, narrow;
  wide.average_row_bytes = 20'000;
  narrow.average_row_bytes = 20;
  EXPECT_EQ(choose_route(select(100), printed(false)), Route::lane);
  EXPECT_EQ(choose_route(select(1'000), printed(false)), Route::exclusive);
  EXPECT_EQ(choose_route(select(100), printed(false, &wide)), Route::exclusive);
  EXPECT_EQ(choose_route(select(10'000), printed(false, &narrow)), Route::lane);
}

TEST(Route, changes_of_an_unknown_number_of_rows_get_their_own_connection) {
  EXPECT_EQ(choose_route(query::Update{}, printed(false)), Route::exclusive);
  EXPECT_EQ(choose_route(query::Delete{}, printed(true)), Route::lane);
}

TEST(Route, a_bounded_change_is_guarded_unless_its_key_bounds_it) {
  query::Update update;
  update.max_affected = 3;
  EXPECT_EQ(choose_route(update, printed(false)), Route::guarded);
  EXPECT_EQ(choose_route(update, printed(true)), Route::lane);
  update.max_affected = 0;
  EXPECT_EQ(choose_route(update, printed(true)), Route::guarded);
  EXPECT_EQ(most_affected(update), 0U);
}

TEST(Route, only_a_read_by_nothing_but_its_key_shares_a_transaction) {
  query::TableDef table;
  table.reads_alone = true;
  query::Select by_key = select(std::nullopt);
  query::Predicate predicate;
  by_key.where.terms.emplace_back(predicate);
  EXPECT_TRUE(may_share_sync(by_key, printed(true, &table)));
  EXPECT_FALSE(may_share_sync(by_key, printed(false, &table)));
  EXPECT_FALSE(may_share_sync(query::Update{}, printed(true, &table)));
  table.reads_alone = false;
  EXPECT_FALSE(may_share_sync(by_key, printed(true, &table))) << "its policies may do anything";
  table.reads_alone = true;
  predicate.op = query::Op::like;
  by_key.where.terms.emplace_back(predicate);
  EXPECT_FALSE(may_share_sync(by_key, printed(true, &table))) << "a pattern may take long";
}

TEST(Route, what_takes_long_to_send_does_not_go_on_a_lane) {
  query::Printed large = printed(true);
  large.params.push_back({query::ParamKind::text, std::string(kMaxLaneAnswerBytes + 1, 'x')});
  EXPECT_EQ(choose_route(query::Insert{}, large), Route::exclusive);
}

}  // namespace
}  // namespace athena::driver::postgres
