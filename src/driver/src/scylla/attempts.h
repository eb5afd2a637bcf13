#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <boost/container/small_vector.hpp>

#include <athena/base/cancellation.h>
#include <athena/base/event.h>

#include "scylla/cluster.h"

namespace athena::driver::scylla {

/// One request's way through the hosts: the first of its plan, the next when that fails and the request may be sent
/// again, another beside it when that is slow. What is given up is given up; its answer is dropped when it comes.
class Attempts : public Speculating {
 public:
  /// All borrowed; the frame that holds it waits for run().
  Attempts(Cluster& cluster, const Asked& asked, const Call& call);
  ~Attempts();
  Attempts(const Attempts&) = delete;
  Attempts& operator=(const Attempts&) = delete;

  Async<Answered> run();
  /// Wakes it when another host is to be asked as well.
  void tick(TimePoint now);

 private:
  using HostPtr = std::shared_ptr<Host>;
  struct Live {
    ExchangePtr exchange;
    std::shared_ptr<Connection> connection;
    HostPtr host;
  };
  enum class Verdict : std::uint8_t { answered, goes_on, failed };

  bool start_next();
  bool start(const std::shared_ptr<Connection>& connection, const HostPtr& host);
  Async<> wait_for_connection();
  Task<Verdict> judge(Live ended);
  Verdict read_answer(const Live& ended);
  bool may_send_again(FailureFacts facts);
  Task<Verdict> follow(FailureFacts facts, Live ended);
  Async<> prepare_again(Connection& connection);
  Error lost(const Exchange& exchange) const;
  void abandon_all() noexcept;

  Cluster& cluster_;
  const Asked& asked_;
  const Call& call_;
  std::vector<HostPtr> plan_;
  std::size_t next_ = 0, peers_ = 0;
  std::optional<RetryDecision> decision_;
  std::optional<Speculation> speculation_;
  boost::container::small_vector<Live, 2> live_;
  ExchangePtr preparing_;  // a statement that a node forgot
  athena::Event wake_;
  std::optional<Error> error_;  // of the attempt that ended last
  Answered answered_;
  std::uint32_t rounds_ = 0;
  bool cancelled_ = false;
};

}  // namespace athena::driver::scylla
