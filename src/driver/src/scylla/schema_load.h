#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <athena/base/result.h>
#include <athena/driver/backend.h>
#include <athena/query/schema.h>

#include "scylla/cql_type.h"
#include "scylla/ring.h"

namespace athena::driver::scylla {

/// A cell of the system tables: no value is null. Maps and sets come as JSON text, as a reader of rows would see them.
using SystemCell = std::optional<std::string_view>;
using SystemRow = std::span<const SystemCell>;

/// The queries whose rows make a Picture. Only columns of text and int, and maps and lists of text; no parameters.
std::span<const std::string_view> schema_queries() noexcept;

/// What a cluster has: its tables, its types, and where keyspaces keep their copies.
struct Picture {
  std::shared_ptr<const query::Schema> schema;
  std::map<std::string, Replication, std::less<>> replication;                ///< by keyspace
  std::map<std::pair<std::string, std::string>, CqlType, std::less<>> types;  ///< UDTs by keyspace and name

  /// The tree of a column's type_name. Errors as parse_cql_type.
  Result<CqlType> type(std::string_view keyspace, std::string_view type_name) const;
};

/// Makes a Picture of the rows of schema_queries(). The tables of system keyspaces are left out.
class PictureBuilder {
 public:
  /// `keyspace`: the client's own, first in the search path; empty: names must be written with their keyspace.
  explicit PictureBuilder(std::string keyspace);
  ~PictureBuilder();
  /// `query` is the index of the query that gave the row. A row that does not fit its query is reported by finish().
  void add_row(std::size_t query, SystemRow row);
  /// Errors: internal_error for rows that do not fit; limit_exceeded for a schema beyond any reason.
  Result<Picture> finish();

 private:
  struct Rows;
  std::unique_ptr<Rows> rows_;
};

/// The keys of the tables, as GET /schema/constraints lists them: CQL has no other constraints.
std::vector<ConstraintInfo> constraints_of(const query::Schema& schema);

}  // namespace athena::driver::scylla
