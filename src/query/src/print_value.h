#pragma once

#include <span>
#include <string>
#include <string_view>

#include <athena/base/result.h>
#include <athena/query/print.h>

namespace athena::query {

/// What a value is read as: the type of a column, or of what a path into one gives.
struct ValueType {
  TypeClass type = TypeClass::other;
  std::string_view column;  ///< for errors
  bool in_json = false;     ///< an element of a JSON document (`->`), not a column
};

/// What the value is for: SQLite, which would store anything anywhere, is stricter about what it keeps.
enum class Use : std::uint8_t { compare, store };

/// PostgreSQL infers types and checks values itself, so it gets text; SQLite gets what PostgreSQL would have made of
/// it. Errors (SQLite only): invalid_text_representation, value_out_of_range, as the other would have answered.
Result<Param> to_param(const Scalar& value, const ValueType& type, Flavor flavor, Use use);

/// Values that are not null as one parameter: an array literal, or a JSON array for json_each.
Result<Param> to_list_param(std::span<const Scalar> values, const ValueType& type, Flavor flavor);

/// The operand of contains, containedBy and overlaps (PostgreSQL). Errors: invalid_value when the column is no set.
Result<Param> to_set_param(const Scalar& value, const ValueType& type);

/// The value's text, whatever it is: for patterns and searches.
std::string to_text(const Scalar& value);
/// A pattern of LIKE, or of GLOB, that matches `text` and nothing else.
std::string like_of_text(std::string_view text);
std::string glob_of_text(std::string_view text);
/// A LIKE pattern, escaped by backslashes, as a GLOB pattern. Error: invalid_value, it ends with half an escape.
Result<Param> to_glob(std::string_view like_pattern);
/// The value of a parameter for SQLite as an element of a JSON array. It is exact: SQLite reads 64-bit integers there.
Result<> append_json_element(std::string& array, const Param& param, std::string_view column);
/// `key` as a label of a path for json_extract; false when SQLite has no way to write it.
bool append_json_label(std::string& path, std::string_view key);

}  // namespace athena::query
