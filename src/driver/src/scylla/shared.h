#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include <athena/driver/backend.h>
#include <athena/driver/retry.h>

#include "budget.h"
#include "schema_cell.h"
#include "scylla/ring.h"

namespace athena::driver::scylla {

using Replications = std::map<std::string, Replication, std::less<>>;

/// What the loops of one client share.
class Shared final : public SharedState {
 public:
  explicit Shared(const Target& target)
      : masked_target(target.masked()), budget(target.pool.max_connections == 0 ? 1 : target.pool.max_connections) {}

  const std::string masked_target;
  Budget budget;
  RetryBudget retries;
  SchemaCell schema;

  /// Where keyspaces keep their copies: set with each schema that is loaded. Changes the version if it is news.
  void set_replications(Replications replications) {
    const std::lock_guard lock(mutex_);
    if (replications == replications_) return;
    replications_ = std::move(replications);
    replications_version_.fetch_add(1, std::memory_order_release);
  }
  Replications replications() const {
    const std::lock_guard lock(mutex_);
    return replications_;
  }
  std::uint64_t replications_version() const noexcept { return replications_version_.load(std::memory_order_acquire); }

 private:
  mutable std::mutex mutex_;
  Replications replications_;
  std::atomic<std::uint64_t> replications_version_{0};
};

}  // namespace athena::driver::scylla
