#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include <athena/driver/backend.h>
#include <athena/driver/target.h>

#include "sqlite/database.h"
#include "sqlite/jobs.h"
#include "sqlite/native.h"
#include "sqlite/stream.h"

namespace athena::driver::sqlite {

/// What the rows of one write may take in memory: they are kept until the commit.
inline constexpr std::size_t kMostReturnedBytes = 64 * 1024 * 1024;

/// A write: a printed statement or a caller's text, run whole or not at all.
class WriteJob final : public Job {
 public:
  WriteJob(std::shared_ptr<JobBook> book, TimePoint deadline, Work work, std::optional<std::uint64_t> max_affected)
      : Job(std::move(book), deadline), work_(std::move(work)), max_affected_(max_affected) {}

  // The loop.
  /// Takes the job back if the writer has not begun: then nothing was and nothing will be done.
  bool withdraw() noexcept;
  /// Once done(): of each statement.
  Result<MemoryStream::Results>& result() noexcept { return result_; }

  // The writer's thread.
  /// From here on the job is run, or answered. False: it was withdrawn before.
  bool claim() noexcept;
  bool withdrawn() const noexcept { return state_ == State::withdrawn; }
  /// Runs in the transaction that is open. A job that was taken back with others may be run again.
  void run(Connection& connection) noexcept;
  void fail_with(Error error) noexcept { result_ = athena::fail(std::move(error)); }
  bool succeeded() const noexcept { return result_.has_value(); }
  bool changes_tables() const noexcept { return changes_tables_; }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  enum class State : std::uint8_t { waiting, claimed, withdrawn };

  Result<MemoryStream::Results> run_printed(Connection& connection, const query::Printed& printed);
  Result<MemoryStream::Results> run_native(Connection& connection, const Native& native);
  Result<> keep_row(sqlite3_stmt* statement, MemoryStream::Content& content);

  const Work work_;
  const std::optional<std::uint64_t> max_affected_;
  std::atomic<State> state_ = State::waiting;
  Result<MemoryStream::Results> result_;
  std::size_t bytes_ = 0;
  bool changes_tables_ = false;
};

/// The one thread that writes to a database file. It takes all jobs that wait and runs them in one transaction, each in
/// a savepoint of its own, because a commit costs more than most writes: a job that fails is taken back alone. Nobody
/// gets an answer before the commit. Shared by all loops.
class Writer {
 public:
  static constexpr std::size_t kMostWaiting = 1'024;
  static constexpr std::size_t kMostInGroup = 256;
  /// A group takes no further job after this time, so that the first in it does not wait for ever.
  static constexpr milliseconds kGroupTime{20};

  explicit Writer(const Target& target) : target_(target) {}
  /// Waits for what runs. Jobs that wait were cancelled before: see JobBook.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// Called on the job's loop. Error: overloaded.
  Result<> submit(std::shared_ptr<WriteJob> job);
  /// How many commits of this writer have changed tables: a schema that was loaded before is out of date.
  std::uint64_t schema_changes() const noexcept { return schema_changes_.load(std::memory_order_acquire); }
  /// How many commits there were: counted before anyone is told of one, so that who has seen no new one since its
  /// snapshot began may go on reading from it.
  const std::atomic<std::uint64_t>& commits() const noexcept { return commits_; }
  std::uint32_t connections() const noexcept { return open_.load(std::memory_order_relaxed) ? 1 : 0; }
  std::uint32_t busy() const noexcept { return busy_.load(std::memory_order_relaxed) ? 1 : 0; }

 private:
  using Jobs = std::vector<std::shared_ptr<WriteJob>>;
  void run();
  void run_group(Jobs jobs);
  void run_alone(const std::shared_ptr<WriteJob>& job);
  Result<> open(TimePoint until);
  void close();
  /// Waits for the write lock, as long as a job is left that wants to be run. False: none is, all have their answer.
  bool begin(Jobs& jobs);
  static void drop_late(Jobs& jobs);
  static void refuse(Jobs& jobs, const Error& error);
  void run_each(Jobs& jobs);
  void run_in_savepoint(WriteJob& job);
  void undo_all_but_last(const Jobs& group);
  /// Also the checks that SQLite makes only when a transaction ends.
  void check_references(WriteJob& job);
  void commit(const Jobs& jobs);
  void put_back(std::span<const std::shared_ptr<WriteJob>> jobs);

  const Target target_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<WriteJob>> queue_;
  std::thread thread_;
  bool stopping_ = false;
  std::atomic<std::uint64_t> schema_changes_ = 0, commits_ = 0;
  std::atomic<bool> open_ = false, busy_ = false;
  std::unique_ptr<Connection> connection_;  ///< the thread's
};

}  // namespace athena::driver::sqlite
