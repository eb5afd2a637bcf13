#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/json.h>
#include <athena/query/operators.h>
#include <athena/query/read_json.h>

#include "tokens.h"

namespace athena::query {

/// What is left of the bounds while one request's conditions are read: they hold for JSON and text forms together.
struct Budget {
  std::uint32_t conditions;
  std::uint32_t depth;
  std::uint32_t list;
  explicit Budget(const ReadOptions& options)
      : conditions(options.max_conditions), depth(options.max_depth), list(options.max_list) {}
};

// Errors of conditions start as ": why"; each level puts its own place before it ("conditions[2]", ".or[0]").
std::unexpected<Error> refuse_condition(std::string_view why, std::string hint = {});
std::unexpected<Error> unknown_operator(std::string_view name);
Error&& placed(std::string_view place, Error&& error);

/// Counts one predicate. limit_exceeded when there are too many.
Result<> spend_condition(Budget& budget);
/// Goes one level deeper for the lifetime of the object; `ok` is false when that is too deep.
class Deeper {
 public:
  explicit Deeper(Budget& budget) : budget_(budget), ok_(budget.depth > 0) { budget_.depth -= ok_ ? 1 : 0; }
  ~Deeper() { budget_.depth += ok_ ? 1 : 0; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;
  bool ok() const noexcept { return ok_; }

 private:
  Budget& budget_;
  bool ok_;
};
std::unexpected<Error> too_deep();

/// Operands of the right number and kind for the operator, from a JSON value.
Result<> set_operands(Predicate& predicate, const json::Value& value, Budget& budget);
/// A token of a text form as a value: bare null, true, false and numbers are what they look like, all else is text.
Scalar typed(Token token);
/// A list's text: "(a,b)" or "a,b".
Result<std::vector<Scalar>> read_list_text(std::string_view text, Budget& budget);
/// null, not_null, true, false or unknown; anything else is refused.
Result<Scalar> read_word(std::string_view word);

/// The dotted form. `whole_is_one`: a text that is not a list of conditions may still be one with commas in its value.
Result<Filter> read_filter_text(std::string_view text, Filter::Join join, Budget& budget);
Result<Filter> read_negated_text(std::string_view text, Budget& budget);

}  // namespace athena::query
