#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/result.h>
#include <athena/query/schema.h>
#include <athena/query/statement.h>

namespace athena::query {

/// d1 is SQLite behind Cloudflare's proxy: 100 parameters, 100 KB of SQL, no settings of a connection, and numbers that
/// pass through JavaScript, where an integer beyond 2^53 would be rounded. Parameters therefore say in SQL what they
/// are (integers travel as digits, bytes as hex digits), large integers come back as text, and the columns of the
/// answer are called c0, c1 … so that no name of theirs means something to JavaScript.
enum class Flavor : std::uint8_t { postgres, sqlite, d1 };
/// "postgresql", "sqlite", "d1": for errors.
std::string_view to_string(Flavor flavor) noexcept;

/// How a parameter wants to be bound. PostgreSQL takes the text of all of them, untyped, and infers the type from the
/// statement; SQLite binds by kind; to D1 an integer goes as its digits.
enum class ParamKind : std::uint8_t { null, text, integer, real, boolean };
struct Param {
  ParamKind kind = ParamKind::null;
  std::string text;
  bool operator==(const Param&) const = default;
};

/// A statement in a database's language. `sql` holds no text of the caller: identifiers are the schema's own names,
/// quoted; values are parameters; keys of the answer are in `keys`.
struct Printed {
  std::string sql;
  std::vector<Param> params;
  std::vector<std::string> keys;    ///< key of each column of the answer, in order
  std::vector<TypeClass> types;     ///< and its type (other: whatever the database says)
  const TableDef* table = nullptr;  ///< points into the schema that was given
  bool is_keyed = false;            ///< equality on a whole unique key: at most one row
};

struct PrintOptions {
  Flavor flavor = Flavor::postgres;
  NameRules names;
};

/// Looks every name up in `schema` and prints. Errors: undefined_table, undefined_column, unsupported_operator,
/// invalid_value, no_id_column, ambiguous_conflict_target, limit_exceeded (more parameters, or a longer text, than the
/// database takes).
/// For SQLite and D1, which checks nothing itself, also those that PostgreSQL would answer: invalid_text_representation
/// and value_out_of_range; and feature_not_supported for updated rows in an order.
Result<Printed> to_sql(const Statement& statement, const Schema& schema, const PrintOptions& options);

/// `SELECT count(*) …` for the filter of `select` (its limit and order do not count).
Result<Printed> to_count_sql(const Select& select, const Schema& schema, const PrintOptions& options);

/// A row of the table, under the alias t, as one value of PostgreSQL's jsonb: `jsonb_build_object('id', t."id", …)`.
/// Keys are the names as given; no names: all columns. A function takes 100 arguments, so wider rows are put together
/// with `||`. Goes with TableDef::from_sql. Error: undefined_column.
Result<std::string> to_json_row_sql(const TableDef& table, std::span<const std::string> columns, NameRules rules);

/// `name` between double quotes, inner ones doubled: SQL and CQL alike. For names out of the schema only.
void append_identifier(std::string& sql, std::string_view name);

}  // namespace athena::query
