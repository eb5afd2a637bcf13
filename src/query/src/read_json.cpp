#include <athena/query/read_json.h>

#include <algorithm>
#include <iterator>

#include "fields.h"
#include "tokens.h"

namespace athena::query {
namespace {

constexpr std::size_t kMaxParams = 65'535;  // what PostgreSQL's protocol can count

Result<> read_paging(const Fields& fields, const ReadOptions& options, Select& select) {
  Paging paging;
  ATHENA_TRY(paging.limit, read_whole(fields.limit, "limit"));
  ATHENA_TRY(paging.offset, read_whole(fields.offset, "offset"));
  ATHENA_TRY(paging.current_page, read_whole(fields.current_page, "current_page"));
  ATHENA_TRY(paging.page_size, read_whole(fields.page_size, "page_size"));
  return apply_paging(paging, options, select);
}

/// true asks for a cursor, a text continues from one, false and "" ask for none.
Result<std::optional<std::string>> read_cursor(const json::Value& value) {
  if (!given(value)) return std::nullopt;
  if (value.is_bool()) return value.as_bool() ? std::optional(std::string()) : std::nullopt;
  ATHENA_TRY(auto text, read_text(value, "cursor"));
  return text.empty() ? std::nullopt : std::optional(std::move(text));
}

Result<Count> read_count_field(const json::Value& value) {
  if (!given(value)) return Count::none;
  if (value.is_bool()) return value.as_bool() ? Count::exact : Count::none;
  ATHENA_TRY(const auto word, read_text(value, "count"));
  return read_count(word);
}

Result<std::optional<bool>> read_strip_nulls(const json::Value& value) {
  if (!given(value)) return std::nullopt;
  ATHENA_TRY(const bool flag, read_flag(value, "strip_nulls"));
  return flag;
}

/// A condition that is true of every row would make a guarded write an unguarded one: "not in the empty list".
std::optional<bool> constant_truth(const Predicate& predicate) {
  const bool list = operator_row(predicate.op).arity == Arity::list;
  if (!list || !predicate.operands.empty()) return std::nullopt;
  return (predicate.op == Op::nin) != predicate.negated;
}

std::optional<bool> constant_truth(const Filter& filter) {
  // One false decides an and, one true an or; otherwise all terms must be known.
  const bool decisive = filter.join == Filter::Join::any_of;
  bool all_known = true;
  for (const auto& term : filter.terms) {
    const auto truth = std::visit([](const auto& inner) { return constant_truth(inner); }, term);
    if (truth == decisive) return decisive != filter.negated;
    all_known = all_known && truth.has_value();
  }
  if (!all_known) return std::nullopt;
  return !decisive != filter.negated;
}

Result<> guard_unfiltered(const Fields& fields, const Filter& where, bool by_id, std::string_view verb) {
  ATHENA_TRY(const bool allowed, read_flag(fields.allow_unfiltered, "allow_unfiltered"));
  if (allowed || by_id || !matches_everything(where)) return {};
  return fail(Code::unfiltered_write,
              "at least one condition is required for " + std::string(verb) + " (e.g. eq_column / eq_value)",
              "Send \"allow_unfiltered\": true to write to every row");
}

Result<std::optional<Scalar>> read_resource_id(const json::Value& value) {
  if (!given(value)) return std::nullopt;
  const bool scalar = value.is_number() || (value.is_string() && !value.as_string().empty());
  if (!scalar)
    return fail(Error(Code::invalid_value, "'resource_id' must be a text or a number").with("field", "resource_id"));
  return to_scalar(value);
}

std::unexpected<Error> payload_required() {
  return fail(
      Code::update_payload_required,
      "update payload required: provide 'update_body', 'set' or 'data' (object), or 'columns' (array of objects)");
}

/// {"column":c,"value":v}, and nothing else.
bool is_pair(const json::Value& object) {
  return object.is_object() && object.size() == 2 && object["column"].is_string() && object["value"].exists();
}

/// `columns` as an array of objects: merged, or pairs when every one of them is a pair.
Result<Row> read_payload_columns(const json::Value& columns, const ReadOptions& options) {
  bool pairs = true;
  for (const json::Value element : columns) {
    if (!element.is_object()) {
      return fail(Error(Code::invalid_value, "'columns' must be names, or objects of columns and values, not both")
                      .with("field", "columns"));
    }
    pairs = pairs && is_pair(element);
  }
  Row row;
  for (const json::Value element : columns) {
    if (pairs) {
      row.emplace_back(std::string(element["column"].as_string()), to_scalar(element["value"]));
    } else {
      ATHENA_TRY(auto part, read_row(element, "columns", options));
      std::ranges::move(part, std::back_inserter(row));
    }
    if (row.size() > options.max_columns) {
      return fail(Code::limit_exceeded, "'columns' sets more than " + std::to_string(options.max_columns) + " columns");
    }
  }
  return row;
}

Result<> read_payload(const Fields& fields, const ReadOptions& options, Update& update) {
  const bool has_objects =
      fields.columns.is_array() && fields.columns.size() > 0 && (*fields.columns.begin()).is_object();
  const std::pair<const json::Value*, std::string_view> spellings[] = {
      {&fields.update_body, "update_body"}, {&fields.set, "set"}, {&fields.data, "data"}};
  for (const auto& [value, field] : spellings) {
    if (!given(*value)) continue;
    ATHENA_TRY(update.set, read_row(*value, field, options));
    if (update.set.empty()) return payload_required();
    ATHENA_TRY(update.returning, read_outputs(fields.columns, options));
    return {};
  }
  if (!has_objects) return payload_required();
  ATHENA_TRY(update.set, read_payload_columns(fields.columns, options));
  return update.set.empty() ? Result<>(payload_required()) : Result<>();
}

Result<Conflict> read_conflict(const Fields& fields, bool ignore_duplicates, const ReadOptions& options) {
  Conflict conflict;
  const auto add = [&](std::string_view name) -> Result<> {
    ATHENA_TRY(auto column, read_column(name));
    if (!column.path.empty() || conflict.target.size() == options.max_columns) {
      return fail(Error(Code::invalid_value, "'on_conflict' must be names of columns").with("field", "on_conflict"));
    }
    conflict.target.push_back(std::move(column.name));
    return {};
  };
  if (fields.on_conflict.is_array()) {
    for (const json::Value name : fields.on_conflict) {
      ATHENA_TRY_VOID(add(name.is_string() ? name.as_string() : std::string_view()));
    }
  } else {
    ATHENA_TRY(const auto names, read_text(fields.on_conflict, "on_conflict"));
    std::string_view rest = names;
    while (!names.empty() && rest.data()) ATHENA_TRY_VOID(add(take_piece(rest)));
  }
  conflict.do_nothing = ignore_duplicates;
  if (given(fields.update_body)) {
    ATHENA_TRY(auto set, read_row(fields.update_body, "update_body", options));
    if (set.empty())
      conflict.do_nothing = true;
    else
      conflict.set = std::move(set);
  }
  return conflict;
}

Result<> read_insert_rows(const json::Value& body, const ReadOptions& options, InsertRequest& request) {
  if (!given(body)) {
    return fail(
        Error(Code::missing_field, "insert_body is required in the request body").with("missing_field", "insert_body"));
  }
  request.body_is_array = body.is_array();
  if (!body.is_array()) {
    ATHENA_TRY(request.insert.rows.emplace_back(), read_row(body, "insert_body", options));
    return {};
  }
  if (body.size() == 0) {
    return fail(Error(Code::invalid_value, "'insert_body' must have at least one row").with("field", "insert_body"));
  }
  if (body.size() > options.max_rows) {
    return fail(Code::limit_exceeded, "'insert_body' has more than " + std::to_string(options.max_rows) + " rows");
  }
  request.insert.rows.reserve(body.size());
  for (const json::Value row : body) {
    ATHENA_TRY(request.insert.rows.emplace_back(), read_row(row, "insert_body", options));
  }
  return {};
}

}  // namespace

bool matches_everything(const Filter& filter) {
  return constant_truth(filter) == true;
}

Result<FetchRequest> read_fetch(const json::Value& body, const ReadOptions& options) {
  ATHENA_TRY(const Fields fields, read_fields(body));
  FetchRequest request;
  ATHENA_TRY(request.select.from, read_table(fields));
  ATHENA_TRY(request.select.columns, read_outputs(fields.columns, options));
  ATHENA_TRY(request.select.where, read_conditions(fields.conditions, options));
  ATHENA_TRY(request.select.order, read_order(fields, options));
  ATHENA_TRY_VOID(read_paging(fields, options, request.select));
  ATHENA_TRY(request.select.cursor, read_cursor(fields.cursor));
  ATHENA_TRY(request.select.allow_filtering, read_flag(fields.allow_filtering, "allow_filtering"));
  ATHENA_TRY(request.count, read_count_field(fields.count));
  ATHENA_TRY(request.head, read_flag(fields.head, "head"));
  ATHENA_TRY(request.strip_nulls, read_strip_nulls(fields.strip_nulls));
  request.has_strip_nulls_field = fields.strip_nulls.exists();
  ATHENA_TRY(request.grouping, read_grouping(fields));
  return request;
}

Result<UpdateRequest> read_update(const json::Value& body, const ReadOptions& options) {
  ATHENA_TRY(const Fields fields, read_fields(body));
  UpdateRequest request;
  Update& update = request.update;
  ATHENA_TRY(update.table, read_table(fields));
  ATHENA_TRY_VOID(read_payload(fields, options, update));
  ATHENA_TRY(update.where, read_conditions(fields.conditions, options));
  ATHENA_TRY(update.resource_id, read_resource_id(fields.resource_id));
  ATHENA_TRY_VOID(guard_unfiltered(fields, update.where, update.resource_id.has_value(), "update"));
  ATHENA_TRY(update.order, read_order(fields, options));
  ATHENA_TRY(update.max_affected, read_whole(fields.max_affected, "max_affected"));
  ATHENA_TRY(request.strip_nulls, read_strip_nulls(fields.strip_nulls));
  request.has_strip_nulls_field = fields.strip_nulls.exists();
  ATHENA_TRY(request.grouping, read_grouping(fields));
  return request;
}

Result<InsertRequest> read_insert(const json::Value& body, const ReadOptions& options) {
  ATHENA_TRY(const Fields fields, read_fields(body));
  InsertRequest request;
  Insert& insert = request.insert;
  ATHENA_TRY(insert.into, read_table(fields));
  ATHENA_TRY_VOID(read_insert_rows(fields.insert_body, options, request));
  ATHENA_TRY(insert.default_to_null, read_flag(fields.default_to_null, "default_to_null"));
  ATHENA_TRY(const bool ignore_duplicates, read_flag(fields.ignore_duplicates, "ignore_duplicates"));
  if (given(fields.on_conflict) || given(fields.update_body) || ignore_duplicates) {
    ATHENA_TRY(insert.on_conflict, read_conflict(fields, ignore_duplicates, options));
    const Conflict& conflict = *insert.on_conflict;
    // on_conflict: "" names nothing and asks for nothing.
    if (conflict.target.empty() && !conflict.do_nothing && !conflict.set) insert.on_conflict.reset();
  }
  ATHENA_TRY(insert.returning, read_outputs(fields.columns, options));
  ATHENA_TRY(request.count, read_count_field(fields.count));
  ATHENA_TRY(request.head, read_flag(fields.head, "head"));
  return request;
}

Result<DeleteRequest> read_delete(const json::Value& body, const ReadOptions& options) {
  ATHENA_TRY(const Fields fields, read_fields(body));
  DeleteRequest request;
  ATHENA_TRY(request.del.from, read_table(fields));
  ATHENA_TRY(request.del.where, read_conditions(fields.conditions, options));
  ATHENA_TRY(request.del.resource_id, read_resource_id(fields.resource_id));
  ATHENA_TRY_VOID(guard_unfiltered(fields, request.del.where, request.del.resource_id.has_value(), "delete"));
  ATHENA_TRY(request.del.max_affected, read_whole(fields.max_affected, "max_affected"));
  ATHENA_TRY(request.del.returning, read_outputs(fields.columns, options));
  return request;
}

Result<QueryRequest> read_query(const json::Value& body, bool driver_required) {
  ATHENA_TRY(const Fields fields, read_fields(body));
  QueryRequest request;
  const auto required = [](const json::Value& value, std::string_view field) -> Result<std::string> {
    if (!given(value)) {
      return fail(
          Error(Code::missing_field, std::string(field) + " is required").with("missing_field", std::string(field)));
    }
    return read_text(value, field);
  };
  ATHENA_TRY(request.query, required(fields.query, "query"));
  if (request.query.find_first_not_of("; \t\r\n\f\v") == std::string::npos) {
    Error error(Code::invalid_request, "Query cannot be empty or contain only semicolons.");
    error.message = "Invalid query";
    return fail(std::move(error));
  }
  if (driver_required) {
    ATHENA_TRY(request.driver, required(fields.driver, "driver"));
    ATHENA_TRY(request.db_name, required(fields.db_name, "db_name"));
  }
  if (given(fields.params)) {
    if (!fields.params.is_array())
      return fail(Error(Code::invalid_value, "'params' must be an array").with("field", "params"));
    if (fields.params.size() > kMaxParams) {
      return fail(Code::limit_exceeded, "'params' has more than " + std::to_string(kMaxParams) + " values");
    }
    request.params.reserve(fields.params.size());
    for (const json::Value param : fields.params) request.params.push_back(to_scalar(param));
  }
  ATHENA_TRY(request.schema_name, read_text(fields.schema_name, "schema_name"));
  ATHENA_TRY(request.read_only, read_flag(fields.read_only, "read_only"));
  return request;
}

}  // namespace athena::query
