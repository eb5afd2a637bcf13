#pragma once

#include "config.h"

namespace athena::app {

/// `athena server`: builds everything in order, serves until SIGTERM or SIGINT, stops in reverse order. Returns the
/// exit code; what prevents the start is said on stderr.
int run_server(const ConfigOptions& options);

}  // namespace athena::app
