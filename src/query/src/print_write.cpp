#include <algorithm>

#include "printer.h"
#include "write_grid.h"

namespace athena::query {
Result<> Printer::append_stored(const ColumnDef& column, const Scalar& value) {
  ATHENA_TRY(auto param, to_param(value, {column.type, column.name}, options_.flavor, Use::store));
  append_typed(std::move(param), column.type);
  return {};
}

/// PostgreSQL has a word for a column's default. SQLite has not: there the schema's own text of the default stands in
/// its place, and NULL where there is none (which numbers the row, in a key that numbers itself).
Result<> Printer::append_missing(const ColumnDef& column, bool default_to_null) {
  if (default_to_null) {
    sql() += "NULL";
  } else if (is_postgres()) {
    sql() += "DEFAULT";
  } else if (column.default_expression.empty()) {
    sql() += "NULL";
  } else {
    sql() += '(';
    sql() += column.default_expression;
    sql() += ')';
  }
  return {};
}

Result<> Printer::append_values(const Grid& grid, bool default_to_null) {
  sql() += " (";
  bool first = true;
  for (const std::uint32_t column : grid.columns) {
    if (!first) sql() += ", ";
    first = false;
    append_identifier(sql(), table_->columns[column].name);
  }
  sql() += ") VALUES ";
  const std::size_t width = grid.columns.size();
  for (std::size_t i = 0; i < grid.cells.size(); ++i) {
    const std::size_t at = i % width;
    sql() += at > 0 ? ", " : i > 0 ? ", (" : "(";
    const ColumnDef& column = table_->columns[grid.columns[at]];
    if (grid.cells[i]) {
      ATHENA_TRY_VOID(append_stored(column, *grid.cells[i]));
    } else {
      ATHENA_TRY_VOID(append_missing(column, default_to_null));
    }
    if (at + 1 == width) sql() += ')';
  }
  return {};
}

Result<> Printer::append_conflict(const Conflict& conflict, const Grid& grid) {
  ATHENA_TRY(const auto target, find_conflict_target(conflict, grid, names()));
  if (target.empty() && !conflict.do_nothing) return {};  // no key is touched: a plain insert
  sql() += " ON CONFLICT";
  for (const std::uint32_t column : target) {
    sql() += column == target.front() ? " (" : ", ";
    append_identifier(sql(), table_->columns[column].name);
  }
  if (!target.empty()) sql() += ')';
  if (conflict.do_nothing) {
    sql() += " DO NOTHING";
    return {};
  }
  sql() += " DO UPDATE SET ";
  if (conflict.set) {
    ATHENA_TRY(const auto assignments, lay_out_set(*conflict.set, names()));
    return append_assignments(assignments);
  }
  // Setting the key to itself would take a stronger lock on the row; it is done only where nothing else is left to set.
  std::vector<std::uint32_t> columns = grid.columns;
  std::erase_if(columns, [&](std::uint32_t column) { return std::ranges::find(target, column) != target.end(); });
  if (columns.empty()) columns = target;
  bool first = true;
  for (const std::uint32_t column : columns) {
    if (!first) sql() += ", ";
    first = false;
    append_identifier(sql(), table_->columns[column].name);
    sql() += " = EXCLUDED.";
    append_identifier(sql(), table_->columns[column].name);
  }
  return {};
}

Result<> Printer::append_assignments(const Assignments& assignments) {
  bool first = true;
  for (const auto& [column, value] : assignments) {
    if (!first) sql() += ", ";
    first = false;
    append_identifier(sql(), column->name);
    sql() += " = ";
    ATHENA_TRY_VOID(append_stored(*column, *value));
  }
  return {};
}

Result<Printed> Printer::print(const Insert& insert) {
  ATHENA_TRY_VOID(begin(insert.into));
  if (insert.rows.empty()) return fail(Code::invalid_value, "There is no row to insert");
  ATHENA_TRY(Grid grid, lay_out(insert.rows, names()));
  if (grid.columns.empty() && (insert.rows.size() > 1 || insert.on_conflict)) {
    // DEFAULT VALUES is one row only, and SQLite lets nothing follow it: name one column, and give it nothing.
    const auto writable = std::ranges::find(table_->columns, false, &ColumnDef::generated);
    if (writable == table_->columns.end()) return fail(Code::invalid_value, "There is nothing to insert");
    grid.columns.push_back(names().index_of(*writable));
    grid.cells.assign(insert.rows.size(), nullptr);
  }
  sql() += "INSERT INTO ";
  append_table();
  if (grid.columns.empty()) {
    sql() += " DEFAULT VALUES";
  } else {
    ATHENA_TRY_VOID(append_values(grid, insert.default_to_null));
  }
  if (insert.on_conflict) ATHENA_TRY_VOID(append_conflict(*insert.on_conflict, grid));
  ATHENA_TRY_VOID(append_returning(insert.returning));
  return finish();
}

Result<Printed> Printer::print(const Update& update) {
  ATHENA_TRY_VOID(begin(update.table));
  if (update.resource_id) {
    ATHENA_TRY(id_column_, find_id_column(update.id_column, names()));
  }
  Row unwrapped;
  ATHENA_TRY(const auto assignments, lay_out_update(update.set, names(), unwrapped));
  const bool ordered = !update.order.empty();
  if (ordered && !is_postgres()) {
    return fail(Code::feature_not_supported,
                "sqlite returns the updated rows in no order: 'sort_by' is not supported here",
                "Leave 'sort_by' out, or fetch the rows after the update");
  }
  if (ordered) sql() += "WITH u AS (";
  sql() += "UPDATE ";
  append_table();
  sql() += " SET ";
  ATHENA_TRY_VOID(append_assignments(assignments));
  ATHENA_TRY_VOID(append_where(update.where, update.resource_id));
  if (ordered) {
    sql() += " RETURNING t.*) SELECT ";
    ATHENA_TRY_VOID(append_outputs(update.returning));
    sql() += " FROM u AS t";
    ATHENA_TRY_VOID(append_order(update.order));
  } else {
    ATHENA_TRY_VOID(append_returning(update.returning));
  }
  out_.is_keyed = covers_unique_key(update.where, names());
  return finish();
}

Result<Printed> Printer::print(const Delete& del) {
  ATHENA_TRY_VOID(begin(del.from));
  if (del.resource_id) {
    ATHENA_TRY(id_column_, find_id_column(del.id_column, names()));
  }
  sql() += "DELETE FROM ";
  append_table();
  ATHENA_TRY_VOID(append_where(del.where, del.resource_id));
  ATHENA_TRY_VOID(append_returning(del.returning));
  out_.is_keyed = covers_unique_key(del.where, names());
  return finish();
}

}  // namespace athena::query
