#pragma once

#include <optional>
#include <string>

#include <athena/driver/target.h>

#include "setting.h"

namespace athena::app {

/// What `metadata` of a client says about its database: see athena/driver/metadata.h. `beside`: what its uri says, or
/// null. Variables that hold secrets are looked up in `environment`, and must be there. Error: configuration_error with
/// file, line, client and key.
Result<std::optional<driver::Target>> read_client_metadata(const Setting& metadata, const std::string& client,
                                                           const Environment& environment,
                                                           const driver::Target* beside);

}  // namespace athena::app
