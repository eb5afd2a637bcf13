#pragma once

#include <string_view>

#include <athena/base/result.h>
#include <athena/http/client.h>
#include <athena/sdk/value.h>

namespace athena::sdk {

/// What a gateway answered, in whichever of its three shapes (documented, compact, bare). Errors: the gateway's own,
/// with its code, text, hint and details; connection_error for what is no answer of a gateway.
Result<QueryResult> read_reply(const http::ClientResponse& response);

}  // namespace athena::sdk
