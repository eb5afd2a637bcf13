#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <random>
#include <string>

#include <athena/base/event.h>
#include <athena/driver/backend.h>
#include <athena/driver/health.h>
#include <athena/driver/retry.h>
#include <athena/http/client.h>
#include <athena/query/print_rest.h>

#include "supabase/errors.h"

namespace athena::driver::supabase {

/// One loop's way to the service: adds the key, keeps to the deadline, leaves a host alone that fails, and sends again
/// what may be sent again.
class Channel {
 public:
  Channel(const Target& target, Runtime runtime, RetryBudget& retries);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// Gives an answer whose status is a success. `may_repeat`: a read, or a write that does the same when it is done
  /// twice. Errors: of errors.h; write_outcome_unknown, if a write may have happened; shutting_down.
  Async<http::ClientResponse> send(query::RestRequest request, Call call, bool may_repeat);

  Health health() const;
  /// Ends what runs, and waits for it.
  Task<> stop();

 private:
  struct Attempt;
  Task<Attempt> attempt(const query::RestRequest& request, Call call, bool may_repeat);
  Async<http::ClientResponse> send_attempts(query::RestRequest request, Call call, bool may_repeat);
  Result<http::ClientRequest> prepare(const query::RestRequest& request, const Call& call, std::string& key) const;
  Task<bool> rest_until(TimePoint until, Cancellation* cancellation);
  void observe(Event::Kind kind, std::string detail);

  const Target& target_;
  const Runtime runtime_;
  RetryBudget& retries_;
  const std::string health_key_;
  std::unique_ptr<http::Client> client_;
  std::minstd_rand random_{std::random_device{}()};
  std::list<athena::Event*> resting_;  ///< in the frames of rest_until()
  std::uint32_t running_ = 0;
  bool stopping_ = false;
  athena::Event ended_;
  std::string last_error_;
};

}  // namespace athena::driver::supabase
