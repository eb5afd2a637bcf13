#pragma once

#include <string>
#include <string_view>

#include "channel.h"

namespace athena::sdk {

/// A request as a gateway reads it: route and body (query/read_json.h is the other side).
struct GatewayRequest {
  std::string_view method, path;
  std::string body;
};

/// `client` names the database to the routes that ask for a name beside the header.
GatewayRequest to_gateway(const Request& request, std::string_view client);

/// `name`, or `"na:me"` where it could be taken for more than a name.
std::string quoted_name(std::string_view name);

}  // namespace athena::sdk
