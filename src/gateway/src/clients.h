#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <athena/base/event.h>
#include <athena/driver/backend.h>
#include <athena/gateway/settings.h>

namespace athena::gateway {

/// A named target, with what all loops share of it.
struct Client {
  ClientSettings settings;
  const driver::BackendKind* kind = nullptr;
  std::shared_ptr<driver::SharedState> shared;
};

/// Settings and clients, immutable; replaced whole on reload.
struct Snapshot {
  Settings settings;
  std::vector<std::shared_ptr<const Client>> clients;  ///< sorted by name, case-insensitively

  /// Case-insensitive; null: unknown.
  const std::shared_ptr<const Client>* find(std::string_view name) const noexcept;
};

using FindKind = const driver::BackendKind* (*)(std::string_view) noexcept;

/// Builds the clients of `settings`, of the kinds that `find_kind` knows. Those of `before` whose target did not change
/// are taken over with their connections. Errors: configuration_error (unknown kind of backend, two clients of one
/// name).
Result<std::shared_ptr<const Snapshot>> make_snapshot(Settings settings, const Snapshot* before,
                                                      FindKind find_kind = driver::find_backend_kind);

/// A client's backend on one loop. Requests hold it, so that a client that is replaced ends after them.
struct BackendSlot {
  std::shared_ptr<const Client> client;  // outlives the backend: it holds the shared state
  std::unique_ptr<driver::Backend> backend;
};

/// The backends of one loop, opened when they are first asked for.
class LoopBackends {
 public:
  /// `health`: the process's; null: no host is left alone.
  LoopBackends(Loop& loop, driver::Observer& observer, std::shared_ptr<driver::HostHealth> health = nullptr)
      : runtime_{loop, observer, std::move(health)} {}

  std::shared_ptr<BackendSlot> get(const std::shared_ptr<const Client>& client);
  /// The backend of a target that a caller named (X-JDBC-URL); `key` identifies it. It is a guest: it gets few
  /// connections, and a name that tells nobody where it leads. Bounded: the least recently used one goes when there are
  /// too many, and each goes after half an hour without use.
  std::shared_ptr<BackendSlot> get_direct(const std::string& key, const driver::Target& target);
  const driver::HostHealth* health() const noexcept { return runtime_.health.get(); }
  /// The slot if it is open already; null otherwise.
  std::shared_ptr<BackendSlot> peek(const Client& client) const;
  /// Backends whose clients are not in `snapshot` any more are stopped once no request holds them.
  void retire_missing(const Snapshot& snapshot);
  /// Stops what nobody needs any more. Called now and then.
  void sweep(TimePoint now);
  /// Stops everything, and waits for what sweep() began to stop.
  Task<> stop();

  static constexpr std::size_t kMaxDirect = 64;
  static constexpr seconds kDirectIdle{30 * 60};
  static constexpr std::uint32_t kDirectConnections = 4;

 private:
  struct Direct {
    std::string key;
    TimePoint last_used;
    std::shared_ptr<BackendSlot> slot;
  };
  std::shared_ptr<BackendSlot> open(std::shared_ptr<const Client> client);
  Task<> stop_one(std::shared_ptr<BackendSlot> slot);

  driver::Runtime runtime_;
  std::vector<std::shared_ptr<BackendSlot>> slots_;
  std::list<Direct> direct_;  // most recently used first
  std::vector<std::shared_ptr<BackendSlot>> retired_;
  std::size_t stopping_ = 0;  ///< coroutines of stop_one() that run
  Event stopped_one_;
};

}  // namespace athena::gateway
