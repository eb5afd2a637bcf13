#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <athena/base/buffer.h>
#include <athena/driver/rows.h>
#include <athena/query/read_json.h>

#include "reply.h"
#include "transform/decimal.h"
#include "transform/time_bucket.h"

namespace athena::gateway {

/// Grouping and aggregation of a result (contract 5). Keeps each row's JSON, the exception to "rows are never
/// materialised": bounded by gateway.post_processing_max_rows and kMaxBytes, beyond which the answer is 413.
class Grouper {
 public:
  static constexpr std::size_t kMaxBytes = 64 * 1024 * 1024;

  /// `compact`: aggregations as 2.0.2 sends them, decimal strings with a running total under cumulative_sum.
  Grouper(query::Grouping grouping, bool compact) : grouping_(std::move(grouping)), compact_(compact) {}

  /// Reads the stream into groups and, unless the rows are to be left out, into the reply. Gives whether rows were cut.
  Async<bool> append(RowsReply& reply, RequestContext& context, driver::RowStream& stream, std::uint64_t limit);
  /// `{"grouped":[…]}`
  void write(Buffer& out) const;

 private:
  struct Group {
    std::vector<std::pair<std::size_t, std::size_t>> rows;  ///< offset and size in rows_
    std::optional<Decimal> sum, least, greatest;
    std::uint64_t size = 0;  ///< rows, kept or not
    std::uint64_t values = 0;
    std::set<Decimal> seen;            ///< only with aggregation_dedup
    std::set<std::string> seen_texts;  ///< the same, of what is no number: only count takes those
  };

  Result<> find_columns(std::span<const driver::ColumnInfo> columns, query::NameRules names);
  Result<std::string> label_of(const driver::Cell& cell) const;
  Result<> add(Group& group, const driver::Cell& cell);
  void write_aggregation(Buffer& out, const Group& group, std::optional<Decimal>& running) const;
  std::optional<Decimal> aggregate(const Group& group) const;

  query::Grouping grouping_;
  bool compact_;
  std::size_t group_column_ = 0;
  std::optional<std::size_t> value_column_;
  std::map<std::string, Group> groups_;
  Buffer rows_;
  std::size_t held_bytes_ = 0;  ///< beside the rows
};

}  // namespace athena::gateway
