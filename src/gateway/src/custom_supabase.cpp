#include "custom_supabase.h"

#include <algorithm>

#include <athena/base/text.h>

namespace athena::gateway {
namespace {

constexpr std::size_t kMaxKey = 4'096;

std::unexpected<Error> malformed(std::string hint = {}) {
  return fail(Code::invalid_value, "x-supabase-url must be the https URL of a Supabase project", std::move(hint));
}

/// The target, before anything was looked up.
Result<driver::Target> read_target(std::string_view url, std::string_view key, const Settings& settings) {
  if (url.empty() || key.empty()) return fail(Code::missing_field, "Missing x-supabase-url or x-supabase-key headers");
  const auto is_visible = [](char c) { return c > 0x20 && c < 0x7f; };
  if (key.size() > kMaxKey || !std::ranges::all_of(key, is_visible))
    return fail(Code::invalid_value, "x-supabase-key is no API key");
  // What stands before an @, and behind a ?, has no place here: refused before anybody could read it differently.
  if (url.find_first_of("@?#") != std::string_view::npos) return malformed("Leave out credentials and parameters.");
  auto target = driver::parse_uri("supabase+" + std::string(url));
  if (!target) return malformed(target.error().error);
  if (target->host.ends_with('.')) return malformed("Write the host without a dot at its end.");
  const std::string wanted = "https://" + target->host + "/rest/v1";
  if (target->url != wanted && !settings.supabase_allow_private_hosts)
    return malformed("Write it as https://PROJECT.supabase.co, without a port or a path.");
  if (!is_allowed_host(target->host, settings.supabase_allowed_hosts))
    return fail(Code::direct_target_refused, "x-supabase-url host is not in gateway.supabase_allowed_hosts");
  target->password = key;
  return target;
}

}  // namespace

Async<driver::Target> resolve_supabase_target(Resolve resolve, std::string url, std::string key,
                                              const Settings& settings) {
  ATHENA_CO_TRY(driver::Target target, read_target(text::trim(url), text::trim(key), settings));
  ATHENA_CO_TRY(target.address, co_await resolve_checked(std::move(resolve), target.host, target.port,
                                                         settings.supabase_allow_private_hosts, "x-supabase-url"));
  co_return target;
}

}  // namespace athena::gateway
