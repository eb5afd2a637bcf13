#include "sqlstate.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>

#include <fmt/format.h>

#include <athena/base/text.h>

namespace athena::driver {
namespace {

using enum SqlStateRow::Voice;

/// How much of a message of the server is passed on.
constexpr std::size_t kMaxMessageBytes = 500;

constexpr std::string_view kRefused = "The database refused the connection";
constexpr std::string_view kLost = "The connection to the database was lost";
constexpr std::string_view kOutOfResources = "The database is out of resources at present";
constexpr std::string_view kGoneAway = "The database is shutting down or starting up";

/// What each SQLSTATE means to a caller of a gateway, and who chooses the words (contract 1.2).
constexpr SqlStateRow kStates[] = {
    {"08P01", Code::invalid_parameter, callers, "The parameters do not fit the statement"},
    {"0L000", Code::insufficient_privilege, callers, ""},
    {"0LP01", Code::insufficient_privilege, callers, ""},
    {"22001", Code::value_out_of_range, theirs, ""},  // value too long for type character varying(20)
    {"22003", Code::value_out_of_range, theirs, ""},
    {"22007", Code::invalid_text_representation, theirs, ""},
    {"22008", Code::value_out_of_range, theirs, ""},
    {"22009", Code::value_out_of_range, theirs, ""},
    {"22015", Code::value_out_of_range, theirs, ""},
    {"22018", Code::invalid_text_representation, theirs, ""},
    {"22021", Code::invalid_text_encoding, theirs, ""},
    {"22026", Code::value_out_of_range, theirs, ""},
    {"2202E", Code::value_out_of_range, theirs, ""},
    {"22030", Code::invalid_text_representation, theirs, ""},
    {"22032", Code::invalid_text_representation, theirs, ""},
    {"22P02", Code::invalid_text_representation, theirs, ""},
    {"22P03", Code::invalid_text_representation, theirs, ""},
    {"22P05", Code::invalid_text_encoding, theirs, ""},
    {"23001", Code::foreign_key_violation, constraint, ""},
    {"23502", Code::not_null_violation, constraint, ""},
    {"23503", Code::foreign_key_violation, constraint, ""},
    {"23505", Code::unique_violation, constraint, ""},
    {"23514", Code::check_constraint_violation, constraint, ""},
    {"23P01", Code::exclusion_violation, constraint, ""},
    {"25001", Code::unsupported_statement, callers, "The statement cannot run inside a transaction"},
    {"25006", Code::read_only_violation, callers, "The statement would write, and the transaction is read-only"},
    {"25P01", Code::unsupported_statement, callers, "The statement only makes sense inside a transaction"},
    {"25P03", Code::connection_error, ours, kLost},
    {"2BP01", Code::object_in_use, callers, "Other objects depend on the object"},
    {"34000", Code::undefined_object, callers, ""},
    {"3D000", Code::connection_error, ours, kRefused},
    {"3F000", Code::undefined_object, callers, ""},
    {"40003", Code::write_outcome_unknown, ours, ""},
    {"40P01", Code::deadlock_detected, ours, ""},
    {"42501", Code::insufficient_privilege, callers, ""},
    {"42601", Code::syntax_error, callers, "The database could not read the statement"},
    {"42701", Code::duplicate_object, name, "column"},
    {"42703", Code::undefined_column, name, "column"},
    {"42704", Code::undefined_object, callers, ""},
    {"42710", Code::duplicate_object, callers, ""},
    {"42723", Code::duplicate_object, callers, ""},
    {"42725", Code::undefined_function, callers, "The function or operator is not unique for these types"},
    {"42804", Code::type_mismatch, callers, ""},
    {"42809", Code::feature_not_supported, callers, "The object is of the wrong kind for this"},
    {"42846", Code::type_mismatch, callers, ""},
    {"42883", Code::undefined_function, callers, "No operator or function takes values of these types"},
    {"428C9", Code::invalid_parameter, callers, "A generated column cannot be written"},
    {"42P01", Code::undefined_table, name, "table"},
    {"42P02", Code::invalid_parameter, callers, "The parameters do not fit the statement"},
    {"42P03", Code::duplicate_object, callers, ""},
    {"42P04", Code::duplicate_object, callers, ""},
    {"42P05", Code::duplicate_object, callers, ""},
    {"42P06", Code::duplicate_object, callers, ""},
    {"42P07", Code::duplicate_object, callers, ""},
    {"42P10", Code::invalid_parameter, callers, "No unique key has exactly the columns of on_conflict"},
    {"42P18", Code::type_mismatch, callers, ""},
    {"42P21", Code::type_mismatch, callers, ""},
    {"42P22", Code::type_mismatch, callers, ""},
    {"53100", Code::disk_full, ours, ""},
    {"53300", Code::too_many_connections, ours, ""},
    {"55000", Code::feature_not_supported, callers, "The object is not in a state that allows this"},
    {"55006", Code::object_in_use, callers, ""},
    {"55P03", Code::object_in_use, ours, "A lock could not be taken in time"},
    {"57014", Code::statement_timeout, ours, ""},
    {"57P01", Code::database_unavailable, ours, kGoneAway},
    {"57P02", Code::database_unavailable, ours, kGoneAway},
    {"57P03", Code::database_unavailable, ours, kGoneAway},
    {"57P04", Code::database_unavailable, ours, kLost},
    {"57P05", Code::connection_error, ours, kLost},
    {"P0001", Code::check_constraint_violation, theirs, ""},  // RAISE: the words of whoever made the database
    {"P0002", Code::nothing_matched, callers, ""},
};

/// Classes, for the states that have no row of their own.
constexpr SqlStateRow kClasses[] = {
    {"08", Code::connection_error, ours, kLost},
    {"0A", Code::feature_not_supported, callers, ""},
    {"0P", Code::undefined_object, callers, ""},
    {"20", Code::syntax_error, callers, ""},
    {"21", Code::invalid_parameter, callers, "Two rows of the request stand for the same row of the table"},
    {"22", Code::invalid_parameter, theirs, ""},
    {"23", Code::check_constraint_violation, constraint, ""},
    {"24", Code::unsupported_statement, callers, ""},
    {"25", Code::database_error, callers, ""},
    {"26", Code::undefined_object, callers, "The prepared statement does not exist"},
    {"27", Code::check_constraint_violation, callers, ""},
    {"28", Code::connection_error, ours, kRefused},
    {"2D", Code::unsupported_statement, callers, ""},
    {"3B", Code::unsupported_statement, callers, ""},
    {"40", Code::serialization_failure, ours, ""},
    {"42", Code::syntax_error, callers, "The database could not run the statement"},
    {"44", Code::check_constraint_violation, ours, "The row would not be visible through the view"},
    {"53", Code::database_unavailable, ours, kOutOfResources},
    {"54", Code::limit_exceeded, theirs, ""},
    {"55", Code::object_in_use, callers, ""},
    {"57", Code::database_unavailable, ours, kGoneAway},
};
constexpr SqlStateRow kUnknown{"", Code::database_error, ours, ""};

static_assert(std::ranges::is_sorted(kStates, std::ranges::less_equal{}, &SqlStateRow::sqlstate));
static_assert(std::ranges::is_sorted(kClasses, std::ranges::less_equal{}, &SqlStateRow::sqlstate));

constexpr auto kRows = [] {
  std::array<SqlStateRow, std::size(kStates) + std::size(kClasses)> rows{};
  std::ranges::copy(kClasses, std::ranges::copy(kStates, rows.begin()).out);
  return rows;
}();

const SqlStateRow* find_row(std::span<const SqlStateRow> rows, std::string_view key) noexcept {
  const auto at = std::ranges::lower_bound(rows, key, {}, &SqlStateRow::sqlstate);
  return at != rows.end() && at->sqlstate == key ? &*at : nullptr;
}

struct Hint {
  Code code;
  std::string_view text;
};
constexpr Hint kHints[] = {
    {Code::unique_violation, "Use other values, or update the existing record instead."},
    {Code::foreign_key_violation,
     "Make sure that the record which is referred to exists, or remove the references first."},
    {Code::not_null_violation, "Give a value for each required column."},
    {Code::check_constraint_violation, "Correct the value so that it meets the constraint."},
    {Code::invalid_text_encoding, "Send valid UTF-8 without NUL characters."},
    {Code::insufficient_privilege, "Grant the privilege to the database role of this client."},
    {Code::serialization_failure, "Send the request again."},
    {Code::deadlock_detected, "Send the request again."},
    {Code::statement_timeout, "Narrow the query down, or ask for fewer rows."},
};

std::string_view hint_for(Code code) noexcept {
  const auto at = std::ranges::find(kHints, code, &Hint::code);
  return at != std::end(kHints) ? at->text : std::string_view();
}

/// The server's words as one line of bounded length; empty if they are no text.
std::string one_line(std::string_view words) {
  if (!text::is_utf8(words)) return {};
  if (words.size() > kMaxMessageBytes) {
    std::size_t size = kMaxMessageBytes;
    while (size > 0 && (static_cast<unsigned char>(words[size]) & 0xc0) == 0x80) --size;
    return one_line(words.substr(0, size)) + "…";
  }
  std::string line(words);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return line;
}

/// `relation "x" does not exist` → x. PostgreSQL writes names as they are, so quotes inside are not doubled; translated
/// messages have other quotes and give none.
std::optional<std::string_view> quoted_name(std::string_view message) noexcept {
  const std::size_t open = message.find('"');
  if (open == std::string_view::npos) return std::nullopt;
  const std::size_t close = message.find("\" ", open + 1);
  if (close == std::string_view::npos || close == open + 1) return std::nullopt;
  return message.substr(open + 1, close - open - 1);
}

/// The names of the columns in `Key (a, b)=(1, 2) already exists.`; the values stay with the server.
std::string_view key_columns(std::string_view detail) noexcept {
  const std::size_t open = detail.find('(');
  const std::size_t close = detail.find(")=(");
  if (open == std::string_view::npos || close == std::string_view::npos || close <= open) return {};
  return detail.substr(open + 1, close - open - 1);
}

std::string table_words(const ServerError& server) {
  return server.table.empty() ? std::string("the table") : fmt::format("table '{}'", server.table);
}
std::string constraint_words(const ServerError& server) {
  return server.constraint.empty() ? std::string() : fmt::format(" (constraint '{}')", server.constraint);
}

std::string foreign_key_words(const ServerError& server) {
  const std::string_view columns = key_columns(server.detail);
  if (server.message.starts_with("update or delete")) {
    return fmt::format("Rows of {} still refer to the record{}", table_words(server), constraint_words(server));
  }
  if (columns.empty())
    return fmt::format("A reference of {} is violated{}", table_words(server), constraint_words(server));
  return fmt::format("The value of '{}' in {} refers to a record that does not exist{}", columns, table_words(server),
                     constraint_words(server));
}

std::string constraint_error(Code code, const ServerError& server) {
  const std::string_view columns = key_columns(server.detail);
  // Constraints of domains come without a table, but with the name of the type.
  const bool of_type = server.table.empty() && !server.data_type.empty();
  const std::string owner = of_type ? fmt::format("type '{}'", server.data_type) : table_words(server);
  if (code == Code::not_null_violation) {
    if (server.column.empty()) return fmt::format("A value that {} requires is missing", owner);
    return fmt::format("Column '{}' of {} must not be null", server.column, owner);
  }
  if (code == Code::foreign_key_violation) return foreign_key_words(server);
  if (code == Code::unique_violation) {
    const std::string of = columns.empty() ? std::string() : fmt::format(" of '{}'", columns);
    return fmt::format("A record of {} with the same value{} already exists{}", table_words(server), of,
                       constraint_words(server));
  }
  if (code == Code::exclusion_violation) {
    return fmt::format("The record conflicts with an existing one of {}{}", table_words(server),
                       constraint_words(server));
  }
  return fmt::format("The values violate a rule of {}{}", owner, constraint_words(server));
}

/// Words for a name that is not there, or there twice; `kind` is column or table.
std::string name_error(Code code, std::string_view kind, const ServerError& server) {
  const auto name = quoted_name(server.message);
  if (!name || !text::is_utf8(*name)) return {};
  const std::string_view verb = code == Code::duplicate_object ? "already exists or is given twice" : "does not exist";
  const std::string subject = fmt::format("{} '{}' {}", kind == "column" ? "Column" : "Table", *name, verb);
  const std::size_t relation = server.message.find("of relation \"");
  if (kind != "column" || relation == std::string::npos) return subject;
  const auto table = quoted_name(std::string_view(server.message).substr(relation));
  return table ? fmt::format("{} in table '{}'", subject, *table) : subject;
}

std::string words_for(const SqlStateRow& row, const ServerError& server, const ErrorContext& context) {
  std::string words;
  switch (row.voice) {
    case constraint:
      words = constraint_error(row.code, server);
      break;
    case name:
      words = context.caller_sql ? one_line(server.message) : name_error(row.code, row.text, server);
      break;
    case theirs:
      words = one_line(server.message);
      break;
    case callers:
      words = context.caller_sql ? one_line(server.message) : std::string(row.text);
      break;
    case ours:
      words = row.text;
      break;
  }
  return words.empty() ? std::string(error_row(row.code).message) : words;
}

std::size_t characters(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// Where in the caller's text, counted in characters from one; none if the server speaks about something else.
std::optional<std::uint64_t> caller_position(const ServerError& server, const ErrorContext& context) noexcept {
  if (!context.caller_sql) return std::nullopt;
  const auto position = text::parse_u64(server.position);
  if (!position || *position <= context.position_offset) return std::nullopt;
  const std::uint64_t in_text = *position - context.position_offset;
  if (in_text > characters(context.caller_text) + 1) return std::nullopt;  // one behind the end: "at end of input"
  return in_text;
}

void add_fields(Error& error, const ServerError& server, const ErrorContext& context) {
  const auto add = [&](std::string_view field, std::string_view value) {
    if (!value.empty() && text::is_utf8(value)) error.fields.emplace_back(field, value);
  };
  add("sql_state", server.sqlstate);
  const bool about_a_relation = error.code == Code::undefined_table && server.message.starts_with("relation \"");
  const auto name =
      about_a_relation || error.code == Code::undefined_column ? quoted_name(server.message) : std::nullopt;
  add("schema", server.schema);
  add("table", server.table.empty() && about_a_relation && name ? *name : std::string_view(server.table));
  const std::string_view key = server.sqlstate.starts_with("23") ? key_columns(server.detail) : std::string_view();
  if (!server.column.empty()) {
    add("column", server.column);
  } else {
    add("column", error.code == Code::undefined_column && name ? *name : key);
  }
  add("constraint", server.constraint);
  add("data_type", server.data_type);
  if (const auto position = caller_position(server, context)) add("position", std::to_string(*position));
  if (about_a_relation && name && text::is_utf8(*name))
    error.message = fmt::format("The table '{}' was not found.", *name);
}

}  // namespace

std::span<const SqlStateRow> sqlstate_rows() noexcept {
  return kRows;
}

const SqlStateRow& sqlstate_row(std::string_view sqlstate) noexcept {
  if (sqlstate.size() != 5) return kUnknown;
  const auto rows = sqlstate_rows();
  if (const SqlStateRow* row = find_row(rows.first(std::size(kStates)), sqlstate)) return *row;
  if (const SqlStateRow* row = find_row(rows.last(std::size(kClasses)), sqlstate.substr(0, 2))) return *row;
  return kUnknown;
}

Error error_from_server(const ServerError& server, const ErrorContext& context) {
  const SqlStateRow& row = sqlstate_row(server.sqlstate);
  Error error(row.code, words_for(row, server, context), std::string(hint_for(row.code)));
  // A hint of the server names what its role can see: good for whoever writes SQL, too much for others (contract 1.2).
  const bool may_hint = row.voice == theirs || (context.caller_sql && row.voice != ours);
  if (may_hint && !server.hint.empty()) error.hint = one_line(server.hint);
  add_fields(error, server, context);
  error.log_detail = fmt::format("{} {}: {}", server.severity, server.sqlstate, server.message);
  if (!server.detail.empty()) error.log_detail += fmt::format(" | {}", server.detail);
  if (!server.hint.empty()) error.log_detail += fmt::format(" | {}", server.hint);
  return error;
}

}  // namespace athena::driver
