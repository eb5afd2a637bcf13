#include "auth/auth.h"

#include <athena/base/crypto.h>
#include <athena/base/text.h>

#include "context.h"
#include "endpoint.h"

namespace athena::gateway {
namespace {

/// The key in a query string (`api_key`, or `apikey` as some say), decoded; empty if it is absent or malformed.
std::string query_key(std::string_view query) {
  for (const std::string_view pair : text::split(query, '&')) {
    const std::size_t equals = pair.find('=');
    const std::string_view name = pair.substr(0, equals);
    if (equals == std::string_view::npos || (name != "api_key" && name != "apikey")) continue;
    return text::url_decode(pair.substr(equals + 1), true).value_or("");
  }
  return {};
}

Result<> check_admin_key(RequestContext& context) {
  const std::string& expected = context.settings().admin_key;
  if (expected.empty()) {
    return fail(Code::admin_not_configured, "No admin key is configured", "Set ATHENA_KEY_12 and start again.");
  }
  const PresentedKeys presented = presented_keys(context.head(), true);
  bool matches = false;
  for (std::size_t i = 0; i < presented.count; ++i) {
    matches |= crypto::constant_time_equal(presented.keys[i], expected);
  }
  if (!presented.from_query.empty()) {
    context.exchange.add_header("Deprecation", "true");
    matches |= crypto::constant_time_equal(presented.from_query, expected);
  }
  if (matches) return {};
  return fail(Code::invalid_admin_key,
              "Invalid or missing API key. Use Authorization: Bearer <key>, X-Athena-Key, apikey, or X-API-Key. "
              "Query-param API keys are deprecated.");
}

}  // namespace

PresentedKeys presented_keys(const http::RequestHead& head, bool with_query) {
  PresentedKeys found;
  if (const auto authorization = head.find("Authorization")) {
    constexpr std::string_view kScheme = "bearer ";
    if (authorization->size() > kScheme.size() && text::iequals(authorization->substr(0, kScheme.size()), kScheme)) {
      found.keys[found.count++] = text::trim(authorization->substr(kScheme.size()));
    }
  }
  for (const std::string_view name : {"apikey", "x-api-key", "x-athena-key"}) {
    if (const auto value = head.find(name)) found.keys[found.count++] = *value;
  }
  if (with_query && !head.query.empty()) found.from_query = query_key(head.query);
  return found;
}

Result<> Auth::authenticate(RequestContext& context) const {
  if (context.endpoint->action == Action::admin) return check_admin_key(context);
  return {};
}

Result<> Auth::authorize(RequestContext& context) const {
  // Rights are granted to keys; without enforcement every caller has all of them on data routes.
  static_cast<void>(context);
  return {};
}

}  // namespace athena::gateway
