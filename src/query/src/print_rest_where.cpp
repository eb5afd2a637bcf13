#include <algorithm>

#include <athena/base/text.h>

#include "outputs.h"
#include "rest_printer.h"
#include "words.h"

namespace athena::query {
namespace {

bool is_null(const Scalar& value) noexcept {
  return std::holds_alternative<std::monostate>(value);
}

Result<> check_text(const std::string& text) {
  if (text::is_utf8(text) && !text.contains('\0')) return {};
  return fail(Code::invalid_encoding, "A value in 'conditions' is not valid UTF-8, or holds a NUL");
}

/// The regular expression that matches what the pattern of LIKE matches.
Result<std::string> regex_of_like(std::string_view pattern) {
  std::string regex = "^";
  const auto literal = [&regex](char c) {
    if (std::string_view("\\.[]{}()*+?^$|").contains(c)) regex += '\\';
    regex += c;
  };
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '%') {
      regex += ".*";
    } else if (pattern[i] == '_') {
      regex += '.';
    } else if (pattern[i] != '\\') {
      literal(pattern[i]);
    } else if (++i < pattern.size()) {
      literal(pattern[i]);
    } else {
      return fail(Code::invalid_value, "A pattern of 'like' must not end with its escape character");
    }
  }
  return regex += '$';
}

/// In a pair of its own such a name would be taken for a path to another table, and the condition for one that a write
/// has nothing to do with.
bool has_dot(std::string_view field) noexcept {
  return field.contains('.');
}

}  // namespace

/// Conditions that all must hold stand side by side; everything else is a logical expression.
Result<> RestPrinter::add_where(const Filter& where, const std::optional<Scalar>& resource_id) {
  if (resource_id) {
    Predicate by_id{.column = {.name = id_column_->name, .path = {}}, .op = Op::eq, .operands = {*resource_id}};
    if (is_null(*resource_id)) return fail(Code::invalid_value, "'resource_id' must not be null");
    ATHENA_TRY_VOID(add_term(by_id));
  }
  return add_term(where);
}

Result<> RestPrinter::add_term(const Filter& filter) {
  if (filter.join == Filter::Join::all_of && !filter.negated) {
    for (const auto& term : filter.terms) {
      ATHENA_TRY_VOID(std::visit([this](const auto& kind) { return add_term(kind); }, term));
    }
    return {};
  }
  std::string text;
  ATHENA_TRY_VOID(append_logic(text, filter));
  const std::size_t open = text.find('(');  // behind or, and, not.or or not.and
  add(text.substr(0, open), text.substr(open));
  return {};
}

Result<> RestPrinter::add_term(const Predicate& predicate) {
  ATHENA_TRY(const Field column, field(predicate.column));
  ATHENA_TRY(const Tests tests, tests_of(predicate, column));
  const bool is_logic = tests.negated || tests.join == Filter::Join::any_of || tests.only_logic || has_dot(column.text);
  if (!is_logic) {
    for (const Test& test : tests.tests) add(column.text, test.op + test.value);
    return {};
  }
  std::string text;
  append_tests(text, column, tests);
  if (tests.tests.size() == 1) {
    add("and", "(" + text + ")");
  } else {
    const std::size_t open = text.find('(');
    add(text.substr(0, open), text.substr(open));
  }
  return {};
}

Result<> RestPrinter::append_logic(std::string& text, const Predicate& predicate) const {
  ATHENA_TRY(const Field column, field(predicate.column));
  ATHENA_TRY(const Tests tests, tests_of(predicate, column));
  append_tests(text, column, tests);
  return {};
}

Result<> RestPrinter::append_logic(std::string& text, const Filter& filter) const {
  const bool all = filter.join == Filter::Join::all_of;
  if (filter.terms.empty()) {
    append_constant(text, all != filter.negated);
    return {};
  }
  if (filter.negated) text += "not.";
  text += all ? "and(" : "or(";
  for (const auto& term : filter.terms) {
    if (&term != filter.terms.data()) text += ',';
    ATHENA_TRY_VOID(std::visit([&](const auto& kind) { return append_logic(text, kind); }, term));
  }
  text += ')';
  return {};
}

/// PostgREST has no word for true or false: what a column is, or is not.
void RestPrinter::append_constant(std::string& text, bool truth) const {
  std::string name;
  append_rest_name(name, table_->columns.front().name);
  text += truth ? "or(" : "and(";
  text += name + ".is.null," + name + ".not.is.null)";
}

void RestPrinter::append_tests(std::string& text, const Field& column, const Tests& tests) const {
  const bool group = tests.tests.size() > 1;
  if (group && tests.negated) text += "not.";
  if (group) text += tests.join == Filter::Join::all_of ? "and(" : "or(";
  for (const Test& test : tests.tests) {
    if (&test != tests.tests.data()) text += ',';
    text += column.text;
    text += '.';
    text += test.op;
    test.is_finished ? void(text += test.value) : append_rest_value(text, test.value);
  }
  if (group) text += ')';
}

