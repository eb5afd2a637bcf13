#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <athena/gateway/settings.h>
#include <athena/http/server.h>

#include "environment.h"

namespace athena::app {

/// What the command line says about the configuration; it wins over the file.
struct ConfigOptions {
  std::string config;                ///< --config: only this file; empty: the search path
  std::string pipelines;             ///< --pipelines; empty: not given
  std::string data = "athena-data";  ///< --data
  std::optional<std::string> host;
  std::optional<std::uint16_t> port;
};

/// Something the operator should know about the configuration, though it does not stop the start.
struct Notice {
  LogLevel level;
  std::string text;
};

/// config.yaml, the environment and the command line, put together and checked.
struct Config {
  std::string file;  ///< where it came from; "built in" if there was nowhere to put it
  std::string data;  ///< the data folder; not made yet
  http::Listen listen;
  http::Limits limits;
  std::uint32_t threads = 0;  ///< loops; 0: as many as cores
  seconds drain{30};
  gateway::Settings settings;
  /// No database is given anywhere: Athena brings its own (embedded.h).
  bool is_embedded = false;
  std::vector<std::string> sqlite_roots;  ///< besides the data folder
  std::vector<Notice> notices;
};

/// Reads the text of a configuration. Errors: configuration_error with file, line, key and what is allowed.
Result<Config> parse_config(std::string_view text, const std::string& file, const Environment& environment,
                            const ConfigOptions& options);

/// Finds and reads the configuration file, the `.env`, and table_id_map.yaml beside it.
Result<Config> load_config(const ConfigOptions& options, Environment environment);

/// The folders that are searched for config.yaml, in order: those that the environment has names for.
std::vector<std::string> search_path(const Environment& environment);

}  // namespace athena::app
