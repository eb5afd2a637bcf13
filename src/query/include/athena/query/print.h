#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/result.h>
#include <athena/query/schema.h>
#include <athena/query/statement.h>

namespace athena::query {

enum class Flavor : std::uint8_t { postgres, sqlite };

/// How a parameter wants to be bound. PostgreSQL takes the text of all of them, untyped, and infers the type from the
/// statement; SQLite binds by kind.
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
/// invalid_value, no_id_column, ambiguous_conflict_target, limit_exceeded (more parameters than the database takes).
/// For SQLite, which checks nothing itself, also those that PostgreSQL would answer: invalid_text_representation and
/// value_out_of_range; and feature_not_supported for updated rows in an order.
Result<Printed> to_sql(const Statement& statement, const Schema& schema, const PrintOptions& options);

/// `SELECT count(*) …` for the filter of `select` (its limit and order do not count).
Result<Printed> to_count_sql(const Select& select, const Schema& schema, const PrintOptions& options);

/// `name` between double quotes, inner ones doubled: SQL and CQL alike. For names out of the schema only.
void append_identifier(std::string& sql, std::string_view name);

}  // namespace athena::query
