#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include <athena/base/loop.h>
#include <athena/driver/backend.h>
#include <athena/query/print.h>

#include "sqlite/batch.h"
#include "sqlite/database.h"

namespace athena::driver::sqlite {

/// Runs short reads on the loop itself, on a connection of the loop's own: a hand-over to a thread and back costs more
/// than most of them. A read gets kBudget and kMostBytes. All its rows are collected before the first is given out, so
/// a read that needs more time or room than that has given out nothing, and simply begins again on a reader thread. The
/// statement is remembered, and its next runs go to a thread at once.
///
/// The reads of one turn of the loop share a snapshot of the database, because to begin one costs as much as a short
/// read: locks, and a look at the file. It ends with the turn, or as soon as the writer has committed something. So a
/// write through Athena is seen by every read that comes after its answer; another program's, from the next turn on.
class InlineReader : public std::enable_shared_from_this<InlineReader> {  // shared with the end of the turn
 public:
  static constexpr milliseconds kBudget{2};
  static constexpr std::size_t kMostBytes = 256 * 1024;
  /// Looks at the clock that pass anyway, about 10 000 steps of SQLite's machine.
  static constexpr std::uint32_t kFreeLooks = 10;
  /// Runs that go to a thread after one that did not fit; then the loop tries again.
  static constexpr std::uint32_t kSkippedRuns = 64;

  struct Rows {
    std::shared_ptr<const Shape> shape;  ///< null: the read has to be run on a thread
    Batch batch;
  };

  /// What the loop's connection may keep of the file in memory.
  static constexpr int kPageCacheKiB = 8 * 1024;

  /// `commits`: the writer's, borrowed from what outlives the reader.
  InlineReader(const Target& target, Loop& loop, const std::atomic<std::uint64_t>& commits)
      : target_(target), loop_(loop), commits_(commits) {}

  Result<Rows> read(const query::Printed& printed, TimePoint now, BatchPool& pool);
  /// The connection, opened when it is first needed, outside of any snapshot: it sees what is in the file now.
  Result<Connection*> connection();
  bool is_open() const noexcept { return connection_ != nullptr; }
  void close() noexcept;

 private:
  Result<Connection*> open();
  Result<> share_snapshot();
  void end_snapshot() noexcept;
  Result<bool> collect(Prepared& prepared, const query::Printed& printed, Rows& rows);

  const Target target_;
  Loop& loop_;
  const std::atomic<std::uint64_t>& commits_;
  std::unique_ptr<Connection> connection_;
  bool has_snapshot_ = false;
  bool turn_ends_ = false;          ///< the end of the turn is posted
  std::uint64_t seen_commits_ = 0;  ///< when the snapshot began
};

}  // namespace athena::driver::sqlite
