#pragma once

#include <string_view>

namespace athena::app {

/// Files that are part of the binary; resources.cmake makes the source at build time.
std::string_view bundled_config() noexcept;  ///< config/config.yaml
std::string_view demo_sql() noexcept;        ///< config/demo.sql
std::string_view openapi() noexcept;         ///< api/openapi.yaml

}  // namespace athena::app
