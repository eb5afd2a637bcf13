#include <algorithm>
#include <tuple>

#include <athena/base/json.h>
#include <athena/base/json_writer.h>
#include <athena/query/print.h>

#include "cql_printer.h"
#include "fields.h"
#include "outputs.h"
#include "print_value.h"
#include "words.h"

namespace athena::query {
namespace {

bool is_null(const Scalar& value) noexcept {
  return std::holds_alternative<std::monostate>(value);
}

bool is_lower(Op op) noexcept {
  return op == Op::gt || op == Op::gte || op == Op::between;
}
bool is_upper(Op op) noexcept {
  return op == Op::lt || op == Op::lte || op == Op::between;
}
bool is_range(Op op) noexcept {
  return is_lower(op) || is_upper(op);
}
bool is_equality(Op op) noexcept {
  return op == Op::eq || op == Op::in;
}

std::unexpected<Error> unsupported(std::string_view what, std::string text, std::string hint) {
  return fail(Error(Code::unsupported_operator, std::move(text), std::move(hint))
                  .with("operator", std::string(what))
                  .with("backend", "scylla"));
}
std::unexpected<Error> no_negation() {
  return unsupported("not", "CQL has no NOT: a negated condition cannot be expressed on scylla",
                     "Ask for what should match instead: eq, in, or a range");
}

bool is_map(const ColumnDef& column) noexcept {
  return column.type_name.starts_with("map<") || column.type_name.starts_with("frozen<map<");
}
bool is_collection(const ColumnDef& column) noexcept {
  std::string_view type = column.type_name;
  if (type.starts_with("frozen<")) type.remove_prefix(7);
  return type.starts_with("map<") || type.starts_with("set<") || type.starts_with("list<");
}

/// The operand of `in` as one value.
Scalar list_of(const std::vector<Scalar>& values) {
  Buffer out;
  json::Writer writer(out);
  writer.begin_array();
  for (const Scalar& value : values) {
    if (const auto* flag = std::get_if<bool>(&value)) {
      writer.boolean(*flag);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      writer.string(*text);
    } else if (!is_null(value)) {
      writer.raw(to_text(value));
    }
  }
  writer.end_array();
  return JsonText{std::string(out.view())};
}

/// A SASI pattern: `%` at the ends, and nothing else that means something.
struct Pattern {
  std::string_view core;
  bool open_front = false, open_back = false;
};
std::unexpected<Error> unreadable_pattern() {
  return fail(Code::invalid_condition,
              "On scylla a pattern has % at its ends only, a text between them, and neither _ nor \\",
              "Use forms like 'abc%', '%abc' and '%abc%'");
}
Result<Pattern> read_pattern(std::string_view text) {
  Pattern pattern{text};
  if (pattern.core.starts_with('%')) {
    pattern.core.remove_prefix(1);
    pattern.open_front = true;
  }
  if (pattern.core.ends_with('%')) {
    pattern.core.remove_suffix(1);
    pattern.open_back = true;
  }
  if (!pattern.core.empty() && pattern.core.find_first_of("%_\\") == std::string_view::npos) return pattern;
  return unreadable_pattern();
}

/// What LIKE gets. Error: a pattern that its index could not read, or a text that a pattern could not hold as it is.
Result<std::string> pattern_text(const Predicate& predicate) {
  std::string text = to_text(predicate.operands.front());
  ATHENA_TRY(const Pattern pattern, read_pattern(text));
  const Form form = operator_row(predicate.op).form;
  if (form == Form::pattern) return text;
  if (pattern.open_front || pattern.open_back) return unreadable_pattern();
  return form == Form::prefix ? text + '%' : '%' + text;
}

/// How many conditions of CQL it comes to.
std::size_t conditions(const Predicate& predicate) {
  const auto* json = std::get_if<JsonText>(&predicate.operands.front());
  if (predicate.op != Op::contains || !json) return 1;
  const auto document = json::Document::parse(json->text);
  return document ? document->root().size() : 1;
}

/// Whether the column's index answers this restriction.
bool is_indexed(const Restriction& restriction) {
  const IndexUses& index = restriction.column->index;
  const Op op = restriction.predicate.op;
  if (op == Op::eq) return index.equal;
  if (is_range(op)) return index.range;
  if (op == Op::contains) {
    const auto* json = std::get_if<JsonText>(&restriction.predicate.operands.front());
    return json && json->text.starts_with('{') ? index.entries : index.values;
  }
  if (!is_pattern(operator_row(op).form)) return false;
  const auto text = pattern_text(restriction.predicate);
  const auto pattern = text ? read_pattern(*text) : Result<Pattern>(std::unexpected(text.error()));
  return pattern && (pattern->open_front ? index.like : index.prefix);
}

}  // namespace

Result<Restrictions> CqlPrinter::restrictions_of(const Filter& where, const std::optional<Scalar>& resource_id) {
  Restrictions restrictions;
  if (resource_id) {
    Predicate by_id;
    by_id.column.name = id_column_->name;
    by_id.operands.push_back(*resource_id);
    restrictions.push_back({id_column_, std::move(by_id)});
  }
  ATHENA_TRY_VOID(collect(where, restrictions));
  // One order whatever the caller's, so that the same question is the same statement; what was said twice once.
  std::ranges::sort(restrictions, {},
                    [this](const Restriction& r) { return std::tuple(names().index_of(*r.column), r.predicate.op); });
  const auto repeated = std::ranges::unique(restrictions, [](const Restriction& a, const Restriction& b) {
    return a.column == b.column && a.predicate.op == b.predicate.op && a.predicate.operands == b.predicate.operands;
  });
  restrictions.erase(repeated.begin(), repeated.end());
  ATHENA_TRY_VOID(check_pairs(restrictions));
  return restrictions;
}

Result<> CqlPrinter::collect(const Filter& filter, Restrictions& into) {
  if (filter.negated) return no_negation();
  if (filter.join == Filter::Join::any_of && filter.terms.size() > 1) {
    return unsupported("or", "CQL has no OR: 'or' cannot be expressed on scylla",
                       "Use in for several values of one column, or send a request for each alternative");
  }
  if (filter.join == Filter::Join::any_of && filter.terms.empty()) matches_nothing_ = true;
  for (const auto& term : filter.terms) {
    ATHENA_TRY_VOID(std::visit([&](const auto& inner) { return collect(inner, into); }, term));
  }
  return {};
}

Result<> CqlPrinter::collect(const Predicate& predicate, Restrictions& into) {
  ATHENA_TRY(const ColumnDef* column, output_column({.column = predicate.column, .alias = {}, .cast = {}}));
  const OpRow& row = operator_row(predicate.op);
  if (predicate.negated) return no_negation();
  ATHENA_TRY_VOID(check_operands(predicate));
  if (row.cql.empty()) return fail(unsupported_operator(row, Language::cql, "scylla"));
  Restriction restriction{column, predicate};
  auto& operands = restriction.predicate.operands;
  if (predicate.op == Op::in && is_key(*column)) std::erase_if(operands, is_null);  // no key is null
  if (std::ranges::any_of(operands, is_null)) {
    return fail(Error(Code::invalid_condition,
                      "On scylla no condition finds nulls: column " + quoted(column->name) + " is compared with one")
                    .with("column", column->name));
  }
  if (predicate.op == Op::in && operands.empty()) matches_nothing_ = true;
  if (predicate.op == Op::contains && !is_collection(*column)) {
    return fail(Error(Code::invalid_value, "Column " + quoted(column->name) + " is no list, set or map",
                      "Use eq or in with this column")
                    .with("column", column->name));
  }
  if (is_pattern(row.form)) ATHENA_TRY_VOID(pattern_text(predicate));
  into.push_back(std::move(restriction));
  return {};
}

/// Of one column CQL takes one equality, or bounds; any number of CONTAINS.
Result<> CqlPrinter::check_pairs(const Restrictions& restrictions) const {
  for (std::size_t i = 1; i < restrictions.size(); ++i) {
    const Restriction& before = restrictions[i - 1];
    const Restriction& after = restrictions[i];
    if (before.column != after.column) continue;
    const Op a = before.predicate.op, b = after.predicate.op;
    if (a == Op::contains && b == Op::contains) continue;
    const bool two_bounds = is_range(a) && is_range(b) && is_lower(a) != is_lower(b) && is_upper(a) != is_upper(b);
    const bool a_third = i > 1 && restrictions[i - 2].column == after.column;
    if (two_bounds && !a_third) continue;
    return fail(Error(Code::invalid_condition, "CQL takes only one condition on column " + quoted(after.column->name) +
                                                   ", or one lower and one "
                                                   "upper bound")
                    .with("column", after.column->name));
  }
  return {};
}

const Restriction* CqlPrinter::find(const Restrictions& restrictions, const ColumnDef& column,
                                    bool by_equality) const noexcept {
  const auto found = std::ranges::find_if(restrictions, [&](const Restriction& r) {
    return r.column == &column && (by_equality ? is_equality(r.predicate.op) : is_range(r.predicate.op));
  });
  return found == restrictions.end() ? nullptr : &*found;
}

KeyUse CqlPrinter::use_key(Restrictions& restrictions) const {
  KeyUse use;
  const auto all_equal = [&](Op only) {
    for (std::size_t i = 0; i < table_->partition_columns; ++i) {
      const Restriction* found = find(restrictions, key_column(i), true);
      if (!found || (only == Op::eq && found->predicate.op != Op::eq)) return false;
    }
    return table_->partition_columns > 0;
  };
  use.whole_partition = all_equal(Op::in);
  use.one_partition = all_equal(Op::eq);
  if (!use.whole_partition) return use;
  const auto mark = [&](const ColumnDef& column) {
    for (Restriction& restriction : restrictions) {
      if (restriction.column != &column) continue;
      restriction.used = true;
      use.has_in = use.has_in || restriction.predicate.op == Op::in;
    }
  };
  std::size_t at = 0;
  for (; at < table_->primary_key.size(); ++at) {
    if (!find(restrictions, key_column(at), true)) break;
    mark(key_column(at));
  }
  use.equal_columns = at - table_->partition_columns;
  if (at < table_->primary_key.size() && find(restrictions, key_column(at), false)) {
    mark(key_column(at));
    use.has_range = true;
  }
  use.one_row = use.one_partition && !use.has_in && use.equal_columns == clustering_columns();
  return use;
}

Result<> CqlPrinter::check_indexes(const Restrictions& restrictions, const KeyUse& use) const {
  const Restriction* first = nullptr;
  for (const Restriction& restriction : restrictions) {
    if (restriction.used) continue;
    if (!is_indexed(restriction)) return fail(unindexed(restriction));
    const bool same = first && first->column == restriction.column && restriction.predicate.op != Op::contains;
    const bool alone = !first && conditions(restriction.predicate) == 1;
    const bool together =
        alone || same || ((first ? first : &restriction)->column->index.combines && restriction.column->index.combines);
    if (!together || use.has_in) {
      Error error = unindexed(restriction);
      error.error = together ? "On scylla an index is not used beside 'in' on the key"
                             : "On scylla such an index serves one condition at a time: with column " +
                                   quoted(restriction.column->name) + " there are more";
      return fail(std::move(error));
    }
    if (!first) first = &restriction;
  }
  return {};
}

std::string CqlPrinter::key_names(std::size_t from, std::size_t to) const {
  std::string list;
  for (std::size_t i = from; i < to; ++i) {
    if (i > from) list += ", ";
    list += key_column(i).name;
  }
  return list;
}

std::string CqlPrinter::what_works() const {
  const std::size_t end = table_->primary_key.size();
  std::string text = "Conditions that are served: the whole partition key (" + key_names(0, table_->partition_columns) +
                     ") by eq or in";
  if (clustering_columns() > 0) {
    text += ", behind it the clustering columns (" + key_names(table_->partition_columns, end) +
            ") in this order, the last one also by a range";
  }
  std::string indexed;
  for (const ColumnDef& column : table_->columns) {
    if (column.index == IndexUses()) continue;
    if (!indexed.empty()) indexed += ", ";
    indexed += column.name;
  }
  if (!indexed.empty()) text += "; the indexed columns (" + indexed + ")";
  return text;
}

Error CqlPrinter::unindexed(const Restriction& restriction) const {
  const ColumnDef& column = *restriction.column;
  const std::string name = quoted(column.name);
  const std::uint32_t index = names().index_of(column);
  const auto key = std::ranges::find(table_->primary_key, index);
  const auto place = static_cast<std::size_t>(key - table_->primary_key.begin());
  std::string text;
  if (place < table_->partition_columns) {
    text = "Column " + name + " is of the partition key of table " + quoted(table_->name) +
           ": without the whole of it, by eq or in, every partition would be read";
  } else if (key != table_->primary_key.end()) {
    text = "Column " + name + " is a clustering column of table " + quoted(table_->name) +
           ": it serves only behind the whole partition key and, by eq, the clustering columns before it";
  } else {
    text = "Column " + name + " of table " + quoted(table_->name) + " is not of the key, and no index serves '" +
           std::string(operator_row(restriction.predicate.op).name) + "' on it: every row would be read";
  }
  const bool can_filter = !is_pattern(operator_row(restriction.predicate.op).form);
  return Error(Code::unindexed_filter, std::move(text),
               what_works() + (can_filter ? ". \"allow_filtering\": true lets a read filter all the same" : ""))
      .with("column", column.name)
      .with("table", table_->name);
}

Result<> CqlPrinter::append_where(const Restrictions& restrictions, bool used_only) {
  bool first = true;
  for (const Restriction& restriction : restrictions) {
    if (used_only && !restriction.used) continue;
    cql() += first ? " WHERE " : " AND ";
    first = false;
    ATHENA_TRY_VOID(append_restriction(restriction));
  }
  return {};
}

Result<> CqlPrinter::append_restriction(const Restriction& restriction) {
  const Predicate& predicate = restriction.predicate;
  const OpRow& row = operator_row(predicate.op);
  if (predicate.op == Op::contains) return append_contains(restriction);
  if (is_pattern(row.form)) return append_like(restriction);
  return append_template(row.cql, restriction);
}

Result<> CqlPrinter::append_template(std::string_view text, const Restriction& restriction) {
  const Predicate& predicate = restriction.predicate;
  for (;;) {
    const std::size_t open = text.find('{');
    cql() += text.substr(0, open);
    if (open == std::string_view::npos) return {};
    const char what = text[open + 1];
    text.remove_prefix(open + 3);
    if (what == 'c') {
      append_identifier(cql(), restriction.column->name);
      continue;
    }
    cql() += '?';
    append_param(
        predicate.op == Op::in ? list_of(predicate.operands) : predicate.operands[static_cast<std::size_t>(what - '1')],
        *restriction.column);
    if (predicate.op == Op::eq) note_written(*restriction.column);
  }
}

Result<> CqlPrinter::append_like(const Restriction& restriction) {
  ATHENA_TRY(auto pattern, pattern_text(restriction.predicate));
  append_identifier(cql(), restriction.column->name);
  cql() += " LIKE ?";
  append_param(std::move(pattern), *restriction.column);
  return {};
}

/// Each element of an array is a CONTAINS, each member of an object an entry of the map.
Result<> CqlPrinter::append_contains(const Restriction& restriction) {
  const ColumnDef& column = *restriction.column;
  const Scalar& operand = restriction.predicate.operands.front();
  const auto* json = std::get_if<JsonText>(&operand);
  if (!json) {
    append_identifier(cql(), column.name);
    cql() += " CONTAINS ?";
    append_param(operand, column);
    return {};
  }
  ATHENA_TRY(const auto document, json::Document::parse(json->text));
  const json::Value root = document.root();
  if (root.size() == 0 || (root.is_object() && !is_map(column))) {
    return fail(Error(Code::invalid_value, root.size() == 0
                                               ? "'contains' needs at least one element on scylla"
                                               : "Column " + quoted(column.name) + " is no map: it contains no members")
                    .with("column", column.name));
  }
  bool first = true;
  for (auto element = root.begin(), end = root.end(); element != end; ++element) {
    if (!first) cql() += " AND ";
    first = false;
    append_identifier(cql(), column.name);
    if (root.is_object()) append_param(std::string(element.key()), column);
    cql() += root.is_object() ? "[?] = ?" : " CONTAINS ?";
    append_param(to_scalar(*element), column);
  }
  return {};
}

}  // namespace athena::query
