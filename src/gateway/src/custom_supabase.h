#pragma once

#include <string>
#include <string_view>

#include <athena/driver/target.h>
#include <athena/gateway/settings.h>

#include "direct_target.h"

namespace athena::gateway {

/// The client whose target the caller names: x-supabase-url and x-supabase-key (contract 2).
inline constexpr std::string_view kCustomSupabase = "custom_supabase";

/// Reads the two headers. The URL is the project's address and nothing else: https, a host of the allow-list, no port,
/// no credentials, no path but /rest/v1; the host's addresses must be public, and the one that was checked is the one
/// that is used. `supabase_allow_private_hosts` admits private addresses, http and other ports.
/// Errors: missing_field; invalid_value; direct_target_refused; database_unavailable.
Async<driver::Target> resolve_supabase_target(Resolve resolve, std::string url, std::string key,
                                              const Settings& settings);

}  // namespace athena::gateway
