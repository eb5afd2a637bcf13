#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <boost/circular_buffer.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <athena/base/cancellation.h>
#include <athena/base/event.h>
#include <athena/base/loop.h>
#include <athena/driver/target.h>

#include "net/dial.h"
#include "scylla/message.h"
#include "scylla/token.h"

namespace athena::driver::scylla {

class Connection;
class ExchangePool;

/// One request on a connection, and its answer. Shared by whoever asked and by the connection, which has to wait for
/// the answer even if nobody else does: CQL cannot cancel, so the stream stays taken until then.
class Exchange {
 public:
  Opcode opcode = Opcode::error;  ///< of the answer
  std::uint8_t flags = 0;
  Buffer body;

  bool finished = false;       ///< there is an answer, or an error
  std::optional<Error> error;  ///< the connection's, not the server's
  bool was_sent = false;       ///< bytes of it may have reached the server

  athena::Event* notify = nullptr;  ///< set when it is finished; borrowed, null: nobody waits any more
  TimePoint deadline;
  TimePoint sent_at;

  /// Who waits gives up; the answer is dropped when it comes.
  void abandon() noexcept;

 private:
  friend class ExchangePool;
  friend class Connection;
  friend void intrusive_ptr_add_ref(Exchange* exchange) noexcept { ++exchange->references_; }
  friend void intrusive_ptr_release(Exchange* exchange) noexcept;

  void finish(std::optional<Error> why = {});

  Connection* connection_ = nullptr;  // that waits for the answer, borrowed
  std::uint32_t references_ = 0;
  std::shared_ptr<ExchangePool> pool_;  // which must not go before its exchanges
};
using ExchangePtr = boost::intrusive_ptr<Exchange>;

/// Exchanges are made anew only until there are as many as ever were needed at a time: their buffers keep their room.
class ExchangePool : public std::enable_shared_from_this<ExchangePool> {
 public:
  static constexpr std::size_t kKept = 256;
  static constexpr std::size_t kKeptBytes = 16 * 1024;
  ExchangePtr take();

