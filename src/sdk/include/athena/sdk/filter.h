#pragma once

#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include <athena/base/error.h>
#include <athena/query/statement.h>
#include <athena/sdk/value.h>

namespace athena::sdk {

/// The words of `is`.
enum class Is : std::uint8_t { null, not_null, true_, false_, unknown };

/// A condition, or several joined: `any_of({eq("state", "new"), lt("stock", 5)})`. Columns may be paths into JSON
/// (`"attributes->>colour"`); a name that holds an arrow is put in double quotes. What is wrong with a condition is
/// said when its statement is executed.
class Filter {
 public:
  using Term = std::variant<query::Predicate, query::Filter>;

  explicit Filter(Term term) : term_(std::move(term)) {}
  explicit Filter(Error error) : error_(std::move(error)) {}
  const Term& term() const noexcept { return term_; }
  const std::optional<Error>& error() const noexcept { return error_; }

 private:
  Term term_;
  std::optional<Error> error_;
};

/// Any operator of the common language (docs/sdk.md lists them) with the operands that it takes.
Filter compare(std::string_view column, query::Op op, std::vector<Value> operands);

Filter eq(std::string_view column, Value value);   ///< null: IS NULL
Filter neq(std::string_view column, Value value);  ///< null: IS NOT NULL
Filter gt(std::string_view column, Value value);
Filter gte(std::string_view column, Value value);
Filter lt(std::string_view column, Value value);
Filter lte(std::string_view column, Value value);
Filter like(std::string_view column, std::string_view pattern);
Filter ilike(std::string_view column, std::string_view pattern);
Filter starts_with(std::string_view column, std::string_view prefix);
Filter ends_with(std::string_view column, std::string_view suffix);
Filter in(std::string_view column, std::vector<Value> values);      ///< none: matches nothing
Filter not_in(std::string_view column, std::vector<Value> values);  ///< none: matches everything
Filter between(std::string_view column, Value lower, Value upper);  ///< both included
Filter is(std::string_view column, Is word);
Filter contains(std::string_view column, Value value);  ///< an array or JSON, as Json
Filter contained_by(std::string_view column, Value value);

Filter all_of(std::vector<Filter> filters);
Filter any_of(std::vector<Filter> filters);
Filter negated(Filter filter);

}  // namespace athena::sdk
