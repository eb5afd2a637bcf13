#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <athena/driver/backend.h>
#include <athena/query/print.h>

#include "sqlite/batch.h"
#include "sqlite/native.h"
#include "sqlite/readers.h"

namespace athena::driver::sqlite {

/// How much a batch holds before it is given out. A reply's first bytes are held back for as long, so that most
/// failures still get an answer of their own.
inline constexpr std::size_t kBatchBytes = 64 * 1024;
/// What a read keeps of the statements before the last one; beyond, the text fails.
inline constexpr std::size_t kMaxKept = 16 * 1024 * 1024;

/// What is to be run: a printed statement, or a caller's text.
using Work = std::variant<query::Printed, Native>;

/// Rows that are all there: short reads, and what writes return.
class MemoryStream final : public RowStream {
 public:
  struct Content {
    std::shared_ptr<const Shape> shape;  ///< null: no columns
    std::vector<Batch> batches;
    std::uint64_t affected = 0;

    /// Appends the row that the statement stands on; gives the bytes that it takes. `shape` is known.
    std::size_t add_row(sqlite3_stmt* statement);
  };
  using Results = std::vector<Content>;  ///< of each statement of a text

  explicit MemoryStream(Content content) : content_(std::move(content)) {}

  std::span<const ColumnInfo> columns() const noexcept override;
  Async<RowBatch> next() override;
  std::uint64_t affected() const noexcept override { return content_.affected; }

 private:
  Content content_;
  std::size_t at_ = 0;
};

/// The answer of a text of which `results` is there, and `last`, if it is not null, comes behind: a ScriptStream,
/// unless it is one statement.
std::unique_ptr<RowStream> to_stream(MemoryStream::Results results, std::unique_ptr<RowStream> last = nullptr);

/// A read on a reader thread, a batch at a time. The statement stays open between batches, so all of them come from one
/// snapshot of the database; the deadline bounds how long that may hold back the checkpoint.
class StreamJob final : public ReadJob {
 public:
  StreamJob(std::shared_ptr<JobBook> book, std::weak_ptr<Readers> readers, TimePoint deadline, Work work,
            bool read_only)
      : ReadJob(std::move(book), deadline),
        readers_(std::move(readers)),
        work_(std::move(work)),
        read_only_(read_only) {}

  bool work(Connection& connection) noexcept override;
  void refuse(Error error) noexcept override { error_ = std::move(error); }

  // The loop, while done(): what the last piece of work brought.
  Batch& batch() noexcept { return batch_; }
  bool finished() const noexcept { return finished_; }
  std::optional<Error>& error() noexcept { return error_; }
  /// The text would write: nothing was run, and the writer has to do it.
  bool needs_writer() const noexcept { return needs_writer_; }
  const std::shared_ptr<const Shape>& shape() const noexcept { return shape_; }
  /// What the statements before the one whose rows these are gave.
  MemoryStream::Results& earlier() noexcept { return earlier_; }
  Work& task() noexcept { return work_; }
  bool holds_connection() const noexcept { return connection_ != nullptr; }
  /// Nobody wants the rest. A read that runs or waits is stopped; one that is half-way gives its connection back.
  void abandon();

 private:
  void on_home() override;
  void give_back_connection();
  Result<> start(Connection& connection);
  Result<> start_printed(Connection& connection, const query::Printed& printed);
  Result<> start_native(Connection& connection, const Native& native);
  static Result<> begin(Connection& connection);
  Result<> fill(Connection& connection);
  Result<> run_to_end(Connection& connection, sqlite3_stmt* statement);
  void close(Connection& connection) noexcept;
  ErrorContext context() const noexcept;

  /// Weak: the last owner must not be a reader thread, which the Readers wait for when they go.
  const std::weak_ptr<Readers> readers_;
  Work work_;
  const bool read_only_;
  bool abandoned_ = false;  ///< the loop's
  bool started_ = false, finished_ = false, needs_writer_ = false;
  std::optional<Error> error_;
  Batch batch_;
  std::shared_ptr<const Shape> shape_;
  MemoryStream::Results earlier_;
  std::size_t kept_ = 0;  ///< bytes of them

  sqlite3_stmt* statement_ = nullptr;  ///< the one whose rows are given: cached, or in native_
  Prepared* prepared_ = nullptr;       ///< if it is printed
  std::optional<NativeText> text_;     ///< keeps the authorizer in the callers' mode
  std::vector<NativeStatement> native_;
  std::size_t current_ = 0;
};

/// The stream over a StreamJob. While the caller looks at one batch, the next is being filled.
class ThreadStream final : public RowStream {
 public:
  ThreadStream(std::shared_ptr<JobBook> book, std::shared_ptr<Readers> readers, std::shared_ptr<StreamJob> job,
               Call call);
  ~ThreadStream() override;

  std::span<const ColumnInfo> columns() const noexcept override { return shape_->columns; }
  Async<RowBatch> next() override;
  std::uint64_t affected() const noexcept override { return 0; }

 private:
  const std::shared_ptr<JobBook> book_;
  const std::shared_ptr<Readers> readers_;  ///< a stream may outlive its backend for a moment
  const std::shared_ptr<StreamJob> job_;
  const Call call_;
  const std::shared_ptr<const Shape> shape_;
  Batch current_;
  bool finished_ = false;
  std::optional<Error> error_;
  Loop::Handle deadline_;  ///< ends a read whose caller does not come back for the next batch
};

/// One batch from a read on the loop itself; gives its memory back for the next one.
class InlineStream final : public RowStream {
 public:
  InlineStream(std::shared_ptr<const Shape> shape, Batch batch, std::shared_ptr<BatchPool> pool)
      : shape_(std::move(shape)), batch_(std::move(batch)), pool_(std::move(pool)) {}
  ~InlineStream() override { pool_->give_back(std::move(batch_)); }

  std::span<const ColumnInfo> columns() const noexcept override { return shape_->columns; }
  Async<RowBatch> next() override;
  std::uint64_t affected() const noexcept override { return 0; }

 private:
  const std::shared_ptr<const Shape> shape_;
  Batch batch_;
  const std::shared_ptr<BatchPool> pool_;  ///< shared: a stream may outlive its backend
  bool given_ = false;
};

}  // namespace athena::driver::sqlite
