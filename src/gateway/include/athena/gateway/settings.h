#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <athena/base/clock.h>
#include <athena/driver/health.h>
#include <athena/driver/target.h>
#include <athena/query/read_json.h>

namespace athena::gateway {

/// The forms a reply can have (contract 1.1).
enum class Shape : std::uint8_t { documented, compact, bare };

/// A client as the configuration names it.
struct ClientSettings {
  std::string name;
  driver::Target target;
  std::optional<driver::Target> postgres;  ///< supabase: the database behind it, for raw SQL
  std::string description;
  std::string source = "config";  ///< config | database | embedded
  bool frozen = false;
};

/// Everything that the gateway's behaviour depends on; filled by app from config.yaml, the environment and flags.
struct Settings {
  std::string version;
  std::vector<ClientSettings> clients;

  // gateway:
  Shape response_shape = Shape::documented;
  bool early_sdk = true;
  bool audit_headers_required = true;
  query::ReadOptions read;                           ///< default_limit and the bounds of statements
  bool camel_to_snake = false;                       ///< force_camel_case_to_snake_case
  std::uint32_t post_processing_max_rows = 100'000;  ///< grouping of more: 413
  std::vector<std::string> jdbc_allowed_hosts;  ///< empty: X-JDBC-URL is off. "example.org" also admits its subdomains
  bool jdbc_allow_private_hosts = false;
  std::vector<std::string> supabase_allowed_hosts{"*.supabase.co"};  ///< of x-supabase-url; empty: it is off
  bool supabase_allow_private_hosts = false;
  std::string supabase_postgres_uri;  ///< SUPABASE_POSTGRES_URI, with {db}; empty: /query/sql cannot run there
  std::string supabase_access_token;  ///< SUPABASE_ACCESS_TOKEN: of the management API
  std::string supabase_project_ref;   ///< PROJECT_REF
  std::string supabase_api_url = "https://api.supabase.com";
  std::map<std::string, std::string> id_columns;  ///< table_id_map.yaml

  // api:
  milliseconds statement_timeout{30'000};
  bool cors_allow_any_origin = false;
  std::vector<std::string> cors_allowed_origins;
  bool server_timing = true;
  std::uint32_t max_concurrent_requests = 4'096;  ///< per loop; beyond: 503 overloaded
  std::size_t response_head_start = 64 * 1024;    ///< held back before streaming starts

  driver::HealthConfig health;  ///< taken at the start; a reload does not change it

  std::string admin_key;            ///< ATHENA_KEY_12; empty: admin_not_configured
  std::string docs_url;             ///< GET /docs redirects there
  std::string openapi;              ///< text of api/openapi.yaml
  std::string request_log = "all";  ///< all | errors | sampled
};

}  // namespace athena::gateway
