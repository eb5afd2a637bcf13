#include "supabase/schema_load.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include <athena/base/json.h>

namespace athena::driver::supabase {
namespace {

using enum query::TypeClass;

/// As format_type() spells them, which is what stands in `format`.
constexpr std::pair<std::string_view, query::TypeClass> kTypes[] = {
    {"bigint", integer},
    {"boolean", boolean},
    {"bytea", bytes},
    {"character", text},
    {"character varying", text},
    {"date", date},
    {"double precision", real},
    {"integer", integer},
    {"json", json},
    {"jsonb", json},
    {"name", text},
    {"numeric", decimal},
    {"real", real},
    {"smallint", integer},
    {"text", text},
    {"time without time zone", time},
    {"timestamp with time zone", timestamptz},
    {"timestamp without time zone", timestamp},
    {"uuid", uuid},
};

query::TypeClass type_of(std::string_view format) noexcept {
  if (format.ends_with("[]")) return array;
  const auto* found = std::ranges::find(kTypes, format.substr(0, format.find('(')),
                                        &std::pair<std::string_view, query::TypeClass>::first);
  return found == std::end(kTypes) ? other : found->second;
}

std::string_view text_of(const json::Value& value) noexcept {
  return value.is_string() ? value.as_string() : std::string_view();
}

/// `<fk table='orders' column='id'/>`: PostgREST writes it into the description of a column that refers to another.
std::optional<std::pair<std::string, std::string>> reference_in(std::string_view description) {
  constexpr std::string_view kTable = "<fk table='", kColumn = "' column='", kEnd = "'/>";
  const std::size_t table = description.rfind(kTable);  // a comment of the column's own stands before it
  if (table == std::string_view::npos) return std::nullopt;
  const std::string_view rest = description.substr(table + kTable.size());
  const std::size_t column = rest.find(kColumn), end = rest.rfind(kEnd);
  if (column == std::string_view::npos || end == std::string_view::npos || end < column + kColumn.size())
    return std::nullopt;
  const std::size_t start = column + kColumn.size();
  return std::pair(std::string(rest.substr(0, column)), std::string(rest.substr(start, end - start)));
}

query::ColumnDef read_column(std::string_view name, const json::Value& property) {
  query::ColumnDef column;
  column.name = name;
  column.type_name = text_of(property["format"]);
  column.type = type_of(column.type_name);
  const json::Value value = property["default"];
  column.has_default = value.exists() && !value.is_null();
  if (column.has_default) column.default_expression = value.is_string() ? value.as_string() : value.raw();
  return column;
}

void add_constraints(const query::TableDef& table, const json::Value& properties, std::vector<ConstraintInfo>& list) {
  ConstraintInfo key{.schema = table.schema,
                     .table = table.name,
                     .name = table.name + "_pkey",
                     .type = "PRIMARY KEY",
                     .columns = {},
                     .foreign_schema = {},
                     .foreign_table = {},
                     .foreign_columns = {},
                     .definition = {}};
  for (const std::uint32_t index : table.primary_key) key.columns.push_back(table.columns[index].name);
  if (!key.columns.empty()) list.push_back(std::move(key));
  for (auto at = properties.begin(); at != properties.end(); ++at) {
    const auto reference = reference_in(text_of((*at)["description"]));
    if (!reference) continue;
    const std::string column(at.key());
    list.push_back({.schema = table.schema,
                    .table = table.name,
                    .name = table.name + "_" + column + "_fkey",
                    .type = "FOREIGN KEY",
                    .columns = {column},
                    .foreign_schema = table.schema,
                    .foreign_table = reference->first,
                    .foreign_columns = {reference->second},
                    .definition = {}});
  }
}

query::TableDef read_table(std::string_view name, const json::Value& definition, const std::string& schema) {
  query::TableDef table;
  table.schema = schema;
  table.name = name;
  const json::Value properties = definition["properties"];
  for (auto at = properties.begin(); at != properties.end(); ++at) {
    query::ColumnDef column = read_column(at.key(), *at);
    if (text_of((*at)["description"]).contains("<pk/>"))
      table.primary_key.push_back(static_cast<std::uint32_t>(table.columns.size()));
    table.columns.push_back(std::move(column));
  }
  for (const json::Value required : definition["required"]) {
    const auto column = std::ranges::find(table.columns, text_of(required), &query::ColumnDef::name);
    if (column != table.columns.end()) column->nullable = false;
  }
  return table;
}

}  // namespace

Result<Description> read_description(std::string_view document, const std::string& schema) {
  constexpr json::Limits kLimits{.max_depth = 32, .max_nodes = 8'000'000};
  const auto parsed = json::Document::parse(document, kLimits);
  const auto strange = [](std::string what) {
    return fail(Error(Code::database_error, "The REST service did not describe its tables as PostgREST does")
                    .logged(std::move(what)));
  };
  if (!parsed) {
    if (parsed.error().code == Code::limit_exceeded) return fail(parsed.error());
    return strange(parsed.error().error);
  }
  const json::Value definitions = parsed->root()["definitions"], paths = parsed->root()["paths"];
  if (!definitions.is_object() && !paths.is_object()) return strange("neither definitions nor paths");
  std::vector<std::string_view> read_only;
  for (auto at = paths.begin(); at != paths.end(); ++at) {
    if (!(*at)["post"].exists() && !(*at)["patch"].exists()) read_only.push_back(at.key());
  }
  std::ranges::sort(read_only);
  Description description;
  for (auto at = definitions.begin(); at != definitions.end(); ++at) {
    const json::Value definition = *at;
    if (!definition["properties"].is_object()) continue;  // a table without columns can be asked for nothing
    query::TableDef table = read_table(at.key(), definition, schema);
    const bool is_view = std::ranges::binary_search(read_only, std::string_view("/" + table.name));
    if (is_view) table.kind = query::TableKind::view;
    add_constraints(table, definition["properties"], description.constraints);
    description.tables.push_back(std::move(table));
  }
  return description;
}

}  // namespace athena::driver::supabase
