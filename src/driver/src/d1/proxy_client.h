#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include <athena/base/event.h>
#include <athena/driver/backend.h>
#include <athena/driver/retry.h>
#include <athena/http/client.h>

#include "budget.h"
#include "d1/errors.h"
#include "d1/proxy.h"

namespace athena::driver::d1 {

/// A statement on its way: ready to be sent, as often as it takes. Borrows its texts.
struct Outgoing {
  std::string_view sql;
  std::string params = {};  ///< elements of a JSON array
  bool writes = false;
  CallerText caller = {};
};

/// One loop's way to the Worker: sends statements, and sends again what may be sent again, within the deadline.
class ProxyClient {
 public:
  using Reply = std::unique_ptr<ProxyReply>;

  /// All borrowed; `places` and `retries` are shared with the other loops.
  ProxyClient(const Target& target, Runtime& runtime, Budget& places, RetryBudget& retries);

  /// Tells the call's session how far it has got, after failures too. Errors: see d1/errors.h; write_outcome_unknown;
  /// pool_timeout; those of the target's secret.
  Async<Reply> send(Outgoing outgoing, Call call);

  bool is_usable() const;
  const std::string& masked() const noexcept { return masked_; }
  std::uint32_t busy() const noexcept { return running_; }
  const std::string& last_error() const noexcept { return last_error_; }
  /// Ends what runs, and waits for it.
  Task<> stop();

 private:
  struct Attempt {
    Reply reply;  ///< null: it failed
    Failure failure;
    std::optional<std::uint32_t> retry_after_s;
  };

  Result<> admit(const Call& call) const;
  Async<Budget::Place> take_place(Call call);
  Async<Reply> send_until_answered(Outgoing outgoing, Call call);
  Result<http::ClientRequest> request(const std::string& body, bool may_repeat, const Call& call) const;
  Task<Attempt> attempt(const Outgoing& outgoing, const std::string& body, Call call);
  Attempt judge(http::ClientResponse response, const Outgoing& outgoing, ReadSession* session) const;
  Error final_error(Attempt attempt, bool writes);

  const Target& target_;
  Runtime& runtime_;
  Budget& places_;
  RetryBudget& retries_;
  const std::string masked_, host_key_;
  std::unique_ptr<http::Client> client_;
  std::minstd_rand random_;
  std::string last_error_;
  std::uint32_t running_ = 0;
  bool stopping_ = false;
  athena::Event idle_;
};

}  // namespace athena::driver::d1
