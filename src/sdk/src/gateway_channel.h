#pragma once

#include <memory>

#include "channel.h"
#include "target.h"

namespace athena::sdk {

/// Through a gateway, over HTTP.
std::unique_ptr<Channel> open_gateway_channel(const AthenaClientConfig& config, GatewayUrl url, ChannelContext context);

}  // namespace athena::sdk
