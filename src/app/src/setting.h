#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/result.h>

#include "environment.h"
#include "yaml.h"

namespace athena::app {

/// One value of the configuration, and how to say where it stands.
class Setting {
 public:
  Setting(const std::string& file, std::string key, const YamlNode& node, const Environment& environment)
      : file_(file), key_(std::move(key)), node_(node), environment_(environment) {}

  const std::string& key() const noexcept { return key_; }
  const YamlNode& node() const noexcept { return node_; }
  /// A member of this map, or an element of this list.
  Setting member(std::string_view name, const YamlNode& node) const {
    return Setting(file_, key_ + "." + std::string(name), node, environment_);
  }

  /// The value with its variables replaced. Errors: not a single value; a variable that is not set.
  Result<std::string> text() const;
  Result<std::uint64_t> number(std::uint64_t least, std::uint64_t most) const;
  Result<bool> boolean() const;
  /// The index of the value in `words`.
  Result<std::size_t> one_of(std::initializer_list<std::string_view> words) const;
  /// A list, or one text with commas; blanks around the items are dropped, and so are empty ones.
  Result<std::vector<std::string>> list() const;

  /// "config.yaml:12: api.port must be …".
  std::unexpected<Error> refuse(std::string_view what, std::string hint = {}) const;
  std::string place() const { return file_ + ":" + std::to_string(node_.line); }

 private:
  Result<std::string> expanded(std::string_view raw) const;

  const std::string& file_;
  std::string key_;
  const YamlNode& node_;
  const Environment& environment_;
};

}  // namespace athena::app
