#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include <athena/base/clock.h>
#include <athena/base/loop.h>

#include "postgres/cancel.h"
#include "postgres/connect.h"
#include "postgres/request.h"
#include "postgres/statement_cache.h"

namespace athena::driver::postgres {

/// A connection that many autocommit statements share. They are sent without waiting for one another: one write, a
/// *flight*, carries all that came up in a turn of the loop, or while kMaxFlights of them were under way. Answers come
/// in the same order.
///
/// Each statement is a transaction of its own, ended by its Sync; but reads of the same statement by key that stand
/// side by side, a *group*, share one. That saves the server a transaction and a write for each. An error in one
/// statement is that statement's alone: those of its group which the server then skipped are sent again, each with its
/// own Sync.
class Lane : public std::enable_shared_from_this<Lane> {  // shared with its own reading and writing
 public:
  /// A turn of the loop may bring more; they wait their turn outside.
  static constexpr std::size_t kMaxInFlight = 512;
  /// While so many are on their way or being worked on, statements gather for the next: a server that is sent one at a
  /// time answers one at a time, and everyone wakes for each.
  static constexpr std::size_t kMaxFlights = 4;
  /// The answers of a group come together: it is short enough that nobody waits for long.
  static constexpr std::size_t kMaxGroup = 32;
  /// Rows that nobody took yet. Beyond, the lane stops reading and takes nothing new until they are drained.
  static constexpr std::size_t kMaxHeldBytes = 1024 * 1024;
  /// Rows are given out at the end of the answer, or from this size on.
  static constexpr std::size_t kEarlyBytes = 64 * 1024;
  /// Ticks (10 ms each) after which the statement in front counts as slow, and an abandoned one is cancelled.
  static constexpr std::uint32_t kSlowTicks = 2;
  static constexpr std::uint32_t kCancelTicks = 5;
  /// A cancel that is not settled by then closes the connection.
  static constexpr milliseconds kCancelPatience{2'000};

  /// What became of a statement on a connection that was lost.
  enum class Fate : std::uint8_t {
    not_run,  ///< it never ran, or was rolled back for certain
    unknown   ///< it may have run, and been committed
  };
  class Owner {
   public:
    virtual ~Owner() = default;
    /// The lane is of no more use; what it had in hand follows through orphaned().
    virtual void lane_closed(Lane& lane, const Error& why) = 0;
    virtual void orphaned(LaneRequestPtr request, Fate fate) = 0;
    /// Another request's cancel hit this lane's statement, which is sent again.
    virtual void cancel_absorbed() = 0;
    virtual void statement_cancelled() = 0;
    virtual void prepared_again() = 0;
    virtual Helper& helper() = 0;
    /// For the names of types; null: not known yet.
    virtual const query::Schema* schema() const = 0;
  };

  Lane(Loop& loop, std::unique_ptr<Connection> connection, Owner& owner);
  /// Begins to read. The lane lives until close() or the connection's end.
  void start();

  void enqueue(LaneRequestPtr request);
  /// Gives back what was not sent yet.
  std::deque<LaneRequestPtr> take_queued();
  /// Open for another statement.
  bool accepts() const noexcept {
    return !closed_ && !paused_ && fence_ == Fence::none && !is_retiring_ && in_hand() < kMaxInFlight;
  }
  bool is_slow() const noexcept { return head_ticks_ >= kSlowTicks; }
  bool is_idle() const noexcept { return in_hand() == 0 && fence_ == Fence::none; }
  /// A few statements wait for the next flight: more of the kind may join them.
  bool is_gathering() const noexcept { return !queued_.empty() && queued_.size() < kMaxGroup / 2 && !is_slow(); }
  std::size_t in_hand() const noexcept { return queued_.size() + sent_.size(); }
  TimePoint last_used() const noexcept { return last_used_; }
  /// How many statements were answered.
  std::uint64_t answered() const noexcept { return heads_; }

  /// Nobody waits for it any more: it ends with `why`. What was not sent yet never is; the answer to what was sent is
  /// discarded when it comes, and only if it is long in coming is the statement cancelled.
  void abandon(LaneRequest& request, Error why);
  /// Rows of it were taken.
  void drained(const LaneRequest& request);
  /// Deadlines, slow statements, cancels.
  void tick(TimePoint now);
  /// Closes as soon as it is idle, and takes nothing new.
  void retire() noexcept { is_retiring_ = true; }
  bool is_retiring() const noexcept { return is_retiring_; }
  void close();

 private:
  enum class Fence : std::uint8_t {
    none,
    cancel_under_way,  ///< it may hit whatever runs
    cancel_delivered   ///< it may have hit any statement that was sent by then, and none that was sent later
  };

  void schedule_flush();
  void flush();
  bool encode(LaneRequest& request);
  bool joins_group(const LaneRequest& request) const noexcept;
  void end_group();
  void write();
  Task<> finish_writing();
  Task<> read();
  void make_room();
  void process();
  bool handle(const Frame& frame, std::size_t begin);
  bool handle_error(const Frame& frame);
  bool describe(const Frame& frame);
  void finish_head();
  LaneRequestPtr take_head();
  void send_rest_again(const LaneRequestPtr& failed);
  bool may_send_again(LaneRequest& request);
  void give_out_early();
  void cancel_head(TimePoint now);
  void lose(Error why, bool ended_in_order);

  Loop& loop_;
  Owner& owner_;
  std::unique_ptr<Connection> connection_;
  StatementCache cache_;
  std::deque<LaneRequestPtr> queued_;  // not encoded yet
  std::deque<LaneRequestPtr> sent_;    // in the order of their answers
  Buffer out_;
  std::uint64_t encoded_bytes_ = 0, written_bytes_ = 0;  // of all that was ever sent
  ChunkPtr chunk_;
  std::size_t parsed_ = 0, filled_ = 0;  // of the chunk
  std::size_t needed_ = kMessageHeadBytes;
  athena::Event drained_;
  TimePoint last_used_, cancel_began_;
  std::uint64_t heads_ = 0, heads_at_tick_ = 0;  // how many statements were finished; tells whether the head moved
  std::uint64_t fenced_heads_ = 0;  // with a cancel delivered: how many must be finished before the fence is lifted
  std::uint32_t head_ticks_ = 0;
  std::size_t flights_ = 0;     // under way
  std::size_t group_size_ = 0;  // of the group that is being encoded: it has no Sync yet
  Fence fence_ = Fence::none;
  bool flush_scheduled_ = false, writing_ = false, paused_ = false, closed_ = false, is_retiring_ = false;
};

}  // namespace athena::driver::postgres
