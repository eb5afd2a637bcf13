#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include <athena/base/result.h>
#include <athena/query/schema.h>
#include <athena/query/statement.h>

namespace athena::query {

/// The columns of one table by the names of the caller.
struct ColumnNames {
  const TableDef& table;
  NameRules rules;
  const ColumnDef* id_column = nullptr;  ///< set when the statement has a resource_id

  Result<const ColumnDef*> find(std::string_view name) const;
  /// Refuses generated ones, too.
  Result<const ColumnDef*> find_writable(std::string_view name) const;
  std::uint32_t index_of(const ColumnDef& column) const noexcept;
};

/// The rows of an insert against the table: which columns, and each row's value for each of them.
struct Grid {
  std::vector<std::uint32_t> columns;  ///< indexes into the table's columns, as first met
  std::vector<const Scalar*> cells;    ///< row after row; null: the row does not have the column
  bool every_row_has(std::uint32_t column) const noexcept;
};
Result<Grid> lay_out(const std::vector<Row>& rows, const ColumnNames& names);

/// The columns of `on_conflict`, or of the key that the rows have whole (contract 3.3); empty: no key is touched.
Result<std::vector<std::uint32_t>> find_conflict_target(const Conflict& conflict, const Grid& grid,
                                                        const ColumnNames& names);

/// The columns and values that an update sets, each column once. `{"data": {…}}` is a way to write {…}, unless the
/// table has a column of that name; `unwrapped` keeps what was inside. Errors: update_payload_required.
using Assignments = std::vector<std::pair<const ColumnDef*, const Scalar*>>;
Result<Assignments> lay_out_set(const Row& set, const ColumnNames& names);
Result<Assignments> lay_out_update(const Row& set, const ColumnNames& names, Row& unwrapped);

/// The column that `resource_id` speaks about: the configured one, or the primary key if it has one column.
Result<const ColumnDef*> find_id_column(std::string_view configured, const ColumnNames& names);

/// Whether the filter asks for equality on a whole unique key, so that at most one row matches.
bool covers_unique_key(const Filter& where, const ColumnNames& names);

}  // namespace athena::query
