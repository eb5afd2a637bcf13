#include "sqlite/errors.h"

#include <algorithm>
#include <string>

#include <sqlite3.h>

#include <athena/base/text.h>

#include "caller_place.h"

namespace athena::driver::sqlite {
namespace {

constexpr ResultRow kResults[] = {
    {SQLITE_CONSTRAINT_UNIQUE, Code::unique_violation, "23505", ""},
    {SQLITE_CONSTRAINT_PRIMARYKEY, Code::unique_violation, "23505", ""},
    {SQLITE_CONSTRAINT_ROWID, Code::unique_violation, "23505", ""},
    {SQLITE_CONSTRAINT_FOREIGNKEY, Code::foreign_key_violation, "23503",
     "A foreign key points to a row that does not exist, or a row that is still referenced would go"},
    {SQLITE_CONSTRAINT_NOTNULL, Code::not_null_violation, "23502", ""},
    {SQLITE_CONSTRAINT_CHECK, Code::check_constraint_violation, "23514", ""},
    {SQLITE_CONSTRAINT_TRIGGER, Code::check_constraint_violation, "P0001", ""},
    {SQLITE_CONSTRAINT_DATATYPE, Code::type_mismatch, "42804", "A value does not have the type of its column"},
    {SQLITE_BUSY_SNAPSHOT, Code::serialization_failure, "40001", "The data changed while the transaction ran"},
    {SQLITE_BUSY_RECOVERY, Code::database_unavailable, "", "The database is being recovered"},
    {SQLITE_READONLY_DBMOVED, Code::database_unavailable, "", "The database file was moved away"},
    {SQLITE_CANTOPEN, Code::database_unavailable, "", "The database file cannot be opened"},
    {SQLITE_CONSTRAINT, Code::check_constraint_violation, "23000", ""},
    {SQLITE_MISMATCH, Code::type_mismatch, "42804", "A value does not have the type of its column"},
    {SQLITE_TOOBIG, Code::limit_exceeded, "54000", "A value or the statement is larger than the database takes"},
    {SQLITE_RANGE, Code::invalid_parameter, "", "There are more parameters than the statement has"},
    {SQLITE_INTERRUPT, Code::statement_timeout, "57014", ""},
    {SQLITE_AUTH, Code::insufficient_privilege, "42501", "The statement does something that is not allowed here"},
    {SQLITE_PERM, Code::database_unavailable, "", "The database file cannot be accessed"},
    {SQLITE_BUSY, Code::object_in_use, "55006", "The database is locked by another process"},
    {SQLITE_LOCKED, Code::object_in_use, "55006", "A table of the database is locked"},
    {SQLITE_READONLY, Code::read_only_database, "25006", "The database cannot be written"},
    {SQLITE_FULL, Code::disk_full, "53100", ""},
    {SQLITE_IOERR, Code::database_unavailable, "58030", "The database file cannot be read or written"},
    {SQLITE_CORRUPT, Code::database_unavailable, "XX001", "The database file is damaged"},
    {SQLITE_NOTADB, Code::database_unavailable, "", "The file is not an SQLite database"},
    {SQLITE_NOMEM, Code::overloaded, "53200", "There is no memory left for the statement"},
    {SQLITE_SCHEMA, Code::object_in_use, "", "The tables changed while the statement was prepared"},
    {SQLITE_PROTOCOL, Code::object_in_use, "", "The database is locked by another process"},
    {SQLITE_NOLFS, Code::database_unavailable, "", ""},
    {SQLITE_OK, Code::database_error, "", ""},  // everything else
};

struct NameRow {
  std::string_view name;
  int code;
};
#define ATHENA_NAME(code) \
  NameRow {               \
    #code, code           \
  }
constexpr NameRow kNames[] = {
    ATHENA_NAME(SQLITE_CONSTRAINT_UNIQUE),
    ATHENA_NAME(SQLITE_CONSTRAINT_PRIMARYKEY),
    ATHENA_NAME(SQLITE_CONSTRAINT_ROWID),
    ATHENA_NAME(SQLITE_CONSTRAINT_FOREIGNKEY),
    ATHENA_NAME(SQLITE_CONSTRAINT_NOTNULL),
    ATHENA_NAME(SQLITE_CONSTRAINT_CHECK),
    ATHENA_NAME(SQLITE_CONSTRAINT_TRIGGER),
    ATHENA_NAME(SQLITE_CONSTRAINT_DATATYPE),
    ATHENA_NAME(SQLITE_CONSTRAINT),
    ATHENA_NAME(SQLITE_BUSY_SNAPSHOT),
    ATHENA_NAME(SQLITE_BUSY_RECOVERY),
    ATHENA_NAME(SQLITE_ERROR),
    ATHENA_NAME(SQLITE_CANTOPEN),
    ATHENA_NAME(SQLITE_MISMATCH),
    ATHENA_NAME(SQLITE_TOOBIG),
    ATHENA_NAME(SQLITE_RANGE),
    ATHENA_NAME(SQLITE_INTERRUPT),
    ATHENA_NAME(SQLITE_AUTH),
    ATHENA_NAME(SQLITE_PERM),
    ATHENA_NAME(SQLITE_BUSY),
    ATHENA_NAME(SQLITE_LOCKED),
    ATHENA_NAME(SQLITE_READONLY),
    ATHENA_NAME(SQLITE_FULL),
    ATHENA_NAME(SQLITE_IOERR),
    ATHENA_NAME(SQLITE_CORRUPT),
    ATHENA_NAME(SQLITE_NOTADB),
    ATHENA_NAME(SQLITE_NOMEM),
    ATHENA_NAME(SQLITE_SCHEMA),
};
#undef ATHENA_NAME

constexpr MessageRow kMessages[] = {
    {"no such table: ", "", Code::undefined_table, "42P01", "table", "Table '{}' does not exist"},
    {"no such view: ", "", Code::undefined_table, "42P01", "table", "View '{}' does not exist"},
    {"no such column: ", "", Code::undefined_column, "42703", "column", "Column '{}' does not exist"},
    {"has no column named ", "", Code::undefined_column, "42703", "column", "Column '{}' does not exist"},
    {"no such function: ", "", Code::undefined_function, "42883", "function", "Function '{}' does not exist"},
    {"wrong number of arguments to function ", "()", Code::undefined_function, "42883", "function",
     "Function '{}' does not take that many arguments"},
    {"no such index: ", "", Code::undefined_object, "42704", "object", "Index '{}' does not exist"},
    {"no such trigger: ", "", Code::undefined_object, "42704", "object", "Trigger '{}' does not exist"},
    {"no such collation sequence: ", "", Code::undefined_object, "42704", "object", "Collation '{}' does not exist"},
    {"no such module: ", "", Code::undefined_object, "42704", "object", "Module '{}' does not exist"},
    {"unknown database ", "", Code::undefined_object, "3F000", "object", "Schema '{}' does not exist"},
    {"near \"", "\": syntax error", Code::syntax_error, "42601", "near", "Syntax error near '{}'"},
    {"unrecognized token: \"", "\"", Code::syntax_error, "42601", "near", "'{}' cannot be read"},
    {"incomplete input", "", Code::syntax_error, "42601", "", "The statement ends too early"},
    {"ambiguous column name: ", "", Code::syntax_error, "42702", "column", "Column name '{}' is ambiguous"},
    {"table ", " already exists", Code::duplicate_object, "42P07", "object", "Table '{}' already exists"},
    {"view ", " already exists", Code::duplicate_object, "42P07", "object", "View '{}' already exists"},
    {"index ", " already exists", Code::duplicate_object, "42P07", "object", "Index '{}' already exists"},
    {"trigger ", " already exists", Code::duplicate_object, "42710", "object", "Trigger '{}' already exists"},
    {"there is already ", "", Code::duplicate_object, "42P07", "object", "There is already {}"},
    {"duplicate column name: ", "", Code::duplicate_object, "42701", "column", "Column '{}' is given twice"},
    {"cannot modify ", " because it is a view", Code::feature_not_supported, "0A000", "table",
     "'{}' is a view: it cannot be written"},
    {"cannot INSERT into generated column ", "", Code::invalid_parameter, "428C9", "column",
     "Column '{}' is generated: it cannot be written"},
    {"cannot UPDATE generated column ", "", Code::invalid_parameter, "428C9", "column",
     "Column '{}' is generated: it cannot be written"},
    {"ON CONFLICT clause does not match any ", "", Code::invalid_parameter, "42P10", "",
     "No unique constraint covers the columns of the conflict target"},
    {"unsafe use of ", "", Code::insufficient_privilege, "42501", "object",
     "The table's definition uses {}, which is not allowed"},
    {"table ", " may not be modified", Code::insufficient_privilege, "42501", "table",
     "Table '{}' may not be modified"},
    {"table ", " may not be dropped", Code::insufficient_privilege, "42501", "table", "Table '{}' may not be dropped"},
    {"integer overflow", "", Code::value_out_of_range, "22003", "", "An integer is out of range"},
    {"malformed JSON", "", Code::invalid_text_representation, "22P02", "", "A value is not valid JSON"},
    {"JSON path error near ", "", Code::invalid_parameter, "", "", "A JSON path is not valid"},
    {"too many ", "", Code::limit_exceeded, "54000", "object", "The statement has too many {}"},
    {"Expression tree is too large ", "", Code::limit_exceeded, "54001", "", "The statement is nested too deeply"},
    {"parser stack overflow", "", Code::limit_exceeded, "54001", "", "The statement is nested too deeply"},
    {"at most ", "", Code::limit_exceeded, "54000", "", "The statement joins too many tables"},
    {"LIKE or GLOB pattern too complex", "", Code::limit_exceeded, "54000", "", "The pattern is too long"},
};

/// The name that a message holds by a row, or nothing if it is another sentence.
bool match(const MessageRow& row, std::string_view message, std::string_view& name) {
  const std::size_t begin = message.find(row.before);
  if (begin == std::string_view::npos || !message.ends_with(row.after)) return false;
  // Only "table x has no column named y" and "error in view v: no such table: t" begin with something else.
  if (begin != 0 && !message.starts_with("table ") && !message.starts_with("error in ")) return false;
  const std::size_t name_begin = begin + row.before.size();
  if (name_begin + row.after.size() > message.size()) return false;
  name = message.substr(name_begin, message.size() - row.after.size() - name_begin);
  return true;
}

std::string fill(std::string_view text, std::string_view name) {
  std::string filled(text);
  if (const std::size_t at = filled.find("{}"); at != std::string::npos) filled.replace(at, 2, name);
  return filled;
}

/// Where in the caller's text the error stands: from 1, in characters.
std::string position_of(const Failure& failure, const ErrorContext& context) {
  const std::size_t byte = context.statement_begin + static_cast<std::size_t>(failure.offset);
  const std::string_view before = context.text.substr(0, std::min(byte, context.text.size()));
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; };
  return std::to_string(before.size() - static_cast<std::size_t>(std::ranges::count_if(before, continues)) + 1);
}

/// How many statements there are shows only when all are compiled: whether there are others, by a semicolon with
/// something behind it.
StatementPlace place_of(const ErrorContext& context) {
  std::string_view rest = context.text.substr(std::min(context.statement_begin, context.text.size()));
  while (!rest.empty() && (rest.back() == ';' || text::trim(rest.substr(rest.size() - 1)).empty()))
    rest.remove_suffix(1);
  StatementPlace place{context.text, context.statement_begin, context.statement_end, context.statement_index};
  place.is_one_of_several = context.statement_index > 1 || rest.contains(';');
  return place;
}

/// "users.email, users.tenant" → table and columns. SQLite names the columns of a constraint, not the constraint.
void add_columns(Error& error, std::string_view list) {
  std::string table, columns;
  for (const std::string_view piece : text::split(list, ',')) {
    const std::string_view qualified = text::trim(piece);
    const std::size_t dot = qualified.find('.');
    if (dot == std::string_view::npos) return;
    table = qualified.substr(0, dot);
    if (!columns.empty()) columns += ", ";
    columns += qualified.substr(dot + 1);
  }
  error.fields.emplace_back("table", std::move(table));
  error.fields.emplace_back("column", std::move(columns));
}

bool is_plain_name(std::string_view name) noexcept {
  const auto is_word = [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  return !name.empty() && std::ranges::all_of(name, is_word);
}

/// "UNIQUE constraint failed: users.email" and its kin.
Error constraint_error(const ResultRow& row, std::string_view message) {
  Error error(row.error, std::string(row.text));
  const std::size_t colon = message.find("constraint failed: ");
  const std::string_view what = colon == std::string_view::npos ? "" : message.substr(colon + 19);
  if (row.code == SQLITE_CONSTRAINT_TRIGGER) {
    error.error = message;  // the words of who wrote the trigger
  } else if (row.error == Code::unique_violation) {
    error.error = "A row with the same value already exists (" + std::string(what) + ")";
    error.fields.emplace_back("constraint", what);
    add_columns(error, what);
  } else if (row.error == Code::not_null_violation) {
    add_columns(error, what);
    error.error = "The value of " + std::string(what) + " must not be null";
  } else if (row.code == SQLITE_CONSTRAINT_CHECK) {
    // An unnamed CHECK is told by its expression, which is SQL of the schema: only a name is passed on.
    error.error = "A row does not meet a check constraint of the table";
    if (is_plain_name(what)) {
      error.error = "A row does not meet the check constraint '" + std::string(what) + "'";
      error.fields.emplace_back("constraint", what);
    }
  }
  return error;
}

Error generic_error(const Failure& failure, const ErrorContext& context) {
  for (const MessageRow& row : kMessages) {
    std::string_view name;
    if (!match(row, failure.message, name)) continue;
    Error error(row.error, fill(row.text, name));
    if (!row.detail.empty()) error.fields.emplace_back(row.detail, name);
    if (!row.sql_state.empty()) error.fields.emplace_back("sql_state", row.sql_state);
    return error;
  }
  // What is left speaks about the text of the statement: the caller's mistake in raw SQL, ours otherwise.
  if (!context.caller_sql) return Error(Code::database_error);
  return Error(failure.offset >= 0 ? Code::syntax_error : Code::invalid_parameter, std::string(failure.message));
}

}  // namespace

std::span<const ResultRow> result_rows() noexcept {
  return kResults;
}
std::span<const MessageRow> message_rows() noexcept {
  return kMessages;
}

std::optional<int> result_code(std::string_view name) noexcept {
  const auto* found = std::ranges::find(kNames, name, &NameRow::name);
  if (found == std::end(kNames)) return std::nullopt;
  return found->code;
}

const ResultRow& result_row(int extended_code) noexcept {
  for (const ResultRow& row : kResults) {
    if (row.code == extended_code) return row;
  }
  for (const ResultRow& row : kResults) {
    if (row.code == (extended_code & 0xff)) return row;
  }
  return std::end(kResults)[-1];
}

Error to_error(const Failure& failure, const ErrorContext& context) {
  Error error;
  const int primary = failure.code & 0xff;
  if (primary == SQLITE_ERROR) {
    error = generic_error(failure, context);
  } else {
    const ResultRow& row = result_row(failure.code);
    error =
        primary == SQLITE_CONSTRAINT ? constraint_error(row, failure.message) : Error(row.error, std::string(row.text));
    if (!row.sql_state.empty()) error.fields.emplace_back("sql_state", row.sql_state);
  }
  if (context.caller_sql && failure.offset >= 0) error.fields.emplace_back("position", position_of(failure, context));
  if (context.caller_sql) add_place(error, place_of(context));
  error.log_detail = "sqlite " + std::to_string(failure.code) + ": " + std::string(failure.message);
  return error;
}

Error last_error(sqlite3* db, int code, const ErrorContext& context) {
  Failure failure{.code = code, .message = sqlite3_errstr(code)};
  if (db && (sqlite3_extended_errcode(db) & 0xff) == (code & 0xff)) {
    failure = {sqlite3_extended_errcode(db), sqlite3_error_offset(db), sqlite3_errmsg(db)};
  }
  return to_error(failure, context);
}

}  // namespace athena::driver::sqlite
