#pragma once

#include <string>
#include <vector>

#include <athena/driver/target.h>
#include <athena/sdk/config.h>

namespace athena::sdk {

/// Whether the other end is a gateway; else it is a database.
bool is_gateway(const AthenaClientConfig& config) noexcept;

/// Where the driver is to go. Errors: configuration_error, also for options that this backend has no use for.
Result<driver::Target> make_target(const AthenaClientConfig& config);

/// The keys under which the driver watches the health of the target's hosts; none: it has no hosts.
std::vector<std::string> health_keys(const driver::Target& target);

/// The base URL of a gateway, without a trailing slash: scheme, host, port and path. Errors: as make_target.
struct GatewayUrl {
  std::string base;
  std::string health_key;  ///< "gateway|host:port"
};
Result<GatewayUrl> make_gateway_url(const AthenaClientConfig& config);

}  // namespace athena::sdk
