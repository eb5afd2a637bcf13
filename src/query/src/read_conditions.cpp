#include <algorithm>

#include <athena/base/text.h>

#include "conditions.h"
#include "fields.h"
#include "words.h"

namespace athena::query {

std::unexpected<Error> refuse_condition(std::string_view why, std::string hint) {
  return fail(Code::invalid_condition, ": " + std::string(why), std::move(hint));
}

Error&& placed(std::string_view place, Error&& error) {
  error.error.insert(0, place);
  return std::move(error);
}

std::unexpected<Error> unknown_operator(std::string_view name) {
  std::vector<std::string_view> names;
  std::string known = "Known operators: ";
  for (const OpRow& row : operator_rows()) {
    if (!names.empty()) known += ", ";
    known += row.name;
    names.push_back(row.name);
  }
  std::string error = ": there is no operator " + quoted(name) + ".";
  if (const auto near = text::nearest(name, names)) error += " Did you mean " + quoted(*near) + "?";
  return fail(
      Error(Code::unknown_operator, std::move(error), std::move(known)).with("operator", std::string(shortened(name))));
}

Result<> spend_condition(Budget& budget) {
  if (budget.conditions == 0) return fail(Code::limit_exceeded, ": there are too many conditions");
  --budget.conditions;
  return {};
}

std::unexpected<Error> too_deep() {
  return fail(Code::limit_exceeded, ": the conditions are nested too deeply");
}

Result<Scalar> read_word(std::string_view word) {
  static constexpr std::initializer_list<std::string_view> kWords{"null", "not_null", "true", "false", "unknown"};
  std::string lowered = text::to_lower(word);
  if (std::ranges::find(kWords, std::string_view(lowered)) == kWords.end()) {
    return refuse_condition("'is' takes " + one_of(kWords) + ", not " + quoted(word));
  }
  return lowered;
}

namespace {

Result<> set_list(Predicate& predicate, const json::Value& value, Budget& budget) {
  if (value.is_string()) {
    ATHENA_TRY(predicate.operands, read_list_text(value.as_string(), budget));
    return {};
  }
  if (!value.is_array()) return refuse_condition("this operator takes an array, or a text like \"(a,b)\"");
  if (value.size() > budget.list) return fail(Code::limit_exceeded, ": the list has too many elements");
  budget.list -= static_cast<std::uint32_t>(value.size());
  predicate.operands.reserve(value.size());
  for (const json::Value element : value) {
    if (element.is_array() || element.is_object()) return refuse_condition("the elements of the list must be scalars");
    predicate.operands.push_back(to_scalar(element));
  }
  return {};
}

Result<> set_word(Predicate& predicate, const json::Value& value) {
  if (value.is_null()) {
    predicate.operands.emplace_back("null");
  } else if (value.is_bool()) {
    predicate.operands.emplace_back(value.as_bool() ? "true" : "false");
  } else if (value.is_string()) {
    ATHENA_TRY(predicate.operands.emplace_back(), read_word(value.as_string()));
  } else {
    return refuse_condition("'is' takes null, not_null, true, false or unknown");
  }
  return {};
}

bool takes_null(Op op) noexcept {
  return op == Op::eq || op == Op::neq || op == Op::isdistinct;
}

}  // namespace

Result<> set_operands(Predicate& predicate, const json::Value& value, Budget& budget) {
  const OpRow& row = operator_row(predicate.op);
  switch (row.arity) {
    case Arity::list:
      return set_list(predicate, value, budget);
    case Arity::word:
      return set_word(predicate, value);
    case Arity::two: {
      ATHENA_TRY_VOID(set_list(predicate, value, budget));
      const bool whole = predicate.operands.size() == 2 &&
                         !std::holds_alternative<std::monostate>(predicate.operands[0]) &&
                         !std::holds_alternative<std::monostate>(predicate.operands[1]);
      if (!whole) return refuse_condition("'" + std::string(row.name) + "' takes a lower and an upper bound");
      return {};
    }
    case Arity::one:
      if (value.is_null() && !takes_null(predicate.op)) {
        return refuse_condition("nothing compares with null by '" + std::string(row.name) + "'",
                                "Use the operator 'is' with the value null or not_null");
      }
      if (row.form != Form::value && (value.is_array() || value.is_object())) {
        return refuse_condition("'" + std::string(row.name) + "' takes a text");
      }
      break;
    case Arity::json:
      if (value.is_null())
        return refuse_condition("'" + std::string(row.name) + "' takes an array, an object or a text");
      break;
  }
  predicate.operands.push_back(to_scalar(value));
  return {};
}

namespace {

using Term = std::variant<Predicate, Filter>;

/// The members of one element. Nothing else may be in it: a misspelt key would otherwise widen what matches.
struct Element {
  json::Value eq_column, eq_value, op, column, value, all_of, any_of, negation;
  std::size_t members = 0;
};

Result<Element> read_element(const json::Value& object) {
  if (!object.is_object()) return refuse_condition("a condition must be an object");
  Element element;
  for (auto member = object.begin(), end = object.end(); member != end; ++member) {
    const std::string_view key = member.key();
    json::Value* slot = key == "eq_column"  ? &element.eq_column
                        : key == "eq_value" ? &element.eq_value
                        : key == "operator" ? &element.op
                        : key == "column"   ? &element.column
                        : key == "value"    ? &element.value
                        : key == "and"      ? &element.all_of
                        : key == "or"       ? &element.any_of
                        : key == "not"      ? &element.negation
                                            : nullptr;
    if (!slot) {
      return refuse_condition("there is no member " + quoted(key) + " in a condition",
                              "Write {\"eq_column\",\"eq_value\"}, {\"operator\",\"column\",\"value\"}, "
                              "{\"and\":[…]}, {\"or\":[…]} or {\"not\":{…}}");
    }
    if (slot->exists()) return refuse_condition("the member " + quoted(key) + " is there twice");
    *slot = *member;
    ++element.members;
  }
  return element;
}

Result<Column> condition_column(const json::Value& value, std::string_view member) {
  if (!value.is_string()) return refuse_condition("'" + std::string(member) + "' must be the name of a column");
  auto column = read_column(value.as_string());
  if (!column) return refuse_condition(column.error().error, column.error().hint);
  return column;
}

Result<Term> read_term(const json::Value& object, Budget& budget);

Result<Term> read_tree(const json::Value& list, Filter::Join join, std::string_view word, Budget& budget) {
  const std::string place = "." + std::string(word);
  if (!list.is_array() || list.size() == 0) {
    return fail(placed(place, refuse_condition("this must be an array with conditions").error()));
  }
  const Deeper deeper(budget);
  if (!deeper.ok()) return too_deep();
  Filter filter;
  filter.join = join;
  std::size_t index = 0;
  for (const json::Value element : list) {
    auto term = read_term(element, budget);
    if (!term) return fail(placed(place + "[" + std::to_string(index) + "]", std::move(term).error()));
    filter.terms.push_back(*std::move(term));
    ++index;
  }
  return filter;
}

Result<Term> read_negation(const json::Value& object, Budget& budget) {
  const Deeper deeper(budget);
  if (!deeper.ok()) return too_deep();
  auto term = read_term(object, budget);
  if (!term) return fail(placed(".not", std::move(term).error()));
  std::visit([](auto& inner) { inner.negated = !inner.negated; }, *term);
  return term;
}

/// {"operator":"or","value":"a.eq.x,b.gt.2"}: the forms that the SDKs write.
Result<Term> read_text_element(const Element& element, std::string_view word, Budget& budget) {
  if (element.members != 2 || !element.value.is_string()) {
    return refuse_condition("the operator '" + std::string(word) +
                            "' takes a 'value' with a text like \"a.eq.1,b.gt.2\"");
  }
  const std::string_view text = element.value.as_string();
  auto filter = word == "not"  ? read_negated_text(text, budget)
                : word == "or" ? read_filter_text(text, Filter::Join::any_of, budget)
                               : read_filter_text(text, Filter::Join::all_of, budget);
  if (!filter) return fail(placed(".value", std::move(filter).error()));
  return *std::move(filter);
}

Result<Predicate> read_operator_element(const Element& element, Budget& budget) {
  Predicate predicate;
  std::string_view name = element.op.as_string();
  while (name.size() > 4 && text::iequals(name.substr(0, 4), "not.")) {
    predicate.negated = !predicate.negated;
    name.remove_prefix(4);
  }
  const OpRow* row = find_operator(name);
  if (!row) return unknown_operator(name);
  predicate.op = row->op;
  ATHENA_TRY(predicate.column, condition_column(element.column, "column"));
  if (!element.value.exists()) return refuse_condition("'value' is missing");
  ATHENA_TRY_VOID(set_operands(predicate, element.value, budget));
  return predicate;
}

Result<Predicate> read_equality(const Element& element, Budget& budget) {
  Predicate predicate;
  ATHENA_TRY(predicate.column, condition_column(element.eq_column, "eq_column"));
  if (!element.eq_value.exists()) return refuse_condition("'eq_value' is missing");
  ATHENA_TRY_VOID(set_operands(predicate, element.eq_value, budget));
  return predicate;
}

Result<Term> read_term(const json::Value& object, Budget& budget) {
  ATHENA_TRY(const Element element, read_element(object));
  if (element.all_of.exists() || element.any_of.exists() || element.negation.exists()) {
    if (element.members != 1) return refuse_condition("'and', 'or' and 'not' stand alone in their object");
    if (element.all_of.exists()) return read_tree(element.all_of, Filter::Join::all_of, "and", budget);
    if (element.any_of.exists()) return read_tree(element.any_of, Filter::Join::any_of, "or", budget);
    return read_negation(element.negation, budget);
  }
  const bool equality = element.eq_column.exists() || element.eq_value.exists();
  const bool comparison = element.op.exists() || element.column.exists() || element.value.exists();
  if (comparison && !element.op.is_string()) return refuse_condition("'operator' must be the name of an operator");
  if (comparison && !equality) {
    for (const std::string_view word : {"and", "or", "not"}) {
      if (text::iequals(element.op.as_string(), word)) return read_text_element(element, word, budget);
    }
  }
  if (!equality && !comparison) return refuse_condition("the condition is empty");
  ATHENA_TRY_VOID(spend_condition(budget));
  if (!comparison) return read_equality(element, budget);
  ATHENA_TRY(Predicate predicate, read_operator_element(element, budget));
  if (equality) {
    // The SDK's eq writes both forms into one object; they are one condition as long as they agree.
    ATHENA_TRY(const Predicate twin, read_equality(element, budget));
    if (predicate != twin) return refuse_condition("'eq_column' and 'operator' say different things");
  }
  return predicate;
}

}  // namespace

Result<Filter> read_conditions(const json::Value& conditions, const ReadOptions& options) {
  Filter filter;
  if (!given(conditions)) return filter;
  if (!conditions.is_array()) return fail(Code::invalid_condition, "'conditions' must be an array of conditions");
  if (conditions.size() > options.max_conditions) {
    return fail(Code::limit_exceeded, "There are more than " + std::to_string(options.max_conditions) + " conditions");
  }
  Budget budget(options);
  filter.terms.reserve(conditions.size());
  std::size_t index = 0;
  for (const json::Value element : conditions) {
    auto term = read_term(element, budget);
    if (!term) return fail(placed("conditions[" + std::to_string(index) + "]", std::move(term).error()));
    filter.terms.push_back(*std::move(term));
    ++index;
  }
  return filter;
}

}  // namespace athena::query
