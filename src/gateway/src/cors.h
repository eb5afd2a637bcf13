#pragma once

#include <athena/gateway/settings.h>
#include <athena/http/server.h>

namespace athena::gateway {

/// True if the request is a CORS preflight (Fetch standard): OPTIONS with an origin and a method asked for.
bool is_preflight(const http::RequestHead& head) noexcept;

/// What browsers need to see on every reply, if the origin is allowed. Nothing otherwise.
void add_cors_headers(http::Exchange& exchange, const Settings& settings);
/// The answer to a preflight; `methods` are those of the path.
void answer_preflight(http::Exchange& exchange, const Settings& settings, std::string_view methods);

}  // namespace athena::gateway
