#include "caller_place.h"

#include <algorithm>
#include <string>

#include <athena/base/text.h>

namespace athena::driver {
namespace {

constexpr bool continues_character(char c) noexcept {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

std::size_t line_at(std::string_view text, std::size_t byte) noexcept {
  return 1 + static_cast<std::size_t>(std::ranges::count(text.substr(0, byte), '\n'));
}

void add_line_and_column(Error& error, std::string_view text) {
  const auto field = std::ranges::find(error.fields, "position", &Error::Fields::value_type::first);
  if (field == error.fields.end()) return;
  const auto position = text::parse_u64(field->second);
  if (!position || *position == 0) return;
  const std::string_view before = text.substr(0, byte_at(text, *position));
  const std::string_view line = before.substr(before.rfind('\n') + 1);
  const auto characters = line.size() - static_cast<std::size_t>(std::ranges::count_if(line, continues_character));
  error.fields.emplace_back("line", std::to_string(line_at(text, before.size())));
  error.fields.emplace_back("line_column", std::to_string(characters + 1));
}

}  // namespace

std::size_t byte_at(std::string_view text, std::uint64_t position) noexcept {
  std::size_t at = 0;
  for (; at < text.size() && position > 1; ++at) {
    if (at + 1 == text.size() || !continues_character(text[at + 1])) --position;
  }
  return at;
}

void add_place(Error& error, const StatementPlace& place) {
  add_line_and_column(error, place.text);
  if (!place.is_one_of_several) return;
  const std::size_t begin = place.text.find_first_not_of(" \t\r\n\f\v", place.begin);
  const std::size_t first = line_at(place.text, std::min(begin, place.text.size()));
  const std::string index = std::to_string(place.index), line = std::to_string(first);
  error.fields.emplace_back("statement_index", index);
  std::string words = "Statement " + index;
  if (place.total > 0) {
    error.fields.emplace_back("total_statements", std::to_string(place.total));
    words += "/" + std::to_string(place.total);
  }
  error.fields.emplace_back("line_start", line);
  const std::size_t last = place.end > place.begin ? line_at(place.text, place.end) : first;
  if (place.end > place.begin) error.fields.emplace_back("line_end", std::to_string(last));
  words += last > first ? " failed at lines " + line + "-" + std::to_string(last) : " failed at line " + line;
  const std::string_view what = error.error.empty() ? error.row().message : std::string_view(error.error);
  error.error = words + ": " + std::string(what);
}

}  // namespace athena::driver
