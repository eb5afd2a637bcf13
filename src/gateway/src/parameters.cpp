#include "parameters.h"

#include <athena/base/text.h>

namespace athena::gateway {

constexpr std::size_t kMaxParameters = 200;

Result<Parameters> read_parameters(std::string_view query) {
  Parameters parameters;
  for (const std::string_view pair : text::split(query, '&')) {
    if (pair.empty()) continue;
    if (parameters.size() == kMaxParameters) return fail(Code::limit_exceeded, "The URL has more than 200 parameters");
    const std::size_t equals = pair.find('=');
    auto name = text::url_decode(pair.substr(0, equals), true);
    auto value = equals == std::string_view::npos ? std::string() : text::url_decode(pair.substr(equals + 1), true);
    if (!name || !value) return fail(Code::invalid_encoding, "The URL's query holds a malformed % escape");
    for (const std::string& part : {*name, *value}) {
      if (!text::is_utf8(part) || part.find('\0') != std::string::npos) {
        return fail(Code::invalid_encoding, "The URL's query must be UTF-8 without NUL");
      }
    }
    parameters.emplace_back(std::move(*name), std::move(*value));
  }
  return parameters;
}

std::string_view find_parameter(const Parameters& parameters, std::string_view name) noexcept {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace athena::gateway
