#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <athena/base/error.h>

namespace athena::query {

/// The filter operators (contract 4). One row each in operators.cpp: spelling, aliases, operands, and how each language
/// writes it. Readers, printers, docs and tests read the row; a language without a spelling answers
/// unsupported_operator.
enum class Op : std::uint8_t {
  eq,
  neq,
  gt,
  gte,
  lt,
  lte,
  like,
  ilike,
  match,
  imatch,
  in,
  nin,
  is,
  isdistinct,
  contains,
  contained_by,
  overlaps,
  fts,
  plfts,
  phfts,
  wfts,
  starts_with,
  ends_with,
  between
};

enum class Arity : std::uint8_t {
  one,   ///< a scalar
  list,  ///< an array; empty matches nothing (in) or everything (nin)
  two,   ///< lower and upper bound
  word,  ///< `is`: null, not_null, true, false, unknown
  json   ///< an array, an object, or a literal of the database
};

/// What becomes of an operand on its way to a parameter, and of the column beside it.
enum class Form : std::uint8_t {
  value,    ///< read as the column's type; null becomes IS [NOT] NULL
  text,     ///< text; the column is compared as text
  pattern,  ///< a LIKE pattern (SQLite gets a GLOB pattern of it, which minds the case whatever the settings are)
  prefix,   ///< the same, but what the text starts with (SQLite gets a GLOB pattern of it)
  suffix,   ///< what the text ends with (every language gets a pattern of its own of it)
  list,     ///< all operands in one parameter, so that the statement is the same for any number of them
  word,     ///< one of the words of `is`: becomes SQL of our own
  set,      ///< an array, range or JSON document, as the column is
  query     ///< a full-text query
};

/// Whether LIKE, or what the language has in its place, gets a pattern.
constexpr bool is_pattern(Form form) noexcept {
  return form == Form::pattern || form == Form::prefix || form == Form::suffix;
}

struct OpRow {
  Op op;
  std::string_view name;                      ///< "eq", "containedBy"
  std::span<const std::string_view> aliases;  ///< "=", "cd", …
  Arity arity;
  Form form;
  /// Templates: `{c}` column, `{t}` column as text, `{v}` column as tsvector, `{1}` first operand, `{2}` second, `{w}`
  /// the SQL of a word. Empty: not expressible.
  std::string_view postgres;
  std::string_view sqlite;  ///< D1's, too
  std::string_view cql;     ///< same placeholders, without `{t}`, `{v}`
  std::string_view rest;    ///< PostgREST's name of the operator; `between` is two tests, nin a negated one
};

/// The languages that statements are printed in, each a column of the table.
enum class Language : std::uint8_t { postgres, sqlite, cql, rest };

/// How the language says it; empty: it cannot.
std::string_view spelling(const OpRow& row, Language language) noexcept;
/// The answer where it cannot: unsupported_operator, naming the operator, the backend and what would work.
Error unsupported_operator(const OpRow& row, Language language, std::string_view backend);

std::span<const OpRow> operator_rows() noexcept;
const OpRow& operator_row(Op op) noexcept;
/// By name or alias; case-insensitive. Null: unknown.
const OpRow* find_operator(std::string_view name) noexcept;

}  // namespace athena::query
