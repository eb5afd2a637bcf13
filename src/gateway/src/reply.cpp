#include "reply.h"

#include <algorithm>
#include <cstring>

#include <athena/base/json_writer.h>
#include <athena/base/text.h>

#include "cors.h"

namespace athena::gateway {
namespace {

/// Room for everything that stands before the rows: `{"status":"success","message":"Fetched 18446744073709551615
/// rows",…`.
constexpr std::size_t kHeadroom = 128;
constexpr std::uint32_t kRetryAfterSeconds = 1;

constexpr std::string_view kStageNames[kStages] = {"route", "read", "run", "reply"};

/// Milliseconds with three decimals, as Server-Timing wants them, without a double on the way.
void append_ms(Buffer& out, Duration duration) {
  const auto us = std::max<std::int64_t>(0, std::chrono::duration_cast<microseconds>(duration).count());
  json::append_integer(out, us / 1000);
  const char rest[] = {'.', static_cast<char>('0' + us / 100 % 10), static_cast<char>('0' + us / 10 % 10),
                       static_cast<char>('0' + us % 10)};
  out.append({rest, 4});
}

}  // namespace

Result<Shape> decide_shape(const http::RequestHead& head, const Settings& settings, bool strip_field,
                           bool marks_in_headers_alone) {
  if (const auto wanted = head.find("X-Athena-Shape")) {
    if (text::iequals(*wanted, "documented")) return Shape::documented;
    if (text::iequals(*wanted, "compact")) return Shape::compact;
    if (text::iequals(*wanted, "bare")) return Shape::bare;
    return fail(Code::invalid_value, "X-Athena-Shape must be documented, compact or bare");
  }
  if (head.find("X-Athena-Sdk") || head.find("X-Backend-Type")) return Shape::compact;
  if (settings.early_sdk && (strip_field || marks_in_headers_alone) && head.find("X-Strip-Nulls")) {
    const auto first = head.find("apikey"), second = head.find("x-api-key");
    if (first && second && *first == *second) return Shape::bare;
  }
  return settings.response_shape;
}

bool wants_strip_nulls(const http::RequestHead& head, std::optional<bool> field) noexcept {
  if (const auto header = head.find("X-Strip-Nulls")) return text::iequals(*header, "true");
  return field.value_or(false);
}

Result<bool> wants_strip_nulls(const http::RequestHead& head, const json::Value& body) {
  const json::Value field = body["strip_nulls"];
  if (!field.is_null() && !field.is_bool()) {
    return fail(Error(Code::invalid_value, "'strip_nulls' must be true or false").with("field", "strip_nulls"));
  }
  return wants_strip_nulls(head, field.is_bool() && field.as_bool());
}

void write_error(http::Exchange& exchange, const Error& error, std::string_view request_id) {
  const ErrorRow& row = error.row();
  exchange.reset_response();
  exchange.set_status(row.status);
  exchange.add_header("Content-Type", "application/json");
  // A write that may have happened must not be sent again by a machine that reads this header.
  if (error.retry_after_s > 0 || (row.retryable && (row.status == 503 || row.status == 429))) {
    exchange.add_header("Retry-After", std::to_string(error.retry_after_s ? error.retry_after_s : kRetryAfterSeconds));
  }
  Buffer& out = exchange.body();
  out.clear();
  const std::string_view message = error.message.empty() ? row.message : std::string_view(error.message);
  json::Writer w(out);
  w.begin_object().member("status", "error").key("success").boolean(false);
  w.member("code", row.wire_code).member("error_id", row.id).member("message", message);
  w.member("error", error.error.empty() ? message : std::string_view(error.error));
  if (!error.fields.empty()) {
    w.key("details").begin_object();
    for (const auto& [name, value] : error.fields) w.member(name, value);
    w.end_object();
  }
  if (!error.hint.empty()) w.member("hint", error.hint);
  w.member("trace_id", request_id).end_object();
}

void add_common_headers(RequestContext& context) {
  http::Exchange& exchange = context.exchange;
  exchange.add_header("X-Request-Id", context.request_id);
  if (!context.session.reached.empty()) exchange.add_header("X-Athena-D1-Bookmark", context.session.reached);
  if (!is_preflight(context.head())) add_cors_headers(exchange, context.settings());
  if (!context.settings().server_timing) return;
  context.stage_done(Stage::reply);
  Buffer timing(160);
  TimePoint from = exchange.received_at();
  for (std::size_t i = 0; i < kStages; ++i) {
    if (context.stage_ends[i] == TimePoint{}) continue;
    timing.append(kStageNames[i]);
    timing.append(";dur=");
    append_ms(timing, context.stage_ends[i] - from);
    timing.append(", ");
    from = context.stage_ends[i];
  }
  timing.append("total;dur=");
  append_ms(timing, from - exchange.received_at());
  exchange.add_header("Server-Timing", timing.view());
}

RowsReply::RowsReply(RequestContext& context, std::string_view message, bool counts_in_message)
    : context_(context), message_(message), counts_in_message_(counts_in_message) {
  context_.exchange.add_header("Content-Type", "application/json");
  Buffer& out = context_.body();
  out.grab(kHeadroom);
  out.commit(kHeadroom);
}

void RowsReply::begin_rows(std::span<const driver::ColumnInfo> columns, std::size_t hidden) {
  encoder_.emplace(columns, context_.strip_nulls, hidden);
}

Async<bool> RowsReply::append(driver::RowStream& stream, std::uint64_t limit) {
  // To the stream's end, even when rows are left over: what is dropped early would have to be cancelled.
  for (bool cut = false;;) {
    ATHENA_CO_TRY(const driver::RowBatch batch, co_await stream.next());
    const std::uint64_t taken = encoder_->append_rows(context_.body(), batch, limit);
    limit -= taken;
    cut |= taken < batch.rows;
    if (batch.last) co_return cut;
    if (context_.body().size() > context_.settings().response_head_start) ATHENA_CO_TRY_VOID(co_await relieve());
  }
}

Async<> RowsReply::relieve() {
  if (!head_written_) {
    write_head(true);
    add_common_headers(context_);
  }
  co_return co_await context_.exchange.flush();
}

/// Writes what stands before the rows into the headroom, right-aligned.
void RowsReply::write_head(bool streaming) {
  head_written_ = true;
  Buffer head(kHeadroom);
  switch (context_.shape) {
    case Shape::bare:
      head.append("[");
      break;
    case Shape::compact:
      head.append("{\"data\":[");
      break;
    case Shape::documented:
      head.append("{\"status\":\"success\",");
      if (streaming) {
        message_pending_ = true;
      } else {
        head.append("\"message\":\"");
        head.append(message_);
        if (counts_in_message_) {
          json::append_integer(head, rows());
          head.append(" rows");
        }
        head.append("\",");
      }
      head.append("\"data\":{\"rows\":[");
  }
  Buffer& out = context_.body();
  std::memcpy(out.data() + kHeadroom - head.size(), head.data(), head.size());
  out.drop_front(kHeadroom - head.size());
}

void RowsReply::end_rows() {
  context_.body().push_back(']');
}

bool RowsReply::member(std::string_view name) {
  if (context_.shape == Shape::bare) return false;
  Buffer& out = context_.body();
  out.append(",\"");
  out.append(name);
  out.append("\":");
  return true;
}

void RowsReply::finish(std::string_view cache_key) {
  Buffer& out = context_.body();
  if (!head_written_) write_head(false);
  context_.rows = rows();
  if (context_.shape == Shape::bare) return;
  if (context_.shape == Shape::documented) out.push_back('}');
  if (message_pending_) {
    out.append(",\"message\":\"");
    out.append(message_);
    if (counts_in_message_) {
      json::append_integer(out, rows());
      out.append(" rows");
    }
    out.push_back('"');
  }
  if (!cache_key.empty()) {
    out.append(",\"cache_key\":");
    json::append_string(out, cache_key);
  }
  out.push_back('}');
}

void write_meta(Buffer& out, const Meta& meta) {
  json::Writer w(out);
  w.begin_object().member("backend", meta.backend).key("returned_row_count").integer(meta.returned);
  w.key("rows_affected").integer(meta.affected).key("statement_count").integer(meta.statements).end_object();
}

void write_envelope_start(Buffer& out, std::string_view message) {
  out.append("{\"status\":\"success\",\"message\":");
  json::append_string(out, message);
  out.append(",\"data\":");
}

}  // namespace athena::gateway
