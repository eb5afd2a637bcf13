#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace athena::query {

/// A name or a value in one of the text forms: bare, or between double quotes with `\` before a quote or a backslash.
struct Token {
  std::string text;
  bool was_quoted = false;
};

/// Takes `"…"` from the front of `rest`; none (and nothing taken) if it does not start with a quote or never ends.
std::optional<std::string> take_quoted(std::string_view& rest);

/// Takes what stands before the first of `stops`, or all. A quoted token counts as quoted only if a stop or the end
/// follows it: otherwise its quotes are characters like others.
Token take_token(std::string_view& rest, std::initializer_list<std::string_view> stops);

/// Whether `rest` starts with `prefix`, which is then taken.
bool take(std::string_view& rest, std::string_view prefix) noexcept;

/// Takes what stands before the next comma that is not within quotes, and the comma. Trimmed; a view into the text.
/// `rest` has no data() left when the text ends without a comma.
std::string_view take_piece(std::string_view& rest);

}  // namespace athena::query
