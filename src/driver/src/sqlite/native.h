#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/result.h>
#include <athena/driver/backend.h>

#include "sqlite/database.h"

namespace athena::driver::sqlite {

/// What one request's raw SQL may be.
inline constexpr std::size_t kMaxSqlBytes = 1024 * 1024;
inline constexpr std::size_t kMaxStatements = 1'000;

/// One statement of a caller's text, compiled under the authorizer.
struct NativeStatement {
  StatementHandle handle;
  StatementFacts facts;
  std::size_t begin = 0, end = 0;  ///< where it stands in the text, in bytes
  std::size_t index = 1;           ///< which one it is
  bool writes = false;
};

/// Compiles a caller's text statement by statement. SQLite itself says where each one ends, so a semicolon in a string,
/// a comment or a trigger separates nothing. A later statement may need what an earlier one creates: next() compiles no
/// further than asked, so that whoever runs the text can run each before the next.
///
/// While it lives, the connection's authorizer is in the mode for callers.
class NativeText {
 public:
  /// `text` is borrowed. (A string and no view: SQLite would copy, for each statement, a rest that has no NUL at its
  /// end.)
  NativeText(Connection& connection, const std::string& text, bool read_only);
  ~NativeText();
  NativeText(const NativeText&) = delete;
  NativeText& operator=(const NativeText&) = delete;

  /// The next statement; none at the end. Errors: syntax_error and its kin with `position`; unsupported_statement,
  /// insufficient_privilege, read_only_violation by the authorizer; limit_exceeded.
  Result<std::optional<NativeStatement>> next();
  /// For errors of a statement that runs.
  ErrorContext context(const NativeStatement& statement) const noexcept {
    return {true, text_, statement.begin, statement.end, statement.index};
  }
  std::size_t count() const noexcept { return count_; }

 private:
  Result<NativeStatement> judge(StatementHandle handle, std::size_t begin);

  Connection& connection_;
  const std::string& text_;
  std::size_t at_ = 0, count_ = 0;
  bool read_only_;
};

/// What the compiler knows of a text.
struct Description {
  SqlFacts facts;
  std::vector<ColumnInfo> columns;      ///< of the last statement; empty: it gives no rows, or was not compiled
  std::vector<std::size_t> parameters;  ///< of the first statement: see parameter_numbers()
};

/// Compiles a text and runs nothing. What stands behind a statement that creates tables cannot always be compiled: then
/// the rest counts as one statement that may do anything (utility, volatile). `read_only`: refuses a text that writes.
Result<Description> describe_text(Connection& connection, const std::string& text, bool read_only);
/// What a text does, by compiling it and running nothing.
Result<SqlFacts> analyze_text(Connection& connection, const std::string& text);

/// invalid_parameter if a value was given that the text never uses.
Result<> check_all_used(const std::vector<bool>& used);

}  // namespace athena::driver::sqlite