/// What the operator's row says in PostgREST's words. A test that is alone carries its negation itself.
Result<RestPrinter::Tests> RestPrinter::tests_of(const Predicate& predicate, const Field& column) const {
  const OpRow& row = operator_row(predicate.op);
  ATHENA_TRY_VOID(check_operands(predicate));
  if (row.form == Form::list) return list_tests(predicate, column);
  Tests result;
  if (row.arity == Arity::two) {
    result.negated = predicate.negated;
    for (std::size_t i = 0; i < 2; ++i) {
      if (is_null(predicate.operands[i])) ATHENA_TRY_VOID(check_null_comparison(predicate));
      Predicate bound = predicate;
      bound.op = i == 0 ? Op::gte : Op::lte;
      bound.negated = false;
      bound.operands = {predicate.operands[i]};
      ATHENA_TRY(Test test, test_of(bound, column));
      result.tests.push_back(std::move(test));
    }
    return result;
  }
  ATHENA_TRY(Test test, test_of(predicate, column));
  // A version that does not know an operator takes the pair for something else and leaves the condition out; within a
  // logical expression it refuses it. These are younger than the others.
  const std::string_view op = std::string_view(test.op).substr(test.op.starts_with("not.") ? 4 : 0);
  result.only_logic = op == "match." || op == "imatch." || op == "isdistinct.";
  result.tests.push_back(std::move(test));
  return result;
}

/// A null among the values means the same as alone (see the printer of SQL).
Result<RestPrinter::Tests> RestPrinter::list_tests(const Predicate& predicate, const Field& column) const {
  ATHENA_TRY_VOID(check_list_column(predicate, column.type, *column.column));
  const bool with_null = std::ranges::any_of(predicate.operands, is_null);
  const bool is_in = predicate.op == Op::in;
  std::string list = "(";
  std::size_t count = 0;
  for (const Scalar& operand : predicate.operands) {
    if (is_null(operand)) continue;
    ATHENA_TRY(const Param param, to_param(operand, column.value_type(), Flavor::postgres, Use::compare));
    ATHENA_TRY_VOID(check_text(param.text));
    if (count++ > 0) list += ',';
    append_rest_value(list, param.text);
  }
  list += ')';
  Tests result;
  if (list == "(\"\")") {  // to PostgREST a list of one empty text is an empty list
    result.tests.push_back({is_in ? "eq." : "neq.", "", false});
  } else {
    result.tests.push_back({is_in ? "in." : "not.in.", std::move(list), true});
  }
  if (!with_null) {
    if (!predicate.negated) return result;
    std::string& op = result.tests.front().op;
    op = op.starts_with("not.") ? op.substr(4) : "not." + op;
    return result;
  }
  result.tests.push_back({is_in ? "is." : "not.is.", "null", true});
  result.join = is_in ? Filter::Join::any_of : Filter::Join::all_of;
  result.negated = predicate.negated;
  return result;
}

Result<RestPrinter::Test> RestPrinter::test_of(const Predicate& predicate, const Field& column) const {
  const OpRow& row = operator_row(predicate.op);
  if (row.rest.empty()) return fail(unsupported_operator(row, Language::rest, "supabase"));
  const Scalar& operand = predicate.operands.front();
  if (row.form == Form::text || is_pattern(row.form)) return pattern_test(predicate);
  Test test;
  const bool null_comparison = row.form == Form::value && is_null(operand);
  if (null_comparison) ATHENA_TRY_VOID(check_null_comparison(predicate));
  if (null_comparison || row.form == Form::word) {
    std::string word = "null";
    if (row.form == Form::word) {
      ATHENA_TRY(word, read_word(predicate, column.type, *column.column));
    } else if (predicate.op != Op::eq) {
      word = "not_null";
    }
    const bool is_not = predicate.negated != (word == "not_null");
    return Test{is_not ? "not.is." : "is.", word == "not_null" ? "null" : std::move(word), true};
  }
  Param param{ParamKind::text, {}};
  if (row.form == Form::query) {
    param.text = to_text(operand);
  } else if (row.form == Form::set) {
    ATHENA_TRY(param, to_set_param(operand, column.value_type()));
  } else {
    ATHENA_TRY(param, to_param(operand, column.value_type(), Flavor::postgres, Use::compare));
  }
  ATHENA_TRY_VOID(check_text(param.text));
  return Test{(predicate.negated ? "not." : "") + std::string(row.rest) + ".", std::move(param.text), false};
}

/// PostgREST takes every `*` of a pattern for `%`, and has no way to say a star: such a pattern becomes a regular
/// expression.
Result<RestPrinter::Test> RestPrinter::pattern_test(const Predicate& predicate) const {
  std::string text = to_text(predicate.operands.front());
  ATHENA_TRY_VOID(check_text(text));
  std::string op(operator_row(predicate.op).rest);
  const Form form = operator_row(predicate.op).form;
  if (form == Form::prefix) text = like_of_text(text) + '%';
  if (form == Form::suffix) text = '%' + like_of_text(text);
  const bool is_regex = predicate.op == Op::match || predicate.op == Op::imatch;
  if (!is_regex && text.contains('*')) {
    ATHENA_TRY(text, regex_of_like(text));
    op = predicate.op == Op::ilike ? "imatch" : "match";
  }
  return Test{(predicate.negated ? "not." : "") + op + ".", std::move(text), false};
}

}  // namespace athena::query
