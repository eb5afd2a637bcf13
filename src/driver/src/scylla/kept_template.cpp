#include "scylla/kept_template.h"

#include <algorithm>
#include <utility>

namespace athena::driver::scylla {
namespace {

/// The operands of a template; none if they cannot be told apart.
std::vector<query::Scalar> operands_of(const query::SelectTemplate& of) {
  std::vector<query::Scalar> operands;
  for (const auto& term : of.select.where.terms) {
    const auto* predicate = std::get_if<query::Predicate>(&term);
    if (!predicate || std::ranges::find(operands, predicate->operands.front()) != operands.end()) return {};
    operands.push_back(predicate->operands.front());
  }
  return operands;
}

}  // namespace

KeptTemplate KeptTemplate::make(const query::SelectTemplate& of, const query::Schema& schema, query::NameRules names) {
  const std::vector<query::Scalar> operands = operands_of(of);
  auto printed = query::to_cql(of.select, schema, {names});
  if (!printed || printed->statements.size() != 1 || printed->page_rows > 0) return {};
  KeptTemplate kept;
  for (const query::CqlParam& param : printed->statements.front().params) {
    const auto found = std::ranges::find(operands, param.value);
    if (found == operands.end()) return {};
    kept.sources.push_back(static_cast<std::size_t>(found - operands.begin()));
  }
  if (kept.sources.size() != of.select.where.terms.size()) return {};
  kept.printed = *std::move(printed);
  kept.printed.table = nullptr;  // the schema may go first
  kept.is_kept = true;
  return kept;
}

}  // namespace athena::driver::scylla
