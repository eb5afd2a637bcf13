#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>

#include <athena/base/event.h>
#include <athena/driver/backend.h>

#include "schema_cell.h"

namespace athena::driver {

/// One loop's view of a SchemaCell: gives the tables to requests, lets them wait for the first picture and for one
/// newer than a change of theirs, and loads when it is this loop's turn. Old pictures serve while the next one is
/// loaded.
class SchemaFollower {
 public:
  using SchemaPtr = std::shared_ptr<const query::Schema>;
  /// Reads the tables. The call has a deadline, and a cancellation that stop() sets.
  using Load = std::function<Async<SchemaPtr>(Call)>;

  /// `cell` is shared with the other loops and outlives this.
  SchemaFollower(Runtime runtime, SchemaCell& cell, std::string masked_target, Load load);
  SchemaFollower(const SchemaFollower&) = delete;
  SchemaFollower& operator=(const SchemaFollower&) = delete;

  /// The tables, if nothing has to be waited for; else null.
  const query::Schema* current() {
    cell_.mark_used();
    return cell_.required() || !has_schema() ? nullptr : schema_.get();
  }
  /// The tables; waits for the first picture, and after require() for the one that shows the change.
  Async<SchemaPtr> get(Call call);
  /// A picture newer than now.
  Async<SchemaPtr> get_newer(Call call);
  /// Whether the error may come from a stale picture, and a newer one is there now.
  Task<bool> refreshed_after(const Error& error, Call call);
  /// The tables were just changed through Athena: nobody looks names up before that is seen.
  void require() { cell_.require(); }

  /// Waits for a load that runs; whoever waits for one gets shutting_down.
  Task<> stop();

 private:
  static constexpr seconds kLoadTimeout{30};
  struct Waiter {
    athena::Event ready;
    std::uint64_t load = 0;
    TimePoint deadline;
    std::optional<Error> error;
  };

  bool has_schema();
  Async<> wait_for(std::uint64_t load, Call call);
  void begin_loads();
  Task<> load();
  void wake_waiters(TimePoint now);
  void tick(TimePoint now);

  Runtime runtime_;
  SchemaCell& cell_;
  const std::string target_;
  const Load load_;
  SchemaPtr schema_;
  std::uint64_t version_ = 0;
  std::list<Waiter*> waiters_;  ///< in the frames of wait_for()
  bool loading_ = false, stopping_ = false;
  Cancellation stop_loading_;
  athena::Event loaded_;
  Loop::Handle ticks_;
};

}  // namespace athena::driver
