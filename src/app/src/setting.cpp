#include "setting.h"

#include <athena/base/text.h>

namespace athena::app {

std::unexpected<Error> Setting::refuse(std::string_view what, std::string hint) const {
  return fail(Code::configuration_error, place() + ": " + key_ + " " + std::string(what), std::move(hint));
}

Result<std::string> Setting::expanded(std::string_view raw) const {
  auto value = expand(raw, environment_);
  if (value) return *std::move(value);
  const std::string& name = value.error().variable;
  if (name.empty()) return refuse("has a ${ that is no ${NAME} and no ${NAME:-default}");
  return refuse("uses ${" + name + "}, which is not set",
                "Export " + name + ", put it into the .env beside the file, or give a default: ${" + name + ":-…}.");
}

Result<std::string> Setting::text() const {
  if (node_.kind == YamlNode::Kind::null) return std::string();
  if (node_.kind != YamlNode::Kind::scalar) return refuse("must be a single value");
  return expanded(node_.text);
}

Result<std::uint64_t> Setting::number(std::uint64_t least, std::uint64_t most) const {
  ATHENA_TRY(const std::string value, text());
  const auto number = text::parse_u64(value);
  if (number && *number >= least && *number <= most) return *number;
  return refuse("must be a whole number from " + std::to_string(least) + " to " + std::to_string(most) + "; it is '" +
                value + "'");
}

Result<bool> Setting::boolean() const {
  ATHENA_TRY(const std::string value, text());
  for (const std::string_view word : {"true", "yes", "on", "1"}) {
    if (text::iequals(value, word)) return true;
  }
  for (const std::string_view word : {"false", "no", "off", "0"}) {
    if (text::iequals(value, word)) return false;
  }
  return refuse("must be true or false; it is '" + value + "'");
}

Result<std::size_t> Setting::one_of(std::initializer_list<std::string_view> words) const {
  ATHENA_TRY(const std::string value, text());
  std::string allowed;
  for (std::size_t index = 0; const std::string_view word : words) {
    if (text::iequals(value, word)) return index;
    allowed += (index++ == 0 ? "" : ", ") + std::string(word);
  }
  return refuse("must be one of " + allowed + "; it is '" + value + "'");
}

Result<std::vector<std::string>> Setting::list() const {
  std::vector<std::string> values;
  if (node_.kind == YamlNode::Kind::list) {
    for (std::size_t index = 0; const YamlNode& item : node_.items) {
      ATHENA_TRY(auto value, member(std::to_string(index++), item).text());
      values.push_back(std::move(value));
    }
  } else {
    ATHENA_TRY(const std::string joined, text());
    for (const std::string_view piece : text::split(joined, ',')) values.emplace_back(text::trim(piece));
  }
  std::erase(values, "");
  return values;
}

}  // namespace athena::app
