#include "supabase/errors.h"

#include <algorithm>
#include <iterator>

#include <athena/base/json.h>
#include <athena/base/text.h>

#include "sqlstate.h"

namespace athena::driver::supabase {
namespace {

constexpr std::size_t kMaxLoggedBytes = 500;
constexpr std::size_t kMaxErrorBody = 64 * 1024;
constexpr std::uint32_t kLongestRetryAfter = 3'600;

constexpr std::string_view kNoDatabase = "The REST service cannot reach its database";
constexpr std::string_view kRefused = "The REST service refused the API key";
constexpr std::string_view kNotUnderstood = "The REST service did not understand the request: it may be too old for it";

/// Sorted by code. What is not here has the meaning of its HTTP status.
constexpr PostgrestRow kRows[] = {
    {"PGRST000", Code::database_unavailable, kNoDatabase, false, true},
    {"PGRST001", Code::database_unavailable, kNoDatabase, true, true},
    {"PGRST002", Code::database_unavailable, "The REST service does not know its tables yet", false, true},
    {"PGRST003", Code::pool_timeout, "", false, true},
    {"PGRST100", Code::feature_not_supported, kNotUnderstood},
    {"PGRST101", Code::feature_not_supported, kNotUnderstood},
    {"PGRST102", Code::invalid_value, "The REST service could not read the values"},
    {"PGRST103", Code::invalid_value, "The rows asked for begin behind the last one"},
    {"PGRST105", Code::feature_not_supported, kNotUnderstood},
    {"PGRST106", Code::undefined_object, "The REST service does not show this schema"},
    {"PGRST107", Code::feature_not_supported, kNotUnderstood},
    {"PGRST108", Code::feature_not_supported, kNotUnderstood},
    {"PGRST111", Code::database_error, "A function of the database gave a header or status that is none"},
    {"PGRST112", Code::database_error, "A function of the database gave a header or status that is none"},
    {"PGRST114", Code::feature_not_supported, kNotUnderstood},
    {"PGRST117", Code::feature_not_supported, "The table cannot be written through the REST service"},
    {"PGRST118", Code::feature_not_supported, kNotUnderstood},
    {"PGRST120", Code::feature_not_supported, kNotUnderstood},
    {"PGRST122", Code::feature_not_supported, "The REST service is too old for 'max_affected'"},
    {"PGRST124", Code::too_many_affected, ""},
    {"PGRST125", Code::undefined_object, "There is no REST service at this address"},
    {"PGRST126", Code::feature_not_supported, "The REST service does not show its tables: its root document is off"},
    {"PGRST127", Code::feature_not_supported, kNotUnderstood},
    {"PGRST128", Code::too_many_affected, ""},
    {"PGRST200", Code::undefined_object, ""},
    {"PGRST201", Code::feature_not_supported, kNotUnderstood},
    {"PGRST202", Code::undefined_function, ""},
    {"PGRST203", Code::undefined_function, "Several functions fit the call"},
    {"PGRST204", Code::undefined_column, ""},
    {"PGRST205", Code::undefined_table, ""},
    {"PGRST300", Code::database_error, "The REST service has no secret to check keys with"},
    {"PGRST301", Code::insufficient_privilege, kRefused},
    {"PGRST302", Code::insufficient_privilege, "The REST service takes no requests without an API key"},
    {"PGRST303", Code::insufficient_privilege, kRefused},
};
static_assert(std::ranges::is_sorted(kRows, {}, &PostgrestRow::code));

/// What a status alone means: an answer of a gateway, or of something else altogether.
struct StatusRow {
  int from, to;
  Code meaning;
  std::string_view text;
  bool may_have_run = false, may_pass = false, is_host_down = false;
};
constexpr StatusRow kStatuses[] = {
    {300, 399, Code::feature_not_supported, "The REST service answers with a redirect, and none is followed"},
    {401, 401, Code::insufficient_privilege, kRefused},
    {403, 403, Code::insufficient_privilege, kRefused},
    {404, 404, Code::undefined_object, "There is no REST service at this address"},
    {408, 408, Code::database_unavailable, "The REST service did not get the request in time", false, true, false},
    {413, 413, Code::payload_too_large, "The values are more than the REST service takes"},
    {414, 414, Code::limit_exceeded, "The conditions are longer than the REST service takes"},
    {429, 429, Code::rate_limited, "The REST service takes no more requests for now"},
    {431, 431, Code::limit_exceeded, "The conditions are longer than the REST service takes"},
    {500, 500, Code::database_error, "The REST service failed", true},
    {502, 502, Code::database_unavailable, "", true, true, true},
    {503, 503, Code::database_unavailable, "", true, true, true},
    {504, 504, Code::database_unavailable, "", true, true, true},
    {520, 520, Code::database_unavailable, "", true, true, true},
    {521, 523, Code::database_unavailable, "", false, true, true},  // whoever stands before it could not connect
    {524, 524, Code::statement_timeout, "", true, false, true},
    {525, 527, Code::database_unavailable, "", false, false, true},
    {530, 530, Code::database_unavailable, "", false, false, true},
    {540, 540, Code::database_unavailable, "The project is paused"},
    {501, 599, Code::database_error, "The REST service failed", true},  // the rest
};
constexpr StatusRow kStrange{0, 0, Code::database_error, "The REST service did not answer as PostgREST does", true};

const StatusRow& status_row(int status) noexcept {
  const auto* found = std::ranges::find_if(
      kStatuses, [status](const StatusRow& row) { return status >= row.from && status <= row.to; });
  return found == std::end(kStatuses) ? kStrange : *found;
}

/// A part of the body for the log: one line, bounded, without the key, which an echo could hold.
std::string loggable(std::string_view body, std::string_view key) {
  std::string line(body.substr(0, kMaxLoggedBytes + key.size()));
  for (std::size_t at = 0; !key.empty() && (at = line.find(key, at)) != std::string::npos;) {
    line.replace(at, key.size(), "***");
  }
  line.resize(std::min(line.size(), kMaxLoggedBytes));
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = ' ';
  }
  return line;
}

/// What stands between quotes behind `before`, in a message of PostgreSQL; empty: nothing.
std::string quoted_after(std::string_view message, std::string_view before) {
  std::size_t at = message.find(before);
  if (at == std::string_view::npos) return {};
  at += before.size();
  const std::size_t end = message.find('"', at);
  return end == std::string_view::npos ? std::string() : std::string(message.substr(at, end - at));
}

/// PostgREST passes on the message of PostgreSQL, but not the fields beside it: the names come from the message.
ServerError server_error(std::string_view code, const json::Value& body, std::string_view table) {
  const auto text = [&body](std::string_view name) {
    const json::Value value = body[name];
    return value.is_string() ? std::string(value.as_string()) : std::string();
  };
  ServerError server;
  server.severity = "ERROR";
  server.sqlstate = code;
  server.message = text("message");
  server.detail = text("details");
  server.hint = text("hint");
  server.constraint = quoted_after(server.message, "constraint \"");
  if (code.starts_with("23")) {
    server.column = quoted_after(server.message, "in column \"");
    for (const std::string_view before : {"relation \"", "on table \""}) {
      if (server.table.empty()) server.table = quoted_after(server.message, before);
    }
    if (server.table.empty()) server.table = table;
  }
  return server;
}

bool is_sqlstate(std::string_view code) noexcept {
  return code.size() == 5 &&
         std::ranges::all_of(code, [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); });
}

