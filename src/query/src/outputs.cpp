#include "outputs.h"

#include <algorithm>

#include "print_value.h"
#include "words.h"

namespace athena::query {
namespace {

/// A name that is there more than once, or null. A few names are compared as they stand, many are sorted.
const std::string* find_twice(const std::vector<std::string>& names) {
  constexpr std::size_t kFew = 12;
  if (names.size() <= kFew) {
    for (auto at = names.begin(); at != names.end(); ++at) {
      if (std::find(at + 1, names.end(), *at) != names.end()) return &*at;
    }
    return nullptr;
  }
  std::vector<const std::string*> sorted(names.size());
  std::ranges::transform(names, sorted.begin(), [](const std::string& name) { return &name; });
  std::ranges::sort(sorted, {}, [](const std::string* name) -> std::string_view { return *name; });
  const auto twice = std::ranges::adjacent_find(sorted, [](const auto* a, const auto* b) { return *a == *b; });
  return twice == sorted.end() ? nullptr : *twice;
}

}  // namespace

std::string key_of(const Output& output) {
  if (!output.alias.empty()) return output.alias;
  const auto& path = output.column.path;
  const auto key = std::ranges::find(path.rbegin(), path.rend(), false, &Column::Step::is_index);
  return key == path.rend() ? output.column.name : key->key;
}

bool is_star(const Output& output, const TableDef& table, NameRules rules) {
  return output.column.name == "*" && output.column.path.empty() && !table.find("*", rules);
}

Result<> check_keys(const std::vector<std::string>& keys, const TableDef& table) {
  if (keys.empty()) return fail(Code::undefined_column, "Table " + quoted(table.name) + " has no columns");
  // Two members of one name would make the row ambiguous to every reader.
  const std::string* twice = find_twice(keys);
  if (!twice) return {};
  return fail(Error(Code::invalid_value, "The key " + quoted(*twice) + " would be in each row twice",
                    "Name a column once, or give it an alias: other:column")
                  .with("column", std::string(shortened(*twice))));
}

Result<> check_no_cursor(const Select& select, std::string_view backend) {
  if (!select.cursor) return {};
  return fail(Code::feature_not_supported, "There are no pages by cursor on " + std::string(backend),
              "Use limit and offset, or current_page and page_size");
}

Result<> check_operands(const Predicate& predicate) {
  const OpRow& row = operator_row(predicate.op);
  const std::size_t wanted = row.arity == Arity::two ? 2 : 1;
  if (row.arity == Arity::list || predicate.operands.size() == wanted) return {};
  return fail(Code::invalid_condition, "The operator '" + std::string(row.name) + "' takes " + std::to_string(wanted) +
                                           (wanted == 1 ? " value" : " values"));
}

Result<> check_null_comparison(const Predicate& predicate) {
  if (predicate.op == Op::eq || predicate.op == Op::neq || predicate.op == Op::isdistinct) return {};
  return fail(Code::invalid_condition,
              "Nothing compares with null by '" + std::string(operator_row(predicate.op).name) + "'");
}

Result<> check_list_column(const Predicate& predicate, TypeClass type, const ColumnDef& column) {
  if (type != TypeClass::array) return {};
  return fail(Error(Code::invalid_value,
                    "Column " + quoted(column.name) + " is an array: '" + std::string(operator_row(predicate.op).name) +
                        "' compares single values",
                    "Use contains, containedBy or overlaps")
                  .with("column", column.name));
}

Result<std::string> read_word(const Predicate& predicate, TypeClass type, const ColumnDef& column) {
  static constexpr std::string_view kWords[] = {"null", "not_null", "true", "false", "unknown"};
  const Scalar& operand = predicate.operands.front();
  std::string name = std::holds_alternative<std::monostate>(operand) ? "null" : to_text(operand);
  const auto* word = std::ranges::find(kWords, name);
  if (word == std::end(kWords)) return fail(Code::invalid_condition, "'is' does not know the word " + quoted(name));
  const bool about_null = word - std::begin(kWords) < 2;
  if (about_null || type == TypeClass::boolean || type == TypeClass::other) return name;
  return fail(Error(Code::invalid_value,
                    "Column " + quoted(column.name) + " is not boolean: 'is." + name + "' has no meaning for it")
                  .with("column", column.name));
}

}  // namespace athena::query
