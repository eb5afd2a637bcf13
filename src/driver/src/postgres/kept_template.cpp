#include "postgres/kept_template.h"

#include <utility>

#include "postgres/route.h"

namespace athena::driver::postgres {
namespace {

/// As printing makes it of a Number or a text for a column that is neither json nor an array.
std::string text_of(const query::Scalar& operand) {
  if (const auto* number = std::get_if<query::Number>(&operand)) return number->digits;
  if (const auto* text = std::get_if<std::string>(&operand)) return *text;
  return {};
}

/// Whether the column's values are sent as they were written. JSON and arrays are spelled anew, by what they hold.
bool takes_text_as_it_is(const query::TableDef& table, const query::Column& column, query::NameRules names) {
  const query::ColumnDef* found = table.find(column.name, names);
  return found && column.path.empty() && found->type != query::TypeClass::json &&
         found->type != query::TypeClass::array;
}

}  // namespace

KeptTemplate KeptTemplate::make(const query::SelectTemplate& of, const query::Schema& schema, query::NameRules names) {
  auto printed = query::to_sql(of.select, schema, {query::Flavor::postgres, names});
  if (!printed || !printed->table || printed->params.size() != of.select.where.terms.size()) return {};
  for (const auto& term : of.select.where.terms) {
    const auto* predicate = std::get_if<query::Predicate>(&term);
    if (!predicate || !takes_text_as_it_is(*printed->table, predicate->column, names)) return {};
  }
  if (choose_route(of.select, *printed) != Route::lane) return {};
  const bool may_share = may_share_sync(of.select, *printed);
  printed->table = nullptr;  // the schema may go first
  return {.printed = *std::move(printed), .goes_on_lane = true, .may_share = may_share};
}

KeptTemplate::Params KeptTemplate::bind(std::span<const query::Scalar> operands) {
  Params params;
  for (const query::Scalar& operand : operands) params.push_back({query::ParamKind::text, text_of(operand)});
  return params;
}

}  // namespace athena::driver::postgres
