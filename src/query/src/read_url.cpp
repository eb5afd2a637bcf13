#include <athena/base/text.h>

#include "fields.h"
#include "words.h"

namespace athena::query {
namespace {

/// The parameters by name, as texts; an empty one counts as absent, so that a form with empty fields works. The last of
/// several counts, except for eq_column and eq_value, which come in pairs.
struct Parameters {
  std::string_view table, schema, columns, limit, offset, current_page, page_size, order, count, head, strip_nulls;
  std::string_view group_by, time_granularity, aggregation_column, aggregation_strategy, aggregation_dedup, rows;
  std::string_view cursor, allow_filtering;
  bool has_strip_nulls = false;
  std::vector<std::string_view> eq_columns, eq_values;
};

std::unexpected<Error> missing(std::string_view name) {
  return fail(Error(Code::missing_field, "Missing required parameter: " + std::string(name))
                  .with("missing_field", std::string(name)));
}

Result<Parameters> sort_out(const std::vector<std::pair<std::string, std::string>>& parameters,
                            const ReadOptions& options) {
  static constexpr std::pair<std::string_view, std::string_view Parameters::*> kNames[] = {
      {"view", &Parameters::table},
      {"view_name", &Parameters::table},
      {"table_name", &Parameters::table},
      {"schema_name", &Parameters::schema},
      {"columns", &Parameters::columns},
      {"limit", &Parameters::limit},
      {"offset", &Parameters::offset},
      {"current_page", &Parameters::current_page},
      {"page_size", &Parameters::page_size},
      {"sort_by", &Parameters::order},
      {"sortBy", &Parameters::order},
      {"order_by", &Parameters::order},
      {"count", &Parameters::count},
      {"head", &Parameters::head},
      {"cursor", &Parameters::cursor},
      {"allow_filtering", &Parameters::allow_filtering},
      {"strip_nulls", &Parameters::strip_nulls},
      {"group_by", &Parameters::group_by},
      {"time_granularity", &Parameters::time_granularity},
      {"aggregation_column", &Parameters::aggregation_column},
      {"aggregation_strategy", &Parameters::aggregation_strategy},
      {"aggregation_dedup", &Parameters::aggregation_dedup},
      {"rows", &Parameters::rows},
  };
  Parameters sorted;
  for (const auto& [name, value] : parameters) {
    if (!text::is_utf8(value) || value.contains('\0')) {
      return fail(Code::invalid_encoding, "The parameter " + quoted(name) + " is not valid UTF-8 text");
    }
    for (const auto& [known, member] : kNames) {
      if (name == known) sorted.*member = value;
    }
    sorted.has_strip_nulls = sorted.has_strip_nulls || name == "strip_nulls";
    if (name == "eq_column") sorted.eq_columns.emplace_back(value);
    if (name == "eq_value") sorted.eq_values.emplace_back(value);
    if (sorted.eq_columns.size() > options.max_conditions || sorted.eq_values.size() > options.max_conditions) {
      return fail(Code::limit_exceeded,
                  "There are more than " + std::to_string(options.max_conditions) + " conditions");
    }
  }
  return sorted;
}

Result<bool> read_flag_text(std::string_view text, std::string_view field, bool absent) {
  if (text.empty()) return absent;
  if (text::iequals(text, "true") || text == "1") return true;
  if (text::iequals(text, "false") || text == "0") return false;
  return fail(Error(Code::invalid_value, "'" + std::string(field) + "' must be true or false")
                  .with("field", std::string(field)));
}

Result<Filter> read_equalities(const Parameters& parameters) {
  if (parameters.eq_columns.size() < parameters.eq_values.size()) return missing("eq_column");
  if (parameters.eq_columns.size() > parameters.eq_values.size()) return missing("eq_value");
  Filter filter;
  for (std::size_t i = 0; i < parameters.eq_columns.size(); ++i) {
    Predicate predicate;
    ATHENA_TRY(predicate.column, read_column(parameters.eq_columns[i]));
    predicate.operands.emplace_back(std::string(parameters.eq_values[i]));
    filter.terms.emplace_back(std::move(predicate));
  }
  return filter;
}

Result<Paging> read_paging(const Parameters& parameters) {
  Paging paging;
  const auto read = [](std::string_view digits, std::string_view field) -> Result<std::optional<std::uint64_t>> {
    if (digits.empty()) return std::nullopt;
    ATHENA_TRY(const auto number, read_whole(digits, field));
    return number;
  };
  ATHENA_TRY(paging.limit, read(parameters.limit, "limit"));
  ATHENA_TRY(paging.offset, read(parameters.offset, "offset"));
  ATHENA_TRY(paging.current_page, read(parameters.current_page, "current_page"));
  ATHENA_TRY(paging.page_size, read(parameters.page_size, "page_size"));
  return paging;
}

Result<std::optional<Grouping>> read_url_grouping(const Parameters& parameters) {
  Grouping grouping;
  grouping.group_by = parameters.group_by;
  grouping.time_granularity = parameters.time_granularity;
  grouping.aggregation_column = parameters.aggregation_column;
  grouping.aggregation_strategy = parameters.aggregation_strategy;
  ATHENA_TRY(grouping.aggregation_dedup, read_flag_text(parameters.aggregation_dedup, "aggregation_dedup", false));
  ATHENA_TRY(grouping.rows, read_flag_text(parameters.rows, "rows", true));
  return checked(std::move(grouping));
}

}  // namespace

Result<FetchRequest> read_fetch_url(const std::vector<std::pair<std::string, std::string>>& parameters,
                                    const ReadOptions& options) {
  ATHENA_TRY(const Parameters sorted, sort_out(parameters, options));
  FetchRequest request;
  if (text::trim(sorted.table).empty()) return missing("view");
  ATHENA_TRY(request.select.from, read_table(sorted.table, sorted.schema));
  ATHENA_TRY(request.select.where, read_equalities(sorted));
  ATHENA_TRY(request.select.columns, read_outputs(sorted.columns, options));
  if (!sorted.order.empty()) ATHENA_TRY_VOID(read_order_text(sorted.order, "sort_by", request.select.order, options));
  ATHENA_TRY(const auto paging, read_paging(sorted));
  ATHENA_TRY_VOID(apply_paging(paging, options, request.select));
  if (!sorted.count.empty()) {
    ATHENA_TRY(request.count, read_count(sorted.count));
  }
  ATHENA_TRY(request.head, read_flag_text(sorted.head, "head", false));
  ATHENA_TRY(request.select.allow_filtering, read_flag_text(sorted.allow_filtering, "allow_filtering", false));
  const bool no_cursor = sorted.cursor.empty() || sorted.cursor == "false";
  if (!no_cursor) request.select.cursor = sorted.cursor == "true" ? std::string_view() : sorted.cursor;
  request.has_strip_nulls_field = sorted.has_strip_nulls;
  if (!sorted.strip_nulls.empty()) {
    ATHENA_TRY(request.strip_nulls, read_flag_text(sorted.strip_nulls, "strip_nulls", false));
  }
  ATHENA_TRY(request.grouping, read_url_grouping(sorted));
  return request;
}

}  // namespace athena::query
