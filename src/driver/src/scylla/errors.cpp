#include "scylla/errors.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>

#include <fmt/format.h>

#include <athena/base/text.h>

namespace athena::driver::scylla {
namespace {

constexpr std::size_t kMaxMessageBytes = 500;

constexpr CqlErrorRow kRows[] = {
    {0x0000, Code::database_error, false, ""},
    {0x000A, Code::internal_error, false, ""},
    {0x0100, Code::connection_error, false, "The database refused the credentials of this client"},
    {0x1000, Code::database_unavailable, false, "Too few replicas of the data are alive"},
    {0x1001, Code::database_unavailable, false, "The database is overloaded"},
    {0x1002, Code::database_unavailable, false, "The database is starting up"},
    {0x1003, Code::database_error, false, "The table could not be truncated: not all nodes answered"},
    {0x1100, Code::write_outcome_unknown, false,
     "Too few replicas confirmed the write in time: it may or may not last"},
    {0x1200, Code::statement_timeout, false, "Too few replicas answered in time"},
    {0x1300, Code::database_error, false, "Replicas failed while they read"},
    {0x1400, Code::database_error, true, "A function of the database failed"},
    {0x1500, Code::write_outcome_unknown, false, "Replicas failed while they wrote: the write may or may not last"},
    {0x1600, Code::disk_full, false, "The database cannot log the change for its change feed"},
    {0x1700, Code::write_outcome_unknown, false,
     "Whether the condition applied is not known: the write may have happened"},
    {0x2000, Code::syntax_error, true, "The database could not read the statement"},
    {0x2100, Code::insufficient_privilege, true, ""},
    {0x2200, Code::invalid_parameter, true, "The database could not run the statement"},
    {0x2300, Code::invalid_parameter, true, "The database refuses this configuration"},
    {0x2400, Code::duplicate_object, true, ""},
    {0x2500, Code::database_error, false, "The database keeps forgetting the statement"},
};
constexpr CqlErrorRow kUnknown{-1, Code::database_error, false, ""};

static_assert(std::ranges::is_sorted(kRows, {}, &CqlErrorRow::number));

const CqlErrorRow& row_of(std::int32_t number) noexcept {
  const auto* at = std::ranges::lower_bound(kRows, number, {}, &CqlErrorRow::number);
  return at != std::end(kRows) && at->number == number ? *at : kUnknown;
}

/// What "invalid" can mean: CQL has one number for it, and the rest is in its words, of Cassandra and of ScyllaDB.
struct Phrase {
  std::string_view begin, middle;  ///< the message begins with one, and holds the other behind it
  Code code;
};
constexpr Phrase kPhrases[] = {
    {"unconfigured table", "", Code::undefined_table},
    {"table ", "does not exist", Code::undefined_table},
    {"Table ", "does not exist", Code::undefined_table},
    {"Undefined column name", "", Code::undefined_column},
    {"Unrecognized name", "", Code::undefined_column},
    {"Unknown identifier", "", Code::undefined_column},
    {"Undefined name", "", Code::undefined_column},
    {"Unknown function", "", Code::undefined_function},
    {"Unknown type", "", Code::undefined_object},
    {"Keyspace ", "does not exist", Code::undefined_object},
    {"keyspace ", "does not exist", Code::undefined_object},
    {"Index ", "could not be found", Code::undefined_object},
    {"No keyspace has been specified", "", Code::undefined_object},
    {"Invalid ", "constant", Code::type_mismatch},
    {"Type error", "", Code::type_mismatch},
    {"Cannot execute this query as it might involve data filtering", "", Code::unindexed_filter},
    {"Invalid null value", "", Code::not_null_violation},
    {"Unable to make", "", Code::value_out_of_range},
    {"Batch too large", "", Code::limit_exceeded},
};

Code code_of(const ServerError& server, Code otherwise) noexcept {
  if (server.code != 0x2200) return otherwise;
  const std::string_view message = server.message;
  for (const Phrase& phrase : kPhrases) {
    if (message.starts_with(phrase.begin) && message.find(phrase.middle) != std::string_view::npos) return phrase.code;
  }
  return otherwise;
}

/// `line 1:7 no viable alternative…` → "line" and "line_column" of the caller's text, columns from 1.
void add_position(std::string_view message, Error& error) {
  if (!message.starts_with("line ")) return;
  message.remove_prefix(5);
  std::size_t line = 0, column = 0;
  const auto [colon, bad] = std::from_chars(message.data(), message.data() + message.size(), line);
  if (bad != std::errc() || colon == message.data() + message.size() || *colon != ':') return;
  const auto after = std::from_chars(colon + 1, message.data() + message.size(), column);
  if (after.ec != std::errc()) return;
  error.fields.emplace_back("line", std::to_string(line));
  error.fields.emplace_back("line_column", std::to_string(column + 1));
}

}  // namespace

Error error_from_server(const ServerError& server, ErrorContext context) {
  const CqlErrorRow& row = row_of(server.code);
  Error error(code_of(server, row.code), std::string(row.text));
  const bool is_lost_write = error.code == Code::write_outcome_unknown;
  // A batch whose log could not be written did not begin; and a read that waits for Paxos may be repeated.
  if (is_lost_write && (server.write_type == "BATCH_LOG" || !context.is_write)) error.code = Code::statement_timeout;
  if (error.code == Code::write_outcome_unknown) {
    error.hint = "Look whether it happened before sending it again, or send writes that may be repeated";
  }
  if (row.theirs && context.caller_cql && text::is_utf8(server.message)) {
    error.error = server.message.substr(0, kMaxMessageBytes);
    while (!text::is_utf8(error.error)) error.error.pop_back();  // not in the middle of a character
    if (error.code == Code::syntax_error) add_position(server.message, error);
  }
  if (error.code == Code::unindexed_filter) {
    error.hint = "Restrict the partition key or an indexed column, or add ALLOW FILTERING";
  }
  if (error.code == Code::database_unavailable) error.retry_after_s = 1;
  error.fields.emplace_back("cql_error", cql_error_text(server.code));
  error.log_detail = server.message;
  return error;
}

FailureFacts failure_of(const ServerError& server) noexcept {
  switch (server.code) {
    case 0x1000:
      return {.kind = Failure::unavailable};
    case 0x1001:
      return {.kind = Failure::overloaded};
    case 0x1002:
      return {.kind = Failure::bootstrapping};
    case 0x1100:
      return {.kind = Failure::write_timeout, .enough_replies = server.write_type == "BATCH_LOG"};
    case 0x1200:
      return {.kind = Failure::read_timeout,
              .enough_replies = server.received >= server.required && !server.data_present};
    case kUnprepared:
      return {.kind = Failure::unprepared};
    default:
      return {.kind = Failure::refused};
  }
}

std::string cql_error_text(std::int32_t number) {
  return fmt::format("0x{:04X}", number);
}

bool has_cql_error(const Error& error, std::int32_t number) noexcept {
  return std::ranges::any_of(error.fields, [number](const auto& field) {
    return field.first == "cql_error" && field.second == cql_error_text(number);
  });
}

std::span<const CqlErrorRow> cql_error_rows() noexcept {
  return kRows;
}

}  // namespace athena::driver::scylla
