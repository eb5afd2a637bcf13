#pragma once

#include <functional>
#include <optional>
#include <string>

#include <athena/base/json.h>
#include <athena/base/result.h>
#include <athena/driver/target.h>

namespace athena::driver {

/// Gives the secret of that name (a variable of the environment, an entry of a vault). Kept by the target, and called
/// as SecretSource is. Error: configuration_error, naming it.
using NamedSecrets = std::function<Result<std::string>(const std::string& name)>;

/// What a client's metadata says about where its database is; none if it says nothing about that.
///
/// Metadata is an object that may hold anything else besides. The kind of database is the first of `dbEngine`,
/// `backend` and `engine` that is not blank, by a name or alias of backend_kinds(), or the one whose object is there:
///
/// - scylla: `scylla` or `scylladb` {hosts (text with commas, or a list), keyspace, username, password or
///   password_env_var, tls}; for what is not there, scyllaHosts, scyllaKeyspace, scyllaUsername, scyllaPassword.
/// - d1: `cloudflareD1` {worker_base_url, auth_token_env_var, database_binding, default_session_mode}.
/// - postgresql: `postgresql`, `postgres` or `neon` {uri or uri_env_var; or host, port, database, user, sslmode,
///   channel_binding; password or password_env_var}.
/// - supabase: `supabase` or `postgrest` {url, key or key_env_var, schema}.
/// - sqlite: `sqlite` {path, read_only, create}.
///
/// `connection` is the object of whichever kind is declared, and with `hosts`, where none is, scylla's. Text is
/// trimmed; null and blank text count as absent. `beside`: what a URI beside the metadata says; the metadata may then
/// confirm its kind, and must not say where it is once more.
///
/// Errors, each naming its key: configuration_error for values of another type, a misspelt key, a kind that is not
/// known, two kinds, a kind that is declared without what it needs.
Result<std::optional<Target>> read_metadata(const json::Value& metadata, const NamedSecrets& secrets,
                                            const Target* beside = nullptr);

}  // namespace athena::driver
