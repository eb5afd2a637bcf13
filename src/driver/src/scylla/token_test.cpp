#include "scylla/token.h"

#include <array>
#include <limits>

#include <gtest/gtest.h>

namespace athena::driver::scylla {
namespace {

using namespace std::string_literals;

struct Vector {
  std::string key;
  std::int64_t token;
};

/// Recorded from another implementation, the Python driver of Cassandra; a test against a real server compares, too.
TEST(Token, is_what_cassandra_computes) {
  const Vector vectors[] = {
      {"123", -7468325962851647638},
      {"\xff"s, -4442228696663692417},
      {"\0\0\0\1"s, -4069959284402364209},
      {std::string(8, '\xfe'), -8927430733708461935},
      {std::string(8, '\x10'), 1446172840243228796},
      {std::string(15, '\x80'), -5979218241483680930},
      {std::string(16, '\0'), 5457549051747178710},
      {"\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff", -9084739235461062116},
      {"9223372036854775807", 7162290910810015547},
      {"ключ", 1182936647932017555},
      {std::string(1'000, 'a'), -7428624817625657599},
  };
  for (const Vector& vector : vectors) EXPECT_EQ(murmur3_token(vector.key).value, vector.token) << vector.key.size();
}

TEST(Token, of_nothing_is_the_least) {
  EXPECT_EQ(murmur3_token("").value, std::numeric_limits<std::int64_t>::min());
}

TEST(RoutingKey, of_one_column_is_its_value) {
  const std::array<std::string_view, 1> one{"abc"};
  EXPECT_EQ(routing_key(one), "abc");
}

TEST(RoutingKey, of_several_columns_has_their_lengths_and_ends) {
  const std::array<std::string_view, 3> three{"ab", "", "c"};
  EXPECT_EQ(routing_key(three), "\0\2ab\0\0\0\0\0\1c\0"s);
  const std::string large(0x1234, 'x');
  const std::array<std::string_view, 2> two{large, "y"};
  EXPECT_EQ(routing_key(two), "\x12\x34"s + large + "\0\0\1y\0"s);
}

TEST(Shard, spreads_the_ring_evenly_and_in_order) {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kGreatest = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(shard_of({kLeast}, {4, 0}), 0U);
  EXPECT_EQ(shard_of({-1}, {4, 0}), 1U);
  EXPECT_EQ(shard_of({0}, {4, 0}), 2U);
  EXPECT_EQ(shard_of({kGreatest}, {4, 0}), 3U);
  EXPECT_EQ(shard_of({kGreatest}, {1, 12}), 0U);
}

/// From ScyllaDB's documentation of its protocol extensions: the biased token loses its upper bits, what is left is
/// scaled to the number of shards.
TEST(Shard, ignores_the_upper_bits_that_it_is_told_to_ignore) {
  // Biased, 0 is 1 << 63: without its upper bits nothing is left of it.
  EXPECT_EQ(shard_of({0}, {8, 12}), 0U);
  // 1 << 51 is the highest bit that 12 ignored ones leave, and so half of the way.
  EXPECT_EQ(shard_of({std::int64_t{1} << 51}, {8, 12}), 4U);
  EXPECT_EQ(shard_of({(std::int64_t{1} << 51) + (std::int64_t{1} << 50)}, {8, 12}), 6U);
  EXPECT_EQ(shard_of({-1}, {8, 12}), 7U);
}

}  // namespace
}  // namespace athena::driver::scylla
