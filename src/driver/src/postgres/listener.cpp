#include "postgres/listener.h"

#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

namespace athena::driver::postgres {

Listener::Listener(Runtime runtime, const Target& target, Shared& shared, std::function<void()> on_change)
    : runtime_(runtime),
      target_(target),
      shared_(shared),
      on_change_(std::move(on_change)),
      backoff_(reinterpret_cast<std::uintptr_t>(this)) {}

Listener::~Listener() = default;

void Listener::start() {
  if (is_ours_ || is_useless_ || stopping_ || shared_.budget.most() < kMinBudget) return;
  if (shared_.has_listener.exchange(true)) return;
  is_ours_ = running_ = true;
  asio::co_spawn(
      runtime_.loop.executor(), [](Listener* self) -> Task<> { co_await self->run(); }(this), asio::detached);
}

Task<> Listener::run() {
  while (!stopping_ && !is_useless_) {
    const Result<> ended = co_await listen();
    connection_.reset();
    if (stopping_ || is_useless_) break;
    backoff_.failed(Clock::now(), false);
    may_try_.reset();
    co_await may_try_.wait();
  }
  running_ = false;
  ended_.set();  // last: whoever waits in stop() may destroy the listener
}

Async<> Listener::listen() {
  const Budget::Place place = shared_.budget.take();
  if (!place) co_return Result<>();
  Gate::Attempt attempt = shared_.gate.enter(runtime_.health.get(), Clock::now());
  if (!attempt) co_return Result<>();
  auto connection = co_await connect(runtime_.loop, target_, Clock::now() + target_.pool.connect_timeout);
  if (!connection) {
    attempt.failed(connection.error(), Clock::now());
    co_return fail(std::move(connection).error());
  }
  attempt.connected(Clock::now());
  connection_ = *std::move(connection);
  if (connection_->is_pooled()) {
    is_useless_ = true;
    co_return Result<>();
  }
  connection_->on_notification = [this](const Notification&) { on_change_(); };
  ATHENA_CO_TRY_VOID(co_await connection_->run("LISTEN athena_schema"));
  backoff_.succeeded();
  on_change_();  // what changed while nobody listened
  while (!stopping_) ATHENA_CO_TRY_VOID(co_await connection_->receive());
  co_return Result<>();
}

void Listener::tick(TimePoint now) {
  if (running_ && !connection_ && backoff_.may_try(now) && shared_.gate.may_enter(now)) may_try_.set();
}

Task<> Listener::stop() {
  stopping_ = true;
  if (connection_) connection_->interrupt();
  may_try_.set();
  while (running_) co_await ended_.wait();
  if (std::exchange(is_ours_, false)) shared_.has_listener.store(false);
}

}  // namespace athena::driver::postgres
