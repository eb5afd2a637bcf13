#include <athena/driver/metadata.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <athena/base/text.h>
#include <athena/driver/backend.h>

#include "target_http.h"
#include "target_postgres.h"
#include "target_scylla.h"

namespace athena::driver {
namespace {

std::unexpected<Error> refuse(std::string text, std::string hint = {}) {
  return fail(Code::configuration_error, std::move(text), std::move(hint));
}

/// One object of the metadata, and beside it the whole, for keys that stand there flat.
class Section {
 public:
  /// `object` may be a value that does not exist.
  Section(std::string name, json::Value object, json::Value whole)
      : name_(std::move(name)), object_(object), whole_(whole) {}

  bool exists() const noexcept { return object_.exists() && !object_.is_null(); }
  std::string path(std::string_view key) const { return name_ + "." + std::string(key); }

  /// Trimmed; empty: absent. `flat`: its name in the whole, where it counts if it is absent here.
  Result<std::string> text(std::string_view key, std::string_view flat = {}) const {
    ATHENA_TRY(std::string value, text_of(object_[key], path(key)));
    if (!value.empty() || flat.empty()) return value;
    return text_of(whole_[flat], std::string(flat));
  }
  Result<std::string> required(std::string_view key) const {
    ATHENA_TRY(std::string value, text(key));
    if (value.empty()) return refuse(path(key) + " is required");
    return value;
  }
  Result<bool> boolean(std::string_view key) const {
    const json::Value value = object_[key];
    if (value.is_bool()) return value.as_bool();
    ATHENA_TRY(const std::string word, text_of(value, path(key)));
    if (word.empty() || word == "false") return false;
    if (word == "true") return true;
    return refuse(path(key) + " must be true or false");
  }
  /// A list of texts, or one text with commas; blank ones are left out.
  Result<std::vector<std::string>> list(std::string_view key, std::string_view flat) const {
    ATHENA_TRY(std::vector<std::string> values, list_of(object_[key], path(key)));
    if (!values.empty()) return values;
    return list_of(whole_[flat], std::string(flat));
  }

  /// A key that is nearly one of `keys` is a misspelling; others are somebody else's business.
  Result<> check_spelling(std::span<const std::string_view> keys) const {
    if (!object_.is_object()) return {};
    for (auto at = object_.begin(); at != object_.end(); ++at) {
      if (std::ranges::find(keys, at.key()) != keys.end()) continue;
      if (const auto meant = text::nearest(at.key(), {keys.begin(), keys.end()})) {
        return refuse(path(at.key().substr(0, 64)) + " is no key of this object; did you mean '" + std::string(*meant) +
                      "'?");
      }
    }
    return {};
  }

 private:
  static Result<std::string> text_of(const json::Value& value, const std::string& path) {
    if (value.is_null()) return std::string();
    if (value.is_number() && path.ends_with(".port")) return std::string(value.digits());
    if (!value.is_string()) return refuse(path + " must be a string");
    return std::string(text::trim(value.as_string()));
  }
  static Result<std::vector<std::string>> list_of(const json::Value& value, const std::string& path) {
    std::vector<std::string> values;
    if (!value.is_array()) {
      ATHENA_TRY(const std::string joined, text_of(value, path));
      for (const std::string_view piece : text::split(joined, ',')) values.emplace_back(text::trim(piece));
    } else {
      for (const json::Value item : value) {
        ATHENA_TRY(values.emplace_back(), text_of(item, path + "[" + std::to_string(values.size()) + "]"));
      }
    }
    std::erase(values, "");
    return values;
  }

