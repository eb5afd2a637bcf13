#include "reply_json.h"

#include <algorithm>

#include <athena/base/json.h>
#include <athena/base/text.h>

namespace athena::sdk {
namespace {

Value to_value(const json::Value& value) {
  switch (value.kind()) {
    case json::Kind::null:
      return {};
    case json::Kind::boolean:
      return value.as_bool();
    case json::Kind::number:
      return Value(query::Scalar(query::Number{std::string(value.digits())}));
    case json::Kind::string:
      return value.as_string();
    case json::Kind::array:
    case json::Kind::object:
      return Json{std::string(value.raw())};
  }
  return {};
}

std::unexpected<Error> no_answer(int status, std::string_view why) {
  return fail(
      Error(Code::connection_error, "What answered is no Athena gateway", "Look at the URL, and at what stands between")
          .logged("status " + std::to_string(status) + ": " + std::string(why)));
}

std::string text_of(const json::Value& value) {
  return value.is_string() ? std::string(value.as_string()) : "";
}

/// "ATH-412" names the code; what this version does not know is judged by its status.
Code code_of(std::string_view error_id, int status) {
  for (const ErrorRow& row : error_rows()) {
    if (row.id == error_id) return row.code;
  }
  if (status == 404) return Code::route_not_found;
  if (status == 429) return Code::rate_limited;
  return status < 500 ? Code::invalid_request : status == 503 ? Code::database_unavailable : Code::internal_error;
}

std::uint32_t retry_after(const http::ClientResponse& response) {
  const auto header = std::ranges::find(response.headers, "retry-after", [](const auto& h) { return h.first; });
  const auto wait = header == response.headers.end() ? std::nullopt : text::parse_u64(text::trim(header->second));
  return wait ? static_cast<std::uint32_t>(std::min<std::uint64_t>(*wait, 86'400)) : 0;
}

Error read_error(const json::Value& body, const http::ClientResponse& response) {
  Error error(code_of(text_of(body["error_id"]), response.status), text_of(body["error"]), text_of(body["hint"]));
  error.message = text_of(body["message"]);
  if (error.error.empty()) error.error = error.message;
  const json::Value details = body["details"];
  if (details.is_object()) {
    for (auto member = details.begin(), end = details.end(); member != end; ++member) {
      error.fields.emplace_back(std::string(member.key()), to_value(*member).to_string());
    }
  }
  error.retry_after_s = retry_after(response);
  return error;
}

void read_row(const json::Value& object, QueryResult& result) {
  if (result.columns.empty()) {
    for (auto member = object.begin(), end = object.end(); member != end; ++member) {
      result.columns.emplace_back(member.key());
    }
  }
  std::vector<Value>& row = result.rows.emplace_back(result.columns.size());
  std::size_t index = 0;
  for (auto member = object.begin(), end = object.end(); member != end; ++member, ++index) {
    std::size_t at = index;  // usually in the same order
    if (at >= result.columns.size() || result.columns[at] != member.key()) {
      const auto name = std::ranges::find(result.columns, member.key());
      at = static_cast<std::size_t>(name - result.columns.begin());
    }
    if (at < row.size()) row[at] = to_value(*member);
  }
}

Result<> read_rows(const json::Value& rows, int status, QueryResult& result) {
  for (const json::Value row : rows) {
    if (!row.is_object()) return no_answer(status, "a row is no object");
    read_row(row, result);
  }
  return {};
}

std::optional<std::uint64_t> number(const json::Value& value) {
  return value.is_number() ? text::parse_u64(value.digits()) : std::nullopt;
}

}  // namespace

Result<QueryResult> read_reply(const http::ClientResponse& response) {
  const auto document = json::Document::parse(response.body);
  if (!document) return no_answer(response.status, "its body is not JSON");
  const json::Value root = document->root();
  if (response.status >= 400) {
    if (!root.is_object()) return no_answer(response.status, "its error has no members");
    return fail(read_error(root, response));
  }
  QueryResult result;
  const json::Value data = root.is_object() ? root["data"] : root;
  const json::Value rows = data.is_object() ? data["rows"] : data;
  if (root.is_object() && data.is_object() && data["columns"].is_array()) {  // of SQL: they are told
    for (const json::Value column : data["columns"]) result.columns.push_back(text_of(column["name"]));
  }
  if (rows.is_array()) {
    ATHENA_TRY_VOID(read_rows(rows, response.status, result));
  } else if (data.is_object() && !rows.exists()) {  // one row by itself
    read_row(data, result);
  } else if (!rows.is_null()) {
    return no_answer(response.status, "it has no rows");
  }
  for (const json::Value& place : {root, data}) {
    if (!place.is_object()) continue;
    if (const auto total = number(place["count"])) result.count = total;
    if (const auto written = number(place["meta"]["rows_affected"])) result.affected = *written;
    if (const auto written = number(place["rows_affected"])) result.affected = *written;
  }
  return result;
}

}  // namespace athena::sdk
