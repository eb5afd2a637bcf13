#include "telemetry/request_log.h"

#include <chrono>
#include <ctime>

#include <athena/base/json_writer.h>
#include <athena/base/text.h>

namespace athena::gateway {
namespace {

constexpr std::string_view level_name(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warn:
      return "warn";
    case LogLevel::error:
      return "error";
  }
  return "error";
}

struct EventRow {
  driver::Event::Kind kind;
  std::string_view name;
  LogLevel level;
};
constexpr EventRow kEvents[] = {
    {driver::Event::Kind::connected, "database_connected", LogLevel::debug},
    {driver::Event::Kind::connect_failed, "database_connect_failed", LogLevel::warn},
    {driver::Event::Kind::connection_lost, "database_connection_lost", LogLevel::warn},
    {driver::Event::Kind::statement_cancelled, "statement_cancelled", LogLevel::info},
    {driver::Event::Kind::cancel_absorbed, "cancel_absorbed", LogLevel::info},
    {driver::Event::Kind::retried, "statement_retried", LogLevel::info},
    {driver::Event::Kind::schema_loaded, "schema_loaded", LogLevel::info},
    {driver::Event::Kind::schema_load_failed, "schema_load_failed", LogLevel::warn},
    {driver::Event::Kind::prepared_again, "statement_prepared_again", LogLevel::debug},
    {driver::Event::Kind::pool_exhausted, "pool_exhausted", LogLevel::warn},
    {driver::Event::Kind::host_opened, "host_opened", LogLevel::warn},
    {driver::Event::Kind::host_on_trial, "host_on_trial", LogLevel::info},
    {driver::Event::Kind::host_closed, "host_closed", LogLevel::info},
};

/// Text from a server may be in any encoding; a log line must stay JSON.
std::string_view utf8_or_note(std::string_view text) noexcept {
  return text::is_utf8(text) ? text : "(not UTF-8)";
}

}  // namespace

void append_time(Buffer& out) {
  const auto now = std::chrono::system_clock::now();
  const std::time_t second = std::chrono::system_clock::to_time_t(now);
  // The part up to the second is made once a second: the calendar costs more than the rest of the line.
  thread_local std::time_t cached_second = -1;
  thread_local char cached[24];
  if (second != cached_second) {
    std::tm parts{};
    gmtime_r(&second, &parts);
    std::strftime(cached, sizeof cached, "%Y-%m-%dT%H:%M:%S.", &parts);
    cached_second = second;
  }
  out.append({cached, 20});
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  const char digits[] = {static_cast<char>('0' + ms / 100), static_cast<char>('0' + ms / 10 % 10),
                         static_cast<char>('0' + ms % 10), 'Z'};
  out.append({digits, 4});
}

void log_line(LogSink& sink, LogLevel level, std::string_view event,
              std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  Buffer line;
  line.append("{\"time\":\"");
  append_time(line);
  line.append("\",\"level\":\"");
  line.append(level_name(level));
  line.append("\",\"event\":");
  json::append_string(line, event);
  for (const auto& [name, value] : fields) {
    line.push_back(',');
    json::append_string(line, name);
    line.push_back(':');
    json::append_string(line, value);
  }
  line.append("}\n");
  sink.write(line.view());
}

RequestLog::RequestLog(LogSink& sink, std::string_view mode) : sink_(sink), mode_(Mode::all) {
  set_mode(mode);
}

void RequestLog::set_mode(std::string_view mode) {
  mode_ = mode == "errors" ? Mode::errors : mode == "sampled" ? Mode::sampled : Mode::all;
}

void RequestLog::request_done(const RequestDone& done) {
  LoopCounters& counters = counters_;
  counters.requests.fetch_add(1, std::memory_order_relaxed);
  const bool failed = done.status >= 400;
  if (failed) counters.failures.fetch_add(1, std::memory_order_relaxed);
  constexpr std::uint32_t kSampleEvery = 100;
  if (!failed && mode_ == Mode::errors) return;
  if (!failed && mode_ == Mode::sampled && ++sample_ % kSampleEvery != 0) return;

  const auto member = [this](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    lines_.append(name);
    json::append_string(lines_, value);
  };
  lines_.append("{\"time\":\"");
  append_time(lines_);
  lines_.append(done.status >= 500 ? "\",\"level\":\"warn\",\"event\":\"request\""
                                   : "\",\"level\":\"info\",\"event\":\"request\"");
  member(",\"request_id\":", done.request_id);
  member(",\"method\":", done.method);
  member(",\"path\":", done.path);
  member(",\"client\":", done.client);
  member(",\"table\":", done.table);
  member(",\"peer\":", done.peer);
  lines_.append(",\"status\":");
  json::append_integer(lines_, done.status);
  lines_.append(",\"rows\":");
  json::append_integer(lines_, done.rows);
  lines_.append(",\"duration_us\":");
  json::append_integer(lines_, std::chrono::duration_cast<microseconds>(done.duration).count());
  member(",\"code\":", done.error_code);
  member(",\"detail\":", utf8_or_note(done.error_detail));
  lines_.append("}\n");
  if (lines_.size() >= kFlushBytes) flush();
}

void RequestLog::flush() {
  if (lines_.empty()) return;
  sink_.write(lines_.view());
  lines_.clear();
}

void DriverLog::observe(const driver::Event& event) noexcept {
  for (const EventRow& row : kEvents) {
    if (row.kind != event.kind) continue;
    log_line(sink_, row.level, row.name, {{"target", event.target}, {"detail", utf8_or_note(event.detail)}});
  }
}

}  // namespace athena::gateway
