#include "scylla/cursor.h"

#include <string>

#include <gtest/gtest.h>

namespace athena::driver::scylla {
namespace {

using namespace std::literals;

const std::string kState = "\0\1state\xff"s;

CursorSeal seal() {
  return {"secret", "ks", "SELECT 1", "values"};
}

TEST(Cursor, what_was_closed_opens_again_everywhere_the_secret_is_known) {
  const std::string cursor = seal().close(kState);
  EXPECT_EQ(cursor.find_first_not_of("0123456789abcdef"), std::string::npos) << "it stands in URLs as it is";
  const auto state = seal().open(cursor);
  ASSERT_TRUE(state);
  EXPECT_EQ(*state, kState);
}

TEST(Cursor, does_not_open_for_another_statement_or_secret) {
  const std::string cursor = seal().close(kState);
  for (const CursorSeal& other :
       {CursorSeal("other", "ks", "SELECT 1", "values"), CursorSeal("secret", "k", "sSELECT 1", "values"),
        CursorSeal("secret", "ks", "SELECT 2", "values"), CursorSeal("secret", "ks", "SELECT 1", "value"),
        CursorSeal("secret", "ks", "SELECT 1v", "alues"), CursorSeal("", "ks", "SELECT 1", "values")}) {
    const auto opened = other.open(cursor);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Code::invalid_value);
  }
}

TEST(Cursor, every_changed_digit_is_noticed) {
  const std::string cursor = seal().close(kState);
  for (std::size_t at = 0; at < cursor.size(); ++at) {
    std::string forged = cursor;
    forged[at] = forged[at] == '0' ? '1' : '0';
    EXPECT_FALSE(seal().open(forged)) << at;
  }
}

TEST(Cursor, every_shorter_and_longer_one_is_refused) {
  const std::string cursor = seal().close(kState);
  for (std::size_t size = 0; size < cursor.size(); ++size) EXPECT_FALSE(seal().open(cursor.substr(0, size))) << size;
  EXPECT_FALSE(seal().open(cursor + "00"));
  EXPECT_FALSE(seal().open(cursor + "0"));
  EXPECT_FALSE(seal().open(std::string(1'000'000, '0')));
  EXPECT_FALSE(seal().open("next page, please"));
}

}  // namespace
}  // namespace athena::driver::scylla
