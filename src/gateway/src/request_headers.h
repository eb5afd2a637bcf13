#pragma once

#include <optional>
#include <string_view>

#include "context.h"

namespace athena::gateway {

/// The one value of a header that must not be given twice with different values. Error: invalid_request.
Result<std::optional<std::string_view>> single_header(const http::RequestHead& head, std::string_view name);

/// Where the caller stands among the replicas of the client's database: X-Athena-D1-Session-Mode and
/// X-Athena-D1-Bookmark, if the database has such sessions; the others take no notice. Error: invalid_value.
Result<> read_session(RequestContext& context);

}  // namespace athena::gateway
