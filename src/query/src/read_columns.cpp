#include <algorithm>

#include <athena/base/text.h>
#include <athena/query/read_json.h>

#include "fields.h"
#include "tokens.h"
#include "words.h"

namespace athena::query {
namespace {

constexpr std::size_t kMaxPathSteps = 32;
constexpr std::size_t kMaxIndexDigits = 9;  // fits PostgreSQL's integer

std::unexpected<Error> malformed(std::string_view text, std::string_view why) {
  return fail(
      Code::invalid_value, "The column " + quoted(text) + " is malformed: " + std::string(why),
      "Write column, column->key->>key, alias:column or column::type; put names with ':' or '->' in double quotes");
}

/// "0" and "-1" are places in an array, unless they are quoted.
bool is_index(const Token& token) noexcept {
  std::string_view digits = token.text;
  if (digits.starts_with('-')) digits.remove_prefix(1);
  return !token.was_quoted && !digits.empty() && digits.size() <= kMaxIndexDigits &&
         std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
}

/// The arrows behind a column's name. `stop` ends the path ("::" where a cast may follow).
Result<> read_path(std::string_view text, std::string_view& rest, std::string_view stop, Column& column) {
  while (take(rest, "->")) {
    if (column.path_as_text) return malformed(text, "'->>' gives text, nothing can follow it");
    column.path_as_text = take(rest, ">");
    Token key = stop.empty() ? take_token(rest, {"->"}) : take_token(rest, {"->", stop});
    if (key.text.empty() && !key.was_quoted) return malformed(text, "a key is missing behind an arrow");
    if (column.path.size() == kMaxPathSteps) return malformed(text, "the path has too many steps");
    const bool index = is_index(key);
    column.path.push_back({std::move(key.text), index});
  }
  return {};
}

/// Nothing but a name, as nearly always: no alias, path, cast or quotes.
bool is_plain_name(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

Result<Column> read_column(std::string_view text) {
  std::string_view rest = text::trim(text);
  Column column;
  if (is_plain_name(rest)) {
    column.name = rest;
    return column;
  }
  column.name = take_token(rest, {"->"}).text;
  if (column.name.empty()) return malformed(text, "the name is missing");
  ATHENA_TRY_VOID(read_path(text, rest, "", column));
  return column;
}

Result<> read_output(std::string_view text, Output& output) {
  std::string_view rest = text::trim(text);
  if (is_plain_name(rest)) {
    output.column.name = rest;
    return {};
  }
  Token first = take_token(rest, {":", "->"});
  if (rest.starts_with(':') && !rest.starts_with("::")) {
    rest.remove_prefix(1);
    output.alias = std::move(first.text);
    if (output.alias.empty()) return malformed(text, "the alias is missing");
    first = take_token(rest, {"::", "->"});
  }
  output.column.name = std::move(first.text);
  if (output.column.name.empty()) return malformed(text, "the name is missing");
  ATHENA_TRY_VOID(read_path(text, rest, "::", output.column));
  if (take(rest, "::")) {
    output.cast = text::to_lower(text::trim(rest));
    if (output.cast.empty()) return malformed(text, "the type is missing behind '::'");
  }
  return {};
}

Result<Output> read_output(std::string_view text) {
  Output output;
  ATHENA_TRY_VOID(read_output(text, output));
  return output;
}

}  // namespace athena::query
