#include "d1/proxy.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include <athena/base/json_writer.h>
#include <athena/base/text.h>

#include "d1/errors.h"

namespace athena::driver::d1 {
namespace {

constexpr std::string_view kBookmarkHeader = "x-athena-d1-bookmark";
constexpr std::int64_t kLargestExact = 9'007'199'254'740'991;  // 2^53 - 1
constexpr std::ptrdiff_t kExactDigits = 15;                    // that a double keeps

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

bool is_blank(char c) noexcept {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

void append_text(Buffer& out, std::string_view text) {
  json::append_string(out, text);
}

/// A number that becomes a double on the way, in JSON's own spelling.
Result<> append_real(Buffer& out, const std::string& digits) {
  const double value = std::strtod(digits.c_str(), nullptr);
  if (std::isfinite(value)) {
    json::append_double(out, value);
    return {};
  }
  return fail(Code::value_out_of_range, "The number " + digits.substr(0, 40) + " is out of range");
}

/// Where no column says what a number is, one that a double holds goes as a number, others as text: compared with or
/// kept in a column of numbers SQLite reads every digit of it.
Result<> append_number(Buffer& out, const std::string& digits) {
  const bool whole = digits.find_first_of(".eE") == std::string::npos;
  if (whole) {
    const auto value = text::parse_i64(digits);
    if (value && *value <= kLargestExact && *value >= -kLargestExact) {
      out.append(digits);
    } else {
      append_text(out, digits);
    }
    return {};
  }
  if (std::ranges::count_if(digits, is_digit) <= kExactDigits) return append_real(out, digits);
  append_text(out, digits);
  return {};
}

struct ScalarWriter {
  Buffer& out;
  Result<> operator()(std::monostate) const { return out.append("null"), Result<>(); }
  Result<> operator()(bool value) const { return out.append(value ? "1" : "0"), Result<>(); }
  Result<> operator()(const query::Number& value) const { return append_number(out, value.digits); }
  Result<> operator()(const std::string& value) const { return append_text(out, value), Result<>(); }
  Result<> operator()(const query::JsonText& value) const { return append_text(out, value.text), Result<>(); }
};

Result<> append_param(Buffer& out, const query::Param& param) {
  switch (param.kind) {
    case query::ParamKind::null:
      out.append("null");
      return {};
    case query::ParamKind::boolean:
      out.append(param.text == "true" ? "1" : "0");
      return {};
    case query::ParamKind::real:
      return append_real(out, param.text);
    case query::ParamKind::text:
    case query::ParamKind::integer:  // the statement casts it
      append_text(out, param.text);
      return {};
  }
  return {};
}

std::string to_string(const Buffer& buffer) {
  return std::string(buffer.view());
}

/// The end of the string that begins at `at`, behind its last quote; npos: it does not end.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at + 1;
    }
  }
  return std::string_view::npos;
}

/// The end of the value that begins at `at`, by its brackets and quotes alone; npos: it does not end.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = end_of_string(text, at);
      if (at == std::string_view::npos) return at;
      if (depth == 0) return at;
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') {
      if (depth == 0) return at;  // of what is around it
      if (--depth == 0) return at + 1;
    }
    if (depth == 0 && c == ',') return at;
    ++at;
  }
  return depth == 0 ? at : std::string_view::npos;
}

/// Where the array of rows stands in the body: from behind its bracket to before the other one. The rest of the body is
/// small and is read as JSON; the rows may be many.
struct Span {
  std::size_t begin = 0, end = 0;
  bool found() const noexcept { return begin != 0; }
};
Span find_rows(std::string_view body) {
  std::size_t at = 0;
  const auto skip = [&] {
    while (at < body.size() && is_blank(body[at])) ++at;
  };
  skip();
  if (at == body.size() || body[at++] != '{') return {};
  while (true) {
    skip();
    if (at == body.size() || body[at] != '"') return {};
    const std::size_t name_end = end_of_string(body, at);
    if (name_end == std::string_view::npos) return {};
    const std::string_view name = body.substr(at, name_end - at);
    at = name_end;
    skip();
    if (at == body.size() || body[at++] != ':') return {};
    skip();
    const std::size_t end = end_of_value(body, at);
    if (at == body.size() || end == std::string_view::npos) return {};
    if (name == "\"rows\"" && body[at] == '[') return {at + 1, end - 1};
    at = end;
    skip();
    if (at == body.size() || body[at++] != ',') return {};
  }
}

std::uint64_t to_count(const json::Value& value) {
  return value.is_number() ? text::parse_u64(value.digits()).value_or(0) : 0;
}

/// A reply has to have something of the protocol: an answer of some other server is not an empty result.
bool is_of_protocol(const json::Value& root) {
  constexpr std::string_view kMembers[] = {"rows", "columns", "count", "durationMs", "bookmark", "meta"};
  return std::ranges::any_of(kMembers, [&root](std::string_view name) { return root[name].exists(); });
}

}  // namespace

