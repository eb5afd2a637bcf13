#include "postgres/statement_cache.h"

#include <string>

#include <gtest/gtest.h>

namespace athena::driver::postgres {
namespace {

TEST(StatementCache, an_unknown_statement_must_be_added) {
  StatementCache cache;
  EXPECT_EQ(cache.find("SELECT 1"), nullptr);
}

TEST(StatementCache, a_known_statement_keeps_its_name) {
  StatementCache cache;
  const auto added = cache.add("SELECT 1");
  EXPECT_EQ(added.statement->name, "s1");
  EXPECT_EQ(added.evicted, "");
  EXPECT_EQ(cache.find(std::string("SELECT ") + "1"), added.statement);
}

TEST(StatementCache, the_least_recently_used_one_goes_and_is_named_so_that_it_can_be_closed) {
  StatementCache cache(2);
  cache.add("a");
  cache.add("b");
  EXPECT_NE(cache.find("a"), nullptr);
  EXPECT_EQ(cache.add("c").evicted, "s2");
  EXPECT_EQ(cache.find("b"), nullptr);
  EXPECT_NE(cache.find("a"), nullptr);
  EXPECT_EQ(cache.size(), 2U);
}

TEST(StatementCache, a_forgotten_statement_gets_a_name_that_was_never_used) {
  StatementCache cache;
  const auto first = cache.add("a").statement;
  cache.forget(*first);
  EXPECT_EQ(cache.find("a"), nullptr);
  EXPECT_EQ(cache.add("a").statement->name, "s2");
}

TEST(StatementCache, forgetting_what_was_replaced_already_changes_nothing) {
  StatementCache cache;
  const auto first = cache.add("a").statement;
  cache.forget(*first);
  const auto second = cache.add("a").statement;
  cache.forget(*first);
  EXPECT_EQ(cache.find("a"), second);
}

TEST(StatementCache, adding_a_statement_again_closes_its_old_name) {
  StatementCache cache;
  cache.add("a");
  EXPECT_EQ(cache.add("a").evicted, "s1");
  EXPECT_EQ(cache.size(), 1U);
}

}  // namespace
}  // namespace athena::driver::postgres