  std::string name_;
  json::Value object_, whole_;
};

/// An error of what a key holds, with the key before it.
template <class T>
Result<T> in(const std::string& path, Result<T> result) {
  if (!result) result.error().error.insert(0, path + ": ");
  return result;
}

std::unexpected<Error> refuse_both(const Section& section, std::string_view key, std::string_view other) {
  return refuse(section.path(key) + " stands beside " + std::string(other), "Leave one of them out");
}

/// The secret that one key holds, or that another key names; `to.secret` is set for the latter.
Result<> read_secret(const Section& section, std::string_view key, std::string_view flat, std::string_view variable_key,
                     const NamedSecrets& secrets, Target& to) {
  ATHENA_TRY(std::string secret, section.text(key, flat));
  ATHENA_TRY(std::string variable, section.text(variable_key));
  if (!secret.empty() && !variable.empty()) return refuse_both(section, variable_key, key);
  if (!to.password.empty() && !(secret.empty() && variable.empty())) {
    return refuse_both(section, secret.empty() ? variable_key : key, "the secret in its URI");
  }
  if (!secret.empty()) to.password = std::move(secret);
  if (!variable.empty()) to.secret = [secrets, name = std::move(variable)] { return secrets(name); };
  return {};
}

// Each reads one kind. `is_declared`: the metadata says that it is of this kind, so nothing may be missing.

Result<std::optional<Target>> read_scylla(const Section& section, bool is_declared, const NamedSecrets& secrets) {
  static constexpr std::string_view kKeys[] = {"hosts", "keyspace", "username", "password", "password_env_var", "tls"};
  ATHENA_TRY_VOID(section.check_spelling(kKeys));
  Target target;
  target.kind = "scylla";
  ATHENA_TRY(const std::vector<std::string> hosts, section.list("hosts", "scyllaHosts"));
  if (hosts.empty()) {
    if (!is_declared) return std::nullopt;
    return refuse("metadata marks the client as Scylla-backed but does not include any Scylla hosts",
                  "Name them in " + section.path("hosts") + " or in scyllaHosts");
  }
  const std::vector<std::string_view> views(hosts.begin(), hosts.end());
  ATHENA_TRY_VOID(in(section.path("hosts"), set_scylla_hosts(target, views)));
  ATHENA_TRY(target.database, section.text("keyspace", "scyllaKeyspace"));
  ATHENA_TRY(target.user, section.text("username", "scyllaUsername"));
  ATHENA_TRY_VOID(read_secret(section, "password", "scyllaPassword", "password_env_var", secrets, target));
  ATHENA_TRY(const std::string tls, section.text("tls"));
  if (!tls.empty()) ATHENA_TRY_VOID(in(section.path("tls"), set_scylla_tls(target, tls)));
  return target;
}

Result<std::optional<Target>> read_d1(const Section& section, bool is_declared, const NamedSecrets& secrets) {
  static constexpr std::string_view kKeys[] = {"worker_base_url", "auth_token_env_var", "database_binding",
                                               "default_session_mode"};
  ATHENA_TRY_VOID(section.check_spelling(kKeys));
  if (!section.exists()) {
    if (!is_declared) return std::nullopt;
    return refuse("metadata marks the client as D1-backed but has no object cloudflareD1");
  }
  ATHENA_TRY(const std::string url, section.required("worker_base_url"));
  ATHENA_TRY(Target target, in(section.path("worker_base_url"), read_d1_worker(url)));
  ATHENA_TRY(std::string variable, section.required("auth_token_env_var"));
  target.secret = [secrets, name = std::move(variable)] { return secrets(name); };
  ATHENA_TRY(target.binding, section.required("database_binding"));
  ATHENA_TRY(target.session_mode, section.text("default_session_mode"));
  return target;
}

/// The parts of a PostgreSQL target that stand each under a key of its own.
Result<> read_postgres_parts(const Section& section, Target& target) {
  static constexpr std::pair<std::string_view, std::string_view> kParts[] = {
      {"host", "host"}, {"port", "port"},       {"database", "dbname"},
      {"user", "user"}, {"sslmode", "sslmode"}, {"channel_binding", "channel_binding"}};
  const bool has_uri = !target.host.empty();
  for (const auto& [key, parameter] : kParts) {
    ATHENA_TRY(std::string value, section.text(key));
    if (value.empty()) continue;
    if (has_uri) return refuse_both(section, key, "uri");
    ATHENA_TRY_VOID(in(section.path(key), set_postgres_parameter(target, parameter, std::move(value))));
  }
  if (!target.host.empty()) return {};
  return refuse(section.path("host") + " is required, or " + section.path("uri"));
}

Result<std::optional<Target>> read_postgresql(const Section& section, bool is_declared, const NamedSecrets& secrets) {
  static constexpr std::string_view kKeys[] = {"uri",      "uri_env_var",    "host",     "port",
                                               "database", "user",           "password", "password_env_var",
                                               "sslmode",  "channel_binding"};
  ATHENA_TRY_VOID(section.check_spelling(kKeys));
  if (!section.exists()) {
    if (!is_declared) return std::nullopt;
    return refuse("metadata marks the client as PostgreSQL-backed but does not say where it is");
  }
  ATHENA_TRY(std::string uri, section.text("uri"));
  ATHENA_TRY(const std::string variable, section.text("uri_env_var"));
  if (!uri.empty() && !variable.empty()) return refuse_both(section, "uri_env_var", "uri");
  const std::string uri_path = section.path(variable.empty() ? "uri" : "uri_env_var");
  if (!variable.empty()) {
    ATHENA_TRY(uri, in(uri_path, secrets(variable)));
  }
  Target target;
  target.kind = "postgresql";
  if (!uri.empty()) {
    ATHENA_TRY(target, in(uri_path, parse_uri(uri)));
    if (target.kind != "postgresql") return refuse(uri_path + " is no postgres:// URI");
  }
  ATHENA_TRY_VOID(read_postgres_parts(section, target));
  ATHENA_TRY_VOID(read_secret(section, "password", {}, "password_env_var", secrets, target));
  return target;
}

Result<std::optional<Target>> read_supabase(const Section& section, bool is_declared, bool is_plain_postgrest,
                                            const NamedSecrets& secrets) {
  static constexpr std::string_view kKeys[] = {"url", "key", "key_env_var", "schema"};
  ATHENA_TRY_VOID(section.check_spelling(kKeys));
  if (!section.exists()) {
    if (!is_declared) return std::nullopt;
    return refuse("metadata marks the client as Supabase-backed but does not say where it is");
  }
  ATHENA_TRY(const std::string url, section.required("url"));
  ATHENA_TRY(Target target, in(section.path("url"), driver::read_supabase(url, is_plain_postgrest)));
  ATHENA_TRY_VOID(read_secret(section, "key", {}, "key_env_var", secrets, target));
  ATHENA_TRY(std::string schema, section.text("schema"));
  if (!schema.empty()) target.database = std::move(schema);
  return target;
}

Result<std::optional<Target>> read_sqlite(const Section& section, bool is_declared) {
  static constexpr std::string_view kKeys[] = {"path", "read_only", "create"};
  ATHENA_TRY_VOID(section.check_spelling(kKeys));
  if (!section.exists()) {
    if (!is_declared) return std::nullopt;
    return refuse("metadata marks the client as SQLite-backed but does not say where it is");
  }
  ATHENA_TRY(const std::string path, section.required("path"));
  ATHENA_TRY(Target target, in(section.path("path"), parse_uri("sqlite:" + path)));
  ATHENA_TRY(target.read_only, section.boolean("read_only"));
  ATHENA_TRY(target.create, section.boolean("create"));
  return target;
}

/// The objects in which a kind describes itself.
struct ObjectName {
  std::string_view name, kind;
};
constexpr ObjectName kObjects[] = {{"scylla", "scylla"},         {"scylladb", "scylla"},     {"cloudflareD1", "d1"},
                                   {"postgresql", "postgresql"}, {"postgres", "postgresql"}, {"neon", "postgresql"},
                                   {"supabase", "supabase"},     {"postgrest", "supabase"},  {"sqlite", "sqlite"}};
constexpr std::string_view kConnection = "connection";
constexpr std::string_view kFlatScylla = "scyllaHosts";

bool is_there(const json::Value& value) {
  return value.exists() && !value.is_null();
}

/// The kind that is declared by name, and how it was written; empty: none is.
struct Declared {
  std::string_view kind;
  std::string word;
};
Result<Declared> read_engine(const json::Value& metadata) {
  for (const std::string_view key : {"dbEngine", "backend", "engine"}) {
    const json::Value value = metadata[key];
    if (value.is_null()) continue;
    if (!value.is_string()) return refuse(std::string(key) + " must be a string");
    const std::string_view word = text::trim(value.as_string());
    if (word.empty()) continue;
    if (const BackendKind* kind = find_backend_kind(word)) return Declared{kind->name, std::string(word)};
    std::string known;
    for (const BackendKind& kind : backend_kinds()) known += (known.empty() ? "" : ", ") + std::string(kind.name);
    return refuse(std::string(key) + " names '" + std::string(word.substr(0, 64)) +
                      "', which is no kind of database that Athena knows",
                  "It knows " + known);
  }
  return Declared{};
}

std::unexpected<Error> refuse_kinds(std::string_view declared, std::string_view key) {
  return refuse("metadata names " + std::string(declared) + ", and describes another kind of database in '" +
                std::string(key) + "'");
}

/// The object that describes the database.
struct Found {
  std::string name;  ///< empty: none
  std::string_view kind;
};
Result<Found> find_object(const json::Value& metadata, std::string_view declared) {
  Found found;
  for (const ObjectName& row : kObjects) {
    const json::Value value = metadata[row.name];
    if (!is_there(value)) continue;
    const std::string name(row.name);
    if (!value.is_object()) return refuse((name == "cloudflareD1" ? name + " metadata" : name) + " must be an object");
    if (!declared.empty() && row.kind != declared) return refuse_kinds(declared, name);
    if (!found.name.empty()) return refuse("metadata has both '" + found.name + "' and '" + name + "'");
    found = {name, row.kind};
  }
  if (!found.name.empty()) return found;
  const json::Value connection = metadata[kConnection];
  if (connection.is_object() && (!declared.empty() || is_there(connection["hosts"]))) {
    return Found{std::string(kConnection), declared.empty() ? "scylla" : declared};
  }
  if (!is_there(metadata[kFlatScylla])) return Found{"", declared};
  if (declared.empty() || declared == "scylla") return Found{"", "scylla"};
  return refuse_kinds(declared, kFlatScylla);
}

Result<std::optional<Target>> read_kind(const Found& found, const Declared& declared, const json::Value& metadata,
                                        const NamedSecrets& secrets, bool is_needed) {
  const json::Value object = found.name.empty() ? json::Value() : metadata[found.name];
  const Section section(found.name.empty() ? std::string(found.kind) : found.name, object, metadata);
  if (found.kind == "scylla") return read_scylla(section, is_needed, secrets);
  if (found.kind == "d1") return read_d1(section, is_needed, secrets);
  if (found.kind == "postgresql") return read_postgresql(section, is_needed, secrets);
  if (found.kind == "sqlite") return read_sqlite(section, is_needed);
  if (found.kind == "supabase") {
    const std::string& called = found.name == kConnection ? declared.word : found.name;
    const bool is_plain = text::iequals(called, "postgrest");
    return read_supabase(section, is_needed, is_plain, secrets);
  }
  return std::nullopt;
}

}  // namespace

Result<std::optional<Target>> read_metadata(const json::Value& metadata, const NamedSecrets& secrets,
                                            const Target* beside) {
  if (metadata.is_null()) return std::nullopt;
  if (!metadata.is_object()) return refuse("metadata must be an object");
  ATHENA_TRY(const Declared declared, read_engine(metadata));
  ATHENA_TRY(const Found found, find_object(metadata, declared.kind));
  const bool is_needed = beside == nullptr && (!declared.kind.empty() || !found.name.empty());
  if (beside != nullptr && !declared.kind.empty() && declared.kind != beside->kind) {
    return refuse("metadata names " + std::string(declared.kind) + ", and the URI is one of " + beside->kind);
  }
  ATHENA_TRY(std::optional<Target> target, read_kind(found, declared, metadata, secrets, is_needed));
  if (target && beside != nullptr) {
    return refuse("metadata says where the database is, and so does a URI beside it", "Leave one of them out");
  }
  return target;
}

}  // namespace athena::driver
