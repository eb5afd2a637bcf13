#include "write_grid.h"

#include <algorithm>
#include <string>

#include <athena/base/json.h>

#include "fields.h"
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

void collect_equalities(const Filter& filter, const ColumnNames& names, std::vector<const ColumnDef*>& columns) {
  if (filter.join != Filter::Join::all_of || filter.negated) return;
  for (const auto& term : filter.terms) {
    if (const auto* inner = std::get_if<Filter>(&term)) {
      collect_equalities(*inner, names, columns);
      continue;
    }
    const Predicate& predicate = std::get<Predicate>(term);
    const bool equality = predicate.op == Op::eq && !predicate.negated && predicate.column.path.empty() &&
                          predicate.operands.size() == 1 &&
                          !std::holds_alternative<std::monostate>(predicate.operands.front());
    if (equality) columns.push_back(names.table.find(predicate.column.name, names.rules));
  }
}

}  // namespace

Result<const ColumnDef*> ColumnNames::find(std::string_view name) const {
  if (const ColumnDef* found = table.find(name, rules)) return found;
  // The SDK's eq("resource_id", …) sends a condition beside the resource_id itself; both mean the id column.
  if (id_column && name == "resource_id") return id_column;
  return fail(table.undefined_column(name));
}

Result<const ColumnDef*> ColumnNames::find_writable(std::string_view name) const {
  ATHENA_TRY(const ColumnDef* column, find(name));
  if (!column->generated) return column;
  return fail(Error(Code::invalid_value, "Column " + quoted(column->name) + " is generated and cannot be written")
                  .with("column", column->name));
}

std::uint32_t ColumnNames::index_of(const ColumnDef& column) const noexcept {
  return static_cast<std::uint32_t>(&column - table.columns.data());
}

bool Grid::every_row_has(std::uint32_t column) const noexcept {
  const auto at = std::ranges::find(columns, column);
  if (at == columns.end()) return false;
  for (std::size_t i = static_cast<std::size_t>(at - columns.begin()); i < cells.size(); i += columns.size()) {
    if (!cells[i]) return false;
  }
  return true;
}

/// Rows mostly have the same keys in the same order, so a key that equals the one above it is not looked up again.
Result<Grid> lay_out(const std::vector<Row>& rows, const ColumnNames& names) {
  Grid grid;
  std::vector<std::uint32_t> places(names.table.columns.size(), kNotMet);  // of a column in grid.columns
  std::vector<std::uint32_t> met;                                          // columns as the rows name them
  const Row* above = nullptr;
  for (const Row& row : rows) {
    const std::size_t start = met.size();
    for (std::size_t i = 0; i < row.size(); ++i) {
      std::uint32_t index = kNotMet;
      if (above && i < above->size() && (*above)[i].first == row[i].first) {
        index = met[start - above->size() + i];
      } else {
        ATHENA_TRY(const ColumnDef* column, names.find_writable(row[i].first));
        index = names.index_of(*column);
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
      if (cell && !has_name(rows[i], *cell, name)) return named_twice(names.table.columns[*column]);
      cell = &value;
      ++column;
    }
  }
  return grid;
}

Result<std::vector<std::uint32_t>> find_conflict_target(const Conflict& conflict, const Grid& grid,
                                                        const ColumnNames& names) {
  const TableDef& table = names.table;
  std::vector<std::uint32_t> target;
  for (const std::string& name : conflict.target) {
    ATHENA_TRY(const ColumnDef* column, names.find(name));
    if (std::ranges::find(target, names.index_of(*column)) == target.end()) target.push_back(names.index_of(*column));
  }
  if (!target.empty() || conflict.do_nothing) return target;
  const auto covered = [&](const std::vector<std::uint32_t>& key) {
    return !key.empty() && std::ranges::all_of(key, [&](std::uint32_t column) { return grid.every_row_has(column); });
  };
  if (covered(table.primary_key)) return table.primary_key;
  std::string candidates;
  std::size_t count = 0;
  for (const UniqueKey& key : table.unique_keys) {
    if (!covered(key.columns)) continue;
    if (++count == 1) target = key.columns;
    if (count > 1) candidates += "; ";
    for (const std::uint32_t column : key.columns) {
      candidates += column == key.columns.front() ? "" : ",";
      candidates += table.columns[column].name;
    }
  }
  if (count <= 1) return target;
  return fail(Error(Code::ambiguous_conflict_target,
                    "Several unique keys of table " + quoted(table.name) + " are in the rows: " + candidates,
                    "Say which one with 'on_conflict': " + candidates)
                  .with("candidates", candidates));
}

Result<Assignments> lay_out_set(const Row& set, const ColumnNames& names) {
  Assignments assignments;
  std::vector<std::uint32_t> places(names.table.columns.size(), kNotMet);
  for (const auto& [name, value] : set) {
    ATHENA_TRY(const ColumnDef* column, names.find_writable(name));
    std::uint32_t& place = places[names.index_of(*column)];
    if (place == kNotMet) {
      place = static_cast<std::uint32_t>(assignments.size());
      assignments.emplace_back(column, &value);
    } else {
      if (!has_name(set, *assignments[place].second, name)) return named_twice(*column);
      assignments[place].second = &value;
    }
  }
  return assignments;
}

Result<Assignments> lay_out_update(const Row& set, const ColumnNames& names, Row& unwrapped) {
  if (set.empty()) return fail(Code::update_payload_required, "update payload required: there is nothing to set");
  const std::string& name = set.front().first;
  const auto* wrapped = set.size() == 1 ? std::get_if<JsonText>(&set.front().second) : nullptr;
  if (!wrapped || (name != "data" && name != "set") || names.table.find(name, names.rules))
    return lay_out_set(set, names);
  ATHENA_TRY(const auto document, json::Document::parse(wrapped->text));
  ATHENA_TRY(unwrapped, read_row(document.root(), name, ReadOptions()));
  if (unwrapped.empty()) return fail(Code::update_payload_required, "update payload required: '" + name + "' is empty");
  return lay_out_set(unwrapped, names);
}

Result<const ColumnDef*> find_id_column(std::string_view configured, const ColumnNames& names) {
  const TableDef& table = names.table;
  const ColumnDef* column = nullptr;
  if (!configured.empty()) {
    column = table.find(configured, names.rules);
  } else if (table.primary_key.size() == 1) {
    column = &table.columns[table.primary_key.front()];
  }
  if (column) return column;
  return fail(
      Error(Code::no_id_column,
            configured.empty()
                ? "Table " + quoted(table.name) + " has no primary key of one column: 'resource_id' names nothing in it"
                : "The id column " + quoted(configured) + " is not in table " + quoted(table.name),
            "Use 'conditions', or name the id column in table_id_map.yaml")
          .with("table", table.name));
}

bool covers_unique_key(const Filter& where, const ColumnNames& names) {
  const TableDef& table = names.table;
  if (table.primary_key.empty() && table.unique_keys.empty()) return false;
  std::vector<const ColumnDef*> equal;
  if (names.id_column) equal.push_back(names.id_column);
  collect_equalities(where, names, equal);
  if (equal.empty()) return false;
  const auto covered = [&](const std::vector<std::uint32_t>& key) {
    return !key.empty() && std::ranges::all_of(key, [&](std::uint32_t index) {
      return std::ranges::find(equal, &table.columns[index]) != equal.end();
    });
  };
  return covered(table.primary_key) ||
         std::ranges::any_of(table.unique_keys, [&](const UniqueKey& key) { return covered(key.columns); });
}

}  // namespace athena::query
