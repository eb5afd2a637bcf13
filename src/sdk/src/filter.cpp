#include <athena/sdk/filter.h>

#include <utility>

#include <athena/base/json.h>
#include <athena/base/text.h>
#include <athena/query/read_json.h>

namespace athena::sdk {
namespace {

Error refuse(const query::OpRow& row, std::string_view what) {
  return Error(Code::invalid_condition, "'" + std::string(row.name) + "' takes " + std::string(what));
}

/// JSON of the program's must be JSON, and text must be text: both go on as they are.
std::optional<Error> defect(const Value& value) {
  if (const auto* json = std::get_if<query::JsonText>(&value.scalar())) {
    auto read = json::Document::parse(json->text);
    if (!read) return std::move(read).error();
  }
  if (const auto text = value.as_text(); text && !text::is_utf8(*text)) {
    return Error(Code::invalid_encoding, "A value is not valid UTF-8");
  }
  return std::nullopt;
}

std::optional<Error> defect(const query::OpRow& row, const std::vector<Value>& operands) {
  const bool takes_null = row.op == query::Op::eq || row.op == query::Op::neq || row.op == query::Op::isdistinct;
  for (const Value& operand : operands) {
    if (auto error = defect(operand)) return error;
  }
  switch (row.arity) {
    case query::Arity::list:
      for (const Value& operand : operands) {
        if (std::holds_alternative<query::JsonText>(operand.scalar())) return refuse(row, "scalars in its list");
      }
      return std::nullopt;
    case query::Arity::two:
      if (operands.size() != 2 || operands[0].is_null() || operands[1].is_null())
        return refuse(row, "a lower and an upper bound");
      return std::nullopt;
    case query::Arity::one:
      if (operands.size() != 1) return refuse(row, "one value");
      if (operands[0].is_null() && !takes_null) return refuse(row, "no null; use is()");
      return std::nullopt;
    case query::Arity::json:
      if (operands.size() != 1 || operands[0].is_null()) return refuse(row, "an array, an object or a text");
      return std::nullopt;
    case query::Arity::word:
      return refuse(row, "a word: use is()");
  }
  return std::nullopt;
}

Filter one(std::string_view column, query::Op op, Value value) {
  return compare(column, op, {std::move(value)});
}

Filter join(query::Filter::Join how, std::vector<Filter> filters) {
  if (filters.empty()) return Filter(Error(Code::invalid_condition, "all_of and any_of take at least one condition"));
  query::Filter joined;
  joined.join = how;
  for (Filter& filter : filters) {
    if (filter.error()) return filter;
    joined.terms.push_back(filter.term());
  }
  return Filter(Filter::Term(std::move(joined)));
}

}  // namespace

Filter compare(std::string_view column, query::Op op, std::vector<Value> operands) {
  auto read = query::read_column(column);
  if (!read) return Filter(std::move(read).error());
  if (auto error = defect(query::operator_row(op), operands)) return Filter(*std::move(error));
  query::Predicate predicate;
  predicate.column = *std::move(read);
  predicate.op = op;
  for (Value& operand : operands) predicate.operands.push_back(operand.scalar());
  return Filter(Filter::Term(std::move(predicate)));
}

Filter eq(std::string_view column, Value value) {
  return one(column, query::Op::eq, std::move(value));
}
Filter neq(std::string_view column, Value value) {
  return one(column, query::Op::neq, std::move(value));
}
Filter gt(std::string_view column, Value value) {
  return one(column, query::Op::gt, std::move(value));
}
Filter gte(std::string_view column, Value value) {
  return one(column, query::Op::gte, std::move(value));
}
Filter lt(std::string_view column, Value value) {
  return one(column, query::Op::lt, std::move(value));
}
Filter lte(std::string_view column, Value value) {
  return one(column, query::Op::lte, std::move(value));
}
Filter like(std::string_view column, std::string_view pattern) {
  return one(column, query::Op::like, pattern);
}
Filter ilike(std::string_view column, std::string_view pattern) {
  return one(column, query::Op::ilike, pattern);
}
Filter starts_with(std::string_view column, std::string_view prefix) {
  return one(column, query::Op::starts_with, prefix);
}
Filter ends_with(std::string_view column, std::string_view suffix) {
  return one(column, query::Op::ends_with, suffix);
}
Filter in(std::string_view column, std::vector<Value> values) {
  return compare(column, query::Op::in, std::move(values));
}
Filter not_in(std::string_view column, std::vector<Value> values) {
  return compare(column, query::Op::nin, std::move(values));
}
Filter between(std::string_view column, Value lower, Value upper) {
  return compare(column, query::Op::between, {std::move(lower), std::move(upper)});
}
Filter contains(std::string_view column, Value value) {
  return one(column, query::Op::contains, std::move(value));
}
Filter contained_by(std::string_view column, Value value) {
  return one(column, query::Op::contained_by, std::move(value));
}

Filter is(std::string_view column, Is word) {
  static constexpr std::string_view kWords[] = {"null", "not_null", "true", "false", "unknown"};
  auto read = query::read_column(column);
  if (!read) return Filter(std::move(read).error());
  query::Predicate predicate;
  predicate.column = *std::move(read);
  predicate.op = query::Op::is;
  predicate.operands.emplace_back(std::string(kWords[static_cast<std::size_t>(word)]));
  return Filter(Filter::Term(std::move(predicate)));
}

Filter all_of(std::vector<Filter> filters) {
  return join(query::Filter::Join::all_of, std::move(filters));
}
Filter any_of(std::vector<Filter> filters) {
  return join(query::Filter::Join::any_of, std::move(filters));
}

Filter negated(Filter filter) {
  if (filter.error()) return filter;
  Filter::Term term = filter.term();
  std::visit([](auto& inner) { inner.negated = !inner.negated; }, term);
  return Filter(std::move(term));
}

}  // namespace athena::sdk