Result<std::string> printed_params(std::span<const query::Param> params) {
  Buffer out;
  for (const query::Param& param : params) {
    if (!out.empty()) out.push_back(',');
    ATHENA_TRY_VOID(append_param(out, param));
  }
  return to_string(out);
}

Result<std::string> native_params(std::span<const query::Scalar> params, std::span<const std::size_t> numbers) {
  Buffer out;
  std::vector<bool> used(params.size(), numbers.empty());
  const std::size_t places = numbers.empty() ? params.size() : numbers.size();
  for (std::size_t place = 0; place < places; ++place) {
    const std::size_t number = numbers.empty() ? place + 1 : numbers[place];
    if (number > params.size()) {
      return fail(Code::invalid_parameter, "The query uses parameter " + std::to_string(number) + ", but there are " +
                                               std::to_string(params.size()));
    }
    used[number - 1] = true;
    if (place > 0) out.push_back(',');
    ATHENA_TRY_VOID(std::visit(ScalarWriter{out}, params[number - 1]));
  }
  const auto unused = std::ranges::find(used, false);
  if (unused == used.end()) return to_string(out);
  return fail(Code::invalid_parameter,
              "Parameter " + std::to_string(unused - used.begin() + 1) + " has a value, but the query does not use it");
}

std::string request_body(const ProxyRequest& request) {
  Buffer out(request.sql.size() + request.params.size() + 256);
  json::Writer w(out);
  const auto text_or_null = [&w](std::string_view name, std::string_view text) {
    w.key(name);
    if (text.empty()) {
      w.null();
    } else {
      w.string(text);
    }
  };
  w.begin_object().member("query", request.sql);
  w.key("params").begin_array();
  if (!request.params.empty()) w.raw(request.params);
  w.end_array().member("databaseBinding", request.binding);
  text_or_null("sessionMode", request.session_mode);
  text_or_null("bookmark", request.bookmark);
  w.end_object();
  return to_string(out);
}

std::string header_bookmark(const http::ClientResponse& response) {
  for (const auto& [name, value] : response.headers) {
    if (name == kBookmarkHeader) return std::string(text::trim(value));
  }
  return {};
}

std::optional<std::uint32_t> retry_after(const http::ClientResponse& response) {
  for (const auto& [name, value] : response.headers) {
    if (name != "retry-after") continue;
    const auto seconds = text::parse_u64(text::trim(value));
    constexpr std::uint64_t kMost = 3'600;
    if (seconds) return static_cast<std::uint32_t>(std::min(*seconds, kMost));
  }
  return std::nullopt;
}

Result<std::unique_ptr<ProxyReply>> read_reply(http::ClientResponse response) {
  auto reply = std::make_unique<ProxyReply>();
  reply->bookmark = header_bookmark(response);
  reply->body = std::move(response.body);
  const Span rows = find_rows(reply->body);
  std::string envelope(reply->body, 0, rows.found() ? rows.begin : std::string::npos);
  if (rows.found()) {
    envelope.append(reply->body, rows.end);
    reply->rows = std::string_view(reply->body).substr(rows.begin, rows.end - rows.begin);
  }
  const auto document = json::Document::parse(envelope);
  if (!document) return fail(invalid_json(document.error().error));
  const json::Value root = document->root();
  if (!root.is_object()) return fail(invalid_json("the reply is not an object"));
  if (const json::Value success = root["success"]; success.is_bool() && !success.as_bool()) {
    return fail(failed_with(response.status, failure_text(envelope)));
  }
  if (!is_of_protocol(root)) return fail(invalid_json("the reply has nothing of the proxy protocol"));
  if (root["rows"].exists() && !root["rows"].is_null() && !rows.found()) {
    return fail(invalid_json("the rows are not an array"));
  }
  for (const json::Value column : root["columns"]) {
    if (column.is_string()) reply->columns.emplace_back(column.as_string());
  }
  if (const json::Value bookmark = root["bookmark"]; reply->bookmark.empty() && bookmark.is_string()) {
    reply->bookmark = text::trim(bookmark.as_string());
  }
  const json::Value changes = root["meta"]["changes"];
  reply->affected = to_count(changes.is_number() ? changes : root["count"]);
  return reply;
}

Result<std::optional<std::string_view>> RowTexts::next() {
  const auto skip = [this] {
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
  };
  skip();
  if (rest_.empty()) return std::nullopt;
  if (!std::exchange(first_, false)) {
    if (rest_.front() != ',') return fail(invalid_json("there is no comma between two rows"));
    rest_.remove_prefix(1);
    skip();
  }
  const std::size_t end = std::min(end_of_value(rest_, 0), rest_.size());
  const std::string_view row = rest_.substr(0, end);
  if (row.empty()) return fail(invalid_json("a row is missing"));
  rest_.remove_prefix(end);
  return row;
}

}  // namespace athena::driver::d1
