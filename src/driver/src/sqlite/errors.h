#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include <athena/base/error.h>

struct sqlite3;

namespace athena::driver::sqlite {

/// Whose text failed, and where it stood.
struct ErrorContext {
  /// Raw SQL: the caller may read what SQLite says about it. Statements that we generated are never quoted.
  bool caller_sql = false;
  std::string_view text = {};       ///< the caller's whole text; `position` counts in its characters
  std::size_t statement_begin = 0;  ///< where in `text` the failing statement begins, in bytes
  std::size_t statement_end = 0;    ///< and ends; 0: unknown
  std::size_t statement_index = 1;  ///< which one of the text it is
};

/// What SQLite said. Copied by last_failure(), so that the mapping below is a pure function.
struct Failure {
  int code = 0;     ///< extended result code
  int offset = -1;  ///< byte offset in the failing statement; -1: unknown
  std::string_view message;
};

/// The error for the caller. The text never holds a path, nor SQL of ours; everything that SQLite said is in
/// log_detail.
Error to_error(const Failure& failure, const ErrorContext& context = {});

/// What failed last on the connection, as an error. `code` is what the call returned.
Error last_error(sqlite3* db, int code, const ErrorContext& context = {});

/// One row of the result code table: extended codes first, then primary ones.
struct ResultRow {
  int code;
  Code error;
  std::string_view sql_state;  ///< the state that PostgreSQL gives for the same thing; empty: none
  std::string_view text;       ///< for the caller; empty: the message of the code
};
std::span<const ResultRow> result_rows() noexcept;
/// "SQLITE_CONSTRAINT_UNIQUE" → 2067, for servers that tell codes by their names; none: no name of the result table.
std::optional<int> result_code(std::string_view name) noexcept;
/// The row that decides for an extended code; never null: the last row is for everything else.
const ResultRow& result_row(int extended_code) noexcept;

/// SQLITE_ERROR says what is wrong in words alone. One row for each sentence that a caller can cause: `{}` stands for a
/// name, which becomes the detail `detail` and is quoted in the reply.
struct MessageRow {
  std::string_view before, after;  ///< around the name; both as SQLite writes them
  Code error;
  std::string_view sql_state;
  std::string_view detail;  ///< "table", "column", …; empty: nothing is quoted
  std::string_view text;    ///< with `{}`
};
std::span<const MessageRow> message_rows() noexcept;

}  // namespace athena::driver::sqlite
