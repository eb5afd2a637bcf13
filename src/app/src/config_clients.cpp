#include "config_clients.h"

#include <algorithm>
#include <filesystem>

#include <athena/base/text.h>
#include <athena/driver/backend.h>

#include "config_metadata.h"

namespace athena::app {
namespace {

namespace fs = std::filesystem;

/// A bound of the pools, from the environment: the configuration has no key for it.
template <class T>
Result<> take_variable(T& to, const char* name, const Environment& environment) {
  const auto value = environment.get(name);
  if (!value) return {};
  const auto number = text::parse_u64(*value);
  if (!number || *number > 1'000'000) {
    return fail(Code::configuration_error, std::string(name) + " must be a whole number; it is '" + *value + "'");
  }
  to = T(*number);
  return {};
}

Result<driver::PoolConfig> pool_config(const Environment& environment) {
  driver::PoolConfig pool;
  seconds connect{5}, idle{300};
  ATHENA_TRY_VOID(take_variable(pool.max_connections, "ATHENA_PG_POOL_MAX_CONNECTIONS", environment));
  ATHENA_TRY_VOID(take_variable(pool.min_connections, "ATHENA_PG_POOL_MIN_CONNECTIONS", environment));
  ATHENA_TRY_VOID(take_variable(connect, "ATHENA_PG_POOL_ACQUIRE_TIMEOUT_SECS", environment));
  ATHENA_TRY_VOID(take_variable(idle, "ATHENA_PG_POOL_IDLE_TIMEOUT_SECS", environment));
  pool.connect_timeout = connect;
  pool.idle_timeout = idle;
  if (pool.max_connections == 0)
    return fail(Code::configuration_error, "ATHENA_PG_POOL_MAX_CONNECTIONS must be at least 1");
  pool.min_connections = std::min(pool.min_connections, pool.max_connections);
  return pool;
}

bool is_below(const fs::path& path, const fs::path& root) {
  return std::ranges::mismatch(root, path).in1 == root.end() && path != root;
}

/// A file of SQLite may stand below the data folder or one of storage.sqlite_roots, and nowhere else: links and `..`
/// are followed first. A relative path starts at the data folder.
Result<std::string> sqlite_file(const Config& config, const std::string& path, const Setting& setting) {
  std::error_code error;
  const fs::path data = fs::weakly_canonical(fs::absolute(config.data), error);
  const fs::path file = fs::weakly_canonical(data / path, error);
  if (error) return setting.refuse("names a file that cannot be looked up: " + error.message());
  std::vector<fs::path> roots{data};
  const fs::path beside = fs::absolute(config.file).parent_path();
  for (const std::string& root : config.sqlite_roots) roots.push_back(fs::weakly_canonical(beside / root, error));
  if (std::ranges::any_of(roots, [&](const fs::path& root) { return is_below(file, root); })) return file.string();
  return setting.refuse("names a file outside of the data folder and of storage.sqlite_roots",
                        "Move the file below " + data.string() + ", or add its folder to storage.sqlite_roots.");
}

/// The key of a database that is reached by HTTP, out of the variable that `key_env_var` names.
Result<> take_key(driver::Target& target, const Setting& setting, const Environment& environment) {
  const YamlNode* variable = setting.node().find("key_env_var");
  if (variable == nullptr) return {};
  const Setting named = setting.member("key_env_var", *variable);
  if (target.url.empty())
    return named.refuse("is for clients with a key; this one's user and password stand in its uri");
  if (!target.password.empty() || target.secret) {
    return named.refuse("stands beside a key in the uri or the metadata", "Leave one of them out.");
  }
  ATHENA_TRY(const std::string name, named.text());
  auto value = environment.get(name);
  if (!value || text::trim(*value).empty())
    return named.refuse("names the variable " + name + ", which is not set, or empty");
  target.password = text::trim(*value);
  return {};
}

/// `client` has its name and its target.
Result<> add_client(Config& config, gateway::ClientSettings client, const Setting& setting,
                    const Environment& environment) {
  for (const auto& other : config.settings.clients) {
    if (text::iequals(other.name, client.name))
      return setting.refuse("is the second client named '" + client.name + "'");
  }
  if (const auto* kind = driver::find_backend_kind(client.target.kind); kind != nullptr && kind->name == "sqlite") {
    ATHENA_TRY(client.target.database, sqlite_file(config, client.target.database, setting));
  }
  if (setting.node().kind == YamlNode::Kind::map) ATHENA_TRY_VOID(take_key(client.target, setting, environment));
  ATHENA_TRY(client.target.pool, pool_config(environment));
  config.settings.clients.push_back(std::move(client));
  return {};
}

Result<driver::Target> parse_client_uri(const std::string& uri, const Setting& setting) {
  auto target = driver::parse_uri(uri);
  if (target) return target;
  return setting.refuse("is no URI that Athena takes: " + target.error().error, target.error().hint);
}

/// What the URI of an element of `clients` says: its own, or what the variable that it names holds; none if there is
/// neither. pg_uri and pg_uri_env_var are what the catalog of athena_rs calls them.
Result<std::optional<driver::Target>> client_uri(const Setting& setting, const Environment& environment) {
  std::string found;
  std::optional<driver::Target> target;
  for (const char* key : {"uri", "pg_uri", "uri_env_var", "pg_uri_env_var"}) {
    const YamlNode* node = setting.node().find(key);
    if (node == nullptr) continue;
    if (!found.empty()) return setting.refuse("has both " + found + " and " + key, "Leave one of them out.");
    found = key;
    const Setting named = setting.member(key, *node);
    ATHENA_TRY(std::string text, named.text());
    if (found.ends_with("env_var")) {
      auto value = environment.get(text);
      if (!value) return named.refuse("names the variable " + text + ", which is not set");
      text = *std::move(value);
    }
    ATHENA_TRY(target, parse_client_uri(text, named));
  }
  return target;
}

/// Where the client's database is: its URI says it, or its metadata.
Result<driver::Target> client_target(const Setting& setting, const std::string& name, const Environment& environment) {
  ATHENA_TRY(std::optional<driver::Target> target, client_uri(setting, environment));
  if (const YamlNode* metadata = setting.node().find("metadata")) {
    const driver::Target* beside = target ? &*target : nullptr;
    ATHENA_TRY(auto described, read_client_metadata(setting.member("metadata", *metadata), name, environment, beside));
    if (described) target = std::move(described);
  }
  if (target) return *std::move(target);
  return setting.refuse("needs uri, uri_env_var, or metadata that says where the database of '" + name + "' is");
}

/// The database behind a client that runs no SQL itself.
Result<driver::Target> postgres_behind(const Setting& uri) {
  ATHENA_TRY(const std::string text, uri.text());
  auto target = driver::parse_uri(text);
  if (!target || target->kind != "postgresql") return uri.refuse("must be a postgres:// URI");
  return target;
}

constexpr std::string_view kClientKeys[] = {"uri",         "uri_env_var", "pg_uri",
                                            "key_env_var", "metadata",    "pg_uri_env_var"};

Result<> add_listed_client(Config& config, const Setting& setting, const Environment& environment) {
  if (setting.node().kind != YamlNode::Kind::map) return setting.refuse("must be {name, uri | metadata, …}");
  gateway::ClientSettings client;
  for (const auto& [key, value] : setting.node().members) {
    const Setting member = setting.member(key, value);
    if (key == "name") {
      ATHENA_TRY(client.name, member.text());
    } else if (key == "description") {
      ATHENA_TRY(client.description, member.text());
    } else if (key == "metadata" && value.find("postgres_uri") != nullptr) {
      ATHENA_TRY(client.postgres, postgres_behind(member.member("postgres_uri", *value.find("postgres_uri"))));
    } else if (std::ranges::find(kClientKeys, key) == std::end(kClientKeys)) {
      config.notices.push_back({LogLevel::warn, member.place() + ": " + member.key() + " is no key that Athena knows"});
    }
  }
  if (text::trim(client.name).empty()) return setting.refuse("needs a name");
  client.name = text::trim(client.name);
  ATHENA_TRY(client.target, client_target(setting, client.name, environment));
  return add_client(config, std::move(client), setting, environment);
}

}  // namespace

Result<> add_postgres_client(Config& config, const std::string& name, const Setting& uri,
                             const Environment& environment) {
  ATHENA_TRY(const std::string text, uri.text());
  if (text.empty()) {
    config.notices.push_back({LogLevel::warn, uri.place() + ": " + uri.key() + " is empty: the client is left out"});
    return {};
  }
  gateway::ClientSettings client;
  client.name = text::trim(name);
  ATHENA_TRY(client.target, parse_client_uri(text, uri));
  ATHENA_TRY_VOID(add_client(config, std::move(client), uri, environment));
  const auto* kind = driver::find_backend_kind(config.settings.clients.back().target.kind);
  if (kind == nullptr || kind->name != "postgresql")
    return uri.refuse("must be a postgres:// URI; others go into `clients`");
  return {};
}

Result<> add_clients(Config& config, const Setting& list, const Environment& environment) {
  if (list.node().kind == YamlNode::Kind::null) return {};
  if (list.node().kind != YamlNode::Kind::list) return list.refuse("must be a list of {name, uri, …}");
  for (std::size_t index = 0; const YamlNode& item : list.node().items) {
    ATHENA_TRY_VOID(add_listed_client(config, list.member(std::to_string(index++), item), environment));
  }
  return {};
}

}  // namespace athena::app
