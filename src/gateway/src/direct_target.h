#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/async.h>
#include <athena/base/loop.h>
#include <athena/driver/target.h>
#include <athena/gateway/settings.h>

namespace athena::gateway {

/// Gives the numeric addresses of a host. Error: database_unavailable.
using Resolve = std::function<Async<std::vector<std::string>>(std::string host, std::uint16_t port)>;
Resolve system_resolver(Loop& loop);

/// Looks the host up once, and gives the address to connect to: every one that it has must be public, unless private
/// ones are allowed. Errors: direct_target_refused; database_unavailable. `header` names it in their texts.
Async<std::string> resolve_checked(Resolve resolve, std::string host, std::uint16_t port, bool allow_private,
                                   std::string header);

/// Reads X-JDBC-URL (contract 2): the host must be on the allow-list, and what it resolves to must be public unless
/// private hosts are allowed. The address that was checked is the one that is used: it stands in Target::address.
/// Errors: direct_target_refused, configuration_error turned into invalid_value (a malformed URI),
/// database_unavailable.
Async<driver::Target> resolve_direct_target(Loop& loop, std::string uri, const Settings& settings);

/// True for an address that only the public internet uses: not private, loopback, link-local, shared (CGNAT), mapped or
/// translated into IPv6, unique local, multicast, documentation, reserved or unspecified. `address` is numeric.
bool is_public_address(std::string_view address);

/// "example.org" admits itself and its subdomains, "*.example.org" the subdomains alone.
bool is_allowed_host(std::string_view host, const std::vector<std::string>& allowed);

}  // namespace athena::gateway
