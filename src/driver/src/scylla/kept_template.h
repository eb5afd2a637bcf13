#pragma once

#include <cstddef>
#include <vector>

#include <athena/query/print_cql.h>
#include <athena/query/schema.h>
#include <athena/query/statement.h>

namespace athena::driver::scylla {

/// A template printed for a schema, if it is one statement whose parameters are the operands as they stand.
struct KeptTemplate {
  query::CqlPrinted printed;         ///< its parameters only stand for others
  std::vector<std::size_t> sources;  ///< for each parameter which operand it is: CQL orders them its own way
  bool is_kept = false;              ///< false: the statement has to be printed each time, and the rest is empty

  static KeptTemplate make(const query::SelectTemplate& of, const query::Schema& schema, query::NameRules names);
};

}  // namespace athena::driver::scylla
