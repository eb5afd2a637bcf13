#pragma once

#include <memory>

#include <athena/http/client.h>

#include "auth/auth.h"
#include "clients.h"
#include "fetch_templates.h"

namespace athena::gateway {

/// What endpoints may use besides the request itself. One for each loop.
class Services {
 public:
  Services(Loop& loop_of_all, LoopBackends& loop_backends, const bool& is_ready)
      : loop(loop_of_all), backends(loop_backends), ready(is_ready) {}

  /// For requests to services that are no databases. Made when it is first needed.
  http::Client& http() {
    if (!http_) http_ = http::Client::create(loop);
    return *http_;
  }

  Loop& loop;
  LoopBackends& backends;
  Auth auth;
  FetchTemplates fetch_templates;
  const bool& ready;  ///< GET /ready: the app says so

 private:
  std::unique_ptr<http::Client> http_;
};

}  // namespace athena::gateway
