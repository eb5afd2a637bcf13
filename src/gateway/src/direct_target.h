#pragma once

#include <string>
#include <string_view>

#include <athena/base/async.h>
#include <athena/base/loop.h>
#include <athena/driver/target.h>
#include <athena/gateway/settings.h>

namespace athena::gateway {

/// Reads X-JDBC-URL (contract 2): the host must be on the allow-list, and what it resolves to must be public unless
/// private hosts are allowed. The address that was checked is the one that is used: it stands in Target::address.
/// Errors: direct_target_refused, configuration_error turned into invalid_value (a malformed URI),
/// database_unavailable.
Async<driver::Target> resolve_direct_target(Loop& loop, std::string uri, const Settings& settings);

/// True for an address that only the public internet uses: not private, loopback, link-local, shared (CGNAT), mapped or
/// translated into IPv6, unique local, multicast, documentation, reserved or unspecified. `address` is numeric.
bool is_public_address(std::string_view address);

/// "example.org" admits itself and its subdomains.
bool is_allowed_host(std::string_view host, const std::vector<std::string>& allowed);

}  // namespace athena::gateway
