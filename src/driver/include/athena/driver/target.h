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
};

/// Where and how to reach one database. The driver reads nothing else: no file, no environment, no header.
struct Target {
  std::string kind;      ///< "postgresql", "sqlite": a name or alias in backend_kinds()
  std::string host;      ///< or a directory with a unix socket
  std::string address;   ///< numeric, if the resolved address is pinned
  std::uint16_t port = 0;
  std::string database;  ///< sqlite: path of the file
  std::string user;
  std::string password;
  std::string sslmode;   ///< as libpq; empty: prefer
  bool create = false;   ///< sqlite: make the file if it is missing
  bool read_only = false;
  PoolConfig pool;

  /// What may be shown: kind, user, host, port, database; never the password.
  std::string masked() const;
};

/// Reads `postgres://user:password@host:port/db?sslmode=…`, `postgresql://`, `jdbc:postgresql://`, `sqlite:PATH`.
/// Only host, port, dbname, user, password and sslmode are taken over; another libpq parameter (service, passfile,
/// hostaddr, sslkey, options …) is refused with its name (contract 2). Error: configuration_error.
Result<Target> parse_uri(std::string_view uri);

}  // namespace athena::driver
