#pragma once

#include <string>
#include <string_view>

namespace athena::app {

/// The JSON text with two blanks for each level and a final newline; text that is no JSON comes back as it is.
std::string pretty_json(std::string_view text);

}  // namespace athena::app
