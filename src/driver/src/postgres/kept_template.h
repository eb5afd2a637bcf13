#pragma once

#include <span>

#include <boost/container/small_vector.hpp>

#include <athena/query/print.h>
#include <athena/query/schema.h>
#include <athena/query/statement.h>

namespace athena::driver::postgres {

/// A template printed for a schema, if it fits a lane and each operand is a parameter as it stands: then the SQL is the
/// same for all operands.
struct KeptTemplate {
  query::Printed printed;     ///< its parameters only stand for others
  bool goes_on_lane = false;  ///< false: the statement has to be printed each time, and `printed` is empty
  bool may_share = false;     ///< see may_share_sync()

  static KeptTemplate make(const query::SelectTemplate& of, const query::Schema& schema, query::NameRules names);

  using Params = boost::container::small_vector<query::Param, 2>;
  static Params bind(std::span<const query::Scalar> operands);
};

}  // namespace athena::driver::postgres
