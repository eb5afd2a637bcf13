#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <athena/base/result.h>
#include <athena/query/schema.h>
#include <athena/query/statement.h>

namespace athena::query {

/// A value for a `?`. Its type is the marker's, which the database tells when the statement is prepared; the operand of
/// IN is one value, a JSON array.
struct CqlParam {
  Scalar value;
  std::string column;  ///< for errors
  bool operator==(const CqlParam&) const = default;
};

/// One statement of CQL. It holds no text of the caller: identifiers are the schema's own names, quoted; values are
/// parameters.
struct CqlStatement {
  std::string cql;
  std::vector<CqlParam> params;
  /// Of a write, which gives no rows of its own: for each key of the answer the index of the parameter whose value it
  /// is, -1 for null. Empty: this statement adds no row to the answer.
  std::vector<std::int32_t> returned;
};

struct CqlPrinted {
  /// One; several are one logged batch; none: the filter cannot match, or no row is wanted, so nothing is to be asked.
  std::vector<CqlStatement> statements;
  std::vector<std::string> keys;    ///< key of each column of the answer, in order
  std::vector<TypeClass> types;     ///< and its type
  const TableDef* table = nullptr;  ///< points into the schema that was given
  bool is_keyed = false;            ///< equality on the whole primary key: at most one row
  bool is_conditional = false;      ///< IF …: a lightweight transaction; its result says [applied]
  bool is_idempotent = false;       ///< doing it twice is doing it once
  /// With a cursor: so many rows are wanted, then the paging state. 0: all, without a cursor.
  std::uint32_t page_rows = 0;
};

struct CqlOptions {
  NameRules names;
};

/// Prints what keys and indexes can serve, and refuses the rest with the reason and what would work (contract 4); ALLOW
/// FILTERING only where the statement allows it. A write is an upsert: CQL does not look whether the row is there,
/// unless `on_conflict` with nothing to do, or conditions on columns beside the key, make it a lightweight transaction.
/// The answer to a write holds what was written.
/// Errors: undefined_table, undefined_column, unsupported_operator, invalid_condition, invalid_value, no_id_column,
/// too_many_affected; unindexed_filter for what would have to scan; feature_not_supported for what CQL has no way to
/// say (offset, casts, paths, other conflict targets, more rows than one key …).
Result<CqlPrinted> to_cql(const Statement& statement, const Schema& schema, const CqlOptions& options);

/// `SELECT count(*) …` for the filter of `select`. Without statements the count is 0.
Result<CqlPrinted> to_count_cql(const Select& select, const Schema& schema, const CqlOptions& options);

}  // namespace athena::query
