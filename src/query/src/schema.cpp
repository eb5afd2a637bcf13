#include <athena/query/schema.h>

#include <algorithm>
#include <utility>

#include <athena/base/text.h>
#include <athena/query/print.h>

#include "words.h"

namespace athena::query {
namespace {

constexpr std::int64_t kAmbiguous = -1;

std::string key_of(std::string_view schema, std::string_view table) {
  std::string key;
  key.reserve(schema.size() + table.size() + 1);
  key += schema;
  key += '\0';
  key += table;
  return key;
}

std::string did_you_mean(std::string_view wanted, const std::vector<std::string_view>& names) {
  const auto near = text::nearest(wanted, names);
  return near ? " Did you mean " + quoted(*near) + "?" : std::string();
}

const ColumnDef* find_folded(const std::vector<ColumnDef>& columns, std::string_view name) {
  const ColumnDef* found = nullptr;
  for (const ColumnDef& column : columns) {
    if (!text::iequals(column.name, name)) continue;
    if (found) return nullptr;
    found = &column;
  }
  return found;
}

}  // namespace

const ColumnDef* TableDef::find(std::string_view column, NameRules rules) const {
  for (const ColumnDef& candidate : columns) {
    if (candidate.name == column) return &candidate;
  }
  if (const ColumnDef* found = find_folded(columns, column)) return found;
  if (!rules.camel_to_snake) return nullptr;
  const std::string snake = text::snake_case(column);
  const auto exact = std::ranges::find(columns, snake, &ColumnDef::name);
  return exact == columns.end() ? find_folded(columns, snake) : &*exact;
}

Result<std::vector<const ColumnDef*>> TableDef::resolve(std::span<const std::string> names, NameRules rules) const {
  std::vector<const ColumnDef*> found;
  found.reserve(names.size());
  for (const std::string& wanted : names) {
    found.push_back(find(wanted, rules));
    if (!found.back()) return fail(undefined_column(wanted));
  }
  return found;
}

Error TableDef::undefined_column(std::string_view column) const {
  std::vector<std::string_view> names;
  names.reserve(columns.size());
  for (const ColumnDef& candidate : columns) names.push_back(candidate.name);
  std::string error = "Column " + quoted(column) + " does not exist in table " + quoted(name) + ".";
  error += did_you_mean(column, names);
  return Error(Code::undefined_column, std::move(error))
      .with("column", std::string(shortened(column)))
      .with("table", name);
}

Schema::Schema(std::vector<TableDef> tables, std::vector<std::string> search_path, std::vector<TypeDef> types)
    : tables_(std::move(tables)), search_path_(std::move(search_path)), types_(std::move(types)) {
  std::ranges::sort(types_, {}, &TypeDef::oid);
  by_name_.reserve(tables_.size());
  by_folded_name_.reserve(tables_.size());
  for (std::uint32_t i = 0; i < tables_.size(); ++i) {
    TableDef& table = tables_[i];
    by_name_.try_emplace(key_of(table.schema, table.name), i);
    const auto [at, is_new] = by_folded_name_.try_emplace(text::to_lower(key_of(table.schema, table.name)), i);
    if (!is_new) at->second = kAmbiguous;
    table.all_columns_sql.clear();
    for (ColumnDef& column : table.columns) {
      if (!table.all_columns_sql.empty()) table.all_columns_sql += ", ";
      column.sql_at = static_cast<std::uint32_t>(table.all_columns_sql.size());
      table.all_columns_sql += "t.";
      append_identifier(table.all_columns_sql, column.name);
      column.sql_size = static_cast<std::uint32_t>(table.all_columns_sql.size()) - column.sql_at;
    }
    table.from_sql.clear();
    if (!table.schema.empty()) {
      append_identifier(table.from_sql, table.schema);
      table.from_sql += '.';
    }
    append_identifier(table.from_sql, table.name);
    table.from_sql += " AS t";
  }
}

const TypeDef* Schema::find_type(std::uint32_t oid) const noexcept {
  const auto found = std::ranges::lower_bound(types_, oid, {}, &TypeDef::oid);
  return found != types_.end() && found->oid == oid ? &*found : nullptr;
}

const TableDef* Schema::find_exact(std::string_view schema, std::string_view table) const {
  const auto found = by_name_.find(key_of(schema, table));
  return found == by_name_.end() ? nullptr : &tables_[found->second];
}

const TableDef* Schema::find(std::string_view schema, std::string_view table, NameRules rules) const {
  const auto folded = [this](std::string_view in, std::string_view name) -> const TableDef* {
    const auto found = by_folded_name_.find(text::to_lower(key_of(in, name)));
    return found == by_folded_name_.end() || found->second == kAmbiguous
               ? nullptr
               : &tables_[static_cast<std::size_t>(found->second)];
  };
  // A whole pass for each rule: an exact name further down the search path comes before a similar one at its front.
  const auto along_path = [&](auto look_up) -> const TableDef* {
    if (!schema.empty()) return look_up(schema);
    for (const std::string& in : search_path_) {
      if (const TableDef* found = look_up(std::string_view(in))) return found;
    }
    return nullptr;
  };
  if (const auto* found = along_path([&](std::string_view in) { return find_exact(in, table); })) return found;
  if (const auto* found = along_path([&](std::string_view in) { return folded(in, table); })) return found;
  if (!rules.camel_to_snake) return nullptr;
  const std::string snake = text::snake_case(table);
  return along_path([&](std::string_view in) { return folded(in, snake); });
}

Error Schema::undefined_table(std::string_view schema, std::string_view table) const {
  std::vector<std::string_view> names;
  for (const TableDef& candidate : tables_) {
    const bool visible = schema.empty() ? std::ranges::find(search_path_, candidate.schema) != search_path_.end()
                                        : text::iequals(candidate.schema, schema);
    if (visible) names.push_back(candidate.name);
  }
  std::string error = "Table " + quoted(table) + " does not exist";
  if (!schema.empty()) error += " in schema " + quoted(schema);
  error += "." + did_you_mean(table, names);
  Error result = Error(Code::undefined_table, std::move(error)).with("table", std::string(shortened(table)));
  if (!schema.empty()) result.fields.emplace_back("schema", std::string(shortened(schema)));
  return result;
}

bool Schema::is_default_schema(std::string_view schema) const noexcept {
  return schema.empty() || (!search_path_.empty() && search_path_.front() == schema);
}

}  // namespace athena::query
