#include "postgres/exclusive.h"

#include <algorithm>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

namespace athena::driver::postgres {
namespace {

/// What DISCARD ALL gives back; behind a pooler there is nothing to give back, see native.cpp.
constexpr std::string_view kForgetSession = "DISCARD ALL";
constexpr std::string_view kRollback = "ROLLBACK";

Error timed_out() {
  return Error(Code::statement_timeout, "The statement took longer than the request may");
}

}  // namespace

Lease::~Lease() {
  if (pool_) pool_->give_back(exclusive_);
}

void Lease::extend_deadline() {
  if (rows_flow_) exclusive_->deadline = std::max(exclusive_->deadline, Clock::now() + exclusive_->allowance);
}

/// What stopped it counts, not how the socket put it.
Error Lease::why(Error error) noexcept {
  if (exclusive_->interrupted) return *exclusive_->interrupted;
  exclusive_->is_broken = true;
  return error;
}

Async<> Lease::send() {
  if (exclusive_->interrupted) co_return fail(*exclusive_->interrupted);
  const Cancellation::Watch watch(exclusive_->cancellation, [this] {
    pool_->interrupt(*exclusive_, cancelled_by(exclusive_->cancellation->reason()));
  });
  Result<> sent = co_await connection().send();
  if (!sent && exclusive_->interrupted) exclusive_->is_broken = true;  // part of a message may have left
  if (!sent) co_return fail(why(std::move(sent).error()));
  co_return sent;
}

Async<Frame> Lease::receive() {
  Result<Frame> frame = connection().received();
  if (frame && frame->state == Frame::State::incomplete) {
    if (exclusive_->cancellation && exclusive_->cancellation->cancelled()) {
      co_return fail(cancelled_by(exclusive_->cancellation->reason()));
    }
    if (exclusive_->interrupted) co_return fail(*exclusive_->interrupted);
    extend_deadline();
    const Cancellation::Watch watch(exclusive_->cancellation, [this] {
      pool_->interrupt(*exclusive_, cancelled_by(exclusive_->cancellation->reason()));
    });
    frame = co_await connection().receive();
  }
  if (!frame) co_return fail(why(std::move(frame).error()));
  co_return frame;
}

Async<> Lease::run(std::string_view sql) {
  ATHENA_CO_TRY_VOID(connection().encode().query(sql));
  connection().expect_ready();
  ATHENA_CO_TRY_VOID(co_await send());
  Result<> outcome;
  for (;;) {
    ATHENA_CO_TRY(const Frame frame, co_await receive());
    if (frame.type == MessageType::ready) co_return outcome;
    if (frame.type == MessageType::error && outcome)
      outcome = fail(error_from_server(read_server_error(frame.body), {}));
  }
}

Result<> Lease::ask(std::string_view sql, std::span<const query::Param> params) {
  const std::size_t before = connection().out().size();
  Encoder encoder = connection().encode();
  Result<> encoded = encoder.parse("", sql);
  if (encoded) encoded = encoder.bind("", params);
  if (!encoded) {
    connection().out().truncate(before);
    return encoded;
  }
  encoder.describe_portal();
  encoder.execute();
  encoder.sync();
  connection().expect_ready();
  return {};
}

Async<> Lease::query(std::string_view sql, std::vector<query::Param> params, OnRow on_row) {
  ATHENA_CO_TRY_VOID(ask(sql, params));
  ATHENA_CO_TRY_VOID(co_await send());
  std::vector<std::optional<std::string_view>> cells;
  Result<> outcome;
  for (;;) {
    ATHENA_CO_TRY(const Frame frame, co_await receive());
    if (frame.type == MessageType::ready) co_return outcome;
    if (frame.type == MessageType::error && outcome)
      outcome = fail(error_from_server(read_server_error(frame.body), {}));
    if (frame.type == MessageType::data_row && read_data_row(frame.body, cells)) on_row(cells);
  }
}

ExclusivePool::ExclusivePool(Runtime runtime, const Target& target, std::string_view masked_target, Gate& gate,
                             Budget& budget, Helper& helper)
    : runtime_(runtime),
      target_(target),
      masked_target_(masked_target),
      gate_(gate),
      budget_(budget),
      helper_(helper) {}

ExclusivePool::~ExclusivePool() = default;

ExclusivePool::List::iterator ExclusivePool::find(List& list, const Exclusive* exclusive) {
  return std::ranges::find_if(list, [exclusive](const Exclusive& e) { return &e == exclusive; });
}

Async<Lease> ExclusivePool::acquire(TimePoint deadline, Cancellation* cancellation) {
  if (stopping_) co_return fail(Code::shutting_down);
  if (cancellation && cancellation->cancelled()) co_return fail(cancelled_by(cancellation->reason()));
  if (waiters_.empty()) {
    if (Exclusive* idle = take_idle()) {
      lend(idle, deadline, cancellation);
      co_return Lease(this, idle);
    }
  }
  const TimePoint now = Clock::now();
  if (waiters_.size() >= kMaxWaiters) {
    co_return fail(Code::overloaded, "Too many requests wait for a connection to the database");
  }
  if (open() == 0 && gate_.is_down(now)) {
    open_more(1);  // nobody waits for it, but the next ones find it open
    co_return fail(gate_.unavailable(now));
  }
  Waiter waiter(budget_);
  waiter.deadline = deadline;
  waiter.cancellation = cancellation;
  waiters_.push_back(&waiter);
  if (!open_more(waiters_.size())) observe(driver::Event::Kind::pool_exhausted);
  const Cancellation::Watch watch(
      cancellation, [this, &waiter] { finish_waiter(waiter, cancelled_by(waiter.cancellation->reason())); });
  co_await waiter.ready.wait();
  if (waiter.error) co_return fail(std::move(*waiter.error));
  co_return Lease(this, waiter.got);
}

Exclusive* ExclusivePool::take_idle() {
  while (!idle_.empty()) {
    Exclusive* newest = &idle_.back();
    leased_.splice(leased_.end(), idle_, std::prev(idle_.end()));
    if (!newest->connection->is_dead()) return newest;
    observe(driver::Event::Kind::connection_lost, "closed by the server while idle");
    drop(newest);
  }
  return nullptr;
}

void ExclusivePool::lend(Exclusive* exclusive, TimePoint deadline, Cancellation* cancellation) {
  exclusive->deadline = deadline;
  exclusive->allowance = deadline - Clock::now();
  exclusive->cancellation = cancellation;
  exclusive->interrupted.reset();
}

void ExclusivePool::serve_waiters() {
  while (!waiters_.empty()) {
    Exclusive* idle = take_idle();
    if (!idle) return;
    Waiter* first = waiters_.front();
    waiters_.pop_front();
    lend(idle, first->deadline, first->cancellation);
    first->got = idle;
    first->ready.set();
  }
}

void ExclusivePool::finish_waiter(Waiter& waiter, Error why) {
  if (std::erase(waiters_, &waiter) == 0) return;
  waiter.error = std::move(why);
  waiter.ready.set();
}

void ExclusivePool::refuse_waiters(TimePoint now) {
  const auto waiting = std::vector<Waiter*>(waiters_.begin(), waiters_.end());
  const Error error = gate_.unavailable(now);
  for (Waiter* waiter : waiting) finish_waiter(*waiter, error);
}

void ExclusivePool::interrupt(Exclusive& exclusive, Error why) {
  if (exclusive.interrupted) return;
  exclusive.interrupted = std::move(why);
  exclusive.connection->interrupt();
}

void ExclusivePool::give_back(Exclusive* exclusive) {
  exclusive->cancellation = nullptr;
  const bool is_idle = exclusive->connection->is_settled() && exclusive->connection->out().empty() &&
                       exclusive->connection->transaction() == TransactionStatus::idle && !exclusive->is_dirty;
  if (exclusive->is_broken || stopping_ || (budget_.is_wanted() && waiters_.empty())) {
    if (stopping_ && !exclusive->connection->is_settled()) {  // stop it, though nobody will read the answer
      helper_.cancel(exclusive->connection->cancel_key(), runtime_.loop.executor(), [](bool) {});
    }
    drop(exclusive);
  } else if (is_idle) {
    make_idle(exclusive);
  } else {
    cleaning_.splice(cleaning_.end(), leased_, find(leased_, exclusive));
    asio::co_spawn(
        runtime_.loop.executor(),
        [](ExclusivePool* self, Exclusive* unclean) -> Task<> { co_await self->clean(unclean); }(this, exclusive),
        asio::detached);
  }
  serve_waiters();
  changed_.set();
}

void ExclusivePool::make_idle(Exclusive* exclusive) {
  List& from = find(leased_, exclusive) != leased_.end() ? leased_ : cleaning_;
  exclusive->idle_since = Clock::now();
  idle_.splice(idle_.end(), from, find(from, exclusive));
}

void ExclusivePool::drop(Exclusive* exclusive) {
  for (List* list : {&leased_, &cleaning_, &idle_}) {
    if (const auto at = find(*list, exclusive); at != list->end()) list->erase(at);
  }
}

Task<> ExclusivePool::clean(Exclusive* exclusive) {
  exclusive->deadline = Clock::now() + kCleanupPatience;
  exclusive->interrupted.reset();
  const Result<> cleaned = co_await make_clean(*exclusive);
  if (!cleaned || stopping_) {
    if (!cleaned) observe(driver::Event::Kind::connection_lost, "reset: " + cleaned.error().error);
    drop(exclusive);
  } else {
    exclusive->is_dirty = false;
    make_idle(exclusive);
  }
  serve_waiters();
  changed_.set();
}

Async<> ExclusivePool::make_clean(Exclusive& exclusive) {
  Connection& connection = *exclusive.connection;
  ATHENA_CO_TRY_VOID(co_await connection.send());
  if (!connection.is_settled()) ATHENA_CO_TRY_VOID(co_await settle(exclusive));
  if (connection.transaction() != TransactionStatus::idle) ATHENA_CO_TRY_VOID(co_await connection.run(kRollback));
  if (exclusive.is_dirty && !connection.is_pooled()) {
    ATHENA_CO_TRY_VOID(co_await connection.run(kForgetSession));
    ATHENA_CO_TRY_VOID(co_await connection.prepare_session(false));
  }
  co_return Result<>();
}

/// Stops what runs. The connection is free when the server has closed the cancel's own connection, so that the signal
/// can hit nothing that comes later, and has answered what was asked.
Async<> ExclusivePool::settle(Exclusive& exclusive) {
  const auto delivered = exclusive.cancel_delivered = std::make_shared<athena::Event>();
  observe(driver::Event::Kind::statement_cancelled);
  const bool accepted = helper_.cancel(exclusive.connection->cancel_key(), runtime_.loop.executor(),
                                       [delivered](bool) { delivered->set(); });
  if (!accepted) co_return fail(Code::overloaded, "too many cancels wait");
  while (!exclusive.connection->is_settled()) ATHENA_CO_TRY_VOID(co_await exclusive.connection->receive());
  co_await delivered->wait();
  if (exclusive.interrupted) co_return fail(*exclusive.interrupted);
  co_return Result<>();
}

/// False: the client has all the connections that it may have.
bool ExclusivePool::open_more(std::size_t wanted) {
  while (!stopping_ && opening_ < wanted) {
    Budget::Place own = budget_.take();
    if (!own) return false;
    Gate::Attempt leave = gate_.enter(runtime_.health.get(), Clock::now());
    if (!leave) return true;
    ++opening_;
    asio::co_spawn(
        runtime_.loop.executor(),
        [](ExclusivePool* self, Budget::Place place, Gate::Attempt attempt) -> Task<> {
          co_await self->open_one(std::move(place), std::move(attempt));
        }(this, std::move(own), std::move(leave)),
        asio::detached);
  }
  return true;
}

Task<> ExclusivePool::open_one(Budget::Place place, Gate::Attempt attempt) {
  auto connection = co_await connect(runtime_.loop, target_, Clock::now() + target_.pool.connect_timeout);
  --opening_;
  const TimePoint now = Clock::now();
  if (connection && !stopping_) {
    attempt.connected(now);
    Exclusive& opened = idle_.emplace_back();
    opened.connection = *std::move(connection);
    opened.place = std::move(place);
    opened.idle_since = now;
    observe(driver::Event::Kind::connected);
    serve_waiters();
    if (!waiters_.empty()) open_more(std::max(opening_, waiters_.size()));
  } else if (!connection) {
    attempt.failed(connection.error(), now);
    observe(driver::Event::Kind::connect_failed, connection.error().log_detail);
    if (open() == 0 && gate_.is_down(now)) refuse_waiters(now);
  }
  place = {};
  attempt = {};
  changed_.set();  // last: whoever waits in stop() may destroy the pool
}

bool ExclusivePool::warm(std::uint32_t wanted) {
  if (stopping_ || budget_.used() >= wanted || gate_.is_failing()) return true;
  if (!gate_.is_proven()) return false;
  open_more(opening_ + (wanted - budget_.used()));
  return true;
}

void ExclusivePool::tick(TimePoint now) {
  std::vector<Waiter*> late;
  std::ranges::copy_if(waiters_, std::back_inserter(late), [now](const Waiter* w) { return w->deadline <= now; });
  for (Waiter* waiter : late) {
    finish_waiter(*waiter, Error(Code::pool_timeout, "No connection to the database became free in time"));
  }
  std::vector<Exclusive*> overdue;
  for (Exclusive& leased : leased_) {
    if (!leased.interrupted && leased.deadline <= now) overdue.push_back(&leased);
  }
  for (Exclusive* leased : overdue) {
    if (find(leased_, leased) != leased_.end()) interrupt(*leased, timed_out());
  }
  overdue.clear();
  for (Exclusive& unclean : cleaning_) {
    if (unclean.deadline <= now && !unclean.interrupted) overdue.push_back(&unclean);
  }
  for (Exclusive* unclean : overdue) {
    if (find(cleaning_, unclean) == cleaning_.end()) continue;
    interrupt(*unclean, timed_out());
    if (const auto delivered = unclean->cancel_delivered) delivered->set();
  }
  if (!waiters_.empty() && open() == 0 && gate_.is_down(now)) refuse_waiters(now);
  if (!waiters_.empty()) open_more(std::max(opening_, waiters_.size()));
  if (!idle_.empty() && budget_.used() > target_.pool.min_connections &&
      now - idle_.front().idle_since > target_.pool.idle_timeout) {
    drop(&idle_.front());
  }
}

bool ExclusivePool::close_idle() {
  if (idle_.empty()) return false;
  drop(&idle_.front());
  return true;
}

Task<> ExclusivePool::stop() {
  stopping_ = true;
  for (Waiter* waiter : std::vector<Waiter*>(waiters_.begin(), waiters_.end()))
    finish_waiter(*waiter, Error(Code::shutting_down));
  idle_.clear();
  std::vector<Exclusive*> running;
  for (Exclusive& leased : leased_) running.push_back(&leased);
  for (Exclusive* leased : running) {
    if (find(leased_, leased) != leased_.end()) interrupt(*leased, Error(Code::shutting_down));
  }
  while (opening_ > 0 || !leased_.empty() || !cleaning_.empty()) {
    changed_.reset();
    co_await changed_.wait();
  }
}

void ExclusivePool::observe(driver::Event::Kind kind, std::string detail) {
  runtime_.observer.observe({kind, masked_target_, std::move(detail)});
}

}  // namespace athena::driver::postgres
