#pragma once

#include <span>
#include <string_view>

#include <athena/base/result.h>
#include <athena/driver/target.h>

namespace athena::driver {

/// What stands behind `scylla://`: [USER[:PASSWORD]@]host[:port][,host[:port]…][/keyspace][?tls=require]. The first
/// host is Target::host, the others are in more_hosts. Error: configuration_error; it does not repeat the URI.
Result<Target> read_scylla(std::string_view rest);

/// Contact points, each `host`, `host:port`, `[v6]` or `[v6]:port`. Error: configuration_error.
Result<> set_scylla_hosts(Target& target, std::span<const std::string_view> hosts);
/// disable, require or verify-full. Error: configuration_error.
Result<> set_scylla_tls(Target& target, std::string_view mode);

}  // namespace athena::driver
