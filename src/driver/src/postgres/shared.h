#pragma once

#include <atomic>
#include <string>

#include <athena/driver/backend.h>

#include "budget.h"
#include "postgres/cancel.h"
#include "postgres/gate.h"
#include "schema_cell.h"

namespace athena::driver::postgres {

/// What the loops of one client share.
struct Shared final : SharedState {
  explicit Shared(const Target& target)
      : masked_target(target.masked()),
        gate(target),
        budget(target.pool.max_connections == 0 ? 1 : target.pool.max_connections) {}

  const std::string masked_target;
  Gate gate;
  Budget budget;
  Helper helper;
  SchemaCell schema;
  std::atomic<bool> has_listener{false};  ///< one loop listens for all
};

}  // namespace athena::driver::postgres
