#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include <athena/base/result.h>
#include <athena/driver/backend.h>

namespace athena::driver::postgres {

/// What is looked at; more is limit_exceeded. Tokens bound the depth of the tree, and with it the parser's stack.
inline constexpr std::size_t kMaxSqlBytes = 1024 * 1024;
inline constexpr std::size_t kMaxSqlTokens = 250'000;

/// What a text of SQL would do, by PostgreSQL's own parser. `statements` holds the kind of each statement in the order
/// of the text, each followed by the kinds of the writes inside it (WITH x AS (INSERT …)); how many statements there
/// are says split_statements(). Errors: syntax_error with the parser's words and `position` in characters;
/// invalid_encoding; limit_exceeded; overloaded if there is no memory for the parser's stack.
Result<SqlFacts> analyze_sql(std::string_view text);

/// The statements of a text without their semicolons and the blanks around them: views into `text`. Empty ones are left
/// out, so the answer may be empty. Errors as analyze_sql().
Result<std::vector<std::string_view>> split_statements(std::string_view text);

/// Built-in functions that cannot write, sorted; every other one makes a text volatile.
std::span<const std::string_view> harmless_functions() noexcept;

}  // namespace athena::driver::postgres
