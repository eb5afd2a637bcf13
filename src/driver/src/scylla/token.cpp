#include "scylla/token.h"

#include <bit>
#include <cstring>
#include <limits>

namespace athena::driver::scylla {
namespace {

constexpr std::uint64_t kC1 = 0x87c37b91114253d5;
constexpr std::uint64_t kC2 = 0x4cf5ad432745937f;

std::uint64_t block_at(const char* at) noexcept {
  std::uint64_t block;
  std::memcpy(&block, at, sizeof block);
  return std::endian::native == std::endian::little ? block : std::byteswap(block);
}

std::uint64_t mix1(std::uint64_t k) noexcept {
  return std::rotl(k * kC1, 31) * kC2;
}
std::uint64_t mix2(std::uint64_t k) noexcept {
  return std::rotl(k * kC2, 33) * kC1;
}
std::uint64_t avalanche(std::uint64_t h) noexcept {
  h = (h ^ (h >> 33)) * 0xff51afd7ed558ccd;
  h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53;
  return h ^ (h >> 33);
}

/// Up to 8 bytes of the tail. Java's bytes are signed and Cassandra never masks them here: the quirk that every client
/// must share.
std::uint64_t tail_of(std::string_view bytes) noexcept {
  std::uint64_t k = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    k ^= static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<signed char>(bytes[i]))) << (8 * i);
  }
  return k;
}

}  // namespace

Token murmur3_token(std::string_view key) noexcept {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  if (key.empty()) return {kLeast};
  std::uint64_t h1 = 0, h2 = 0;
  std::size_t at = 0;
  for (; at + 16 <= key.size(); at += 16) {
    h1 = (std::rotl(h1 ^ mix1(block_at(key.data() + at)), 27) + h2) * 5 + 0x52dce729;
    h2 = (std::rotl(h2 ^ mix2(block_at(key.data() + at + 8)), 31) + h1) * 5 + 0x38495ab5;
  }
  const std::string_view tail = key.substr(at);
  if (tail.size() > 8) h2 ^= mix2(tail_of(tail.substr(8)));
  h1 ^= mix1(tail_of(tail.substr(0, 8)));
  h1 ^= key.size();
  h2 ^= key.size();
  h1 += h2;
  h2 += h1;
  const auto token = static_cast<std::int64_t>(avalanche(h1) + avalanche(h2));
  // The least value is where the ring starts: no key stands there.
  return {token == kLeast ? std::numeric_limits<std::int64_t>::max() : token};
}

std::string routing_key(std::span<const std::string_view> columns) {
  if (columns.size() == 1) return std::string(columns.front());
  std::string key;
  for (const std::string_view column : columns) {
    key += static_cast<char>(column.size() >> 8 & 0xff);
    key += static_cast<char>(column.size() & 0xff);
    key += column;
    key += '\0';
  }
  return key;
}

std::uint32_t shard_of(Token token, Sharding sharding) noexcept {
  const std::uint64_t biased = static_cast<std::uint64_t>(token.value) + (1ULL << 63);
  const std::uint64_t spread = sharding.ignore_msb < 64 ? biased << sharding.ignore_msb : 0;
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint32_t>(static_cast<Wide>(spread) * sharding.shards >> 64);
}

}  // namespace athena::driver::scylla
