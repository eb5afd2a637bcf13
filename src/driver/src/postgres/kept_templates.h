#pragma once

#include <memory>
#include <span>
#include <unordered_map>

#include <boost/container/small_vector.hpp>

#include <athena/query/print.h>
#include <athena/query/schema.h>
#include <athena/query/statement.h>

namespace athena::driver::postgres {

/// A template printed for the tables as they are. Streams and coroutines keep it as long as they look at its SQL.
struct KeptTemplate {
  std::shared_ptr<const query::SelectTemplate> of;  ///< kept, so that no other can come to lie at its address
  query::Printed printed;                           ///< its parameters only stand for others
  /// It fits a lane, and each operand is a parameter as it stands: the SQL is the same for all operands. Otherwise the
  /// statement has to be printed each time, and `printed` is empty.
  bool goes_on_lane = false;
  bool may_share = false;  ///< see may_share_sync()

  using Params = boost::container::small_vector<query::Param, 2>;
  static Params bind(std::span<const query::Scalar> operands);
};

/// Statements that come again are looked up and printed once for each schema. Belongs to one loop.
class KeptTemplates {
 public:
  /// Beyond, it begins anew.
  static constexpr std::size_t kMost = 512;

  std::shared_ptr<const KeptTemplate> get(const std::shared_ptr<const query::SelectTemplate>& of,
                                          const std::shared_ptr<const query::Schema>& schema,
                                          const query::PrintOptions& options);
  std::size_t size() const noexcept { return kept_.size(); }

 private:
  std::shared_ptr<const query::Schema> schema_;  // that all of them were printed for
  query::NameRules names_;
  std::unordered_map<const query::SelectTemplate*, std::shared_ptr<const KeptTemplate>> kept_;
};

}  // namespace athena::driver::postgres
