#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace athena::driver::scylla {

/// A position on the ring of Murmur3Partitioner.
struct Token {
  std::int64_t value = 0;
  auto operator<=>(const Token&) const = default;
};

/// The token of a routing key, as Cassandra computes it: Murmur3 x64 128, first half, with the bytes of the tail signed
/// and the least value moved to the greatest.
Token murmur3_token(std::string_view routing_key) noexcept;

/// The routing key of the serialized columns of a partition key, in order: one stands as it is, several each with its
/// length before it and a zero behind it. Values are at most 65 535 bytes, which Cassandra demands of keys.
std::string routing_key(std::span<const std::string_view> columns);

/// How a ScyllaDB node spreads tokens over its shards ("biased-token-round-robin"), from its SUPPORTED answer.
struct Sharding {
  std::uint32_t shards = 0;  ///< 0: not ScyllaDB
  std::uint32_t ignore_msb = 0;
};
/// `shards` is not 0.
std::uint32_t shard_of(Token token, Sharding sharding) noexcept;

}  // namespace athena::driver::scylla
