#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <athena/base/error.h>

namespace athena::driver {

/// The fields of an error of PostgreSQL that we use, as the server sent them: over its own protocol, or through
/// PostgREST.
struct ServerError {
  std::string severity, sqlstate, message, detail, hint, position, schema, table, column, constraint, data_type;
};

/// Whose text failed. A caller may read what PostgreSQL says about the caller's own SQL, but never SQL that we
/// generated.
struct ErrorContext {
  bool caller_sql = false;
  std::string_view caller_text = {};  ///< what `position` refers to after the offset is taken off
  std::uint32_t position_offset = 0;  ///< characters that were sent before the caller's text
};

/// The error for the caller: code by SQLSTATE, words of ours wherever the server's could tell about hosts, users, paths
/// or SQL. Everything that the server said goes into log_detail.
Error error_from_server(const ServerError& server, const ErrorContext& context);

/// One row of the SQLSTATE table, for tests and for the documents.
struct SqlStateRow {
  /// Who chose the words of `error`.
  enum class Voice : std::uint8_t {
    constraint,  ///< ours, from the names that the server gives
    name,        ///< the server's for the caller's SQL, else ours from the name in the message
    theirs,      ///< the server's: it speaks about the values or was written by the author of the database
    callers,     ///< the server's for the caller's SQL, else `text`
    ours,        ///< always `text`
  };
  std::string_view sqlstate;  ///< five characters, or two for a class
  Code code;
  Voice voice;
  std::string_view text;  ///< empty: the message of the code
};
/// Exact states first, then classes; each sorted.
std::span<const SqlStateRow> sqlstate_rows() noexcept;
/// The row that decides for a state; a row for database_error if neither it nor its class is known.
const SqlStateRow& sqlstate_row(std::string_view sqlstate) noexcept;

}  // namespace athena::driver
