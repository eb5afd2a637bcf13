#include "scylla/statement_cache.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "scylla/server_bytes.h"

namespace athena::driver::scylla {
namespace {

using namespace std::literals;

PreparedPtr statement(std::string cql, std::string keyspace = "") {
  auto prepared = std::make_shared<Prepared>();
  prepared->cql = std::move(cql);
  prepared->keyspace = std::move(keyspace);
  return prepared;
}

TEST(StatementCache, finds_by_text_and_keyspace) {
  StatementCache cache;
  const auto a = statement("a"), in_ks = statement("a", "ks");
  cache.put(a);
  cache.put(in_ks);
  EXPECT_EQ(cache.find("", "a"), a);
  EXPECT_EQ(cache.find("ks", "a"), in_ks);
  EXPECT_EQ(cache.find("k", "sa"), nullptr);
  EXPECT_EQ(cache.find("", "b"), nullptr);
}

TEST(StatementCache, the_least_recently_used_goes) {
  StatementCache cache(2);
  cache.put(statement("a"));
  cache.put(statement("b"));
  EXPECT_NE(cache.find("", "a"), nullptr);
  cache.put(statement("c"));
  EXPECT_EQ(cache.find("", "b"), nullptr);
  EXPECT_NE(cache.find("", "a"), nullptr);
  EXPECT_EQ(cache.size(), 2U);
}

TEST(StatementCache, a_newer_one_takes_the_place_and_a_forgotten_one_is_gone) {
  StatementCache cache;
  const auto old = statement("a"), newer = statement("a");
  cache.put(old);
  cache.put(newer);
  EXPECT_EQ(cache.find("", "a"), newer);
  EXPECT_EQ(cache.size(), 1U);
  cache.forget(*old);
  EXPECT_EQ(cache.find("", "a"), nullptr);
  cache.forget(*old);
}

TEST(StatementCache, one_that_the_database_calls_otherwise_by_now_is_prepared_anew) {
  StatementCache cache;
  const auto outdated = statement("a");
  cache.put(outdated);
  outdated->is_outdated = true;
  EXPECT_EQ(cache.find("", "a"), nullptr);
  EXPECT_EQ(cache.size(), 0U);
}

TEST(Columns, are_read_once_and_known_again_by_their_text) {
  const ServerRows rows{.columns = {{"id", {.kind = CqlKind::int_}},
                                    {"tags", {.kind = CqlKind::set, .elements = {{.kind = CqlKind::text}}}}}};
  const std::string body = rows.body();
  const auto result = read_result(body);
  ASSERT_TRUE(result);
  const auto columns = make_columns(result->metadata.columns);
  ASSERT_TRUE(columns);
  EXPECT_EQ(columns->infos[1].name, "tags");
  EXPECT_EQ(columns->infos[1].type_name, "set<text>");
  EXPECT_EQ(columns->text(), result->metadata.columns);
  EXPECT_EQ(make_columns({"not columns", 2, true}), nullptr);
}

Prepared keyed(std::vector<std::uint16_t> key) {
  Prepared prepared;
  prepared.partition_key = std::move(key);
  return prepared;
}

TEST(TokenOf, is_that_of_the_bound_partition_key) {
  BoundValues values;
  values.add("x");
  values.add("\0\0\0\1"s);
  EXPECT_EQ(token_of(keyed({1}), values), Token{-4069959284402364209}) << "one part: its bytes alone";
  const std::string both = ServerBytes().string("\0\0\0\1"s).u8(0).string("x").u8(0);
  EXPECT_EQ(token_of(keyed({1, 0}), values), murmur3_token(both));
}

TEST(TokenOf, is_none_where_the_key_is_not_known) {
  BoundValues values;
  values.add_null();
  EXPECT_EQ(token_of(keyed({}), values), std::nullopt);
  EXPECT_EQ(token_of(keyed({0}), values), std::nullopt) << "null";
  EXPECT_EQ(token_of(keyed({1}), values), std::nullopt) << "not bound";
}

}  // namespace
}  // namespace athena::driver::scylla
