#include "config.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include <athena/base/text.h>

#include "config_clients.h"
#include "config_keys.h"
#include "resources.h"
#include "setting.h"
#include "yaml.h"

namespace athena::app {
namespace {

namespace fs = std::filesystem;
using Members = std::vector<std::pair<std::string, const YamlNode*>>;

std::string did_you_mean(std::string_view wanted, std::vector<std::string_view> names) {
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  const auto nearest = text::nearest(wanted, names);
  return nearest ? "; did you mean '" + std::string(*nearest) + "'?" : "";
}

std::vector<std::string_view> section_names() {
  std::vector<std::string_view> names{"postgres_clients", "clients"};
  for (const KeyRow& row : key_rows()) names.push_back(row.section);
  return names;
}

std::vector<std::string_view> keys_of(std::string_view section) {
  std::vector<std::string_view> names;
  for (const KeyRow& row : key_rows()) {
    if (row.section == section) names.push_back(row.key);
  }
  return names;
}

/// Reads a configuration: the sections that are settings first, because what clients may be depends on them.
class Reader {
 public:
  Reader(Config& config, const std::string& file, const Environment& environment)
      : config_(config), file_(file), environment_(environment) {}

  Result<> read(const YamlNode& root) {
    if (root.kind == YamlNode::Kind::null) return {};
    if (root.kind != YamlNode::Kind::map)
      return fail(Code::configuration_error, file_ + ":1: must be a map of sections");
    for (const auto& [name, node] : root.members) {
      if (name == "clients" || name == "postgres_clients") continue;
      ATHENA_TRY_VOID(read_section(name, node));
    }
    if (const YamlNode* node = root.find("postgres_clients")) {
      ATHENA_TRY(const auto members, members_of("postgres_clients", *node));
      for (const auto& [name, uri] : members) {
        ATHENA_TRY_VOID(add_postgres_client(
            config_, name, Setting(file_, "postgres_clients." + name, *uri, environment_), environment_));
      }
    }
    if (const YamlNode* node = root.find("clients")) {
      ATHENA_TRY_VOID(add_clients(config_, Setting(file_, "clients", *node, environment_), environment_));
    }
    return {};
  }

 private:
  /// The members of a section: a map, or a list of maps as athena_rs wrote it.
  Result<Members> members_of(const std::string& section, const YamlNode& node) {
    Members members;
    const auto add = [&members](const YamlNode& map) {
      for (const auto& [name, value] : map.members) members.emplace_back(name, &value);
    };
    for (const YamlNode& item : node.items) {
      if (item.kind != YamlNode::Kind::map)
        return Setting(file_, section, item, environment_).refuse("must hold `key: value`");
      add(item);
    }
    if (node.kind == YamlNode::Kind::scalar) {
      return Setting(file_, section, node, environment_).refuse("must be a map, or a list of maps");
    }
    add(node);
    return members;
  }

  Result<> read_section(const std::string& section, const YamlNode& node) {
    if (section == "storage" && node.kind == YamlNode::Kind::scalar) {
      warn(node, section, key_row(section, "catalog")->why_not);
      return {};
    }
    if (keys_of(section).empty()) {
      warn(node, section, "is no section that Athena knows" + did_you_mean(section, section_names()));
      return {};
    }
    ATHENA_TRY(auto members, members_of(section, node));
    // What sets several things at once comes first: a key of its own wins, wherever it stands.
    const auto combined = std::ranges::find(members, "compatibility", &Members::value_type::first);
    if (combined != members.end()) std::rotate(members.begin(), combined, combined + 1);
    std::set<std::string> seen;
    for (const auto& [key, value] : members) {
      const KeyRow* row = key_row(section, key);
      const std::string full_key = section + "." + key;
      if (row == nullptr) {
        warn(*value, full_key, "is no key that Athena knows" + did_you_mean(key, keys_of(section)));
      } else if (!seen.insert(key).second) {
        warn(*value, full_key, "is given twice; the first one counts");
      } else if (row->apply == nullptr) {
        warn(*value, full_key, row->why_not);
      } else {
        ATHENA_TRY_VOID(row->apply(config_, Setting(file_, full_key, *value, environment_)));
      }
    }
    return {};
  }

  const KeyRow* key_row(std::string_view section, std::string_view key) {
    const auto rows = key_rows();
    const auto row = std::ranges::find_if(rows, [&](const KeyRow& r) { return r.section == section && r.key == key; });
    return row == rows.end() ? nullptr : &*row;
  }

  void warn(const YamlNode& node, const std::string& key, std::string_view what) {
    config_.notices.push_back({LogLevel::warn, file_ + ":" + std::to_string(node.line) + ": " + key +
                                                   (what.starts_with("is ") ? " " : ": ") + std::string(what)});
  }

