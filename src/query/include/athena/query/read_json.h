#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <athena/base/json.h>
#include <athena/base/result.h>
#include <athena/query/statement.h>

namespace athena::query {

/// What the gateway's configuration says about reading statements.
struct ReadOptions {
  std::uint64_t default_limit = 100;  ///< gateway.default_limit; 0: none
  std::uint32_t max_conditions = 1'000;
  std::uint32_t max_depth = 32;
  std::uint32_t max_rows = 10'000;  ///< of one insert
  std::uint32_t max_columns = 1'600;
  std::uint32_t max_list = 100'000;  ///< elements of one `in`
};

/// contract 5. Checked for known words when read; applied by the gateway.
struct Grouping {
  std::string group_by;
  std::string time_granularity;  ///< minute|hour|day|week|month|year, or empty
  std::string aggregation_column;
  std::string aggregation_strategy;  ///< cumulative_sum|sum|avg|min|max|count, or empty
  bool aggregation_dedup = false;
  bool rows = true;  ///< `rows: false` leaves the rows out
};

/// POST /gateway/fetch, GET /data.
struct FetchRequest {
  Select select;
  Count count = Count::none;
  bool head = false;
  std::optional<bool> strip_nulls;  ///< the body's; the header wins
  bool has_strip_nulls_field = false;
  std::optional<Grouping> grouping;
};
/// POST /gateway/update.
struct UpdateRequest {
  Update update;
  std::optional<bool> strip_nulls;
  bool has_strip_nulls_field = false;
  std::optional<Grouping> grouping;
};
/// PUT|POST /gateway/insert.
struct InsertRequest {
  Insert insert;
  bool body_is_array = false;  ///< the reply's `data` has the same form
  Count count = Count::none;
  bool head = false;
};
/// DELETE|POST /gateway/delete.
struct DeleteRequest {
  Delete del;
};
/// POST /gateway/query, /query/sql.
struct QueryRequest {
  std::string query;
  std::vector<Scalar> params;
  std::string schema_name;
  bool read_only = false;
  std::string driver, db_name;  ///< /query/sql only
};

/// Readers of the documented bodies. Unknown top-level fields are ignored, unknown or malformed conditions refused.
/// Errors: 1xx codes, with the field's name in `error` and what is allowed in `hint`.
Result<FetchRequest> read_fetch(const json::Value& body, const ReadOptions& options);
Result<UpdateRequest> read_update(const json::Value& body, const ReadOptions& options);
Result<InsertRequest> read_insert(const json::Value& body, const ReadOptions& options);
Result<DeleteRequest> read_delete(const json::Value& body, const ReadOptions& options);
/// `driver_required`: /query/sql wants driver and db_name.
Result<QueryRequest> read_query(const json::Value& body, bool driver_required);

/// GET /data: the fetch of contract 3.1 by URL. `parameters` are decoded name/value pairs in their order.
Result<FetchRequest> read_fetch_url(const std::vector<std::pair<std::string, std::string>>& parameters,
                                    const ReadOptions& options);

/// "table", "schema.table", with double quotes around what has a dot; `schema` empty: none is given beside it.
Result<Table> read_table(std::string_view name, std::string_view schema);
/// An object's members as column and value, bounded by max_columns. `field` names it in errors.
Result<Row> read_row(const json::Value& object, std::string_view field, const ReadOptions& options);
/// Whether it can be seen without the rows that all of them match: no condition, or "not in the empty list". Such a
/// filter guards no write.
bool matches_everything(const Filter& filter);

/// `conditions` alone (contract 4).
Result<Filter> read_conditions(const json::Value& conditions, const ReadOptions& options);
/// The dotted text forms: "a.eq.x,b.gt.2,and(c.is.null,d.in.(1,2))". Bare null, true, false and numbers are what they
/// look like; everything between double quotes is text. `*` stands for `%` in a bare pattern of like and ilike.
Result<Filter> read_filter_text(std::string_view text, Filter::Join join, const ReadOptions& options);
/// "column", "column->path", "column->>path".
Result<Column> read_column(std::string_view text);
/// "alias:column::type" and the forms of read_column.
Result<Output> read_output(std::string_view text);

}  // namespace athena::query
