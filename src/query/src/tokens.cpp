#include "tokens.h"

#include <algorithm>
#include <utility>

#include <athena/base/text.h>

namespace athena::query {

std::optional<std::string> take_quoted(std::string_view& rest) {
  if (!rest.starts_with('"')) return std::nullopt;
  std::string text;
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      rest.remove_prefix(i + 1);
      return text;
    }
    if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
    text += rest[i];
  }
  return std::nullopt;
}

Token take_token(std::string_view& rest, std::initializer_list<std::string_view> stops) {
  std::string_view behind = rest;
  if (auto quoted_text = take_quoted(behind)) {
    const bool ends = behind.empty() || std::ranges::any_of(stops, [&](auto stop) { return behind.starts_with(stop); });
    if (ends) {
      rest = behind;
      return {*std::move(quoted_text), true};
    }
  }
  std::size_t end = 0;
  const auto at_stop = [&] {
    return std::ranges::any_of(stops, [&](auto stop) { return rest.substr(end).starts_with(stop); });
  };
  while (end < rest.size() && !at_stop()) ++end;
  Token token{std::string(rest.substr(0, end)), false};
  rest.remove_prefix(end);
  return token;
}

bool take(std::string_view& rest, std::string_view prefix) noexcept {
  if (!rest.starts_with(prefix)) return false;
  rest.remove_prefix(prefix.size());
  return true;
}

std::string_view take_piece(std::string_view& rest) {
  bool in_quotes = false;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] == ',' && !in_quotes) {
      const std::string_view piece = rest.substr(0, i);
      rest.remove_prefix(i + 1);
      return text::trim(piece);
    }
    if (rest[i] == '"') {
      in_quotes = !in_quotes;
    } else if (rest[i] == '\\' && in_quotes) {
      ++i;
    }
  }
  return text::trim(std::exchange(rest, std::string_view()));
}

}  // namespace athena::query
