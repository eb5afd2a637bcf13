#pragma once

#include <string>

#include "config.h"
#include "setting.h"

namespace athena::app {

/// One entry of `postgres_clients`: a name and a URI. An empty URI leaves the client out, with a notice: that is how
/// `${URI:-}` makes one optional.
Result<> add_postgres_client(Config& config, const std::string& name, const Setting& uri,
                             const Environment& environment);

/// The list `clients`: {name, uri | uri_env_var | metadata, description, …}, any backend.
Result<> add_clients(Config& config, const Setting& list, const Environment& environment);

}  // namespace athena::app
