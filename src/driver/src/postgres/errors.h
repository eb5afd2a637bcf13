#pragma once

#include <string_view>

#include "sqlstate.h"

namespace athena::driver::postgres {

/// The connection is gone, or will be once the server has sent this.
bool is_connection_fatal(std::string_view sqlstate) noexcept;
/// A prepared statement of ours does not fit the database any more: preparing it again heals it.
bool needs_reprepare(std::string_view sqlstate, std::string_view message) noexcept;

}  // namespace athena::driver::postgres
