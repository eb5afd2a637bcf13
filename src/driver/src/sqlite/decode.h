#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <athena/query/schema.h>

#include "sqlite/batch.h"

struct sqlite3_stmt;

namespace athena::driver::sqlite {

/// What a declared type means (contract 3.1). SQLite takes any words there, and any value in most columns.
query::TypeClass type_class(std::string_view declared) noexcept;

/// How the values of a column come out. A value that does not have the storage class that its column suggests is given
/// by its own: text in an INTEGER column is a string. Text that is not valid UTF-8 is given as bytes.
enum class ColumnRule : std::uint8_t {
  by_value,  ///< integer, real, text, bytes, whatever is there
  boolean,   ///< 0 and 1, and the words true and false; other numbers stay numbers
  json,      ///< embedded if it is valid JSON, else a string
  decimal,   ///< the digits of a text, verbatim
  plain,     ///< text that rarely needs escapes: uuid, date, time
};
ColumnRule rule_for(query::TypeClass type) noexcept;

/// A text by the rule of its column; a view of it.
Cell text_cell(std::string_view value, ColumnRule rule);

/// Appends the row on which `statement` stands.
void append_row(sqlite3_stmt* statement, std::span<const ColumnRule> rules, Batch& batch);

/// Valid JSON as RFC 8259 has it, not nested deeper than 512 levels: safe to be embedded in a reply. UTF-8 is not
/// checked.
bool is_json(std::string_view text) noexcept;
/// A number as JSON writes it.
bool is_json_number(std::string_view text) noexcept;

}  // namespace athena::driver::sqlite
