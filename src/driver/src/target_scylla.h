#pragma once

#include <string_view>

#include <athena/base/result.h>
#include <athena/driver/target.h>

namespace athena::driver {

/// What stands behind `scylla://`: [USER[:PASSWORD]@]host[:port][,host[:port]…][/keyspace][?tls=require]. The first
/// host is Target::host, the others are in more_hosts. Error: configuration_error; it does not repeat the URI.
Result<Target> read_scylla(std::string_view rest);

}  // namespace athena::driver
