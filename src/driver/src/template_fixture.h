#pragma once

#include <string>
#include <utility>
#include <vector>

#include <athena/query/statement.h>

namespace athena::driver {

/// A page of table t, for tests: each column equals a value, which stands for its kind.
inline query::SelectTemplate template_of(std::vector<std::pair<std::string, query::Scalar>> conditions) {
  query::SelectTemplate of;
  of.select.from.name = "t";
  of.select.limit = 101;
  for (auto& [column, value] : conditions) {
    query::Predicate predicate;
    predicate.column.name = column;
    predicate.operands.push_back(value);
    of.select.where.terms.emplace_back(predicate);
  }
  return of;
}

}  // namespace athena::driver
