#pragma once

#include <memory>

#include <athena/driver/target.h>

#include "channel.h"

namespace athena::sdk {

/// Straight to the database. Error: configuration_error, if this build has no such backend.
Result<std::unique_ptr<Channel>> open_driver_channel(driver::Target target, ChannelContext context);

}  // namespace athena::sdk
