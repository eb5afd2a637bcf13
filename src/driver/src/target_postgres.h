#pragma once

#include <string>
#include <string_view>

#include <athena/base/result.h>
#include <athena/driver/target.h>

namespace athena::driver {

/// What stands behind `postgres://`: [USER[:PASSWORD]@]host[:port][/database][?sslmode=…]. As Neon writes its URIs,
/// too: `channel_binding` is taken over, and `options=endpoint=ID` passes if the host says the same, since the name of
/// the host goes out with the TLS handshake. Error: configuration_error; it does not repeat the URI.
Result<Target> read_postgres(std::string_view rest);

/// One part of where a PostgreSQL is, by its libpq name (host, port, dbname, user, password, sslmode, channel_binding),
/// plain text. Error: configuration_error, for any other name, too; it does not repeat the value.
Result<> set_postgres_parameter(Target& target, std::string_view name, std::string value);

}  // namespace athena::driver
