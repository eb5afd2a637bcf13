#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/intrusive/list.hpp>

#include <athena/base/event.h>
#include <athena/driver/backend.h>

#include "scylla/host.h"
#include "scylla/shared.h"
#include "scylla/statement_cache.h"

namespace athena::driver::scylla {

class Attempts;
/// What a request is in the list of those for which another node may be asked as well; leaves it when it goes.
struct Speculating : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {};

/// What is asked of the cluster. Views and pointers live in the frame of whoever asks.
struct Asked {
  Question question;
  std::optional<Token> token = {};  ///< whose replicas are asked first
  std::string_view token_keyspace = {};
  std::string_view keyspace = {};              ///< for names without one; empty: the client's
  std::span<const PreparedPtr> prepared = {};  ///< what a node that forgot them has to be told again
  bool is_idempotent = false, is_write = false, caller_cql = false;
};

/// The answer, and what came with it. Views in `result` are into the exchange's body.
struct Answered {
  ExchangePtr exchange;
  ResultView result;
  std::string_view body;  ///< without the extras
  AnswerExtras extras;
  std::uint8_t version = 0;
  std::shared_ptr<Connection> connection;
};

/// One loop's view of a cluster: its hosts and connections, who keeps what, and how a request finds its way: to a
/// replica, to another one when that fails, and to two when the first is slow.
class Cluster final : Connection::Owner {
 public:
  /// Requests that wait for a connection. Beyond: overloaded.
  static constexpr std::size_t kMaxWaiting = 10'000;

  /// `shared` with the clusters of the other loops. What the runtime names outlives it.
  Cluster(Runtime runtime, Target target, std::shared_ptr<Shared> shared);
  ~Cluster() override;

  /// Asks, and returns with the answer. Errors: the server's, see error_from_server; connection_error,
  /// database_unavailable with Retry-After, statement_timeout, write_outcome_unknown, overloaded, cancelled.
  Async<Answered> run(const Asked& asked, Call call);

  /// The rows of a query about the system, as texts; null is none. Collections are JSON.
  using Rows = std::vector<std::vector<std::optional<std::string>>>;
  Async<Rows> query_system(std::string_view cql, Call call);
  /// Waits until all nodes that it is connected to have the schema of the one at the other end, which was just changed
  /// there, for a while: what was created is known everywhere then. Others cannot be asked: they may not have heard of
  /// it yet.
  Async<> agree_on_schema(std::shared_ptr<Connection> changed, TimePoint deadline);

  void use() noexcept { was_used_ = true; }
  void tick(TimePoint now);
  std::uint32_t connections() const noexcept;
  std::uint32_t busy() const noexcept;
  bool is_usable(TimePoint now) const noexcept;
  const std::string& last_error() const noexcept { return last_error_; }
  /// Counts requests by how they were routed, for tests.
  struct Routed {
    std::uint64_t to_replica = 0, elsewhere = 0, speculative = 0;
  };
  const Routed& routed() const noexcept { return routed_; }
  std::shared_ptr<const Ring> ring() const noexcept { return ring_; }

  Task<> stop();

 private:
  friend class Attempts;                  // a request's way through the hosts
  using HostPtr = std::shared_ptr<Host>;  // with requests that are under way while the topology changes
  struct Waiter {
    athena::Event* wake;
    TimePoint deadline;
  };

  void connection_closed(Connection& connection, const Error& why) override;
  void server_event(Connection& connection, const ServerEvent& event) override;

  /// `peers`: how many of the first are as good as each other; with another than these nothing is gained by asking it
  /// only because the first is late.
  std::vector<HostPtr> plan(const Asked& asked, std::size_t& peers);
  Error unavailable(TimePoint now) const;
  bool all_down(TimePoint now) const noexcept;
  void wake_waiters();

  void open_wanted(TimePoint now);
  void open_one(const HostPtr& host, std::uint32_t shard, TimePoint now);
  Task<> connect(HostPtr host, std::uint32_t shard, Budget::Place place, HostHealth::Permit permit);
  ConnectOptions connect_options(const Host& host, std::uint32_t shard) const;
  void connect_failed(Host& host, const Error& error);
  void report_failure(const Host& host);

  /// Finds the contact points' addresses, once.
  Task<> find_contacts();
  /// Listens to events on some connection, and looks at the topology; again when that connection goes.
  Task<> take_control(std::shared_ptr<Connection> connection);
  Async<> refresh(std::shared_ptr<Connection> connection);
  void adopt(std::vector<Node> nodes);
  void rebuild_ring();

  void begin_background() noexcept { ++background_; }
  void end_background();
  /// What the server says beside an answer goes to the operators.
  void observe_extras(const AnswerExtras& extras);
  void observe(Event::Kind kind, std::string detail = {});

  Runtime runtime_;
  const Target target_;
  const std::shared_ptr<Shared> shared_;
  std::shared_ptr<ExchangePool> pool_ = std::make_shared<ExchangePool>();
  std::vector<HostPtr> hosts_;  // in the order of the ring's nodes
  std::shared_ptr<const Ring> ring_;
  std::string local_data_center_;
  std::uint64_t replications_version_ = 0;
  std::list<Waiter*> waiters_;
  boost::intrusive::list<Speculating, boost::intrusive::constant_time_size<false>> speculating_;  // each an Attempts
  std::shared_ptr<Connection> control_;
  std::optional<TimePoint> refresh_at_;
  Backoff contacts_backoff_;
  Error last_failure_;
  std::string last_error_;
  Routed routed_;
  std::uint64_t turn_ = 0;
  std::size_t background_ = 0;
  athena::Event background_ended_;
  bool was_used_ = false, has_contacts_ = false, finding_contacts_ = false, taking_control_ = false, stopping_ = false;
};

}  // namespace athena::driver::scylla
