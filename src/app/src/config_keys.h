#pragma once

#include <span>
#include <string_view>

#include "config.h"
#include "setting.h"

namespace athena::app {

/// One key of config.yaml. A key that this version knows and does nothing with says why, and the start says so too.
struct KeyRow {
  std::string_view section, key;
  Result<> (*apply)(Config& config, const Setting& setting);  ///< null: without effect
  std::string_view why_not = "not in effect in this version";
};

/// All keys of the sections that are settings; see config_keys.cpp.
std::span<const KeyRow> key_rows() noexcept;

}  // namespace athena::app
