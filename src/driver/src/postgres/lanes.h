#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/cancellation.h>
#include <athena/base/event.h>
#include <athena/driver/backend.h>

#include "budget.h"
#include "postgres/gate.h"
#include "postgres/lane.h"

namespace athena::driver::postgres {

/// One loop's lanes to one database: picks a lane for each statement, opens and closes them, and sees to it that a lost
/// connection costs the requests on it no more than it must.
class Lanes final : public Lane::Owner {
 public:
  struct Limits {
    std::size_t base = 2;  ///< opened at the first statement, and kept
    std::size_t most = 8;  ///< while those that there are stand behind slow statements
  };
  /// Statements that wait for a lane. Beyond: overloaded.
  static constexpr std::size_t kMaxParked = 10'000;

  /// All borrowed; they outlive the lanes.
  Lanes(Runtime runtime, const Target& target, std::string_view masked_target, Gate& gate, Budget& budget,
        Helper& helper, Limits limits);
  ~Lanes() override;

  /// Sends the statement, and returns when it has ended or its first rows are there: then its columns are known.
  Async<LaneRequestPtr> run(LaneRequest::Question question, Cancellation* cancellation);

  /// The tables and types as they are from now on.
  void set_schema(std::shared_ptr<const query::Schema> schema) { schema_ = std::move(schema); }

  void tick(TimePoint now);
  /// Closes one that has nothing to do; false: there is none.
  bool close_idle();
  std::uint32_t open() const noexcept { return static_cast<std::uint32_t>(lanes_.size()); }
  std::uint32_t busy() const noexcept;
  bool is_usable(TimePoint now) const { return !lanes_.empty() || !gate_.is_down(now); }
  /// Ends all requests and connections, and waits for what runs in the background.
  Task<> stop();

 private:
  struct Open {
    std::shared_ptr<Lane> lane;  // shared with its own reading
    Budget::Place place;
  };

  void lane_closed(Lane& lane, const Error& why) override;
  void orphaned(LaneRequestPtr request, Lane::Fate fate) override;
  void cancel_absorbed() override { observe(Event::Kind::cancel_absorbed); }
  void statement_cancelled() override { observe(Event::Kind::statement_cancelled); }
  void prepared_again() override { observe(Event::Kind::prepared_again); }
  const query::Schema* schema() const override { return schema_.get(); }
  Helper& helper() override { return helper_; }

  /// The lane with the least to do; for what may share a Sync, rather one where it may find company.
  Lane* choose(bool may_share);
  void place(LaneRequestPtr request);
  void unpark();
  void relieve(Lane& slow);
  void refuse_parked(TimePoint now);
  void abandon(LaneRequest& request, Error why);
  void open_more(std::size_t wanted);
  Task<> open_one(Budget::Place place, Gate::Attempt attempt);
  void observe(Event::Kind kind, std::string detail = {});

  Runtime runtime_;
  const Target& target_;
  std::string_view masked_target_;
  Gate& gate_;
  Budget& budget_;
  Helper& helper_;
  const Limits limits_;
  std::shared_ptr<const query::Schema> schema_;                          // shared with the backend, which swaps it
  std::shared_ptr<RequestPool> pool_ = std::make_shared<RequestPool>();  // requests keep it, too
  std::vector<Open> lanes_;
  std::deque<LaneRequestPtr> parked_;
  std::optional<Budget::Want> want_;  // while requests wait and there is no lane at all
  std::size_t opening_ = 0;
  bool stopping_ = false;
  athena::Event opened_;  // set whenever an attempt to open one ends
};

}  // namespace athena::driver::postgres
