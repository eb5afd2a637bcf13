#pragma once

#include <cstdint>
#include <string>

#include "config.h"

namespace athena::app {

/// What a person reads when the server starts: where it listens, what it serves to whom, and one request that works.
std::string banner(const Config& config, std::uint16_t port, std::uint32_t threads);

/// Whether only this machine can connect to `host`.
bool is_loopback(std::string_view host);

}  // namespace athena::app
