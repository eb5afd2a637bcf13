#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <athena/driver/health.h>

#include "backoff.h"
#include "budget.h"
#include "scylla/connection.h"
#include "scylla/plan.h"

namespace athena::driver::scylla {

/// One node as one loop uses it: its connections, and when to try another. On ScyllaDB one connection for each shard,
/// as far as the budget goes; elsewhere one, and more while all are busy.
class Host {
 public:
  /// Beyond the first, while those that there are have so much to do.
  static constexpr std::size_t kMostConnections = 4, kBusy = 256;

  explicit Host(Node node)
      : node_(std::move(node)),
        name_((node_.address.find(':') == std::string::npos ? node_.address : '[' + node_.address + ']') + ':' +
              std::to_string(node_.port)),
        health_key_("scylla|" + name_),
        backoff(reinterpret_cast<std::uintptr_t>(this)) {}

  const Node& node() const noexcept { return node_; }
  /// What the cluster says of it; it keeps the name that the client gave it.
  void update(Node node) {
    if (node.name.empty()) node.name = std::move(node_.name);
    node_ = std::move(node);
  }
  const std::string& name() const noexcept { return name_; }  ///< "127.0.0.1:9042"
  const std::string& health_key() const noexcept { return health_key_; }

  /// The connection for a request: the token's shard's if there is one, else the least busy. Null: none takes any.
  std::shared_ptr<Connection> choose(std::optional<Token> token) const;
  bool is_connected() const noexcept { return !open_.empty(); }
  std::size_t connections() const noexcept { return open_.size(); }
  /// Answers that it owes. One that stalls owes more and more, though those who asked have gone elsewhere.
  std::uint32_t owed() const noexcept;
  std::uint32_t busy() const noexcept;

  /// A shard that has no connection yet, or 0 where shards do not matter; none: there are enough.
  std::optional<std::uint32_t> wanted_shard() const noexcept;
  bool has_shard(std::uint32_t shard) const noexcept;
  Sharding sharding() const noexcept { return open_.empty() ? Sharding{} : open_.front().connection->node().sharding; }

  void add(std::shared_ptr<Connection> connection, Budget::Place place);
  bool has(const Connection& connection) const noexcept;
  /// False: it is not one of its own.
  bool remove(const Connection& connection) noexcept;
  /// Closes those that were not used for long, beyond `keep`.
  void close_idle(TimePoint now, milliseconds idle, std::size_t keep);
  void close();
  void tick(TimePoint now);
  /// Any open one, to ask about the cluster.
  std::shared_ptr<Connection> any() const noexcept { return open_.empty() ? nullptr : open_.front().connection; }

 private:
  struct Open {
    std::shared_ptr<Connection> connection;  // shared with its own reading and with requests
    Budget::Place place;
  };
  Node node_;
  const std::string name_, health_key_;
  std::vector<Open> open_;

 public:
  Backoff backoff;
  LatencyEstimate latency;
  std::vector<std::uint32_t> opening;  ///< shards to which a connection is being made
  std::uint8_t version = 5;            ///< of the protocol, to try first
  TimePoint next_shard_try{};          ///< not before, after a connection ended on another shard than it should
  bool shard_port_fails = false;       ///< behind a firewall: shards are met by chance then, on the ordinary port
  bool is_offline = false;             ///< as the process's health saw it at the last tick
};

}  // namespace athena::driver::scylla
