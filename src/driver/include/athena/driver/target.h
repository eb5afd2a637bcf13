#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/clock.h>
#include <athena/base/result.h>

namespace athena::driver {

/// Limits of one client's connections: per client and process, pipelined lanes included (contract 13).
struct PoolConfig {
  std::uint32_t max_connections = 50;
  std::uint32_t min_connections = 5;  ///< opened when the client is first used
  milliseconds connect_timeout{5'000};
  milliseconds idle_timeout{300'000};
  bool operator==(const PoolConfig&) const = default;
};

/// One machine of a database that has several.
struct HostPort {
  std::string host;
  std::uint16_t port = 0;  ///< 0: the backend's own
  bool operator==(const HostPort&) const = default;
};

/// Gives a secret at each use, so that it can be changed without a restart. Called on any loop; must not block.
/// Error: configuration_error, naming where the secret should have been, never the secret.
using SecretSource = std::function<Result<std::string>()>;

/// Where and how to reach one database. The driver reads nothing else: no file, no environment, no header.
struct Target {
  std::string kind;     ///< "postgresql", "sqlite", "scylla", "supabase", "d1": a name or alias in backend_kinds()
  std::string host;     ///< or a directory with a unix socket
  std::string address;  ///< numeric, if the resolved address is pinned
  std::uint16_t port = 0;
  std::string database;  ///< sqlite: path of the file
  std::string user;
  std::string password;
  std::string sslmode;          ///< as libpq; empty: prefer. scylla: disable (default), require, verify-full
  std::string channel_binding;  ///< postgresql, as libpq: require; empty: prefer
  bool create = false;          ///< sqlite: make the file if it is missing
  bool read_only = false;
  std::vector<HostPort> more_hosts;  ///< scylla: contact points beside `host`
  std::string url;                   ///< supabase, d1: base URL, without a trailing slash
  SecretSource secret;               ///< the password; supabase: API key, d1: bearer token. Empty: `password` is it
  std::string binding;               ///< d1: name of the database binding in the Worker
  std::string session_mode;          ///< d1: first-primary, first-unconstrained …; empty: none
  PoolConfig pool;

  /// What may be shown: kind, user, host, port, database; never the password.
  std::string masked() const;
};

/// Reads `postgres://user:password@host:port/db?sslmode=…`, `postgresql://`, `jdbc:postgresql://`, `sqlite:PATH`,
/// `scylla://user:password@h1:9042,h2/keyspace?tls=require`, `supabase+https://KEY@host/rest/v1?schema=NAME` (key, path
/// and schema may be left out), `postgrest+https://…`. Only host, port, dbname, user, password, sslmode and
/// channel_binding are taken over; another libpq parameter (service, passfile, hostaddr, sslkey, options …) is refused
/// with its name (contract 2). Error: configuration_error.
Result<Target> parse_uri(std::string_view uri);

}  // namespace athena::driver
