#include "supabase/row_cap.h"

#include <gtest/gtest.h>

namespace athena::driver::supabase {
namespace {

TEST(RowCap, a_short_page_may_have_been_cut_until_a_longer_one_was_seen) {
  RowCap cap;
  EXPECT_TRUE(cap.may_have_more(100, 20));
  EXPECT_FALSE(cap.may_have_more(100, 10));
  EXPECT_TRUE(cap.may_have_more(100, 30));
  EXPECT_FALSE(cap.may_have_more(100, 29));
}

TEST(RowCap, pages_of_the_services_own_length_go_on) {
  RowCap cap;
  for (int page = 0; page < 3; ++page) EXPECT_TRUE(cap.may_have_more(10'000, 1'000));
  EXPECT_FALSE(cap.may_have_more(10'000, 999));
}

TEST(RowCap, nothing_is_the_end_and_a_full_page_is_not) {
  RowCap cap;
  EXPECT_FALSE(cap.may_have_more(10, 0));
  EXPECT_FALSE(cap.may_have_more(0, 0));
  EXPECT_TRUE(cap.may_have_more(10, 10));
  EXPECT_TRUE(cap.may_have_more(100, 5)) << "a full page says nothing about the cap";
}

TEST(RowCap, forgets) {
  RowCap cap;
  EXPECT_TRUE(cap.may_have_more(10'000, 5'000));
  EXPECT_FALSE(cap.may_have_more(10'000, 1'000));
  cap.forget();
  EXPECT_TRUE(cap.may_have_more(10'000, 1'000));
}

}  // namespace
}  // namespace athena::driver::supabase