 private:
  friend void intrusive_ptr_release(Exchange* exchange) noexcept;
  std::vector<std::unique_ptr<Exchange>> free_;
};

using Question =
    std::variant<OptionsQuestion, RegisterEvents, PrepareQuestion, QueryQuestion, ExecuteQuestion, BatchQuestion>;

/// What a node says about itself when a connection begins.
struct NodeOptions {
  bool lz4 = false;
  Sharding sharding;                                 ///< ScyllaDB's; shards 0: none
  std::uint32_t shard = 0;                           ///< that this connection ended on
  std::uint16_t shard_port = 0, shard_port_tls = 0;  ///< 0: there is none
};

/// Whom to talk to and how to begin.
struct ConnectOptions {
  Destination destination;
  std::string user;
  SecretSource secret;       ///< asked only if the server wants a password
  std::string keyspace;      ///< used for names without one; empty: none
  std::uint8_t version = 5;  ///< the highest to try
  bool compress = false;     ///< LZ4, if the server offers it
};

/// A connection on which many requests are under way at a time, each on a stream of its own; answers come in any order.
/// What one turn of the loop asks is written together. Belongs to one loop.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// Requests under way. Servers answer a few hundred at a time; the rest would only wait there instead of here.
  static constexpr std::size_t kMaxInFlight = 1'024;
  /// Answers that nobody waits for: beyond it the connection takes no more, and closes when the others are through.
  static constexpr std::size_t kMaxOrphans = 256;
  /// Without a byte from the server for so long, it is asked whether it is there; and given so long to answer.
  static constexpr milliseconds kQuietTime{15'000}, kQuietTimeWithRequests{3'000}, kProbePatience{5'000};

  class Owner {
   public:
    virtual ~Owner() = default;
    /// It is of no more use; what was under way on it has been finished with errors. It may be freed by this.
    virtual void connection_closed(Connection& connection, const Error& why) = 0;
    virtual void server_event(Connection& connection, const ServerEvent& event) = 0;
  };

  /// Connects, agrees on a version, authenticates, and chooses the keyspace, by `deadline`. Errors: connection_error
  /// (with field `cql_error` 0x0100 when the credentials were refused), configuration_error of the secret.
  static Async<std::shared_ptr<Connection>> open(Loop& loop, std::shared_ptr<ExchangePool> pool, ConnectOptions options,
                                                 TimePoint deadline);
  Connection(Loop& loop, std::shared_ptr<ExchangePool> pool, std::unique_ptr<Wire> wire, std::uint8_t version);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void set_owner(Owner* owner) noexcept { owner_ = owner; }

  /// Sends it; accepts() is true. What the question borrows is not needed afterwards.
  ExchangePtr send(const Question& question, TimePoint deadline, athena::Event& notify);
  /// Sends it and waits for the answer. Errors: connection_error, statement_timeout.
  Async<ExchangePtr> ask(Question question, TimePoint deadline);

  bool accepts() const noexcept { return !closed_ && !retiring_ && !free_.empty() && unwritten() < kMaxUnwritten; }
  bool is_closed() const noexcept { return closed_; }
  /// Those that somebody waits for.
  std::size_t in_flight() const noexcept { return owed() - orphans_; }
  /// Answers that the server owes, wanted or not: it works on them all.
  std::size_t owed() const noexcept { return streams_.size() - free_.size(); }
  std::uint8_t version() const noexcept { return version_; }
  const NodeOptions& node() const noexcept { return node_; }
  TimePoint last_used() const noexcept { return last_used_; }

  /// Deadlines, orphans, and whether the server is still there.
  void tick(TimePoint now);
  /// Takes nothing new, and closes when what is under way is through.
  void retire() noexcept { retiring_ = true; }
  bool is_retiring() const noexcept { return retiring_; }
  void close();

 private:
  friend class Exchange;
  static constexpr std::size_t kMaxUnwritten = 1024 * 1024;

  Async<> begin(const ConnectOptions& options, TimePoint deadline);
  Async<> authenticate(const ConnectOptions& options, TimePoint deadline);
  Async<ExchangePtr> ask_at_start(std::variant<OptionsQuestion, Startup, AuthAnswer, QueryQuestion> question,
                                  TimePoint deadline);
  Async<ExchangePtr> wait_for(ExchangePtr exchange, athena::Event& answered);

  template <class Question>
  ExchangePtr enqueue(const Question& question, TimePoint deadline, athena::Event& notify);
  std::size_t unwritten() const noexcept { return asked_.size() + out_.size(); }
  void schedule_flush();
  void flush();
  void write();
  Task<> finish_writing();
  Task<> read();
  bool process();
  bool handle(const EnvelopeView& envelope);
  void free_stream(std::size_t stream);
  void probe(TimePoint now);
  void lose(Error why);

  Loop& loop_;
  std::shared_ptr<ExchangePool> pool_;
  std::unique_ptr<Wire> wire_;
  Owner* owner_ = nullptr;
  const std::uint8_t version_;
  NodeOptions node_;
  EnvelopeReader in_;
  Buffer asked_;                      // whole envelopes of this turn of the loop
  Buffer out_;                        // bytes for the socket
  std::vector<ExchangePtr> streams_;  // by stream; null: free
  /// Streams, the one that rested longest is next: an answer that comes twice meets nobody, and not the next request.
  boost::circular_buffer<std::uint16_t> free_;
  std::vector<ExchangePtr> unsent_;  // those in asked_
  ExchangePtr probe_;
  athena::Event probe_answered_;
  std::size_t orphans_ = 0;
  TimePoint last_received_, last_used_;
  bool framed_ = false, lz4_ = false, started_ = false, heard_ = false;
  bool flush_scheduled_ = false, writing_ = false, closed_ = false, retiring_ = false;
};

/// The server does not speak the version that was tried.
bool is_wrong_version(const Error& error) noexcept;
/// Trying again within a second will not help: wrong password, no such keyspace, a certificate that is not trusted.
bool is_permanent(const Error& error) noexcept;

}  // namespace athena::driver::scylla
