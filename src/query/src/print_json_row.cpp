#include <algorithm>

#include <athena/query/print.h>

namespace athena::query {
namespace {

/// PostgreSQL's functions take 100 arguments: 50 keys and their values.
constexpr std::size_t kMostPairs = 50;

/// A string constant, whatever standard_conforming_strings says.
void append_text(std::string& sql, std::string_view text) {
  if (text.contains('\\')) sql += 'E';
  sql += '\'';
  for (const char c : text) {
    if (c == '\'' || c == '\\') sql += c;
    sql += c;
  }
  sql += '\'';
}

}  // namespace

Result<std::string> to_json_row_sql(const TableDef& table, std::span<const std::string> columns, NameRules rules) {
  std::vector<std::string> keys(columns.begin(), columns.end());
  if (keys.empty()) {
    for (const ColumnDef& column : table.columns) keys.push_back(column.name);
  }
  ATHENA_TRY(const auto found, table.resolve(keys, rules));
  std::string sql;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i % kMostPairs == 0) {
      sql += i == 0 ? "jsonb_build_object(" : ") || jsonb_build_object(";
    } else {
      sql += ", ";
    }
    append_text(sql, keys[i]);
    sql += ", t.";
    append_identifier(sql, found[i]->name);
  }
  if (keys.empty()) sql = "jsonb_build_object(";
  sql += ')';
  return keys.size() > kMostPairs ? "(" + sql + ")" : sql;
}

}  // namespace athena::query
