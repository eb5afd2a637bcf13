#include <algorithm>

#include <athena/query/print.h>

#include "cql_printer.h"
#include "outputs.h"
#include "words.h"

namespace athena::query {
namespace {

std::unexpected<Error> unsupported(std::string text, std::string hint) {
  return fail(Code::feature_not_supported, std::move(text), std::move(hint));
}

/// Of the operators that CQL has, those that IF takes.
bool is_condition(Op op) noexcept {
  return op != Op::contains && !is_pattern(operator_row(op).form);
}

Result<> check_affected(const std::optional<std::uint64_t>& most) {
  if (!most || *most > 0) return {};
  return fail(Code::too_many_affected, "1 row would change, 'max_affected' allows 0");
}

}  // namespace

Result<> CqlPrinter::begin_write(const Table& table) {
  ATHENA_TRY_VOID(begin(table));
  if (table_->kind == TableKind::table) return {};
  return unsupported("View " + quoted(table_->name) + " cannot be written", "Write to the table that it shows");
}

Result<> CqlPrinter::check_writable(const ColumnDef& column) const {
  if (column.type_name != "counter") return {};
  return fail(Error(Code::feature_not_supported,
                    "Column " + quoted(column.name) + " is a counter: it has no value to set",
                    "Send UPDATE … SET c = c + 1 to /gateway/query")
                  .with("column", column.name));
}

void CqlPrinter::note_written(const ColumnDef& column) {
  written_.emplace_back(&column, static_cast<std::int32_t>(statement_.params.size()) - 1);
}

/// The answer to a write: CQL gives nothing back, so it is what the parameters say.
Result<> CqlPrinter::find_returned(const std::vector<Output>& returning, const std::vector<const ColumnDef*>& written) {
  const auto add = [&](const ColumnDef* column, std::string key) {
    out_.keys.push_back(std::move(key));
    out_.types.push_back(column->type);
    returned_.push_back(column);
  };
  const auto add_all = [&] {
    for (const ColumnDef& column : table_->columns) {
      if (std::ranges::find(written, &column) != written.end()) add(&column, column.name);
    }
  };
  if (returning.empty()) add_all();
  for (const Output& output : returning) {
    if (is_star(output, *table_, options_.names)) {
      add_all();
      continue;
    }
    ATHENA_TRY(const ColumnDef* column, output_column(output));
    if (std::ranges::find(written, column) == written.end()) {
      return fail(Error(Code::feature_not_supported,
                        "On scylla a write gives back what was written: column " + quoted(column->name) + " was not",
                        "Leave it out of 'columns', or fetch the row afterwards")
                      .with("column", column->name));
    }
    add(column, key_of(output));
  }
  return check_keys(out_.keys, *table_);
}

void CqlPrinter::finish_statement(bool gives_row) {
  if (gives_row) {
    for (const ColumnDef* column : returned_) {
      const auto found = std::ranges::find(written_, column, [](const auto& pair) { return pair.first; });
      statement_.returned.push_back(found == written_.end() ? -1 : found->second);
    }
  }
  written_.clear();
  out_.statements.push_back(std::exchange(statement_, {}));
}

/// A row has its whole primary key; or, if it sets static columns alone, that of its partition.
Result<> CqlPrinter::check_row_key(const Grid& grid, std::size_t row) const {
  const std::size_t width = grid.columns.size();
  const auto cell = [&](std::uint32_t column) -> const Scalar* {
    const auto at = std::ranges::find(grid.columns, column);
    return at == grid.columns.end() ? nullptr
                                    : grid.cells[row * width + static_cast<std::size_t>(at - grid.columns.begin())];
  };
  const bool static_only =
      std::ranges::any_of(grid.columns, [&](std::uint32_t i) { return table_->columns[i].is_static && cell(i); }) &&
      std::ranges::none_of(grid.columns, [&](std::uint32_t i) {
        const auto place = std::ranges::find(table_->primary_key, i) - table_->primary_key.begin();
        return cell(i) && !table_->columns[i].is_static && place >= std::ptrdiff_t(table_->partition_columns);
      });
  const std::size_t needed = static_only ? table_->partition_columns : table_->primary_key.size();
  for (std::size_t i = 0; i < needed; ++i) {
    const Scalar* value = cell(table_->primary_key[i]);
    if (value && !std::holds_alternative<std::monostate>(*value)) continue;
    return fail(Error(Code::not_null_violation,
                      "Column " + quoted(key_column(i).name) + " is of the primary key of table " +
                          quoted(table_->name) + " and needs a value",
                      "Each row needs " + key_names(0, table_->primary_key.size()))
                    .with("column", key_column(i).name)
                    .with("table", table_->name));
  }
  return {};
}

/// What the rows conflict with can only be the primary key, and a conflict is decided by writing over.
Result<> CqlPrinter::check_conflict(const Conflict& conflict, const Grid& grid, std::size_t rows) const {
  if (conflict.set) {
    return unsupported("On scylla a row that is there gets the values that are sent, and no others",
                       "Leave 'update_body' out of the insert, or send an update");
  }
  ATHENA_TRY(auto target, find_conflict_target(conflict, grid, names()));
  auto key = table_->primary_key;
  std::ranges::sort(target);
  std::ranges::sort(key);
  if (!target.empty() && target != key) {
    return unsupported("On scylla rows conflict by their primary key alone",
                       "Leave 'on_conflict' out, or name " + key_names(0, table_->primary_key.size()));
  }
  if (conflict.do_nothing && rows > 1) {
    return unsupported("On scylla only one row at a time can be inserted if it is not there",
                       "Send the rows one by one, or without 'ignore_duplicates'");
  }
  return {};
}

Result<> CqlPrinter::append_insert(const Grid& grid, std::size_t row, bool default_to_null) {
  const std::size_t width = grid.columns.size();
  cql() += "INSERT INTO ";
  append_table();
  std::string markers;
  for (std::size_t at = 0; at < width; ++at) {
    const ColumnDef& column = table_->columns[grid.columns[at]];
    const Scalar* value = grid.cells[row * width + at];
    ATHENA_TRY_VOID(check_writable(column));
    // A column that is not named keeps what it has; and a null in a clustering column would be no row at all.
    if (!value && (!default_to_null || is_key(column))) continue;
    cql() += markers.empty() ? " (" : ", ";
    markers += markers.empty() ? "?" : ", ?";
    append_identifier(cql(), column.name);
    append_param(value ? *value : Scalar(), column);
    note_written(column);
  }
  cql() += ") VALUES (" + markers + ")";
  return {};
}

Result<CqlPrinted> CqlPrinter::print(const Insert& insert) {
  ATHENA_TRY_VOID(begin_write(insert.into));
  if (insert.rows.empty()) return fail(Code::invalid_value, "There is no row to insert");
  ATHENA_TRY(const Grid grid, lay_out(insert.rows, names()));
  if (insert.on_conflict) ATHENA_TRY_VOID(check_conflict(*insert.on_conflict, grid, insert.rows.size()));
  std::vector<const ColumnDef*> written;
  for (const std::uint32_t column : grid.columns) written.push_back(&table_->columns[column]);
  for (std::size_t row = 0; row < insert.rows.size(); ++row) ATHENA_TRY_VOID(check_row_key(grid, row));
  ATHENA_TRY_VOID(find_returned(insert.returning, written));
  out_.is_conditional = insert.on_conflict && insert.on_conflict->do_nothing;
  out_.is_idempotent = !out_.is_conditional;
  out_.is_keyed = insert.rows.size() == 1;
  for (std::size_t row = 0; row < insert.rows.size(); ++row) {
    ATHENA_TRY_VOID(append_insert(grid, row, insert.default_to_null));
    if (out_.is_conditional) cql() += " IF NOT EXISTS";
    finish_statement(true);
  }
  return finish();
}

/// Conditions beside the key of one row: the database looks and writes in one step.
Result<> CqlPrinter::append_conditions(const Restrictions& restrictions, const KeyUse& use, bool must_exist) {
  bool first = true;
  for (const Restriction& restriction : restrictions) {
    if (restriction.used) continue;
    if (!use.one_row || is_key(*restriction.column)) {
      Error error = unindexed(restriction);
      error.hint = "A write needs " + key_names(0, table_->primary_key.size()) +
                   " by eq; conditions on other columns are then looked at, too";
      return fail(std::move(error));
    }
    if (!is_condition(restriction.predicate.op)) {
      return unsupported(
          "On scylla a write cannot depend on '" + std::string(operator_row(restriction.predicate.op).name) + "'",
          "Beside the key eq, in, between, gt, gte, lt and lte work");
    }
    cql() += first ? " IF " : " AND ";
    first = false;
    ATHENA_TRY_VOID(append_restriction(restriction));
  }
  if (first && must_exist) {
    if (!use.one_row) {
      return unsupported("On scylla it is not known whether rows that are deleted together were there",
                         "Name one row by its key, or leave 'handling=strict' out");
    }
    cql() += " IF EXISTS";
    first = false;
  }
  out_.is_conditional = !first;
  out_.is_idempotent = first;
  return {};
}

Result<CqlPrinted> CqlPrinter::print(const Update& update) {
  ATHENA_TRY_VOID(begin_write(update.table));
  if (update.resource_id) {
    ATHENA_TRY(id_column_, find_id_column(update.id_column, names()));
  }
  Row unwrapped;
  ATHENA_TRY(const auto assignments, lay_out_update(update.set, names(), unwrapped));
  ATHENA_TRY(Restrictions restrictions, restrictions_of(update.where, update.resource_id));
  KeyUse use = use_key(restrictions);
  std::vector<const ColumnDef*> written;
  bool all_static = true;
  for (const auto& [column, value] : assignments) {
    ATHENA_TRY_VOID(check_writable(*column));
    if (is_key(*column)) {
      return unsupported("Column " + quoted(column->name) + " is of the primary key, which stays as it is",
                         "Insert a row with the new key, and delete the old one");
    }
    all_static = all_static && column->is_static;
    written.push_back(column);
  }
  // Static columns belong to the partition: no row of it is named.
  const bool of_partition = all_static && use.one_partition && use.equal_columns == 0 && !use.has_range;
  if (of_partition) use.one_row = true;
  if (!use.one_row || (all_static && !of_partition)) {
    const std::size_t needed = all_static ? table_->partition_columns : table_->primary_key.size();
    return fail(Error(Code::unindexed_filter,
                      std::string("On scylla an update names ") +
                          (all_static ? "the partition alone, since it sets static columns" : "one row by its key"),
                      "Give " + key_names(0, needed) + " by eq" + (all_static ? ", and no clustering column" : ""))
                    .with("table", table_->name));
  }
  ATHENA_TRY_VOID(check_affected(update.max_affected));
  const std::size_t key_columns = of_partition ? table_->partition_columns : table_->primary_key.size();
  for (std::size_t i = 0; i < key_columns; ++i) written.push_back(&key_column(i));
  ATHENA_TRY_VOID(find_returned(update.returning, written));
  cql() += "UPDATE ";
  append_table();
  bool first = true;
  for (const auto& [column, value] : assignments) {
    cql() += first ? " SET " : ", ";
    first = false;
    append_identifier(cql(), column->name);
    cql() += " = ?";
    append_param(*value, *column);
    note_written(*column);
  }
  ATHENA_TRY_VOID(append_where(restrictions, true));
  ATHENA_TRY_VOID(append_conditions(restrictions, use, update.must_exist));
  out_.is_keyed = true;
  finish_statement(true);
  return finish();
}

Result<CqlPrinted> CqlPrinter::print(const Delete& del) {
  ATHENA_TRY_VOID(begin_write(del.from));
  if (del.resource_id) {
    ATHENA_TRY(id_column_, find_id_column(del.id_column, names()));
  }
  ATHENA_TRY(Restrictions restrictions, restrictions_of(del.where, del.resource_id));
  const KeyUse use = use_key(restrictions);
  if (!use.whole_partition) {
    return fail(Error(Code::unindexed_filter, "On scylla a delete names the whole partition key",
                      "Give " + key_names(0, table_->partition_columns) + " by eq or in; clustering columns may follow")
                    .with("table", table_->name));
  }
  if (!use.one_row && del.max_affected)
    return unsupported("On scylla rows that are deleted together cannot be counted", "Leave 'max_affected' out");
  ATHENA_TRY_VOID(check_affected(del.max_affected));
  std::vector<const ColumnDef*> key;
  for (std::size_t i = 0; i < table_->primary_key.size(); ++i) key.push_back(&key_column(i));
  ATHENA_TRY_VOID(find_returned(del.returning, key));
  cql() += "DELETE FROM ";
  append_table();
  ATHENA_TRY_VOID(append_where(restrictions, true));
  ATHENA_TRY_VOID(append_conditions(restrictions, use, del.must_exist));
  out_.is_keyed = use.one_row;
  finish_statement(use.one_row);
  return finish();
}

}  // namespace athena::query
