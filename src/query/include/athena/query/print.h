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
  std::vector<std::string> keys;     ///< key of each column of the answer, in order
  std::vector<TypeClass> types;      ///< and its type (other: whatever the database says)
  const TableDef* table = nullptr;   ///< points into the schema that was given
  bool is_keyed = false;             ///< equality on a whole unique key: at most one row
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

/// A value for a `?` of CQL, and the type of what it is compared with or kept in.
struct CqlParam {
  Scalar value;
  std::string type;    ///< as the schema spells it: "int", "list<text>" for the operand of IN
  std::string column;  ///< for errors
  bool operator==(const CqlParam&) const = default;
};
/// One statement of CQL: no text of the caller, as in Printed.
struct CqlStatement {
  std::string cql;
  std::vector<CqlParam> params;
  /// Of a write, which gives no rows of its own: for each key of the answer the index of the parameter whose value it
  /// is, -1 for null. Empty: this statement adds no row to the answer.
  std::vector<std::int32_t> returned;
};
struct CqlPrinted {
  std::vector<CqlStatement> statements;  ///< one; several are one logged batch
  std::vector<std::string> keys;         ///< key of each column of the answer, in order
  std::vector<TypeClass> types;
  const TableDef* table = nullptr;  ///< points into the schema that was given
  bool is_keyed = false;            ///< equality on the whole primary key: at most one row
  bool is_conditional = false;      ///< IF …: a lightweight transaction; its result says [applied]
  bool is_idempotent = false;       ///< may be sent again without doing more than once would
  /// Select with a cursor: so many rows are wanted, then the paging state. 0: no cursor is.
  std::uint32_t page_rows = 0;
};
struct CqlOptions {
  NameRules names;
};

/// Prints what keys and indexes can serve, and refuses the rest with the reason (contract 4); ALLOW FILTERING only where
/// the statement allows it. A write is an upsert: CQL does not look whether the row is there, unless conditions on other
/// columns (or on_conflict: do nothing) make it a lightweight transaction. Its answer holds what was written.
/// Errors: as to_sql; invalid_condition for what would have to scan; feature_not_supported for what CQL has no way to
/// say (offset, casts, paths, other conflict targets …).
Result<CqlPrinted> to_cql(const Statement& statement, const Schema& schema, const CqlOptions& options);
/// `SELECT count(*) …` for the filter of `select`.
Result<CqlPrinted> to_count_cql(const Select& select, const Schema& schema, const CqlOptions& options);

/// `name` between double quotes, inner ones doubled: SQL and CQL alike. For names out of the schema only.
void append_identifier(std::string& sql, std::string_view name);

}  // namespace athena::query
