#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <athena/base/clock.h>
#include <athena/base/result.h>

namespace athena::sdk {

/// What is at the other end of the URL.
enum class BackendType : std::uint8_t {
  native,      ///< what the URL says: postgres://…, sqlite:…, scylla://…, d1+https://…; http(s)://… is a gateway
  postgresql,  ///< postgres://user:password@host:port/database
  neon,        ///< the same
  sqlite,      ///< sqlite:PATH, or the path alone
  scylla,      ///< scylla://user:password@host:9042,host2/keyspace, or the hosts alone
  supabase,    ///< https://project.supabase.co, with the API key
  postgrest,   ///< the base URL of a PostgREST server
  d1,          ///< the URL of the Worker that serves a D1 database, with its token
  gateway,     ///< the URL of an Athena gateway, with the API key and the name of a client
};

/// By its documented names, in any case: "native", "supabase", "postgrest", "scylla", "neon", "postgresql" and so on.
/// Error: unknown_driver, naming those that there are.
Result<BackendType> backend_type(std::string_view name);
std::string_view to_string(BackendType type) noexcept;

/// Where, and as whom.
struct ConnectionConfig {
  std::string url;
  std::optional<std::string> key;       ///< password, API key or token, whichever the backend has; wins over the URL's
  std::optional<bool> ssl;              ///< none: as the backend does by itself
  std::optional<std::uint16_t> port;    ///< wins over the URL's
  std::optional<std::string> database;  ///< database, keyspace, D1 binding, or PostgREST schema; wins over the URL's
  bool create = false;                  ///< sqlite: make the file if it is missing
};

/// Limits of the client's connections. Unset: 50, 5, 5 s and 300 s.
struct PoolConfig {
  std::optional<std::uint32_t> max_connections;  ///< through a gateway: requests at the same time
  std::optional<std::uint32_t> min_connections;  ///< opened with the first statement; not for HTTP
  std::optional<milliseconds> connection_timeout;
  std::optional<milliseconds> idle_timeout;
};

/// When a host counts as failing, and how often somebody looks.
struct HealthConfig {
  bool enabled = true;
  milliseconds check_interval{30'000};  ///< health_check() asks the database at most this often
  std::uint32_t circuit_breaker_threshold = 5;
  seconds circuit_breaker_timeout{60};
};

/// Through a gateway.
struct GatewayConfig {
  std::string client;                                        ///< X-Athena-Client
  std::vector<std::pair<std::string, std::string>> headers;  ///< win over those that the SDK sends
};

struct AthenaClientConfig {
  BackendType backend = BackendType::native;
  ConnectionConfig connection;
  PoolConfig pool;
  HealthConfig health;
  GatewayConfig gateway;
  milliseconds timeout{30'000};                     ///< of each statement
  std::uint32_t retries = 2;                        ///< of what may be repeated, after the first try
  std::size_t max_result_bytes = 64 * 1024 * 1024;  ///< of one answer; beyond: result_too_large
};

/// What the environment says about a Supabase project.
class SupabaseBackend {
 public:
  /// Errors: configuration_error, naming the variable that is not set.
  static Result<SupabaseBackend> from_env(const std::string& url_variable, const std::string& key_variable);
  /// To be given to AthenaClient::build(), or read.
  const AthenaClientConfig& config() const noexcept { return config_; }

 private:
  explicit SupabaseBackend(AthenaClientConfig config) : config_(std::move(config)) {}
  AthenaClientConfig config_;
};

}  // namespace athena::sdk
