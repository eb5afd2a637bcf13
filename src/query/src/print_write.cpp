#include <algorithm>

#include <athena/base/json.h>
#include <athena/base/text.h>

#include "fields.h"
#include "printer.h"
#include "words.h"

namespace athena::query {
namespace {

constexpr std::uint32_t kNotMet = ~0U;

std::unexpected<Error> named_twice(const ColumnDef& column) {
  return fail(Error(Code::invalid_value, "Column " + quoted(column.name) + " is given a value twice")
                  .with("column", column.name));
}

/// With one name twice the last value counts, as everywhere in JSON; two names for one column contradict each other.
bool has_name(const Row& row, const Scalar& value, std::string_view name) {
  return std::ranges::any_of(row, [&](const auto& pair) { return &pair.second == &value && pair.first == name; });
}

}  // namespace

std::uint32_t Printer::index_of(const ColumnDef& column) const noexcept {
  return static_cast<std::uint32_t>(&column - table_->columns.data());
}

bool Printer::Grid::every_row_has(std::uint32_t column) const noexcept {
  const auto at = std::ranges::find(columns, column);
  if (at == columns.end()) return false;
  for (std::size_t i = static_cast<std::size_t>(at - columns.begin()); i < cells.size(); i += columns.size()) {
    if (!cells[i]) return false;
  }
  return true;
}

Result<const ColumnDef*> Printer::resolve_writable(std::string_view name) const {
  ATHENA_TRY(const ColumnDef* column, resolve(name));
  if (!column->generated) return column;
  return fail(Error(Code::invalid_value, "Column " + quoted(column->name) + " is generated and cannot be written")
                  .with("column", column->name));
}

Result<> Printer::append_stored(const ColumnDef& column, const Scalar& value) {
  ATHENA_TRY(auto param, to_param(value, {column.type, column.name}, options_.flavor, Use::store));
  append_typed(std::move(param), column.type);
  return {};
}

/// Finds each row's columns. Rows mostly have the same keys in the same order, so a key that equals the one above it is
/// not looked up again.
Result<Printer::Grid> Printer::lay_out(const std::vector<Row>& rows) const {
  Grid grid;
  std::vector<std::uint32_t> places(table_->columns.size(), kNotMet);  // of a column in grid.columns
  std::vector<std::uint32_t> met;                                      // columns as the rows name them, row after row
  const Row* above = nullptr;
  for (const Row& row : rows) {
    const std::size_t start = met.size();
    for (std::size_t i = 0; i < row.size(); ++i) {
      std::uint32_t index = kNotMet;
      if (above && i < above->size() && (*above)[i].first == row[i].first) {
        index = met[start - above->size() + i];
      } else {
        ATHENA_TRY(const ColumnDef* column, resolve_writable(row[i].first));
        index = index_of(*column);
      }
      met.push_back(index);
      if (places[index] != kNotMet) continue;
      places[index] = static_cast<std::uint32_t>(grid.columns.size());
      grid.columns.push_back(index);
    }
    above = &row;
  }
  const std::size_t width = grid.columns.size();
  grid.cells.assign(rows.size() * width, nullptr);
  auto column = met.begin();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (const auto& [name, value] : rows[i]) {
      const Scalar*& cell = grid.cells[i * width + places[*column]];
      if (cell && !has_name(rows[i], *cell, name)) return named_twice(table_->columns[*column]);
      cell = &value;
      ++column;
    }
  }
  return grid;
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

void Printer::append_column_list(const Grid& grid) {
  sql() += " (";
  bool first = true;
  for (const std::uint32_t column : grid.columns) {
    if (!first) sql() += ", ";
    first = false;
    append_identifier(sql(), table_->columns[column].name);
  }
  sql() += ')';
}

/// More rows than D1 has parameters for, as one: an array of arrays. It stays one statement, so all rows are written or
/// none. An empty object stands for a value that a row does not have; no value of ours is one.
Result<> Printer::append_rows_as_json(const Grid& grid, bool default_to_null) {
  append_column_list(grid);
  sql() += " SELECT ";
  const std::size_t width = grid.columns.size();
  for (std::size_t i = 0; i < width; ++i) {
    const ColumnDef& column = table_->columns[grid.columns[i]];
    const std::string path = "value, '$[" + std::to_string(i) + "]')";
    if (i > 0) sql() += ", ";
    const bool complete = grid.every_row_has(grid.columns[i]);
    if (!complete) {
      sql() += "CASE json_type(" + path + " WHEN 'object' THEN ";
      ATHENA_TRY_VOID(append_missing(column, default_to_null));
      sql() += " ELSE ";
    }
    const bool bytes = column.type == TypeClass::bytes;
    sql() += (bytes ? "unhex(json_extract(" : "json_extract(") + path;
    if (bytes) sql() += ')';
    if (!complete) sql() += " END";
  }
  sql() += " FROM json_each(";
  std::string rows = "[";
  for (std::size_t i = 0; i < grid.cells.size(); ++i) {
    const std::size_t at = i % width;
    rows += at > 0 ? "," : i > 0 ? ",[" : "[";
    const ColumnDef& column = table_->columns[grid.columns[at]];
    if (grid.cells[i]) {
      ATHENA_TRY(Param param, to_param(*grid.cells[i], {column.type, column.name}, options_.flavor, Use::store));
      if (column.type == TypeClass::bytes) param.text = text::hex(param.text);
      ATHENA_TRY_VOID(append_json_element(rows, param, column.name));
    } else {
      rows += "{}";
    }
    if (at + 1 == width) rows += ']';
  }
  append_param({ParamKind::text, rows += ']'});
  sql() += ") WHERE true";  // without it ON CONFLICT would read as the condition of a join
  return {};
}

Result<> Printer::append_values(const Grid& grid, bool default_to_null) {
  append_column_list(grid);
  sql() += " VALUES ";
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

Result<std::vector<std::uint32_t>> Printer::find_conflict_target(const Conflict& conflict, const Grid& grid) const {
  std::vector<std::uint32_t> target;
  for (const std::string& name : conflict.target) {
    ATHENA_TRY(const ColumnDef* column, resolve(name));
    if (std::ranges::find(target, index_of(*column)) == target.end()) target.push_back(index_of(*column));
  }
  if (!target.empty() || conflict.do_nothing) return target;
  const auto covered = [&](const std::vector<std::uint32_t>& key) {
    return !key.empty() && std::ranges::all_of(key, [&](std::uint32_t column) { return grid.every_row_has(column); });
  };
  if (covered(table_->primary_key)) return table_->primary_key;
  std::string candidates;
  std::size_t count = 0;
  for (const UniqueKey& key : table_->unique_keys) {
    if (!covered(key.columns)) continue;
    if (++count == 1) target = key.columns;
    if (count > 1) candidates += "; ";
    for (const std::uint32_t column : key.columns) {
      candidates += column == key.columns.front() ? "" : ",";
      candidates += table_->columns[column].name;
    }
  }
  if (count <= 1) return target;
  return fail(Error(Code::ambiguous_conflict_target,
                    "Several unique keys of table " + quoted(table_->name) + " are in the rows: " + candidates,
                    "Say which one with 'on_conflict': " + candidates)
                  .with("candidates", candidates));
}

Result<> Printer::append_conflict(const Conflict& conflict, const Grid& grid) {
  ATHENA_TRY(const auto target, find_conflict_target(conflict, grid));
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
  if (conflict.set) return append_set(*conflict.set);
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

Result<> Printer::append_set(const Row& row) {
  std::vector<const Scalar*> values(table_->columns.size(), nullptr);
  std::vector<std::pair<const ColumnDef*, std::string_view>> columns;
  for (const auto& [name, value] : row) {
    ATHENA_TRY(const ColumnDef* column, resolve_writable(name));
    const Scalar*& slot = values[index_of(*column)];
    if (slot) {
      const auto before = std::ranges::find(columns, column, &std::pair<const ColumnDef*, std::string_view>::first);
      if (before->second != name) return named_twice(*column);
    } else {
      columns.emplace_back(column, name);
    }
    slot = &value;
  }
  bool first = true;
  for (const auto& [column, name] : columns) {
    if (!first) sql() += ", ";
    first = false;
    append_identifier(sql(), column->name);
    sql() += " = ";
    ATHENA_TRY_VOID(append_stored(*column, *values[index_of(*column)]));
  }
  return {};
}

Result<Printed> Printer::print(const Insert& insert) {
  ATHENA_TRY_VOID(begin(insert.into));
  if (insert.rows.empty()) return fail(Code::invalid_value, "There is no row to insert");
  ATHENA_TRY(Grid grid, lay_out(insert.rows));
  if (grid.columns.empty() && (insert.rows.size() > 1 || insert.on_conflict)) {
    // DEFAULT VALUES is one row only, and SQLite lets nothing follow it: name one column, and give it nothing.
    const auto writable = std::ranges::find(table_->columns, false, &ColumnDef::generated);
    if (writable == table_->columns.end()) return fail(Code::invalid_value, "There is nothing to insert");
    grid.columns.push_back(index_of(*writable));
    grid.cells.assign(insert.rows.size(), nullptr);
  }
  sql() += "INSERT INTO ";
  append_table();
  if (grid.columns.empty()) {
    sql() += " DEFAULT VALUES";
  } else if (is_d1() && insert.rows.size() > 1 && grid.cells.size() > kMaxD1Params) {
    ATHENA_TRY_VOID(append_rows_as_json(grid, insert.default_to_null));
  } else {
    ATHENA_TRY_VOID(append_values(grid, insert.default_to_null));
  }
  if (insert.on_conflict) ATHENA_TRY_VOID(append_conflict(*insert.on_conflict, grid));
  ATHENA_TRY_VOID(append_returning(insert.returning));
  return finish();
}

Result<> Printer::find_id_column(std::string_view configured) {
  if (!configured.empty()) {
    id_column_ = table_->find(configured, options_.names);
  } else if (table_->primary_key.size() == 1) {
    id_column_ = &table_->columns[table_->primary_key.front()];
  }
  if (id_column_) return {};
  return fail(Error(Code::no_id_column,
                    configured.empty()
                        ? "Table " + quoted(table_->name) +
                              " has no primary key of one column: 'resource_id' names nothing in it"
                        : "The id column " + quoted(configured) + " is not in table " + quoted(table_->name),
                    "Use 'conditions', or name the id column in table_id_map.yaml")
                  .with("table", table_->name));
}

/// {"update_body": {"data": {…}}} is a way to write {…}, unless the table has a column of that name.
Result<> Printer::append_update(const Update& update) {
  const auto* wrapped = update.set.size() == 1 ? std::get_if<JsonText>(&update.set.front().second) : nullptr;
  const std::string_view name = update.set.empty() ? std::string_view() : std::string_view(update.set.front().first);
  if (!wrapped || (name != "data" && name != "set") || table_->find(name, options_.names))
    return append_set(update.set);
  ATHENA_TRY(const auto document, json::Document::parse(wrapped->text));
  ATHENA_TRY(const Row row, read_row(document.root(), name, ReadOptions()));
  if (row.empty())
    return fail(Code::update_payload_required, "update payload required: '" + std::string(name) + "' is empty");
  return append_set(row);
}

/// D1 runs a statement and has committed it: what would change too much has to change nothing by its own condition.
void Printer::append_at_most(std::size_t where_begin, const std::optional<std::uint64_t>& max_affected) {
  if (!is_d1() || !max_affected) return;
  constexpr std::string_view kWhere = " WHERE ";
  const std::string where = sql().substr(where_begin);
  sql().resize(where_begin);
  sql() += kWhere;
  if (!where.empty()) sql() += "(" + where.substr(kWhere.size()) + ") AND ";
  sql() += "(SELECT count(*) FROM ";
  append_table();
  sql() += where;  // numbered parameters may be used twice
  sql() += ") <= ";
  append_number(*max_affected);
}

Result<Printed> Printer::print(const Update& update) {
  ATHENA_TRY_VOID(begin(update.table));
  if (update.resource_id) ATHENA_TRY_VOID(find_id_column(update.id_column));
  if (update.set.empty())
    return fail(Code::update_payload_required, "update payload required: there is nothing to set");
  const bool ordered = !update.order.empty();
  if (ordered && !is_postgres()) {
    return fail(Code::feature_not_supported,
                std::string(to_string(options_.flavor)) +
                    " returns the updated rows in no order: 'sort_by' is not supported here",
                "Leave 'sort_by' out, or fetch the rows after the update");
  }
  if (ordered) sql() += "WITH u AS (";
  sql() += "UPDATE ";
  append_table();
  sql() += " SET ";
  ATHENA_TRY_VOID(append_update(update));
  const std::size_t where_begin = sql().size();
  ATHENA_TRY_VOID(append_where(update.where, update.resource_id));
  append_at_most(where_begin, update.max_affected);
  if (ordered) {
    sql() += " RETURNING t.*) SELECT ";
    ATHENA_TRY_VOID(append_outputs(update.returning));
    sql() += " FROM u AS t";
    ATHENA_TRY_VOID(append_order(update.order));
  } else {
    ATHENA_TRY_VOID(append_returning(update.returning));
  }
  out_.is_keyed = covers_unique_key(update.where);
  return finish();
}

Result<Printed> Printer::print(const Delete& del) {
  ATHENA_TRY_VOID(begin(del.from));
  if (del.resource_id) ATHENA_TRY_VOID(find_id_column(del.id_column));
  sql() += "DELETE FROM ";
  append_table();
  const std::size_t where_begin = sql().size();
  ATHENA_TRY_VOID(append_where(del.where, del.resource_id));
  append_at_most(where_begin, del.max_affected);
  ATHENA_TRY_VOID(append_returning(del.returning));
  out_.is_keyed = covers_unique_key(del.where);
  return finish();
}

}  // namespace athena::query
