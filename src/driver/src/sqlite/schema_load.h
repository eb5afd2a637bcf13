#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <athena/base/result.h>
#include <athena/driver/backend.h>
#include <athena/query/schema.h>

#include "sqlite/database.h"

namespace athena::driver::sqlite {

/// The tables as one transaction saw them.
struct Snapshot {
  std::shared_ptr<const query::Schema> schema;
  std::int64_t version = 0;   ///< PRAGMA schema_version
  std::uint64_t changes = 0;  ///< Writer::schema_changes() before it was loaded
};

/// Reads tables, views, columns, keys, triggers and, where ANALYZE has run, row counts. A view that cannot be compiled
/// any more has no columns and is left out. Linear in what there is.
Result<Snapshot> load_schema(Connection& connection);

/// Primary keys, unique constraints, foreign keys and checks. SQLite keeps no names for most of them: they get those
/// that PostgreSQL would give.
Result<std::vector<ConstraintInfo>> load_constraints(Connection& connection);

/// The expressions of the CHECK clauses in the text of a CREATE TABLE.
struct CheckClause {
  std::string name;        ///< empty: none was given
  std::string expression;  ///< with its parentheses
};
std::vector<CheckClause> find_checks(std::string_view create_table);

}  // namespace athena::driver::sqlite
