#include "scylla/host.h"

#include <algorithm>

namespace athena::driver::scylla {

std::shared_ptr<Connection> Host::choose(std::optional<Token> token) const {
  const Sharding shards = sharding();
  const bool is_sharded = token && shards.shards > 0;
  const std::uint32_t shard = is_sharded ? shard_of(*token, shards) : 0;
  const Open* best = nullptr;
  for (const Open& open : open_) {
    if (!open.connection->accepts()) continue;
    if (is_sharded && open.connection->node().shard == shard) return open.connection;
    if (!best || open.connection->owed() < best->connection->owed()) best = &open;
  }
  return best ? best->connection : nullptr;
}

std::uint32_t Host::owed() const noexcept {
  std::size_t sum = 0;
  for (const Open& open : open_) sum += open.connection->owed();
  return static_cast<std::uint32_t>(sum);
}

std::uint32_t Host::busy() const noexcept {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(open_, [](const Open& open) { return open.connection->in_flight() > 0; }));
}

std::optional<std::uint32_t> Host::wanted_shard() const noexcept {
  // One that takes nothing new serves nobody who comes now.
  const auto cannot_help = [](const Open& open) {
    return open.connection->is_retiring() || open.connection->owed() >= kBusy;
  };
  if (std::ranges::all_of(open_, [](const Open& open) { return open.connection->is_retiring(); })) {
    return opening.empty() ? std::optional(0u) : std::nullopt;
  }
  const std::uint32_t shards = sharding().shards;
  if (shards == 0) {
    if (!opening.empty() || open_.size() >= kMostConnections) return std::nullopt;
    return std::ranges::all_of(open_, cannot_help) ? std::optional(0u) : std::nullopt;
  }
  for (std::uint32_t shard = 0; shard < shards; ++shard) {
    if (!has_shard(shard) && std::ranges::find(opening, shard) == opening.end()) return shard;
  }
  return std::nullopt;
}

bool Host::has_shard(std::uint32_t shard) const noexcept {
  return std::ranges::any_of(open_, [shard](const Open& open) {
    return open.connection->node().shard == shard && !open.connection->is_retiring();
  });
}

void Host::add(std::shared_ptr<Connection> connection, Budget::Place place) {
  version = connection->version();
  open_.push_back({std::move(connection), std::move(place)});
}

bool Host::has(const Connection& connection) const noexcept {
  return std::ranges::any_of(open_, [&connection](const Open& open) { return open.connection.get() == &connection; });
}

bool Host::remove(const Connection& connection) noexcept {
  return std::erase_if(open_, [&connection](const Open& open) { return open.connection.get() == &connection; }) > 0;
}

void Host::close_idle(TimePoint now, milliseconds idle, std::size_t keep) {
  std::size_t left = open_.size();
  for (const Open& open : open_) {
    if (left <= keep) return;
    if (open.connection->in_flight() > 0 || now - open.connection->last_used() <= idle) continue;
    open.connection->retire();
    --left;
  }
}

void Host::close() {
  while (!open_.empty()) {
    const auto connection = open_.back().connection;
    connection->close();
    remove(*connection);
  }
}

void Host::tick(TimePoint now) {
  std::vector<std::shared_ptr<Connection>> connections;  // one that closes leaves the list
  for (const Open& open : open_) connections.push_back(open.connection);
  for (const auto& connection : connections) connection->tick(now);
}

}  // namespace athena::driver::scylla
