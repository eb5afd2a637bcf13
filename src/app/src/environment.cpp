#include "environment.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include <athena/base/text.h>

namespace athena::app {
namespace {

bool is_variable_name(std::string_view name) {
  const auto is_word = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 && std::ranges::all_of(name, is_word);
}

/// The value of a line: between quotes it is kept as it is, without them a ` #` starts a comment.
std::string_view dotenv_value(std::string_view text) {
  text = text::trim(text);
  if (text.size() >= 2 && (text[0] == '"' || text[0] == '\'')) {
    if (const auto end = text.find(text[0], 1); end != std::string_view::npos) return text.substr(1, end - 1);
  }
  if (const auto comment = text.find(" #"); comment != std::string_view::npos) text = text.substr(0, comment);
  return text::trim(text);
}

}  // namespace

Environment Environment::of_process() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return Environment(std::move(variables));
}

std::optional<std::string> Environment::get(std::string_view name) const {
  const auto found = variables_.find(std::string(name));
  if (found == variables_.end()) return std::nullopt;
  return found->second;
}

Result<> Environment::add_dotenv(std::string_view text, const std::string& file) {
  std::size_t number = 0;
  for (std::string_view line : text::split(text, '\n')) {
    ++number;
    line = text::trim(line);
    if (line.empty() || line[0] == '#') continue;
    if (line.starts_with("export ")) line = text::trim(line.substr(7));
    const auto equals = line.find('=');
    const std::string_view name = text::trim(line.substr(0, equals));
    if (equals == std::string_view::npos || !is_variable_name(name)) {
      return fail(Code::configuration_error, file + ":" + std::to_string(number) + ": a line is NAME=value");
    }
    variables_.emplace(name, dotenv_value(line.substr(equals + 1)));
  }
  return {};
}

std::expected<std::string, ExpansionFault> expand(std::string_view value, const Environment& environment) {
  std::string out;
  while (true) {
    const auto begin = value.find("${");
    out += value.substr(0, begin);
    if (begin == std::string_view::npos) return out;
    const auto end = value.find('}', begin);
    if (end == std::string_view::npos) return std::unexpected(ExpansionFault{});
    const std::string_view inside = value.substr(begin + 2, end - begin - 2);
    const auto mark = inside.find(":-");
    const std::string_view name = inside.substr(0, mark);
    if (!is_variable_name(name)) return std::unexpected(ExpansionFault{});
    const auto variable = environment.get(name);
    if (mark != std::string_view::npos && (!variable || variable->empty())) {
      out += inside.substr(mark + 2);
    } else if (variable) {
      out += *variable;
    } else {
      return std::unexpected(ExpansionFault{std::string(name)});
    }
    value.remove_prefix(end + 1);
  }
}

}  // namespace athena::app
