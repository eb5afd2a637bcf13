#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <athena/driver/backend.h>
#include <athena/query/print.h>

#include "sqlite/batch.h"
#include "sqlite/database.h"

namespace athena::driver::sqlite {

/// Runs short reads on the loop itself, on a connection of the loop's own: a hand-over to a thread and back costs more
/// than most of them. A read gets kBudget and kBatchBytes. All its rows are collected before the first is given out, so
/// a read that needs more time or room than that has given out nothing, and simply begins again on a reader thread. The
/// statement is remembered, and its next runs go to a thread at once.
class InlineReader {
 public:
  static constexpr milliseconds kBudget{2};
  /// Runs that go to a thread after one that did not fit; then the loop tries again.
  static constexpr std::uint32_t kSkippedRuns = 64;

  struct Rows {
    std::shared_ptr<const Shape> shape;  ///< null: the read has to be run on a thread
    Batch batch;
  };

  explicit InlineReader(const Target& target) : target_(target) {}

  Result<Rows> read(const query::Printed& printed, TimePoint now, BatchPool& pool);
  /// The connection, opened when it is first needed.
  Result<Connection*> connection();
  bool is_open() const noexcept { return connection_ != nullptr; }
  void close() noexcept { connection_.reset(); }

 private:
  Result<bool> collect(Prepared& prepared, const query::Printed& printed, Rows& rows);

  const Target target_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace athena::driver::sqlite
