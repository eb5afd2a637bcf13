#include "postgres/lanes.h"

#include <algorithm>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

namespace athena::driver::postgres {
namespace {

/// Transparent attempts of one request, see Lane.
constexpr std::uint8_t kMaxAttempts = 5;

Error lost(bool is_write) {
  if (!is_write) {
    return Error(Code::connection_error, "The connection to the database was lost while it answered",
                 "Nothing was written; the request can be sent again");
  }
  return Error(Code::write_outcome_unknown,
               "The connection to the database was lost: the write may or may not have happened",
               "Look whether it happened before sending it again, or send writes that may be repeated");
}

}  // namespace

Lanes::Lanes(Runtime runtime, const Target& target, std::string_view masked_target, Gate& gate, Budget& budget,
             Helper& helper, Limits limits)
    : runtime_(runtime),
      target_(target),
      masked_target_(masked_target),
      gate_(gate),
      budget_(budget),
      helper_(helper),
      limits_(limits) {}

Lanes::~Lanes() = default;

Async<LaneRequestPtr> Lanes::run(LaneRequest::Question question, Cancellation* cancellation) {
  if (stopping_) co_return fail(Code::shutting_down);
  if (cancellation && cancellation->cancelled()) co_return fail(cancelled_by(cancellation->reason()));
  const LaneRequestPtr request = pool_->take();
  request->question = question;
  place(request);
  if (!request->ready.is_set()) {
    const Cancellation::Watch watch(
        cancellation, [this, &request, cancellation] { abandon(*request, cancelled_by(cancellation->reason())); });
    co_await request->ready.suspend();
  }
  if (request->error) co_return fail(std::move(*request->error));
  request->is_given_out = true;  // the question goes with the caller's frame
  co_return request;
}

Lane* Lanes::choose(bool may_share) {
  Lane* best = nullptr;
  for (const Open& open : lanes_) {
    Lane& lane = *open.lane;
    if (!lane.accepts()) continue;
    if (may_share && lane.is_gathering()) return &lane;
    const bool is_better =
        !best || std::pair(lane.is_slow(), lane.in_hand()) < std::pair(best->is_slow(), best->in_hand());
    if (is_better) best = &lane;
  }
  return best;
}

void Lanes::place(LaneRequestPtr request) {
  if (stopping_) return request->finish(Error(Code::shutting_down));
  if (lanes_.size() + opening_ < limits_.base) open_more(limits_.base);
  if (Lane* lane = choose(request->question.may_share)) return lane->enqueue(std::move(request));
  if (parked_.size() >= kMaxParked) {
    return request->finish(Error(Code::overloaded, "Too many requests wait for a connection to the database"));
  }
  const TimePoint now = Clock::now();
  if (lanes_.empty() && gate_.is_down(now)) return request->finish(gate_.unavailable(now));
  parked_.push_back(std::move(request));
}

void Lanes::unpark() {
  while (!parked_.empty()) {
    Lane* lane = choose(parked_.front()->question.may_share);
    if (!lane) return;
    LaneRequestPtr request = std::move(parked_.front());
    parked_.pop_front();
    lane->enqueue(std::move(request));
  }
}

/// What waits behind a slow statement, and was not sent yet, goes to a lane that moves.
void Lanes::relieve(Lane& slow) {
  const Lane* other = choose(false);
  if (!other || other->is_slow()) return;
  for (LaneRequestPtr& request : slow.take_queued()) place(std::move(request));
}

void Lanes::refuse_parked(TimePoint now) {
  const auto parked = std::exchange(parked_, {});
  for (const LaneRequestPtr& request : parked) request->finish(gate_.unavailable(now));
}

void Lanes::abandon(LaneRequest& request, Error why) {
  if (request.lane) return request.lane->abandon(request, std::move(why));
  if (request.finished) return;
  const LaneRequestPtr keep(&request);
  std::erase(parked_, keep);
  request.abandoned = true;
  request.finish(std::move(why));
}

void Lanes::open_more(std::size_t wanted) {
  while (!stopping_ && lanes_.size() + opening_ < wanted) {
    Budget::Place own = budget_.take();
    if (!own) return;
    Gate::Attempt leave = gate_.enter(runtime_.health.get(), Clock::now());
    if (!leave) return;
    ++opening_;
    asio::co_spawn(
        runtime_.loop.executor(),
        [](Lanes* self, Budget::Place place, Gate::Attempt attempt) -> Task<> {
          co_await self->open_one(std::move(place), std::move(attempt));
        }(this, std::move(own), std::move(leave)),
        asio::detached);
  }
}

Task<> Lanes::open_one(Budget::Place place, Gate::Attempt attempt) {
  auto connection = co_await connect(runtime_.loop, target_, Clock::now() + target_.pool.connect_timeout);
  --opening_;
  const TimePoint now = Clock::now();
  if (!stopping_ && connection) {
    attempt.connected(now);
    auto lane = std::make_shared<Lane>(runtime_.loop, *std::move(connection), *this);
    lane->start();
    lanes_.push_back({std::move(lane), std::move(place)});
    observe(Event::Kind::connected);
    open_more(limits_.base);
    unpark();
  } else if (!connection) {
    attempt.failed(connection.error(), now);
    observe(Event::Kind::connect_failed, connection.error().log_detail);
    if (lanes_.empty() && gate_.is_down(now)) refuse_parked(now);
  }
  place = {};
  attempt = {};
  opened_.set();
}

void Lanes::lane_closed(Lane& lane, const Error& why) {
  if (!lane.is_retiring() && !stopping_) {
    gate_.lost(lane.answered() == 0, why.log_detail, Clock::now());
    observe(Event::Kind::connection_lost, why.log_detail);
  }
  std::erase_if(lanes_, [&lane](const Open& open) { return open.lane.get() == &lane; });
}

void Lanes::orphaned(LaneRequestPtr request, Lane::Fate fate) {
  if (stopping_) return request->finish(Error(Code::shutting_down));
  const bool may_retry =
      !request->is_given_out && request->attempts < kMaxAttempts &&
      (fate == Lane::Fate::not_run || (!request->question.is_write && !std::exchange(request->was_retried, true)));
  if (!may_retry) {
    const bool is_write = request->question.is_write && fate == Lane::Fate::unknown;
    return request->finish(lost(is_write));
  }
  observe(Event::Kind::retried);
  request->forget_answer();
  place(std::move(request));
}

void Lanes::tick(TimePoint now) {
  const auto lanes = [this] {  // one that is lost leaves the list
    std::vector<std::shared_ptr<Lane>> copy;
    for (const Open& open : lanes_) copy.push_back(open.lane);
    return copy;
  }();
  for (const auto& lane : lanes) lane->tick(now);
  for (const auto& lane : lanes) {
    if (lane->is_slow()) relieve(*lane);
  }
  std::vector<LaneRequestPtr> late;
  std::ranges::copy_if(parked_, std::back_inserter(late),
                       [now](const LaneRequestPtr& r) { return r->question.deadline <= now; });
  for (const LaneRequestPtr& request : late) {
    abandon(*request, lanes_.empty() && gate_.is_failing()
                          ? gate_.unavailable(now)
                          : Error(Code::pool_timeout, "No connection to the database became free in time"));
  }
  if (!parked_.empty() && lanes_.empty() && gate_.is_down(now)) refuse_parked(now);
  unpark();
  if (parked_.empty() || !lanes_.empty()) {
    want_.reset();
  } else if (!want_) {
    want_.emplace(budget_);
  }
  const bool all_slow =
      std::ranges::all_of(lanes_, [](const Open& open) { return open.lane->is_slow() || !open.lane->accepts(); });
  if (!parked_.empty() || (!lanes_.empty() && all_slow)) {
    open_more(std::min(limits_.most, std::max(limits_.base, lanes_.size() + 1)));
  }
  if (lanes_.size() > limits_.base) {
    const auto idle = std::ranges::find_if(lanes_, [&](const Open& open) {
      return open.lane->is_idle() && now - open.lane->last_used() > target_.pool.idle_timeout;
    });
    if (idle != lanes_.end()) idle->lane->retire();
  }
}

bool Lanes::close_idle() {
  const auto idle = std::ranges::find_if(lanes_, [](const Open& open) { return open.lane->is_idle(); });
  if (idle == lanes_.end()) return false;
  const auto lane = idle->lane;
  lane->retire();
  lane->close();
  return true;
}

std::uint32_t Lanes::busy() const noexcept {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(lanes_, [](const Open& open) { return !open.lane->is_idle(); }));
}

Task<> Lanes::stop() {
  stopping_ = true;
  for (const LaneRequestPtr& request : std::exchange(parked_, {})) request->finish(Error(Code::shutting_down));
  while (!lanes_.empty()) {
    const auto lane = lanes_.back().lane;
    lane->close();
  }
  while (opening_ > 0) {
    opened_.reset();
    co_await opened_.wait();
  }
}

void Lanes::observe(Event::Kind kind, std::string detail) {
  runtime_.observer.observe({kind, masked_target_, std::move(detail)});
}

}  // namespace athena::driver::postgres
