#include "cors.h"

#include <algorithm>

namespace athena::gateway {
namespace {

constexpr std::string_view kAllowedHeaders =
    "Accept, Authorization, Cache-Control, Content-Type, Idempotency-Key, If-None-Match, Prefer, Range, apikey, "
    "x-api-key, "
    "X-Athena-Client, X-Athena-D1-Bookmark, X-Athena-D1-Session-Mode, X-Athena-Key, X-Athena-Sdk, X-Athena-Shape, "
    "X-Athena-Timeout-Ms, X-Backend-Type, X-Company-Id, "
    "X-JDBC-URL, X-Organization-Id, X-Publish-Event, X-Request-Id, X-Strip-Nulls, X-User-Id, x-pg-uri, x-supabase-key, "
    "x-supabase-url";
constexpr std::string_view kExposedHeaders =
    "Content-Range, Deprecation, ETag, Retry-After, Server-Timing, X-Athena-Cache, X-Athena-D1-Bookmark, X-Request-Id";

/// The origin to allow, or empty.
std::string_view allowed_origin(const http::RequestHead& head, const Settings& settings) {
  const auto origin = head.find("Origin");
  if (!origin) return {};
  if (settings.cors_allow_any_origin) return *origin;
  return std::ranges::find(settings.cors_allowed_origins, *origin) != settings.cors_allowed_origins.end()
             ? *origin
             : std::string_view();
}

}  // namespace

bool is_preflight(const http::RequestHead& head) noexcept {
  return head.method == http::Method::options && head.find("Origin") && head.find("Access-Control-Request-Method");
}

void add_cors_headers(http::Exchange& exchange, const Settings& settings) {
  if (!exchange.request().find("Origin")) return;
  exchange.add_header("Vary", "Origin");
  const std::string_view origin = allowed_origin(exchange.request(), settings);
  if (origin.empty()) return;
  exchange.add_header("Access-Control-Allow-Origin", origin);
  exchange.add_header("Access-Control-Expose-Headers", kExposedHeaders);
}

void answer_preflight(http::Exchange& exchange, const Settings& settings, std::string_view methods) {
  exchange.set_status(204);
  exchange.add_header("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
  const std::string_view origin = allowed_origin(exchange.request(), settings);
  if (origin.empty()) return;
  exchange.add_header("Access-Control-Allow-Origin", origin);
  exchange.add_header("Access-Control-Allow-Methods", methods);
  exchange.add_header("Access-Control-Allow-Headers", kAllowedHeaders);
  exchange.add_header("Access-Control-Max-Age", "7200");
}

}  // namespace athena::gateway
