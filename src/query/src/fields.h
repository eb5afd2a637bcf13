#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/json.h>
#include <athena/base/result.h>
#include <athena/query/read_json.h>

namespace athena::query {

/// The members of a body that some reader knows, found in one pass. A member that is not there, or null, is !given().
struct Fields {
  json::Value table_name, view_name, schema_name, columns, conditions;
  json::Value limit, offset, current_page, page_size;
  json::Value sort_by, sortBy, order_by;
  json::Value count, head, strip_nulls, cursor, allow_filtering;
  json::Value group_by, time_granularity, aggregation_column, aggregation_strategy, aggregation_dedup, rows;
  json::Value update_body, set, data, resource_id, allow_unfiltered, max_affected;
  json::Value insert_body, on_conflict, ignore_duplicates, default_to_null;
  json::Value query, params, read_only, driver, db_name;
};

/// invalid_request unless `body` is an object.
Result<Fields> read_fields(const json::Value& body);

inline bool given(const json::Value& value) noexcept {
  return value.exists() && !value.is_null();
}

/// The largest row number that databases can count to.
constexpr std::uint64_t kMaxRowNumber = (1ULL << 63) - 2;

// Each of these refuses with invalid_value and names the field.
Result<std::optional<std::uint64_t>> read_whole(const json::Value& value, std::string_view field);
Result<std::uint64_t> read_whole(std::string_view digits, std::string_view field);
Result<bool> read_flag(const json::Value& value, std::string_view field);
Result<std::string> read_text(const json::Value& value, std::string_view field);

/// table_name or view_name, with schema_name or as "schema.table".
Result<Table> read_table(const Fields& fields);
/// One of them, into `output`, which is empty: see query::read_output.
Result<> read_output(std::string_view text, Output& output);
/// An array of names or a comma string; `*` alone is the empty list.
Result<std::vector<Output>> read_outputs(const json::Value& columns, const ReadOptions& options);
Result<std::vector<Output>> read_outputs(std::string_view columns, const ReadOptions& options);
/// sort_by, sortBy or order_by: an object, a text, or an array of them.
Result<std::vector<OrderBy>> read_order(const Fields& fields, const ReadOptions& options);
/// "name.desc.nullslast,other": the text form.
Result<> read_order_text(std::string_view text, std::string_view field, std::vector<OrderBy>& order,
                         const ReadOptions& options);
Result<Count> read_count(std::string_view word);
Result<std::optional<Grouping>> read_grouping(const Fields& fields);
/// None if nothing is to be grouped; refuses words that are not known.
Result<std::optional<Grouping>> checked(Grouping grouping);

/// The numbers of contract 3.1 → how many rows, after how many.
struct Paging {
  std::optional<std::uint64_t> limit, offset, current_page, page_size;
};
Result<> apply_paging(const Paging& paging, const ReadOptions& options, Select& select);

Scalar to_scalar(const json::Value& value);

}  // namespace athena::query
