#include "fields.h"

#include <algorithm>
#include <iterator>

#include <athena/base/text.h>

#include "tokens.h"
#include "words.h"

namespace athena::query {
namespace {

constexpr std::uint64_t kDefaultPageSize = 100;  // of the skip, whatever gateway.default_limit is (contract 3.1)

struct Known {
  std::string_view name;
  json::Value Fields::* member;
};

#define ATHENA_FIELD(name) \
  Known {                  \
    #name, &Fields::name   \
  }
/// Those of a fetch first: the list is searched from its front.
constexpr Known kKnown[] = {
    ATHENA_FIELD(table_name),
    ATHENA_FIELD(columns),
    ATHENA_FIELD(conditions),
    ATHENA_FIELD(limit),
    ATHENA_FIELD(offset),
    ATHENA_FIELD(sort_by),
    ATHENA_FIELD(strip_nulls),
    ATHENA_FIELD(current_page),
    ATHENA_FIELD(page_size),
    ATHENA_FIELD(count),
    ATHENA_FIELD(head),
    ATHENA_FIELD(cursor),
    ATHENA_FIELD(allow_filtering),
    ATHENA_FIELD(view_name),
    ATHENA_FIELD(schema_name),
    ATHENA_FIELD(sortBy),
    ATHENA_FIELD(order_by),
    ATHENA_FIELD(group_by),
    ATHENA_FIELD(time_granularity),
    ATHENA_FIELD(aggregation_column),
    ATHENA_FIELD(aggregation_strategy),
    ATHENA_FIELD(aggregation_dedup),
    ATHENA_FIELD(rows),
    ATHENA_FIELD(update_body),
    ATHENA_FIELD(set),
    ATHENA_FIELD(data),
    ATHENA_FIELD(resource_id),
    ATHENA_FIELD(allow_unfiltered),
    ATHENA_FIELD(max_affected),
    ATHENA_FIELD(insert_body),
    ATHENA_FIELD(on_conflict),
    ATHENA_FIELD(ignore_duplicates),
    ATHENA_FIELD(default_to_null),
    ATHENA_FIELD(query),
    ATHENA_FIELD(params),
    ATHENA_FIELD(read_only),
    ATHENA_FIELD(driver),
    ATHENA_FIELD(db_name),
};
#undef ATHENA_FIELD

std::unexpected<Error> refuse(std::string_view field, std::string_view expected, std::string hint = {}) {
  std::string error = "'";
  error += field;
  error += "' must be ";
  error += expected;
  return fail(Error(Code::invalid_value, std::move(error), std::move(hint)).with("field", std::string(field)));
}

bool is_star(const std::vector<Output>& outputs) {
  if (outputs.size() != 1) return false;
  const Output& only = outputs.front();
  return only.column.name == "*" && only.column.path.empty() && only.alias.empty() && only.cast.empty();
}

}  // namespace

Result<Fields> read_fields(const json::Value& body) {
  if (!body.is_object()) return fail(Code::invalid_request, "The request body must be a JSON object");
  Fields fields;
  for (auto member = body.begin(), end = body.end(); member != end; ++member) {
    const std::string_view name = member.key();
    const auto* known = std::ranges::find(kKnown, name, &Known::name);
    if (known != std::end(kKnown)) fields.*known->member = *member;
  }
  return fields;
}

Result<std::uint64_t> read_whole(std::string_view digits, std::string_view field) {
  const auto number = text::parse_u64(digits);
  if (!number || *number > kMaxRowNumber) return refuse(field, "a whole number that is not negative");
  return *number;
}

Result<std::optional<std::uint64_t>> read_whole(const json::Value& value, std::string_view field) {
  if (!given(value)) return std::nullopt;
  if (!value.is_number() && !value.is_string()) return refuse(field, "a whole number that is not negative");
  ATHENA_TRY(const auto number, read_whole(value.is_number() ? value.digits() : value.as_string(), field));
  return number;
}

Result<bool> read_flag(const json::Value& value, std::string_view field) {
  if (!given(value)) return false;
  if (!value.is_bool()) return refuse(field, "true or false");
  return value.as_bool();
}

Result<std::string> read_text(const json::Value& value, std::string_view field) {
  if (!given(value)) return std::string();
  if (!value.is_string()) return refuse(field, "a text");
  return std::string(value.as_string());
}

Result<Table> read_table(std::string_view name, std::string_view schema) {
  Table table;
  table.schema = text::trim(schema);
  std::string_view rest = text::trim(name);
  if (rest.empty())
    return fail(Error(Code::missing_field, "table_name is required").with("missing_field", "table_name"));
  Token first = take_token(rest, {"."});
  if (table.schema.empty() && take(rest, ".")) {
    Token second = take_token(rest, {});
    if (first.text.empty() || second.text.empty()) return refuse("table_name", "'table' or 'schema.table'");
    table.schema = std::move(first.text);
    table.name = std::move(second.text);
  } else {
    // With schema_name, a dot is a part of the table's name.
    table.name = rest.empty() ? std::move(first.text) : std::string(text::trim(name));
  }
  if (table.name.empty()) return refuse("table_name", "'table' or 'schema.table'");
  return table;
}

Result<Table> read_table(const Fields& fields) {
  const bool by_table = given(fields.table_name);
  ATHENA_TRY(const auto name,
             read_text(by_table ? fields.table_name : fields.view_name, by_table ? "table_name" : "view_name"));
  ATHENA_TRY(const auto schema, read_text(fields.schema_name, "schema_name"));
  return read_table(name, schema);
}

Result<std::vector<Output>> read_outputs(std::string_view columns, const ReadOptions& options) {
  std::vector<Output> outputs;
  if (text::trim(columns).empty()) return outputs;
  while (columns.data()) {
    const std::string_view piece = take_piece(columns);
    if (outputs.size() == options.max_columns) {
      return fail(Code::limit_exceeded,
                  "'columns' names more than " + std::to_string(options.max_columns) + " columns");
    }
    ATHENA_TRY_VOID(read_output(piece, outputs.emplace_back()));
  }
  if (is_star(outputs)) outputs.clear();
  return outputs;
}

Result<std::vector<Output>> read_outputs(const json::Value& columns, const ReadOptions& options) {
  if (!given(columns)) return std::vector<Output>();
  if (columns.is_string()) return read_outputs(columns.as_string(), options);
  if (!columns.is_array()) return refuse("columns", "an array of names or a text with commas");
  if (columns.size() > options.max_columns) {
    return fail(Code::limit_exceeded, "'columns' names more than " + std::to_string(options.max_columns) + " columns");
  }
  std::vector<Output> outputs;
  outputs.reserve(columns.size());
  for (const json::Value column : columns) {
    if (!column.is_string()) return refuse("columns", "an array of names or a text with commas");
    ATHENA_TRY_VOID(read_output(column.as_string(), outputs.emplace_back()));
  }
  if (is_star(outputs)) outputs.clear();
  return outputs;
}

Result<> read_order_text(std::string_view text, std::string_view field, std::vector<OrderBy>& order,
                         const ReadOptions& options) {
  while (text.data()) {
    std::string_view piece = take_piece(text);
    OrderBy by;
    // Words are taken from the end, so that a column's name may have dots.
    const auto drop = [&piece](std::string_view word) {
      if (piece.size() <= word.size() || !text::iequals(piece.substr(piece.size() - word.size()), word)) return false;
      piece.remove_suffix(word.size());
      return true;
    };
    if (drop(".nullsfirst"))
      by.nulls = OrderBy::Nulls::first;
    else if (drop(".nullslast"))
      by.nulls = OrderBy::Nulls::last;
    by.descending = drop(".desc");
    if (!by.descending) drop(".asc");
    auto column = read_column(piece);
    if (!column) return refuse(field, "'column', 'column.desc' or 'column.asc.nullslast'", column.error().error);
    by.column = *std::move(column);
    if (order.size() == options.max_columns)
      return fail(Code::limit_exceeded, "'" + std::string(field) + "' is too long");
    order.push_back(std::move(by));
  }
  return {};
}

namespace {

Result<OrderBy> read_order_object(const json::Value& object, std::string_view field) {
  OrderBy by;
  std::string_view name;
  for (auto member = object.begin(), end = object.end(); member != end; ++member) {
    const std::string_view key = member.key();
    const json::Value value = *member;
    const std::string_view word = value.is_string() ? value.as_string() : std::string_view();
    if (key == "field" || key == "column") {
      name = word;
    } else if (key == "direction") {
      by.descending = text::iequals(word, "desc") || text::iequals(word, "descending");
      const bool ascending = text::iequals(word, "asc") || text::iequals(word, "ascending") || value.is_null();
      if (!by.descending && !ascending) return refuse(std::string(field) + ".direction", "asc or desc");
    } else if (key == "nulls") {
      if (text::iequals(word, "first"))
        by.nulls = OrderBy::Nulls::first;
      else if (text::iequals(word, "last"))
        by.nulls = OrderBy::Nulls::last;
      else if (!value.is_null())
        return refuse(std::string(field) + ".nulls", "first or last");
    } else {
      return refuse(field, "made of field, direction and nulls", quoted(key) + " is not known here");
    }
  }
  if (text::trim(name).empty()) return refuse(field, "given with a 'field'");
  ATHENA_TRY(by.column, read_column(name));
  return by;
}

Result<> read_order_element(const json::Value& value, std::string_view field, std::vector<OrderBy>& order,
                            const ReadOptions& options) {
  if (value.is_string()) return read_order_text(value.as_string(), field, order, options);
  if (!value.is_object()) return refuse(field, "an object {field, direction}, a text, or an array of them");
  ATHENA_TRY(order.emplace_back(), read_order_object(value, field));
  return {};
}

}  // namespace

Result<std::vector<OrderBy>> read_order(const Fields& fields, const ReadOptions& options) {
  std::vector<OrderBy> order;
  const std::pair<const json::Value*, std::string_view> spellings[] = {
      {&fields.sort_by, "sort_by"}, {&fields.sortBy, "sortBy"}, {&fields.order_by, "order_by"}};
  for (const auto& [value, field] : spellings) {
    if (!given(*value)) continue;
    if (!value->is_array()) {
      ATHENA_TRY_VOID(read_order_element(*value, field, order, options));
      return order;
    }
    if (value->size() > options.max_columns)
      return fail(Code::limit_exceeded, "'" + std::string(field) + "' is too long");
    for (const json::Value element : *value) ATHENA_TRY_VOID(read_order_element(element, field, order, options));
    return order;
  }
  return order;
}

Result<Count> read_count(std::string_view word) {
  if (text::iequals(word, "exact")) return Count::exact;
  if (text::iequals(word, "planned")) return Count::planned;
  if (text::iequals(word, "estimated")) return Count::estimated;
  if (text::iequals(word, "none")) return Count::none;
  return refuse("count", "exact, planned or estimated");
}

Result<std::optional<Grouping>> read_grouping(const Fields& fields) {
  const bool asked = given(fields.group_by) || given(fields.time_granularity) || given(fields.aggregation_column) ||
                     given(fields.aggregation_strategy) || given(fields.aggregation_dedup) || given(fields.rows);
  if (!asked) return std::nullopt;
  Grouping grouping;
  ATHENA_TRY(grouping.group_by, read_text(fields.group_by, "group_by"));
  ATHENA_TRY(grouping.time_granularity, read_text(fields.time_granularity, "time_granularity"));
  ATHENA_TRY(grouping.aggregation_column, read_text(fields.aggregation_column, "aggregation_column"));
  ATHENA_TRY(grouping.aggregation_strategy, read_text(fields.aggregation_strategy, "aggregation_strategy"));
  ATHENA_TRY(grouping.aggregation_dedup, read_flag(fields.aggregation_dedup, "aggregation_dedup"));
  if (given(fields.rows)) {
    ATHENA_TRY(grouping.rows, read_flag(fields.rows, "rows"));
  }
  return checked(std::move(grouping));
}

Result<std::optional<Grouping>> checked(Grouping grouping) {
  const auto knows = [](std::string& word, std::initializer_list<std::string_view> words) {
    word = text::to_lower(word);
    return word.empty() || std::ranges::find(words, std::string_view(word)) != words.end();
  };
  static constexpr std::initializer_list<std::string_view> kGranularities{"minute", "hour",  "day",
                                                                          "week",   "month", "year"};
  static constexpr std::initializer_list<std::string_view> kStrategies{"cumulative_sum", "sum", "avg", "min", "max",
                                                                       "count"};
  if (!knows(grouping.time_granularity, kGranularities)) return refuse("time_granularity", one_of(kGranularities));
  if (!knows(grouping.aggregation_strategy, kStrategies)) return refuse("aggregation_strategy", one_of(kStrategies));
  if (grouping.group_by.empty()) return std::nullopt;
  const bool counts_rows = grouping.aggregation_strategy == "count";
  if (!grouping.aggregation_strategy.empty() && grouping.aggregation_column.empty() && !counts_rows) {
    return fail(Code::post_processing_failed,
                "Post-processing failure: aggregation_strategy requires aggregation_column");
  }
  return grouping;
}

Result<> apply_paging(const Paging& paging, const ReadOptions& options, Select& select) {
  if (paging.current_page == 0U) return refuse("current_page", "1 or more");
  select.limit = paging.limit ? paging.limit : paging.page_size;
  if (!select.limit && options.default_limit > 0) select.limit = options.default_limit;
  const std::uint64_t page_size = paging.page_size.value_or(paging.limit.value_or(kDefaultPageSize));
  std::uint64_t skip = 0;
  if (__builtin_mul_overflow(paging.current_page.value_or(1) - 1, page_size, &skip) || skip > kMaxRowNumber) {
    return refuse("current_page", "smaller: the page would begin beyond any row");
  }
  select.offset = skip + paging.offset.value_or(0);  // both are below 2^63
  if (select.offset > kMaxRowNumber) return refuse("offset", "smaller: the page would begin beyond any row");
  select.stable_pages = paging.limit || paging.offset || paging.current_page || paging.page_size;
  return {};
}

Scalar to_scalar(const json::Value& value) {
  switch (value.kind()) {
    case json::Kind::null:
      return std::monostate();
    case json::Kind::boolean:
      return value.as_bool();
    case json::Kind::number:
      return Number{std::string(value.digits())};
    case json::Kind::string:
      return std::string(value.as_string());
    case json::Kind::array:
    case json::Kind::object:
      return JsonText{std::string(value.raw())};
  }
  return std::monostate();
}

Result<Row> read_row(const json::Value& object, std::string_view field, const ReadOptions& options) {
  if (!object.is_object()) return refuse(field, "an object of columns and values");
  if (object.size() > options.max_columns) {
    return fail(Code::limit_exceeded,
                "'" + std::string(field) + "' names more than " + std::to_string(options.max_columns) + " columns");
  }
  Row row;
  row.reserve(object.size());
  for (auto member = object.begin(), end = object.end(); member != end; ++member) {
    row.emplace_back(std::string(member.key()), to_scalar(*member));
  }
  return row;
}

}  // namespace athena::query
