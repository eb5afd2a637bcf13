#include "postgres/kept_templates.h"

#include <algorithm>
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

std::shared_ptr<const KeptTemplate> print(const std::shared_ptr<const query::SelectTemplate>& of,
                                          const query::Schema& schema, const query::PrintOptions& options) {
  auto kept = std::make_shared<KeptTemplate>();
  kept->of = of;
  auto printed = query::to_sql(of->select, schema, options);
  if (!printed || !printed->table || printed->params.size() != of->select.where.terms.size()) return kept;
  for (const auto& term : of->select.where.terms) {
    const auto* predicate = std::get_if<query::Predicate>(&term);
    if (!predicate || !takes_text_as_it_is(*printed->table, predicate->column, options.names)) return kept;
  }
  if (choose_route(of->select, *printed) != Route::lane) return kept;
  kept->goes_on_lane = true;
  kept->may_share = may_share_sync(of->select, *printed);
  kept->printed = *std::move(printed);
  return kept;
}

}  // namespace

KeptTemplate::Params KeptTemplate::bind(std::span<const query::Scalar> operands) {
  Params params;
  for (const query::Scalar& operand : operands) params.push_back({query::ParamKind::text, text_of(operand)});
  return params;
}

std::shared_ptr<const KeptTemplate> KeptTemplates::get(const std::shared_ptr<const query::SelectTemplate>& of,
                                                       const std::shared_ptr<const query::Schema>& schema,
                                                       const query::PrintOptions& options) {
  if (schema_ != schema || names_ != options.names) {
    kept_.clear();
    schema_ = schema;
    names_ = options.names;
  }
  if (const auto found = kept_.find(of.get()); found != kept_.end()) return found->second;
  if (kept_.size() == kMost) kept_.clear();
  return kept_.emplace(of.get(), print(of, *schema, options)).first->second;
}

}  // namespace athena::driver::postgres