Failure from_postgresql(std::string_view code, const json::Value& body, const RequestContext& context) {
  Failure failure;
  const ServerError server = server_error(code, body, context.table);
  failure.error = error_from_server(server, {});
  if (server.message.contains("requires a WHERE clause")) {  // the extension safeupdate
    failure.error.code = Code::unfiltered_write;
    failure.error.error = "The database refuses writes without conditions";
    failure.error.hint.clear();
  }
  if (failure.error.code == Code::undefined_column && !context.table.empty() && failure.error.error.empty()) {
    failure.error.error = "A column of table '" + std::string(context.table) + "' does not exist";
  }
  // The connection behind the service broke; whether before or after the statement nobody knows.
  failure.may_have_run = code.starts_with("08") || code == "40003";
  failure.is_host_down = code.starts_with("08") || code.starts_with("53") || code.starts_with("57P");
  failure.may_pass = failure.is_host_down;
  return failure;
}

Failure from_postgrest(const PostgrestRow& row, const json::Value& body, const RequestContext& context) {
  Failure failure;
  failure.error = Error(row.meaning, std::string(row.text.empty() ? error_row(row.meaning).message : row.text));
  if (row.meaning == Code::undefined_column) {
    // Could not find the 'x' column of 't' in the schema cache
    const std::string_view message = body["message"].is_string() ? body["message"].as_string() : std::string_view();
    const auto words = text::split(message, '\'');
    if (words.size() >= 3) {
      failure.error.error =
          "Column '" + std::string(words[1]) + "' does not exist in table '" + std::string(context.table) + "'";
      failure.error.fields.emplace_back("column", words[1]);
    }
  }
  if (!context.table.empty() && (row.meaning == Code::undefined_table || row.meaning == Code::undefined_column)) {
    failure.error.fields.emplace_back("table", context.table);
  }
  failure.may_have_run = row.may_have_run;
  failure.is_host_down = failure.may_pass = row.is_host_down;
  return failure;
}

