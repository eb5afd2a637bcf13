#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <athena/base/result.h>
#include <athena/driver/target.h>

#include "sqlite/database.h"
#include "sqlite/jobs.h"

namespace athena::driver::sqlite {

/// Something that a reader thread does in one go: a batch of rows, or the loading of the schema.
class ReadJob : public Job {
 public:
  using Job::Job;

  /// On a reader thread. True: the job keeps the connection, because a statement of it is half-way.
  virtual bool work(Connection& connection) noexcept = 0;
  /// On a reader thread, instead of work(): there is no connection to be had.
  virtual void refuse(Error error) noexcept = 0;

 protected:
  friend class Readers;
  std::unique_ptr<Connection> connection_;  ///< while it is half-way
};

/// A few threads that run long reads, and more connections than threads: a stream whose reader is slow keeps its
/// connection, because the statement stands on it, but no thread. Shared by all loops. No connection is opened before
/// it is needed: to open a file costs little, so the minimum of a pool means nothing here.
class Readers {
 public:
  static constexpr std::size_t kThreads = 4;
  static constexpr std::size_t kMostConnections = 16;
  static constexpr std::size_t kMostWaiting = 1'024;

  explicit Readers(const Target& target);
  /// Waits for what runs. Jobs that wait were withdrawn or cancelled before: see JobBook.
  ~Readers();
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;

  /// Called on the job's loop; the job comes home when a batch of its work is done. Error: overloaded.
  Result<> submit(std::shared_ptr<ReadJob> job);
  /// Takes back a job that waits for a connection; false: it does not, and will come home.
  bool withdraw(const ReadJob& job);
  /// The connection of a job that is half-way and will not go on.
  void release(std::unique_ptr<Connection> connection);

  std::uint32_t connections() const;
  std::uint32_t busy() const;
  std::size_t connection_limit() const noexcept { return connection_limit_; }

 private:
  struct Idle {
    std::unique_ptr<Connection> connection;
    TimePoint since;
  };
  void run();
  void run_one(std::unique_lock<std::mutex>& lock);
  std::unique_ptr<Connection> find_connection(std::unique_lock<std::mutex>& lock, ReadJob& job);
  void start_thread();
  void serve_waiting();
  void put_back(std::unique_ptr<Connection> connection);
  void close_idle(std::unique_lock<std::mutex>& lock, TimePoint now);

  const Target target_;
  const std::size_t connection_limit_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<ReadJob>> queue_;    ///< may run now
  std::deque<std::shared_ptr<ReadJob>> waiting_;  ///< for a connection
  std::vector<Idle> idle_;
  std::vector<std::thread> threads_;
  std::size_t open_ = 0, sleeping_ = 0;
  bool stopping_ = false;
};

}  // namespace athena::driver::sqlite
