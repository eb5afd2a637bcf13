#pragma once

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <athena/base/result.h>

namespace athena::app {

/// Variables by name: the process's own, and below them what a `.env` file says. Copied into what reads a
/// configuration, so that a test brings its own.
class Environment {
 public:
  Environment() = default;
  explicit Environment(std::map<std::string, std::string> variables) : variables_(std::move(variables)) {}
  /// The environment of this process.
  static Environment of_process();

  std::optional<std::string> get(std::string_view name) const;
  /// Adds what `text` (the content of a `.env` file) says, except for names that are set already. Lines are
  /// `NAME=value`, `export NAME='value'`, comments or blank. Error: configuration_error naming `file` and the line.
  Result<> add_dotenv(std::string_view text, const std::string& file);

 private:
  std::map<std::string, std::string> variables_;
};

struct ExpansionFault {
  std::string variable;  ///< not set; empty: the value has a "${" that begins no reference
};
/// `${NAME}` and `${NAME:-default}` replaced wherever they stand in `value`; the default serves for an empty variable,
/// too.
std::expected<std::string, ExpansionFault> expand(std::string_view value, const Environment& environment);

}  // namespace athena::app