std::uint32_t retry_after_of(const http::ClientResponse& response) {
  const auto header = find_header(response, "retry-after");
  const auto wait = header ? text::parse_u64(*header) : std::nullopt;  // a date is not worth a calendar here
  return wait ? static_cast<std::uint32_t>(std::min<std::uint64_t>(*wait, kLongestRetryAfter)) : 0;
}

Failure from_body(const http::ClientResponse& response, const RequestContext& context) {
  if (response.body.size() <= kMaxErrorBody) {
    const auto document = json::Document::parse(response.body);
    const json::Value body = document ? document->root() : json::Value();
    const std::string_view code = body["code"].is_string() ? body["code"].as_string() : std::string_view();
    if (is_sqlstate(code)) return from_postgresql(code, body, context);
    const auto* row = std::ranges::find(kRows, code, &PostgrestRow::code);
    if (row != std::end(kRows)) return from_postgrest(*row, body, context);
  }
  const StatusRow& row = status_row(response.status);
  Failure failure;
  failure.error = Error(row.meaning, std::string(row.text.empty() ? error_row(row.meaning).message : row.text));
  failure.may_have_run = row.may_have_run;
  failure.may_pass = row.may_pass;
  failure.is_host_down = row.is_host_down;
  return failure;
}

}  // namespace

std::span<const PostgrestRow> postgrest_rows() noexcept {
  return kRows;
}

std::optional<std::string_view> find_header(const http::ClientResponse& response, std::string_view name) {
  const auto found = std::ranges::find(response.headers, name, &std::pair<std::string, std::string>::first);
  if (found == response.headers.end()) return std::nullopt;
  return found->second;
}

std::optional<std::uint64_t> total_of(std::string_view content_range) {
  const std::size_t slash = content_range.rfind('/');
  return slash == std::string_view::npos ? std::nullopt : text::parse_u64(content_range.substr(slash + 1));
}

Failure failure_from(const http::ClientResponse& response, const RequestContext& context) {
  Failure failure = from_body(response, context);
  failure.error.fields.emplace_back("http_status", std::to_string(response.status));
  failure.error.log_detail = "HTTP " + std::to_string(response.status) + ": " + loggable(response.body, context.key);
  failure.error.retry_after_s = failure.error.row().retryable ? retry_after_of(response) : 0;
  return failure;
}

Failure failure_from(Error error, bool sent) {
  Failure failure;
  const std::string log_detail = std::move(error.log_detail);
  failure.may_have_run = sent;
  if (error.code == Code::deadline_exceeded) {
    failure.is_host_down = !sent;  // nobody even took the request; afterwards it may only have been slow
    failure.error = sent ? Error(Code::statement_timeout, "The REST service did not answer in time")
                         : Error(Code::database_unavailable, "The REST service could not be reached in time");
  } else if (error.code == Code::database_unavailable) {
    failure.may_pass = failure.is_host_down = true;
    failure.error = Error(Code::database_unavailable,
                          sent ? "The connection to the REST service was lost" : "The REST service cannot be reached");
  } else if (error.code == Code::result_too_large) {
    failure.error = Error(Code::result_too_large, "The answer of the REST service is larger than Athena takes",
                          "Ask for fewer rows or columns");
  } else {
    failure.error = std::move(error);
  }
  failure.error.log_detail = log_detail;
  return failure;
}

}  // namespace athena::driver::supabase
