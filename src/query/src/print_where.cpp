#include <algorithm>

#include "outputs.h"
#include "printer.h"

namespace athena::query {
namespace {

constexpr std::size_t kTermsInARow = 50;

bool is_null(const Scalar& value) noexcept {
  return std::holds_alternative<std::monostate>(value);
}

}  // namespace

Result<> Printer::append_where(const Filter& where, const std::optional<Scalar>& resource_id) {
  const bool everything = where.empty() && where.join == Filter::Join::all_of && !where.negated;
  if (everything && !resource_id) return {};
  sql() += " WHERE ";
  if (resource_id) {
    sql() += "t.";
    append_identifier(sql(), id_column_->name);
    sql() += " = ";
    ATHENA_TRY(auto id, to_param(*resource_id, {id_column_->type, id_column_->name}, options_.flavor, Use::compare));
    append_typed(std::move(id), id_column_->type);
    if (everything) return {};
    sql() += " AND ";
    const bool mixed = where.terms.size() > 1 && where.join == Filter::Join::any_of && !where.negated;
    if (!mixed) return append_filter(where);
    sql() += '(';
    ATHENA_TRY_VOID(append_filter(where));
    sql() += ')';
    return {};
  }
  return append_filter(where);
}

/// The terms with their joint between them, without brackets of their own unless the whole is negated. Long rows are
/// cut into pieces in brackets: SQLite sees a tree that is as deep as the row is long, and refuses one deeper than 1
/// 000.
Result<> Printer::append_filter(const Filter& filter) {
  const bool all = filter.join == Filter::Join::all_of;
  const std::string_view joint = all ? " AND " : " OR ";
  const bool pieces = filter.terms.size() > kTermsInARow;
  if (filter.negated) sql() += "NOT (";
  if (filter.terms.empty()) sql() += all ? "1 = 1" : "1 = 0";
  for (std::size_t i = 0; i < filter.terms.size(); ++i) {
    const bool begins_piece = pieces && i % kTermsInARow == 0;
    if (begins_piece && i > 0) sql() += ')';
    if (i > 0) sql() += joint;
    if (begins_piece) sql() += '(';
    ATHENA_TRY_VOID(append_term(filter.terms[i]));
  }
  if (pieces) sql() += ')';
  if (filter.negated) sql() += ')';
  return {};
}

Result<> Printer::append_term(const std::variant<Predicate, Filter>& term) {
  if (const auto* predicate = std::get_if<Predicate>(&term)) return append_predicate(*predicate);
  const Filter& inner = std::get<Filter>(term);
  const bool brackets = !inner.negated && inner.terms.size() > 1;
  if (brackets) sql() += '(';
  ATHENA_TRY_VOID(append_filter(inner));
  if (brackets) sql() += ')';
  return {};
}

Result<> Printer::append_predicate(const Predicate& predicate) {
  const OpRow& row = operator_row(predicate.op);
  ATHENA_TRY(const Expression column, expression(predicate.column));
  ATHENA_TRY_VOID(check_operands(predicate));
  if (predicate.negated) sql() += "NOT (";
  if (row.form == Form::list) {
    ATHENA_TRY_VOID(append_list_predicate(predicate, column));
  } else if (row.form == Form::value && is_null(predicate.operands.front())) {
    ATHENA_TRY_VOID(append_null_predicate(predicate, column));
  } else {
    ATHENA_TRY_VOID(append_template(predicate, column));
  }
  if (predicate.negated) sql() += ')';
  return {};
}

/// Equality with null is IS NULL; no other comparison with null has an answer.
Result<> Printer::append_null_predicate(const Predicate& predicate, const Expression& column) {
  ATHENA_TRY_VOID(check_null_comparison(predicate));
  sql() += column.sql();
  sql() += predicate.op == Op::eq ? " IS NULL" : " IS NOT NULL";
  return {};
}

/// A null among the values means the same as alone: SQL's own reading would make `nin` with a null match nothing at
/// all.
Result<> Printer::append_list_predicate(const Predicate& predicate, const Expression& column) {
  ATHENA_TRY_VOID(check_list_column(predicate, column.type, *column.column));
  const bool with_null = std::ranges::any_of(predicate.operands, is_null);
  if (with_null) sql() += '(';
  ATHENA_TRY_VOID(append_template(predicate, column));
  if (!with_null) return {};
  sql() += predicate.op == Op::in ? " OR " : " AND ";
  sql() += column.sql();
  sql() += predicate.op == Op::in ? " IS NULL)" : " IS NOT NULL)";
  return {};
}

Result<std::string_view> Printer::spelling(const OpRow& row) const {
  const Language language = is_postgres() ? Language::postgres : Language::sqlite;
  const std::string_view text = query::spelling(row, language);
  if (!text.empty()) return text;
  return fail(unsupported_operator(row, language, to_string(options_.flavor)));
}

Result<std::string_view> Printer::word_of(const Predicate& predicate, const Expression& column) const {
  struct Word {
    std::string_view name, postgres, sqlite;
  };
  static constexpr Word kWords[] = {{"null", "NULL", "NULL"},
                                    {"not_null", "NOT NULL", "NOT NULL"},
                                    {"true", "TRUE", "TRUE"},
                                    {"false", "FALSE", "FALSE"},
                                    {"unknown", "UNKNOWN", "NULL"}};
  ATHENA_TRY(const std::string name, read_word(predicate, column.type, *column.column));
  const auto* word = std::ranges::find(kWords, name, &Word::name);
  return is_postgres() ? word->postgres : word->sqlite;
}

Result<Param> Printer::operand(const Predicate& predicate, std::size_t index, const Expression& column) const {
  const Form form = operator_row(predicate.op).form;
  if (form == Form::list) return to_list_param(predicate.operands, column.value_type(), options_.flavor);
  const Scalar& value = predicate.operands[index];
  switch (form) {
    case Form::value:
      return to_param(value, column.value_type(), options_.flavor, Use::compare);
    case Form::text:
    case Form::query:
      return Param{ParamKind::text, to_text(value)};
    case Form::pattern:
      if (is_postgres()) return Param{ParamKind::text, to_text(value)};
      return to_glob(to_text(value));
    case Form::prefix:
      return Param{ParamKind::text, is_postgres() ? to_text(value) : glob_of_text(to_text(value)) + '*'};
    case Form::suffix:
      return Param{ParamKind::text,
                   is_postgres() ? '%' + like_of_text(to_text(value)) : '*' + glob_of_text(to_text(value))};
    case Form::set:
      return to_set_param(value, column.value_type());
    case Form::list:
    case Form::word:
      break;
  }
  return Param{};
}

/// Writes the operator's row: each `{x}` of the template is replaced, everything else is copied.
Result<> Printer::append_template(const Predicate& predicate, const Expression& column) {
  ATHENA_TRY(std::string_view text, spelling(operator_row(predicate.op)));
  for (;;) {
    const std::size_t open = text.find('{');
    sql() += text.substr(0, open);
    if (open == std::string_view::npos) return {};
    const char what = text[open + 1];
    text.remove_prefix(open + 3);
    if (what == 'c') {
      append_compared(column);
    } else if (what == 't') {
      append_as_text(column);
    } else if (what == 'v') {
      const bool is_vector = !column.is_path && column.column->type_name == "tsvector";
      if (!is_vector) sql() += "to_tsvector(";
      is_vector ? append_compared(column) : append_as_text(column);
      if (!is_vector) sql() += ')';
    } else if (what == 'w') {
      ATHENA_TRY(const auto word, word_of(predicate, column));
      sql() += word;
    } else {
      ATHENA_TRY(auto param, operand(predicate, static_cast<std::size_t>(what - '1'), column));
      append_typed(std::move(param), column.is_path ? TypeClass::other : column.type);
    }
  }
}

}  // namespace athena::query
