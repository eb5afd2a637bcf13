#include "request_id.h"

#include <set>

#include <gtest/gtest.h>

namespace athena::gateway {
namespace {

TEST(IsSaneRequestId, refuses_what_could_break_a_header_or_a_log_line) {
  for (const std::string_view id : {"", "a b", "a\r\nb", "a\"b", "a/b", "a,b", "é"}) {
    EXPECT_FALSE(is_sane_request_id(id)) << id;
  }
  EXPECT_FALSE(is_sane_request_id(std::string_view("a\0b", 3)));
  EXPECT_FALSE(is_sane_request_id(std::string(129, 'a')));
}

TEST(IsSaneRequestId, keeps_what_others_use) {
  EXPECT_TRUE(is_sane_request_id("a"));
  EXPECT_TRUE(is_sane_request_id("0b6f1c9e-7b0b-4d0f-9f62-3a2f1c9e7b0b"));
  EXPECT_TRUE(is_sane_request_id("trace_1.span-2"));
  EXPECT_TRUE(is_sane_request_id(std::string(128, 'Z')));
}

TEST(RequestIds, have_the_form_of_a_ulid) {
  RequestIds ids;
  const std::string id = ids.next();
  EXPECT_EQ(id.size(), 26U);
  EXPECT_EQ(id.find_first_not_of("0123456789ABCDEFGHJKMNPQRSTVWXYZ"), std::string::npos) << id;
  EXPECT_LE(id.front(), '7');
}

TEST(RequestIds, never_come_twice_and_sort_by_time) {
  RequestIds ids;
  std::set<std::string> seen;
  std::string last;
  for (int i = 0; i < 10'000; ++i) {
    const std::string id = ids.next();
    EXPECT_TRUE(seen.insert(id).second);
    EXPECT_LT(last.substr(0, 10), id.substr(0, 10) + "~");
    last = id;
  }
}

TEST(RequestIds, of_two_loops_differ) { EXPECT_NE(RequestIds().next(), RequestIds().next()); }

}  // namespace
}  // namespace athena::gateway
