#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/cancellation.h>
#include <athena/base/event.h>
#include <athena/driver/backend.h>

#include "budget.h"
#include "postgres/cancel.h"
#include "postgres/connect.h"
#include "postgres/gate.h"

namespace athena::driver::postgres {

class ExclusivePool;

/// A connection of the pool, and what is known about it.
struct Exclusive {
  std::unique_ptr<Connection> connection;
  Budget::Place place;
  TimePoint idle_since;
  bool is_dirty = false;   ///< a caller's SQL ran on it: nobody else may get what it left behind
  bool is_broken = false;  ///< of no more use

  // While it is leased.
  TimePoint deadline;
  Duration allowance{};  ///< what the deadline left at first: each later wait for rows may take as long
  Cancellation* cancellation = nullptr;
  std::optional<Error> interrupted;
  /// While it is cleaned: set when a cancel was delivered. Shared with the helper's answer, which may come late.
  std::shared_ptr<athena::Event> cancel_delivered;
};

/// A connection for one request alone. Giving it up in whatever state is right: the pool cancels, rolls back and resets
/// before anyone else gets it, and nobody waits for that.
class Lease {
 public:
  Lease() = default;
  Lease(ExclusivePool* pool, Exclusive* exclusive) noexcept : pool_(pool), exclusive_(exclusive) {}
  Lease(Lease&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)), exclusive_(std::exchange(other.exclusive_, nullptr)) {}
  Lease& operator=(Lease&& other) noexcept {
    std::swap(pool_, other.pool_), std::swap(exclusive_, other.exclusive_);
    return *this;
  }
  ~Lease();

  explicit operator bool() const noexcept { return exclusive_ != nullptr; }
  Connection& connection() noexcept { return *exclusive_->connection; }
  void mark_dirty() noexcept { exclusive_->is_dirty = true; }

  /// As Connection's, within the request's deadline and as long as it is not cancelled.
  Async<> send();
  Async<Frame> receive();
  Async<> run(std::string_view sql);
  /// Rows have begun to flow: from now on the deadline is for each wait, not for the whole.
  void rows_flow() noexcept { rows_flow_ = true; }

  using OnRow = std::function<void(std::span<const std::optional<std::string_view>> cells)>;
  /// A statement of ours, its rows given to `on_row` as they come.
  Async<> query(std::string_view sql, std::vector<query::Param> params, OnRow on_row);
  /// Appends Parse to Sync for the unnamed statement.
  Result<> ask(std::string_view sql, std::span<const query::Param> params);

 private:
  Error why(Error error) noexcept;
  void extend_deadline();

  ExclusivePool* pool_ = nullptr;
  Exclusive* exclusive_ = nullptr;
  bool rows_flow_ = false;
};

/// One loop's connections that are used by one request at a time: raw SQL, transactions, long reads.
class ExclusivePool {
 public:
  /// Requests that wait for one. Beyond: overloaded.
  static constexpr std::size_t kMaxWaiters = 1'000;
  /// For cancelling and draining what a request left behind; beyond, the connection is closed.
  static constexpr milliseconds kCleanupPatience{2'000};

  /// All borrowed; they outlive the pool.
  ExclusivePool(Runtime runtime, const Target& target, std::string_view masked_target, Gate& gate, Budget& budget,
                Helper& helper);
  ~ExclusivePool();

  /// First come, first served. Errors: pool_timeout at the deadline, overloaded, database_unavailable, shutting_down.
  Async<Lease> acquire(TimePoint deadline, Cancellation* cancellation);

  void tick(TimePoint now);
  /// Opens idle ones until the client has `wanted` connections; false: nobody has shown yet that the server is there.
  bool warm(std::uint32_t wanted);
  /// Closes one that has nothing to do; false: there is none.
  bool close_idle();
  std::uint32_t open() const noexcept {
    return static_cast<std::uint32_t>(leased_.size() + idle_.size() + cleaning_.size());
  }
  std::uint32_t busy() const noexcept { return static_cast<std::uint32_t>(leased_.size() + cleaning_.size()); }
  bool is_usable(TimePoint now) const { return open() > 0 || !gate_.is_down(now); }
  /// Interrupts what runs, and waits until all leases are back and closed.
  Task<> stop();

 private:
  friend class Lease;
  using List = std::list<Exclusive>;
  struct Waiter {
    explicit Waiter(Budget& budget) : want(budget) {}
    athena::Event ready;
    Exclusive* got = nullptr;
    std::optional<Error> error;
    TimePoint deadline;
    Cancellation* cancellation = nullptr;
    Budget::Want want;
  };

  void give_back(Exclusive* exclusive);
  void drop(Exclusive* exclusive);
  void make_idle(Exclusive* exclusive);
  Exclusive* take_idle();
  void lend(Exclusive* exclusive, TimePoint deadline, Cancellation* cancellation);
  void serve_waiters();
  void refuse_waiters(TimePoint now);
  bool open_more(std::size_t wanted);
  Task<> open_one(Budget::Place place, Gate::Attempt attempt);
  Task<> clean(Exclusive* exclusive);
  Async<> make_clean(Exclusive& exclusive);
  Async<> settle(Exclusive& exclusive);
  void interrupt(Exclusive& exclusive, Error why);
  void finish_waiter(Waiter& waiter, Error why);
  void observe(driver::Event::Kind kind, std::string detail = {});
  static List::iterator find(List& list, const Exclusive* exclusive);

  Runtime runtime_;
  const Target& target_;
  std::string_view masked_target_;
  Gate& gate_;
  Budget& budget_;
  Helper& helper_;
  List leased_, idle_, cleaning_;  // moved between by splicing: an Exclusive stays where it is
  std::deque<Waiter*> waiters_;    // in the frames of acquire()
  std::size_t opening_ = 0;
  athena::Event changed_;
  bool stopping_ = false;
};

}  // namespace athena::driver::postgres
