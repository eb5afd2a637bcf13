#pragma once

#include <memory>

#include "auth/auth.h"
#include "clients.h"

namespace athena::gateway {

/// What endpoints may use besides the request itself. One for each loop.
class Services {
 public:
  Services(Loop& loop_of_all, LoopBackends& loop_backends, const bool& is_ready)
      : loop(loop_of_all), backends(loop_backends), ready(is_ready) {}

  Loop& loop;
  LoopBackends& backends;
  Auth auth;
  const bool& ready;  ///< GET /ready: the app says so
};

}  // namespace athena::gateway