  Config& config_;
  const std::string& file_;
  const Environment& environment_;
};

/// What the environment sets beside the file.
void take_environment(Config& config, const Environment& environment) {
  config.settings.admin_key = environment.get("ATHENA_KEY_12").value_or("");
  config.settings.supabase_postgres_uri = environment.get("SUPABASE_POSTGRES_URI").value_or("");
  config.settings.supabase_access_token = environment.get("SUPABASE_ACCESS_TOKEN").value_or("");
  config.settings.supabase_project_ref = environment.get("PROJECT_REF").value_or("");
  for (const char* name : {"POSTGRES_ATHENA_LOGGING_URI", "ATHENA_REDIS_URL"}) {
    if (environment.get(name))
      config.notices.push_back({LogLevel::warn, std::string(name) + ": not in effect in this version"});
  }
}

/// `mappings: {table: column}` of table_id_map.yaml beside the configuration, if there is one.
Result<> read_id_columns(Config& config, const std::string& file, const Environment& environment) {
  if (!fs::exists(file)) return {};
  ATHENA_TRY(const auto text, read_file(file));
  ATHENA_TRY(const auto root, read_yaml(text, file));
  const YamlNode* mappings = root.find("mappings");
  if (mappings == nullptr) return fail(Code::configuration_error, file + ": has no `mappings: {table: column}`");
  for (const auto& [table, column] : mappings->members) {
    ATHENA_TRY(config.settings.id_columns[table], Setting(file, "mappings." + table, column, environment).text());
  }
  return {};
}

/// Writes the bundled configuration into the first folder that takes it; "" if none does.
std::string write_bundled(const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    std::error_code ignored;
    fs::create_directories(folder, ignored);
    const std::string file = folder + "/config.yaml";
    std::ofstream out(file, std::ios::binary);
    out << bundled_config();
    if (out.flush()) return file;
  }
  return "";
}

struct Found {
  std::string file, text;
};

Result<Found> find_config(const ConfigOptions& options, const Environment& environment, std::vector<Notice>& notices) {
  if (!options.config.empty()) {
    ATHENA_TRY(auto text, read_file(options.config));
    return Found{options.config, std::move(text)};
  }
  const auto folders = search_path(environment);
  for (const std::string& folder : folders) {
    const std::string file = folder + "/config.yaml";
    if (fs::is_regular_file(file)) {
      ATHENA_TRY(auto text, read_file(file));
      return Found{file, std::move(text)};
    }
    notices.push_back({LogLevel::info, file + " is not there"});
  }
  const std::string written = write_bundled(folders);
  if (written.empty()) {
    notices.push_back({LogLevel::info, "no folder could be written to: the built-in configuration is used"});
    return Found{"built in", std::string(bundled_config())};
  }
  notices.push_back({LogLevel::info, "the bundled configuration was written to " + written});
  return Found{written, std::string(bundled_config())};
}

}  // namespace

std::vector<std::string> search_path(const Environment& environment) {
  static constexpr std::pair<const char*, const char*> kPlaces[] = {{"APPDATA", "/athena"},
                                                                    {"LOCALAPPDATA", "/athena"},
                                                                    {"USERPROFILE", "/.athena"},
                                                                    {"XDG_CONFIG_HOME", "/athena"},
                                                                    {"HOME", "/.config/athena"},
                                                                    {"HOME", "/.athena"},
                                                                    {"HOME", "/Library/Application Support/athena"}};
  std::vector<std::string> folders;
  for (const auto& [variable, below] : kPlaces) {
    const auto base = environment.get(variable);
    if (base && !base->empty()) folders.push_back(*base + below);
  }
  folders.emplace_back(".");
  return folders;
}

Result<Config> parse_config(std::string_view text, const std::string& file, const Environment& environment,
                            const ConfigOptions& options) {
  Config config;
  config.file = file;
  config.data = options.data;
  config.listen.port = 4052;
  ATHENA_TRY(const auto root, read_yaml(text, file));
  ATHENA_TRY_VOID(Reader(config, file, environment).read(root));
  take_environment(config, environment);
  if (options.host) config.listen.host = *options.host;
  if (options.port) config.listen.port = *options.port;
  if (config.listen.tls_certificate_file.empty() != config.listen.tls_key_file.empty()) {
    return fail(Code::configuration_error,
                file + ": api.tls_cert and api.tls_key belong together; one of them is missing");
  }
  config.is_embedded = config.settings.clients.empty();
  return config;
}

Result<Config> load_config(const ConfigOptions& options, Environment environment) {
  std::vector<Notice> notices;
  ATHENA_TRY(const Found found, find_config(options, environment, notices));
  const std::string folder = fs::path(found.file).parent_path().string();
  const std::string beside = folder.empty() ? "" : folder + "/";
  if (const std::string dotenv = beside + ".env"; fs::exists(dotenv)) {
    ATHENA_TRY(const auto text, read_file(dotenv));
    ATHENA_TRY_VOID(environment.add_dotenv(text, dotenv));
  }
  ATHENA_TRY(Config config, parse_config(found.text, found.file, environment, options));
  ATHENA_TRY_VOID(read_id_columns(config, beside + "table_id_map.yaml", environment));
  if (!options.pipelines.empty()) {
    ATHENA_TRY(const auto text, read_file(options.pipelines));
    ATHENA_TRY_VOID(read_yaml(text, options.pipelines));
    notices.push_back({LogLevel::warn, options.pipelines + ": pipelines are not in effect in this version"});
  }
  config.notices.insert(config.notices.begin(), notices.begin(), notices.end());
  return config;
}

}  // namespace athena::app
