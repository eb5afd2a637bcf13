#include "schema_follower.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "cancelled.h"

namespace athena::driver {
namespace {

bool may_be_stale(const Error& error) noexcept {
  return error.code == Code::undefined_table || error.code == Code::undefined_column ||
         error.code == Code::undefined_object;
}

}  // namespace

SchemaFollower::SchemaFollower(Runtime runtime, SchemaCell& cell, std::string masked_target, Load load)
    : runtime_(std::move(runtime)),
      cell_(cell),
      target_(std::move(masked_target)),
      load_(std::move(load)),
      ticks_(runtime_.loop.watch([this](TimePoint now) { tick(now); })) {}

bool SchemaFollower::has_schema() {
  if (version_ != cell_.version()) {
    version_ = cell_.version();
    schema_ = cell_.get();
  }
  return schema_ != nullptr;
}

Async<SchemaFollower::SchemaPtr> SchemaFollower::get(Call call) {
  cell_.mark_used();
  if (const auto load = cell_.required()) {
    ATHENA_CO_TRY_VOID(co_await wait_for(*load, call));
  } else if (!has_schema()) {
    ATHENA_CO_TRY_VOID(co_await wait_for(cell_.join(), call));
  }
  co_return schema_;
}

Async<SchemaFollower::SchemaPtr> SchemaFollower::get_newer(Call call) {
  cell_.mark_used();
  ATHENA_CO_TRY_VOID(co_await wait_for(cell_.request(), call));
  co_return schema_;
}

Task<bool> SchemaFollower::refreshed_after(const Error& error, Call call) {
  if (!may_be_stale(error)) co_return false;
  const auto load = cell_.request_after_error(Clock::now());
  if (!load) co_return false;
  const Result<> loaded = co_await wait_for(*load, call);
  co_return loaded.has_value();
}

Async<> SchemaFollower::wait_for(std::uint64_t load, Call call) {
  if (stopping_) co_return fail(Code::shutting_down);
  if (call.cancellation && call.cancellation->cancelled()) co_return fail(cancelled_by(call.cancellation->reason()));
  begin_loads();
  Waiter waiter;
  waiter.load = load;
  waiter.deadline = call.deadline;
  waiters_.push_back(&waiter);
  {
    const Cancellation::Watch watch(call.cancellation, [&waiter, cancellation = call.cancellation] {
      waiter.error = cancelled_by(cancellation->reason());
      waiter.ready.set();
    });
    co_await waiter.ready.wait();
  }
  waiters_.remove(&waiter);
  if (waiter.error) co_return fail(std::move(*waiter.error));
  if (!has_schema()) co_return fail(Code::not_ready, "The tables of the database are not known yet");
  co_return Result<>();
}

void SchemaFollower::wake_waiters(TimePoint now) {
  std::vector<Waiter*> done;
  for (Waiter* waiter : waiters_) {
    const SchemaCell::Progress progress = cell_.progress(waiter->load);
    if (progress.ended) {
      waiter->error = progress.error;
    } else if (waiter->deadline <= now) {
      waiter->error = Error(Code::statement_timeout, "The tables of the database were not read in time");
    } else {
      continue;
    }
    done.push_back(waiter);
  }
  for (Waiter* waiter : done) {  // one that is woken may end another: look whether it is still there
    if (std::ranges::find(waiters_, waiter) != waiters_.end()) waiter->ready.set();
  }
}

void SchemaFollower::begin_loads() {
  if (stopping_ || loading_ || !cell_.begin(Clock::now())) return;
  loading_ = true;
  asio::co_spawn(
      runtime_.loop.executor(), [](SchemaFollower* self) -> Task<> { co_await self->load(); }(this), asio::detached);
}

Task<> SchemaFollower::load() {
  Call call{};
  call.deadline = Clock::now() + kLoadTimeout;
  call.cancellation = &stop_loading_;
  Result<SchemaPtr> loaded = co_await load_(call);
  const bool is_good = loaded.has_value();
  runtime_.observer.observe(
      {is_good ? driver::Event::Kind::schema_loaded : driver::Event::Kind::schema_load_failed, target_,
       is_good ? std::to_string((*loaded)->tables().size()) + " tables" : loaded.error().log_detail});
  cell_.end(Clock::now(), std::move(loaded));
  wake_waiters(Clock::now());
  loading_ = false;
  loaded_.set();  // last: whoever waits in stop() may destroy this
}

void SchemaFollower::tick(TimePoint now) {
  wake_waiters(now);
  if (stopping_) return;
  cell_.request_if_old(now);
  begin_loads();
}

Task<> SchemaFollower::stop() {
  stopping_ = true;
  for (Waiter* waiter : std::vector<Waiter*>(waiters_.begin(), waiters_.end())) {
    if (std::ranges::find(waiters_, waiter) == waiters_.end()) continue;
    waiter->error = Error(Code::shutting_down);
    waiter->ready.set();
  }
  stop_loading_.cancel(CancelReason::shutdown);
  while (loading_) {
    loaded_.reset();
    co_await loaded_.wait();
  }
}

}  // namespace athena::driver
