#include "scylla/ring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace athena::driver::scylla {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Node node(std::string address, std::string data_center, std::string rack, std::vector<Token> tokens) {
  return {.address = std::move(address),
          .name = {},
          .port = 9042,
          .data_center = std::move(data_center),
          .rack = std::move(rack),
          .host_id = {},
          .tokens = std::move(tokens)};
}
Ring ring(std::vector<Node> nodes, Replication replication, std::string local = {}) {
  return Ring(std::move(nodes), {{"ks", std::move(replication)}}, std::move(local));
}
Replication simple(std::uint32_t factor) {
  return {.strategy = Replication::Strategy::simple, .factor = factor, .per_data_center = {}};
}
Replication network(std::vector<std::pair<std::string, std::uint32_t>> centers) {
  return {.strategy = Replication::Strategy::network, .factor = 0, .per_data_center = std::move(centers)};
}

TEST(Replication, is_read_from_the_options_of_a_keyspace) {
  EXPECT_EQ(read_replication({{"class", "org.apache.cassandra.locator.SimpleStrategy"}, {"replication_factor", "3"}}),
            simple(3));
  EXPECT_EQ(
      read_replication({{"class", "org.apache.cassandra.locator.NetworkTopologyStrategy"}, {"b", "2"}, {"a", "3/1"}}),
      network({{"a", 2}, {"b", 2}}));
  EXPECT_EQ(read_replication({{"class", "LocalStrategy"}}), Replication());
  EXPECT_EQ(read_replication({{"class", "SimpleStrategy"}, {"replication_factor", "many"}}), simple(0));
  EXPECT_EQ(read_replication({{"class", "SimpleStrategy"}, {"replication_factor", "1000000000"}}), simple(0));
}

TEST(Tokens, are_whole_numbers) {
  const auto tokens = read_tokens({"-9223372036854775808", "0", "17"});
  ASSERT_TRUE(tokens.has_value());
  EXPECT_EQ(tokens->size(), 3U);
  EXPECT_FALSE(read_tokens({"0a1b2c"}).has_value());
}

TEST(Ring, simple_strategy_walks_on_to_the_next_nodes) {
  const Ring r = ring(
      {node("a", "dc", "r", {{0}, {300}}), node("b", "dc", "r", {{100}}), node("c", "dc", "r", {{200}})}, simple(2));
  EXPECT_THAT(r.replicas("ks", {50}), ElementsAre(1, 2));
  EXPECT_THAT(r.replicas("ks", {100}), ElementsAre(1, 2));  // a range ends with its token
  EXPECT_THAT(r.replicas("ks", {101}), ElementsAre(2, 0));
  EXPECT_THAT(r.replicas("ks", {250}), ElementsAre(0, 1));
  EXPECT_THAT(r.replicas("ks", {301}), ElementsAre(0, 1));  // beyond the last it begins anew
}

TEST(Ring, more_copies_than_nodes_are_one_on_each) {
  const Ring r = ring({node("a", "dc", "r", {{0}}), node("b", "dc", "r", {{100}})}, simple(5));
  EXPECT_THAT(r.replicas("ks", {1}), ElementsAre(1, 0));
}

TEST(Ring, network_strategy_takes_one_node_of_each_rack_before_a_second_of_any) {
  const Ring r = ring({node("a", "dc", "r1", {{0}}), node("b", "dc", "r1", {{100}}), node("c", "dc", "r2", {{200}}),
                       node("d", "dc", "r2", {{300}})},
                      network({{"dc", 2}}));
  EXPECT_THAT(r.replicas("ks", {0}), ElementsAre(0, 2));
  EXPECT_THAT(r.replicas("ks", {100}), ElementsAre(1, 2));
  EXPECT_THAT(r.replicas("ks", {200}), ElementsAre(2, 0));
}

TEST(Ring, network_strategy_repeats_racks_when_there_are_fewer_than_copies) {
  const Ring r = ring({node("a", "dc", "r1", {{0}}), node("b", "dc", "r1", {{100}}), node("c", "dc", "r1", {{200}}),
                       node("d", "dc", "r2", {{300}})},
                      network({{"dc", 3}}));
  // One of the three may be of a rack that was met already; the third node of rack r1 is passed over for r2.
  EXPECT_THAT(r.replicas("ks", {0}), ElementsAre(0, 1, 3));
}

TEST(Ring, network_strategy_counts_each_data_center_for_itself) {
  const Ring r = ring({node("a", "east", "r", {{0}}), node("b", "west", "r", {{100}}), node("c", "east", "r", {{200}}),
                       node("d", "west", "r", {{300}}), node("e", "north", "r", {{400}})},
                      network({{"east", 1}, {"west", 2}}));
  EXPECT_THAT(r.replicas("ks", {0}), ElementsAre(0, 1, 3));
  EXPECT_THAT(r.replicas("ks", {350}), ElementsAre(0, 1, 3));
  EXPECT_THAT(r.replicas("ks", {150}), ElementsAre(2, 3, 1));
}

TEST(Ring, of_what_is_not_known_nothing_is_said) {
  const Ring r = ring({node("a", "dc", "r", {{0}})}, Replication());
  EXPECT_THAT(r.replicas("ks", {0}), IsEmpty());
  EXPECT_THAT(r.replicas("other", {0}), IsEmpty());
  EXPECT_THAT(ring({}, simple(3)).replicas("ks", {0}), IsEmpty());
  EXPECT_THAT(ring({node("a", "dc", "r", {})}, simple(3)).replicas("ks", {0}), IsEmpty());
  EXPECT_THAT(ring({node("a", "dc", "r", {{0}})}, network({{"gone", 3}})).replicas("ks", {0}), IsEmpty());
}

TEST(Ring, the_local_data_center_is_the_configured_one_or_that_of_the_first_node) {
  const std::vector<Node> nodes{node("a", "east", "r", {{0}}), node("b", "west", "r", {{1}})};
  EXPECT_TRUE(ring(nodes, simple(1)).is_local(0));
  EXPECT_FALSE(ring(nodes, simple(1)).is_local(1));
  EXPECT_TRUE(ring(nodes, simple(1), "west").is_local(1));
}

TEST(Ring, a_large_cluster_is_placed_in_time) {
  std::vector<Node> nodes;
  for (int i = 0; i < 60; ++i) {
    std::vector<Token> tokens;
    for (int t = 0; t < 256; ++t)
      tokens.push_back({static_cast<std::int64_t>(murmur3_token(std::to_string(i * 1000 + t)).value)});
    nodes.push_back(
        node(std::to_string(i), i % 2 == 0 ? "east" : "west", "r" + std::to_string(i % 6), std::move(tokens)));
  }
  const Ring r = ring(std::move(nodes), network({{"east", 3}, {"west", 3}}));
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(r.replicas("ks", murmur3_token("k" + std::to_string(i))).size(), 6U);
}

}  // namespace
}  // namespace athena::driver::scylla
