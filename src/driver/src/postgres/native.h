#pragma once

#include <memory>

#include <athena/driver/backend.h>

#include "postgres/exclusive.h"

namespace athena::driver::postgres {

struct NativeRun {
  SqlFacts facts;  ///< of the text
  bool read_only = false;
  const query::Schema* schema = nullptr;  ///< for the names of types; may be null; used until the rows begin
  std::function<void()> on_end;
};

/// Runs a caller's SQL on a connection that is reset afterwards. A single statement runs as it is (some kinds cannot
/// run in a transaction block); read-only or behind a pooler, and if there are several, it is one transaction. Errors:
/// unsupported_statement for transaction control and copying; undefined_object for an unknown schema.
Async<std::unique_ptr<RowStream>> run_native(Lease lease, Native native, NativeRun run);

}  // namespace athena::driver::postgres
