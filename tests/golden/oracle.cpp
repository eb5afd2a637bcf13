#include "oracle.h"

#include <pg_query.h>

#include <algorithm>
#include <iterator>

#include <athena/base/json.h>
#include <athena/base/text.h>

namespace athena::query {
namespace {

constexpr std::string_view kWords[] = {
    "ALL", "AND", "ANY", "AS", "BETWEEN", "BLOB", "BY", "CASE", "CAST", "CONFLICT", "DEFAULT", "DELETE", "DESC",
    "DISTINCT", "DO", "ELSE", "END", "ESCAPE", "EXCLUDED", "FALSE", "FIRST", "FROM", "GLOB", "ILIKE", "IN", "INSERT",
    "INTEGER", "INTO", "IS", "LAST", "LIKE", "LIMIT", "NOT", "NOTHING", "NULL", "NULLS", "NUMERIC", "OFFSET", "ON",
    "OR", "ORDER", "REAL", "RETURNING", "SELECT", "SET", "TEXT", "THEN", "TRUE", "UNKNOWN", "UPDATE", "VALUES", "WHEN",
    "WHERE", "WITH",
    // functions, types and our own two names
    "abs", "count", "date", "iif", "json", "json_each", "json_extract", "json_type", "lower", "phraseto_tsquery",
    "plainto_tsquery", "strftime", "t", "time", "to_tsquery", "to_tsvector", "u", "value", "websearch_to_tsquery",
    "bigint", "boolean", "bytea", "char", "cidr", "double", "inet", "integer", "interval", "jsonb", "money", "name",
    "numeric", "oid", "precision", "real", "smallint", "text", "timestamp", "timestamptz", "timetz", "tsvector", "uuid",
    "varchar", "xml", "typeof", "unhex", "7976931348623157e308"};
constexpr std::string_view kLiterals[] = {
    "'integer'", "'object'", "'true'", "'false'", "'\\'", "'%Y-%m-%dT%H:%M:%S'", "'%Y-%m-%dT%H:%M:%S+00:00'"};
constexpr std::string_view kPunctuation = "(),.*=<>!~@&|^-+:[] ";

bool is_word_char(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_of_schema(std::string_view quoted, const Schema& schema) {
  std::string name;
  const auto same = [&](std::string_view other) {
    name.clear();
    append_identifier(name, other);
    return name == quoted;
  };
  return std::ranges::any_of(schema.tables(), [&](const TableDef& table) {
    return same(table.name) || same(table.schema) ||
           std::ranges::any_of(table.columns, [&](const ColumnDef& column) { return same(column.name); });
  });
}

bool is_all_digits(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// What only D1's statements have: names of columns of the answer, and places in an array of rows.
bool is_of_d1(std::string_view token) noexcept {
  if (token.starts_with('c')) return is_all_digits(token.substr(1));
  return token.starts_with("'$[") && token.ends_with("]'") && is_all_digits(token.substr(3, token.size() - 5));
}

/// The end of a token in quotes that starts at 0; a doubled quote does not end it. npos: never.
std::size_t end_of_quotes(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] != text[0]) continue;
    if (i + 1 < text.size() && text[i + 1] == text[0]) {
      ++i;
    } else {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

/// Takes the first token away; false if it must not be there.
bool take_token_of_ours(std::string_view& rest, const Printed& printed, const Schema& schema, Flavor flavor) {
  const char c = rest[0];
  std::size_t size = 1;
  bool known = false;
  if (c == '"' || c == '\'') {
    size = end_of_quotes(rest);
    if (size == std::string_view::npos) return false;
    const std::string_view token = rest.substr(0, size);
    known = c == '"' ? is_of_schema(token, schema) : std::ranges::find(kLiterals, token) != std::end(kLiterals);
    known = known || (flavor == Flavor::d1 && is_of_d1(token));
  } else if (c == (flavor == Flavor::postgres ? '$' : '?')) {
    while (size < rest.size() && rest[size] >= '0' && rest[size] <= '9') ++size;
    const auto number = text::parse_u64(rest.substr(1, size - 1));
    known = number && *number >= 1 && *number <= printed.params.size();
  } else if (is_word_char(c)) {
    while (size < rest.size() && is_word_char(rest[size])) ++size;
    const std::string_view word = rest.substr(0, size);
    known = is_all_digits(word) || std::ranges::find(kWords, word) != std::end(kWords) ||
            (flavor == Flavor::d1 && is_of_d1(word));
  } else {
    known = kPunctuation.contains(c) && !rest.starts_with("--");
  }
  rest.remove_prefix(size);
  return known;
}

/// SQLite gets the schema's own text of a default: it is not the caller's, but no token of ours either.
void drop_defaults(std::string& sql, const Schema& schema) {
  for (const TableDef& table : schema.tables()) {
    for (const ColumnDef& column : table.columns) {
      const std::string text = "(" + column.default_expression + ")";
      if (column.default_expression.empty()) continue;
      for (std::size_t at; (at = sql.find(text)) != std::string::npos;) sql.replace(at, text.size(), "NULL");
    }
  }
}

}  // namespace

std::optional<std::string> complaint_about_tokens(const Printed& printed, const Schema& schema, Flavor flavor) {
  std::string sql = printed.sql;
  if (flavor != Flavor::postgres) drop_defaults(sql, schema);
  std::string_view rest = sql;
  while (!rest.empty()) {
    const std::string_view before = rest;
    if (!take_token_of_ours(rest, printed, schema, flavor)) return "a token that is not ours: " + std::string(before);
  }
  if (printed.keys.size() != printed.types.size()) return "as many types as keys are expected";
  return std::nullopt;
}

std::optional<std::string> complaint_of_parser(const std::string& sql, std::string_view kind) {
  PgQueryParseResult result = pg_query_parse(sql.c_str());
  std::optional<std::string> complaint;
  if (result.error) {
    complaint = result.error->message;
  } else {
    const auto tree = json::Document::parse(result.parse_tree, {.max_depth = 10'000});
    if (!tree) {
      complaint = "the tree cannot be read: " + tree.error().error;
    } else {
      const json::Value statements = tree->root()["stmts"];
      if (statements.size() != 1)
        complaint = "there are " + std::to_string(statements.size()) + " statements";
      else if (!(*statements.begin())["stmt"][kind].exists())
        complaint = "it is no " + std::string(kind);
    }
  }
  pg_query_free_parse_result(result);
  return complaint;
}

std::string_view node_of(const Statement& statement) {
  if (std::holds_alternative<Insert>(statement)) return "InsertStmt";
  if (std::holds_alternative<Delete>(statement)) return "DeleteStmt";
  const auto* update = std::get_if<Update>(&statement);
  return update && update->order.empty() ? "UpdateStmt" : "SelectStmt";
}

std::optional<std::string> complaint(const Printed& printed, const Schema& schema, Flavor flavor,
                                     const Statement& statement) {
  if (auto found = complaint_about_tokens(printed, schema, flavor)) return found;
  if (flavor != Flavor::postgres) return std::nullopt;
  return complaint_of_parser(printed.sql, node_of(statement));
}

}  // namespace athena::query
