#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include <athena/base/clock.h>
#include <athena/query/schema.h>

namespace athena::driver {

/// The picture of a database's tables that all loops share, and who loads the next one. Loads are numbered; one runs at
/// a time, on whichever loop takes it. Thread-safe.
class SchemaCell {
 public:
  /// At most this often because of an error that a stale picture may explain.
  static constexpr milliseconds kErrorInterval{1'000};
  static constexpr milliseconds kRefreshInterval{60'000};
  /// Between two loads: a migration notifies for each of its statements.
  static constexpr milliseconds kPause{100};

  /// Changes with each new picture: a loop keeps its own pointer, and looks here only when this has changed.
  std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }
  std::shared_ptr<const query::Schema> get() const;

  /// Asks for a picture newer than now; gives the number of the load that will make it.
  std::uint64_t request();
  /// The same, and nobody looks names up before it is there: the tables were just changed through Athena.
  void require();
  /// The load that require() waits for; none: the picture is as new as it has to be.
  std::optional<std::uint64_t> required() const noexcept {
    const std::uint64_t load = required_.load(std::memory_order_acquire);
    if (load <= settled_.load(std::memory_order_acquire)) return std::nullopt;
    return load;
  }
  /// The same for an error; none: too soon after the last one.
  std::optional<std::uint64_t> request_after_error(TimePoint now);
  /// Asks for one if the last is old and was used since.
  void request_if_old(TimePoint now);
  void mark_used() noexcept {
    if (!used_.load(std::memory_order_relaxed)) used_.store(true, std::memory_order_relaxed);
  }
  /// The number of the load that runs, or of one that is asked for now.
  std::uint64_t join();

  /// The number of a load that is wanted and that the caller is now to do, and end. None: nothing to do yet.
  std::optional<std::uint64_t> begin(TimePoint now);
  void end(TimePoint now, Result<std::shared_ptr<const query::Schema>> outcome);

  /// Whether load `number` has ended, and how the last one did.
  struct Progress {
    bool ended = false;
    std::optional<Error> error;
  };
  Progress progress(std::uint64_t number) const;

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const query::Schema> schema_;
  std::optional<Error> error_;
  std::uint64_t begun_ = 0, ended_ = 0, wanted_ = 0;
  TimePoint last_end_, last_error_request_;
  std::atomic<std::uint64_t> version_{0};
  std::atomic<std::uint64_t> required_{0};
  std::atomic<std::uint64_t> settled_{0};  ///< ended_, to be read without the lock
  std::atomic<bool> used_{false};
};

}  // namespace athena::driver
