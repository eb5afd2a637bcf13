#include "config_keys.h"

#include <limits>

namespace athena::app {
namespace {

constexpr std::uint64_t kMaxU32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kDaySeconds = 86'400;

/// Reads a whole number between the bounds into `to`, which may be narrower or a duration.
template <class T>
Result<> take(T& to, const Setting& setting, std::uint64_t least, std::uint64_t most) {
  ATHENA_TRY(const auto value, setting.number(least, most));
  to = T(value);
  return {};
}
Result<> take(bool& to, const Setting& setting) {
  ATHENA_TRY(to, setting.boolean());
  return {};
}
Result<> take(std::string& to, const Setting& setting) {
  ATHENA_TRY(to, setting.text());
  return {};
}
Result<> take(std::vector<std::string>& to, const Setting& setting) {
  ATHENA_TRY(to, setting.list());
  return {};
}
/// A number of seconds into a duration of milliseconds.
Result<> take_seconds(milliseconds& to, const Setting& setting) {
  ATHENA_TRY(const auto value, setting.number(1, kDaySeconds));
  to = seconds(value);
  return {};
}

Result<> take_shape(Config& config, const Setting& setting) {
  ATHENA_TRY(const auto index, setting.one_of({"documented", "compact", "bare"}));
  config.settings.response_shape = static_cast<gateway::Shape>(index);
  return {};
}

Result<> take_audit_headers(Config& config, const Setting& setting) {
  ATHENA_TRY(const auto index, setting.one_of({"required", "optional"}));
  config.settings.audit_headers_required = index == 0;
  return {};
}

/// One line that answers as athena_rs 2.0 did. Keys of their own win, whatever the order: see parse_config.
Result<> take_compatibility(Config& config, const Setting& setting) {
  ATHENA_TRY_VOID(setting.one_of({"2.0"}));
  config.settings.response_shape = gateway::Shape::compact;
  config.settings.audit_headers_required = false;
  return {};
}

Result<> take_request_log(Config& config, const Setting& setting) {
  ATHENA_TRY_VOID(setting.one_of({"all", "errors", "sampled"}));
  return take(config.settings.request_log, setting);
}

// clang-format off
constexpr KeyRow kRows[] = {
    {"api", "port", [](Config& c, const Setting& s) { return take(c.listen.port, s, 0, 65'535); }},
    {"api", "host", [](Config& c, const Setting& s) { return take(c.listen.host, s); }},
    {"api", "threads", [](Config& c, const Setting& s) { return take(c.threads, s, 0, 1'024); }},
    {"api", "http_workers", [](Config& c, const Setting& s) { return take(c.threads, s, 0, 1'024); }},
    {"api", "max_body_bytes", [](Config& c, const Setting& s) { return take(c.limits.max_body_bytes, s, 1, kMaxU32); }},
    {"api", "keep_alive_secs", [](Config& c, const Setting& s) { return take_seconds(c.limits.idle_timeout, s); }},
    {"api", "client_request_timeout_secs",
     [](Config& c, const Setting& s) { return take_seconds(c.limits.head_timeout, s); }},
    {"api", "client_disconnect_timeout_secs", nullptr, "without effect: a peer that went away is noticed at once"},
    {"api", "http_max_connections",
     [](Config& c, const Setting& s) { return take(c.limits.max_connections, s, 1, 10'000'000); }},
    {"api", "http_backlog", [](Config& c, const Setting& s) { return take(c.listen.backlog, s, 1, 65'535); }},
    {"api", "tcp_keepalive_secs", nullptr, "without effect: idle connections are closed after keep_alive_secs"},
    {"api", "statement_timeout_ms", [](Config& c, const Setting& s) {
       return take(c.settings.statement_timeout, s, 1, kDaySeconds * 1'000);
     }},
    {"api", "drain_seconds", [](Config& c, const Setting& s) { return take(c.drain, s, 0, 3'600); }},
    {"api", "tls_cert", [](Config& c, const Setting& s) { return take(c.listen.tls_certificate_file, s); }},
    {"api", "tls_key", [](Config& c, const Setting& s) { return take(c.listen.tls_key_file, s); }},
    {"api", "server_timing", [](Config& c, const Setting& s) { return take(c.settings.server_timing, s); }},
    {"api", "max_concurrent_requests",
     [](Config& c, const Setting& s) { return take(c.settings.max_concurrent_requests, s, 1, kMaxU32); }},
    {"api", "cors_allow_any_origin",
     [](Config& c, const Setting& s) { return take(c.settings.cors_allow_any_origin, s); }},
    {"api", "cors_allowed_origins",
     [](Config& c, const Setting& s) { return take(c.settings.cors_allowed_origins, s); }},
    {"api", "prometheus_metrics_enabled", nullptr},
    {"api", "cache_ttl", nullptr},
    {"api", "cache_max_bytes", nullptr},
    {"api", "cache_max_staleness_ms", nullptr},
    {"api", "immortal_cache", nullptr, "without effect: entries have a lifetime"},
    {"api", "pool_idle_timeout", nullptr},

    {"gateway", "response_shape", take_shape},
    {"gateway", "audit_headers", take_audit_headers},
    {"gateway", "compatibility", take_compatibility},
    {"gateway", "early_sdk", [](Config& c, const Setting& s) { return take(c.settings.early_sdk, s); }},
    {"gateway", "default_limit",
     [](Config& c, const Setting& s) { return take(c.settings.read.default_limit, s, 0, 1'000'000'000); }},
    {"gateway", "force_camel_case_to_snake_case",
     [](Config& c, const Setting& s) { return take(c.settings.camel_to_snake, s); }},
    {"gateway", "auto_cast_uuid_filter_values_to_text", nullptr,
     "without effect: values are bound by the type of their column"},
    {"gateway", "jdbc_allowed_hosts",
     [](Config& c, const Setting& s) { return take(c.settings.jdbc_allowed_hosts, s); }},
    {"gateway", "jdbc_allow_private_hosts",
     [](Config& c, const Setting& s) { return take(c.settings.jdbc_allow_private_hosts, s); }},
    {"gateway", "logging_client", nullptr},
    {"gateway", "auth_client", nullptr},
    {"gateway", "supabase_allowed_hosts",
     [](Config& c, const Setting& s) { return take(c.settings.supabase_allowed_hosts, s); }},
    {"gateway", "supabase_allow_private_hosts",
     [](Config& c, const Setting& s) { return take(c.settings.supabase_allow_private_hosts, s); }},
    {"gateway", "supabase_api_url", [](Config& c, const Setting& s) { return take(c.settings.supabase_api_url, s); }},
    {"gateway", "post_processing_max_rows",
     [](Config& c, const Setting& s) { return take(c.settings.post_processing_max_rows, s, 1, kMaxU32); }},

    {"health", "enabled", [](Config& c, const Setting& s) { return take(c.settings.health.enabled, s); }},
    {"health", "failure_threshold",
     [](Config& c, const Setting& s) { return take(c.settings.health.failure_threshold, s, 1, 1'000); }},
    {"health", "failure_window_seconds",
     [](Config& c, const Setting& s) { return take(c.settings.health.failure_window, s, 1, kDaySeconds); }},
    {"health", "offline_seconds",
     [](Config& c, const Setting& s) { return take(c.settings.health.offline, s, 1, kDaySeconds); }},

    {"storage", "catalog", nullptr},
    {"storage", "sqlite_roots", [](Config& c, const Setting& s) { return take(c.sqlite_roots, s); }},

    {"logs", "request_log", take_request_log},
    {"logs", "retention_days", nullptr},

    {"backup", "s3_bucket", nullptr},
    {"backup", "s3_region", nullptr},
    {"backup", "s3_endpoint", nullptr},
    {"backup", "s3_prefix", nullptr},

    {"urls", "athena", nullptr},
    {"urls", "scylladb", nullptr},
    {"hosts", "athena", nullptr},
    {"hosts", "scylladb", nullptr},
    {"authenticator", "athena", nullptr},
    {"authenticator", "scylladb", nullptr},
};
// clang-format on

}  // namespace

std::span<const KeyRow> key_rows() noexcept {
  return kRows;
}

}  // namespace athena::app
