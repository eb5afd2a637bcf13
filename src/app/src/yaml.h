#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/result.h>

namespace athena::app {

struct YamlMember;

/// A YAML text as values: what the rest of the application reads, so that the YAML library stays in yaml.cpp.
struct YamlNode {
  enum class Kind : std::uint8_t { null, scalar, list, map } kind = Kind::null;
  int line = 0;      ///< from 1
  std::string text;  ///< scalar: as written, without quotes
  std::vector<YamlNode> items;
  std::vector<YamlMember> members;  ///< in the file's order; names may repeat

  /// The first member of that name, or null.
  const YamlNode* find(std::string_view name) const;
};
struct YamlMember {
  std::string name;
  YamlNode value;
};

/// Bounds of a configuration file: it is small, or it is not a configuration file.
inline constexpr std::size_t kMaxYamlBytes = 1 << 20;
inline constexpr std::size_t kMaxYamlNodes = 100'000;
inline constexpr int kMaxYamlDepth = 32;

/// Error: configuration_error with file, line and column.
Result<YamlNode> read_yaml(std::string_view text, const std::string& file);

/// The content of a file. Error: configuration_error with the file and the system's reason.
Result<std::string> read_file(const std::string& file);

}  // namespace athena::app
