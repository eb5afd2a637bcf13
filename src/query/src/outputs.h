#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <athena/base/result.h>
#include <athena/query/schema.h>
#include <athena/query/statement.h>

namespace athena::query {

/// The key of an output in each row: the alias, or the name as the caller wrote it, or a path's last key that is no
/// index.
std::string key_of(const Output& output);
/// `*`, unless the table has a column of that name.
bool is_star(const Output& output, const TableDef& table, NameRules rules);
/// Refuses rows without keys, and two of one name.
Result<> check_keys(const std::vector<std::string>& keys, const TableDef& table);

/// Refuses pages by cursor, for the languages that have none yet.
Result<> check_no_cursor(const Select& select, std::string_view backend);

/// How many operands the predicate's operator takes; invalid_condition if they are others.
Result<> check_operands(const Predicate& predicate);
/// Refuses what has no answer: a comparison with null by another operator than eq, neq and isdistinct.
Result<> check_null_comparison(const Predicate& predicate);
/// Refuses `in` and `nin` on an array. `column` is for the error.
Result<> check_list_column(const Predicate& predicate, TypeClass type, const ColumnDef& column);
/// The word of `is`: null, not_null, true, false or unknown, if it has a meaning for a value of that type.
Result<std::string> read_word(const Predicate& predicate, TypeClass type, const ColumnDef& column);

}  // namespace athena::query
