#include "transform/grouped_reply.h"

#include <algorithm>
#include <cmath>

#include <athena/base/json_writer.h>
#include <athena/base/text.h>

namespace athena::gateway {
namespace {

std::unexpected<Error> failure(std::string reason) {
  return fail(Code::post_processing_failed, "Post-processing failure: " + std::move(reason));
}

/// A cell's text without quotes.
std::string text_of(const driver::Cell& cell) {
  switch (cell.kind()) {
    case driver::CellKind::null:
      return "null";
    case driver::CellKind::text:
    case driver::CellKind::quoted:
      return std::string(cell.view());
    case driver::CellKind::boolean:
    case driver::CellKind::integer:
    case driver::CellKind::real:
    case driver::CellKind::verbatim: {
      Buffer out;
      append_cell(out, cell);
      return std::string(out.view());
    }
    case driver::CellKind::bytes:
      return "\\x" + text::hex(cell.view());
  }
  return {};
}

/// Whole seconds since 1970. None for what is no such number: beyond the year 9999 it is milliseconds, or nonsense.
std::optional<std::int64_t> unix_seconds(const driver::Cell& cell, std::string_view text) {
  constexpr std::int64_t kFirst = -62'135'596'800, kLast = 253'402'300'799;  // the years 1 to 9999
  std::optional<std::int64_t> seconds;
  if (cell.kind() == driver::CellKind::real) {
    const double whole = std::floor(cell.real());
    if (whole >= static_cast<double>(kFirst) && whole <= static_cast<double>(kLast))
      seconds = static_cast<std::int64_t>(whole);
  } else if (text.find_first_of("eE") == std::string_view::npos) {
    seconds = text::parse_i64(text.substr(0, text.find('.')));
  }
  return seconds && *seconds >= kFirst && *seconds <= kLast ? seconds : std::nullopt;
}

}  // namespace

Result<> Grouper::find_columns(std::span<const driver::ColumnInfo> columns, query::NameRules names) {
  // By the rules of all names (contract 3.1): an exact match must not lose to one that stands before it.
  const auto find_if = [&](auto matches) {
    const auto it = std::ranges::find_if(columns, [&](const auto& column) { return matches(column.name); });
    return it == columns.end() ? std::nullopt : std::optional<std::size_t>(it - columns.begin());
  };
  const auto find = [&](const std::string& name) {
    auto found = find_if([&](const std::string& column) { return column == name; });
    if (!found) found = find_if([&](const std::string& column) { return text::iequals(column, name); });
    if (found || !names.camel_to_snake) return found;
    return find_if([snake = text::snake_case(name)](const std::string& column) { return column == snake; });
  };
  const auto group = find(grouping_.group_by);
  if (!group) return failure("Missing group_by column '" + grouping_.group_by + "'");
  group_column_ = *group;
  if (grouping_.aggregation_column.empty()) {
    if (grouping_.aggregation_strategy.empty() || grouping_.aggregation_strategy == "count") return {};
    return failure("aggregation_strategy requires aggregation_column");
  }
  value_column_ = find(grouping_.aggregation_column);
  if (!value_column_) return failure("Missing aggregation column '" + grouping_.aggregation_column + "'");
  return {};
}

Result<std::string> Grouper::label_of(const driver::Cell& cell) const {
  if (grouping_.time_granularity.empty() || cell.is_null()) return text_of(cell);
  const Granularity granularity = granularity_of(grouping_.time_granularity);
  const std::string value = text_of(cell);
  if (cell.kind() == driver::CellKind::text || cell.kind() == driver::CellKind::quoted) {
    ATHENA_TRY(const std::int64_t seconds, parse_time(value));
    return bucket_label(seconds, granularity);
  }
  if (cell.kind() == driver::CellKind::boolean || cell.kind() == driver::CellKind::bytes) {
    return failure("Value must be a string (RFC3339/datetime) or number (unix timestamp)");
  }
  const auto seconds = unix_seconds(cell, value);
  if (!seconds) return failure("Invalid unix timestamp: " + value.substr(0, 64));
  return bucket_label(*seconds, granularity);
}

Result<> Grouper::add(Group& group, const driver::Cell& cell) {
  const bool counts = grouping_.aggregation_strategy == "count";
  if (counts && cell.is_null()) return {};
  const std::string value = text_of(cell);
  auto number = cell.is_null() ? std::nullopt : Decimal::parse(value);
  if (!number) {
    if (!counts) return failure("Aggregation column '" + grouping_.aggregation_column + "' contains non-numeric data");
    const bool is_new = !grouping_.aggregation_dedup || group.seen_texts.insert(value).second;
    if (is_new) ++group.values;
    if (is_new && grouping_.aggregation_dedup) held_bytes_ += value.size();
    return {};
  }
  if (grouping_.aggregation_dedup && !group.seen.insert(*number).second) return {};
  ++group.values;
  if (!group.least || *number < *group.least) group.least = *number;
  if (!group.greatest || *number > *group.greatest) group.greatest = *number;
  if (group.sum) {
    *group.sum += *number;
  } else {
    group.sum = std::move(number);
  }
  return {};
}

Async<bool> Grouper::append(RowsReply& reply, RequestContext& context, driver::RowStream& stream, std::uint64_t limit) {
  ATHENA_CO_TRY_VOID(find_columns(stream.columns(), context.call().names));
  RowEncoder& encoder = reply.encoder();
  const std::uint64_t max_rows = context.settings().post_processing_max_rows;
  std::uint64_t count = 0;
  for (bool cut = false;;) {
    ATHENA_CO_TRY(const driver::RowBatch batch, co_await stream.next());
    for (std::size_t row = 0; row < batch.rows; ++row) {
      if (cut |= count == limit; cut) break;
      if (++count > max_rows || rows_.size() + held_bytes_ > kMaxBytes) {
        co_return fail(Code::result_too_large, "Grouping takes at most " + std::to_string(max_rows) + " rows",
                       "Narrow the conditions or set a limit.");
      }
      const auto cells = batch.cells.subspan(row * encoder.width(), encoder.width());
      ATHENA_CO_TRY(const std::string label, label_of(cells[group_column_]));
      Group& group = groups_[label];
      if (++group.size == 1) held_bytes_ += label.size();
      if (value_column_) ATHENA_CO_TRY_VOID(add(group, cells[*value_column_]));
      if (!grouping_.rows) continue;
      const std::size_t begin = rows_.size();
      encoder.append_row(rows_, cells);
      group.rows.emplace_back(begin, rows_.size() - begin);
      if (reply.rows() > 0) context.body().push_back(',');
      context.body().append(rows_.view().substr(begin));
      reply.count_row();
    }
    if (batch.last) co_return cut;
  }
}

std::optional<Decimal> Grouper::aggregate(const Group& group) const {
  const std::string& strategy = grouping_.aggregation_strategy;
  if (strategy == "count") {
    return Decimal::parse(std::to_string(value_column_ ? group.values : group.size));
  }
  if (!group.sum) return std::nullopt;
  if (strategy == "avg") return group.sum->divided_by(group.values);
  if (strategy == "min") return group.least;
  if (strategy == "max") return group.greatest;
  return group.sum;
}

void Grouper::write_aggregation(Buffer& out, const Group& group, std::optional<Decimal>& running) const {
  const auto value = aggregate(group);
  const bool cumulative = grouping_.aggregation_strategy == "cumulative_sum";
  if (cumulative && value) {
    if (running) {
      *running += *value;
    } else {
      running = value;
    }
  }
  const auto append = [&](std::string_view name, const std::optional<Decimal>& number) {
    out.append(name);
    if (compact_ && number) out.push_back('"');
    out.append(number ? number->to_string() : "null");
    if (compact_ && number) out.push_back('"');
  };
  append(",\"aggregation\":", compact_ && cumulative ? running : value);
  if (cumulative && !compact_) append(",\"cumulative\":", running);
}

void Grouper::write(Buffer& out) const {
  out.append("{\"grouped\":[");
  std::optional<Decimal> running;
  bool first = true;
  for (const auto& [label, group] : groups_) {
    if (!first) out.push_back(',');
    first = false;
    out.append("{\"label\":");
    json::append_string(out, label);
    out.append(",\"rows\":[");
    for (std::size_t i = 0; i < group.rows.size(); ++i) {
      if (i) out.push_back(',');
      out.append(rows_.view().substr(group.rows[i].first, group.rows[i].second));
    }
    out.push_back(']');
    write_aggregation(out, group, running);
    out.push_back('}');
  }
  out.append("]}");
}

}  // namespace athena::gateway
