#include "target.h"

#include <algorithm>
#include <utility>

#include <athena/base/text.h>

namespace athena::sdk {
namespace {

std::unexpected<Error> refuse(std::string text, std::string hint = {}) {
  return fail(Code::configuration_error, std::move(text), std::move(hint));
}

bool starts_with_scheme(std::string_view url, std::string_view scheme) {
  return url.size() >= scheme.size() && text::iequals(url.substr(0, scheme.size()), scheme);
}

bool is_http(std::string_view url) {
  return starts_with_scheme(url, "http://") || starts_with_scheme(url, "https://");
}

/// What the driver reads: its scheme says which kind of database it is.
std::string uri_of(BackendType type, const std::string& url) {
  switch (type) {
    case BackendType::native:
    case BackendType::postgresql:
    case BackendType::neon:
    case BackendType::gateway:
      return url;
    case BackendType::sqlite:
      return starts_with_scheme(url, "sqlite:") ? url : "sqlite:" + url;
    case BackendType::scylla:
      return url.find("://") == std::string::npos ? "scylla://" + url : url;
    case BackendType::supabase:
      return is_http(url) ? "supabase+" + url : url;
    case BackendType::postgrest:
      return is_http(url) ? "postgrest+" + url : url;
    case BackendType::d1:
      return is_http(url) ? "d1+" + url : url;
  }
  return url;
}

/// The driver's name of the kind that a type asks for; empty: whatever the URL says.
std::string_view kind_of(BackendType type) noexcept {
  switch (type) {
    case BackendType::native:
    case BackendType::gateway:
      return "";
    case BackendType::postgresql:
    case BackendType::neon:
      return "postgresql";
    case BackendType::sqlite:
      return "sqlite";
    case BackendType::scylla:
      return "scylla";
    case BackendType::supabase:
    case BackendType::postgrest:
      return "supabase";
    case BackendType::d1:
      return "d1";
  }
  return "";
}

bool is_over_http(const driver::Target& target) noexcept {
  return target.kind == "supabase" || target.kind == "d1";
}

Result<> apply_ssl(const std::optional<bool>& ssl, driver::Target& target) {
  if (!ssl) return {};
  if (target.kind == "sqlite") return refuse("ssl() has no meaning for a file");
  if (is_over_http(target)) {
    const bool is_https = starts_with_scheme(target.url, "https://");
    if (*ssl != is_https) return refuse("ssl() contradicts the URL", "The URL says https or http");
    return {};
  }
  if (!*ssl) {
    target.sslmode = "disable";
  } else if (target.sslmode.empty() || target.sslmode == "disable" || target.sslmode == "allow" ||
             target.sslmode == "prefer") {
    target.sslmode = "require";
  }
  return {};
}

Result<> apply_connection(const ConnectionConfig& connection, driver::Target& target) {
  const bool is_file = target.kind == "sqlite";
  if (connection.key) {
    if (is_file) return refuse("key() has no meaning for a file");
    target.password = *connection.key;
  }
  if (connection.port) {
    if (is_file || is_over_http(target)) return refuse("port() has no meaning here: the URL says it");
    target.port = *connection.port;
  }
  if (connection.database) {
    if (is_file) return refuse("database() has no meaning for a file: the URL is its path");
    (target.kind == "d1" ? target.binding : target.database) = *connection.database;
  }
  if (connection.create) {
    if (!is_file) return refuse("create_if_missing() is for sqlite");
    target.create = true;
  }
  return apply_ssl(connection.ssl, target);
}

Result<> apply_pool(const PoolConfig& pool, driver::Target& target) {
  if (pool.max_connections == 0U) return refuse("max_connections must be 1 or more");
  if (pool.min_connections && is_over_http(target)) return refuse("min_connections() has no meaning over HTTP");
  const auto too_short = [](const std::optional<milliseconds>& time) { return time && *time <= milliseconds(0); };
  if (too_short(pool.connection_timeout) || too_short(pool.idle_timeout)) return refuse("A timeout must be positive");
  driver::PoolConfig& to = target.pool;
  to.max_connections = pool.max_connections.value_or(to.max_connections);
  to.min_connections = std::min(pool.min_connections.value_or(to.min_connections), to.max_connections);
  to.connect_timeout = pool.connection_timeout.value_or(to.connect_timeout);
  to.idle_timeout = pool.idle_timeout.value_or(to.idle_timeout);
  return {};
}

}  // namespace

bool is_gateway(const AthenaClientConfig& config) noexcept {
  return config.backend == BackendType::gateway ||
         (config.backend == BackendType::native && is_http(config.connection.url));
}

Result<driver::Target> make_target(const AthenaClientConfig& config) {
  if (config.connection.url.empty()) return refuse("url() is missing");
  if (!config.gateway.client.empty() || !config.gateway.headers.empty()) {
    return refuse("client() and header() are for a gateway",
                  "This URL leads to a database; use BackendType::gateway for a gateway's");
  }
  ATHENA_TRY(driver::Target target, driver::parse_uri(uri_of(config.backend, config.connection.url)));
  const std::string_view wanted = kind_of(config.backend);
  if (!wanted.empty() && wanted != target.kind) {
    return refuse("The URL is one of " + target.kind + ", and the backend is " +
                  std::string(to_string(config.backend)));
  }
  ATHENA_TRY_VOID(apply_connection(config.connection, target));
  ATHENA_TRY_VOID(apply_pool(config.pool, target));
  return target;
}

std::vector<std::string> health_keys(const driver::Target& target) {
  const auto key = [&target](const std::string& host, std::uint16_t port, std::uint16_t usual) {
    return target.kind + "|" + host + ":" + std::to_string(port == 0 ? usual : port);
  };
  if (target.kind == "sqlite") return {};
  const std::uint16_t usual = target.kind == "postgresql" ? 5432 : target.kind == "scylla" ? 9042 : 443;
  std::vector<std::string> keys{key(target.host.empty() ? "localhost" : target.host, target.port, usual)};
  for (const driver::HostPort& more : target.more_hosts) {
    keys.push_back(key(more.host, more.port ? more.port : target.port, usual));
  }
  return keys;
}

Result<GatewayUrl> make_gateway_url(const AthenaClientConfig& config) {
  const ConnectionConfig& connection = config.connection;
  if (!is_http(connection.url)) return refuse("The URL of a gateway begins with http:// or https://");
  if (connection.database || connection.port || connection.create) {
    return refuse("port(), database() and create_if_missing() have no meaning for a gateway",
                  "The URL says the port, client() which database");
  }
  if (config.pool.min_connections) return refuse("min_connections() has no meaning over HTTP");
  if (config.pool.max_connections == 0U) return refuse("max_connections must be 1 or more");
  std::string base = connection.url;
  const bool is_https = starts_with_scheme(base, "https://");
  if (connection.ssl && *connection.ssl != is_https) return refuse("ssl() contradicts the URL");
  const std::size_t begin = base.find("://") + 3;
  while (base.size() > begin && base.ends_with('/')) base.pop_back();
  const std::string authority = base.substr(begin, base.find('/', begin) - begin);
  if (authority.empty() || base.find_first_of("?#@", begin) != std::string::npos) {
    return refuse("The URL of a gateway is scheme, host, port and path alone", "The key goes into key()");
  }
  const bool has_port =
      authority.find(':', authority.rfind(']') == std::string::npos ? 0 : authority.rfind(']')) != std::string::npos;
  return GatewayUrl{base, "gateway|" + text::to_lower(authority) + (has_port ? "" : is_https ? ":443" : ":80")};
}

}  // namespace athena::sdk
