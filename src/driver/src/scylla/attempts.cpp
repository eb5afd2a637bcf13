#include "scylla/attempts.h"

#include <algorithm>
#include <utility>

#include "cancelled.h"
#include "scylla/errors.h"

namespace athena::driver::scylla {
namespace {

constexpr std::uint32_t kSpeculative = 1;
/// How often a request that did not get through starts anew with all hosts.
constexpr std::uint32_t kMaxRounds = 3;

Error malformed() {
  return Error(Code::connection_error, "The database's answer could not be read").logged("malformed result");
}

}  // namespace

Attempts::Attempts(Cluster& cluster, const Asked& asked, const Call& call)
    : cluster_(cluster), asked_(asked), call_(call) {}

Attempts::~Attempts() {
  abandon_all();
}

void Attempts::abandon_all() noexcept {
  for (const Live& live : live_) live.exchange->abandon();
  live_.clear();
  if (preparing_) preparing_->abandon();
  preparing_ = nullptr;
}

Async<Answered> Attempts::run() {
  if (call_.cancellation && call_.cancellation->cancelled()) co_return fail(cancelled_by(call_.cancellation->reason()));
  if (call_.deadline <= Clock::now()) co_return fail(Code::statement_timeout, "The time of the request is over");
  const Cancellation::Watch watch(call_.cancellation, [this] {
    cancelled_ = true;
    wake_.set();
  });
  for (;;) {
    if (live_.empty() && !start_next()) {
      if (error_) co_return fail(std::move(*error_));
      ATHENA_CO_TRY_VOID(co_await wait_for_connection());
      continue;
    }
    co_await wake_.wait();
    wake_.reset();
    if (cancelled_) co_return fail(cancelled_by(call_.cancellation->reason()));
    if (speculation_ && speculation_->take(Clock::now())) {
      if (!cluster_.shared_->retries.spend()) {
        speculation_->give_back();
      } else if (start_next()) {
        ++cluster_.routed_.speculative;
      }
    }
    for (std::size_t i = 0; i < live_.size();) {
      if (!live_[i].exchange->finished && !live_[i].exchange->error) {
        ++i;
        continue;
      }
      Live ended = std::move(live_[i]);
      live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(i));
      switch (co_await judge(std::move(ended))) {
        case Verdict::answered:
          co_return std::move(answered_);
        case Verdict::failed:
          if (live_.empty()) co_return fail(std::move(*error_));
          break;
        case Verdict::goes_on:
          break;
      }
      i = 0;  // the list may be another one now
    }
  }
}

/// Another host is due only while none has answered; the clock for it begins with each start.
void Attempts::tick(TimePoint now) {
  const auto due = speculation_ ? speculation_->due() : std::nullopt;
  if (due && *due <= now && !live_.empty()) wake_.set();
}

bool Attempts::start_next() {
  if (plan_.empty()) {
    plan_ = cluster_.plan(asked_, peers_);
    next_ = 0;
    decision_.emplace(asked_.is_idempotent, static_cast<std::uint32_t>(std::max<std::size_t>(plan_.size(), 1)));
  }
  while (next_ < plan_.size()) {
    const HostPtr host = plan_[next_++];
    if (const auto connection = host->choose(asked_.token); connection && start(connection, host)) return true;
  }
  return false;
}

bool Attempts::start(const std::shared_ptr<Connection>& connection, const HostPtr& host) {
  if (!connection->accepts()) return false;
  if (connection->version() < 5 && !asked_.keyspace.empty() && asked_.keyspace != cluster_.target_.database) {
    error_ = Error(Code::feature_not_supported, "This database cannot choose another keyspace for one statement",
                   "Write names with their keyspace, as in keyspace.table");
    return false;
  }
  live_.push_back({connection->send(asked_.question, call_.deadline, wake_), connection, host});
  if (!speculation_) {
    const milliseconds delay = peers_ > 1 ? host->latency.delay() : milliseconds(0);
    speculation_.emplace(asked_.is_idempotent, delay, kSpeculative);
    if (speculation_->due()) cluster_.speculating_.push_back(*this);
  }
  speculation_->started(Clock::now());
  return true;
}

Async<> Attempts::wait_for_connection() {
  plan_.clear();
  const TimePoint now = Clock::now();
  if (cluster_.stopping_) co_return fail(Code::shutting_down);
  if (cluster_.waiters_.size() >= Cluster::kMaxWaiting) {
    co_return fail(Code::overloaded, "Too many requests wait for a connection to the database");
  }
  cluster_.open_wanted(now);
  if (cluster_.all_down(now)) co_return fail(cluster_.unavailable(now));
  Cluster::Waiter waiter{&wake_, call_.deadline};
  cluster_.waiters_.push_back(&waiter);
  co_await wake_.wait();
  wake_.reset();
  cluster_.waiters_.remove(&waiter);
  const TimePoint then = Clock::now();
  if (cancelled_) co_return fail(cancelled_by(call_.cancellation->reason()));
  if (cluster_.stopping_) co_return fail(Code::shutting_down);
  if (cluster_.all_down(then)) co_return fail(cluster_.unavailable(then));
  if (call_.deadline > then) co_return Result<>();
  if (!cluster_.last_error_.empty() && cluster_.connections() == 0) co_return fail(cluster_.unavailable(then));
  co_return fail(Code::pool_timeout, "No connection to the database became free in time");
}

Error Attempts::lost(const Exchange& exchange) const {
  const std::string& detail = exchange.error->log_detail;
  if (asked_.is_write && !asked_.is_idempotent && exchange.was_sent) {
    return Error(Code::write_outcome_unknown,
                 "The connection to the database was lost: the write may or may not have happened",
                 "Look whether it happened before sending it again, or send writes that may be repeated")
        .logged(detail);
  }
  return Error(Code::connection_error, "The connection to the database was lost while it answered",
               asked_.is_write ? "The request can be sent again" : "Nothing was written; the request can be sent again")
      .logged(detail);
}

Task<Attempts::Verdict> Attempts::judge(Live ended) {
  const Exchange& exchange = *ended.exchange;
  if (!exchange.error) {
    if (const Verdict verdict = read_answer(ended); verdict != Verdict::failed) co_return verdict;
    const auto server = exchange.opcode == Opcode::error ? read_error(answered_.body) : std::nullopt;
    if (!server) co_return Verdict::failed;
    error_ = error_from_server(*server, {asked_.caller_cql, asked_.is_write});
    const FailureFacts facts = failure_of(*server);
    if (facts.kind == Failure::overloaded || facts.kind == Failure::bootstrapping) cluster_.report_failure(*ended.host);
    co_return co_await follow(facts, std::move(ended));
  }
  if (exchange.error->code != Code::connection_error) {  // the deadline, or an answer that is too long
    error_ = *exchange.error;
    if (error_->code == Code::statement_timeout && asked_.is_write) {
      error_->hint = "The write may or may not have happened";
    }
    abandon_all();
    co_return Verdict::failed;
  }
  error_ = lost(exchange);
  const FailureFacts facts{.kind = exchange.was_sent ? Failure::connection_lost : Failure::not_sent};
  co_return co_await follow(facts, std::move(ended));
}

/// Answered, or failed with the server's error in answered_.body, or with error_ set.
Attempts::Verdict Attempts::read_answer(const Live& ended) {
  const Exchange& exchange = *ended.exchange;
  answered_ = {};
  answered_.body = exchange.body.view();
  if (!take_extras(exchange.flags, answered_.body, answered_.extras)) {
    error_ = malformed();
    return Verdict::failed;
  }
  cluster_.observe_extras(answered_.extras);
  if (exchange.opcode == Opcode::error) {
    error_ = malformed();
    return Verdict::failed;
  }
  const ColumnsText known =
      asked_.prepared.size() == 1 && asked_.prepared[0]->columns ? asked_.prepared[0]->columns->text() : ColumnsText{};
  const auto result = exchange.opcode == Opcode::result ? read_result(answered_.body, known) : std::nullopt;
  if (!result) {
    error_ = malformed();
    return Verdict::failed;
  }
  ended.host->latency.add(Clock::now() - exchange.sent_at);
  answered_.result = *result;
  answered_.exchange = ended.exchange;
  answered_.version = ended.connection->version();
  answered_.connection = ended.connection;
  return Verdict::answered;
}

/// What never left costs the cluster nothing; everything else is load beyond what callers asked for, which has a bound.
bool Attempts::may_send_again(FailureFacts facts) {
  return facts.kind == Failure::not_sent || cluster_.shared_->retries.spend();
}

/// What an attempt that failed leads to; error_ says how it did.
Task<Attempts::Verdict> Attempts::follow(FailureFacts facts, Live ended) {
  switch (decision_->after(facts)) {
    case Next::same_host:
      if (!may_send_again(facts) || (!start(ended.connection, ended.host) && !start_next())) break;
      cluster_.observe(Event::Kind::retried);
      co_return Verdict::goes_on;
    case Next::next_host:
      if (may_send_again(facts) && start_next()) {
        cluster_.observe(Event::Kind::retried);
        co_return Verdict::goes_on;
      }
      [[fallthrough]];
    case Next::give_up: {
      // It did not get through: the connection may be back in a moment.
      const bool may_wait =
          facts.kind == Failure::not_sent || (facts.kind == Failure::connection_lost && asked_.is_idempotent);
      if (!may_wait || !live_.empty() || ++rounds_ >= kMaxRounds || !may_send_again(facts)) break;
      cluster_.observe(Event::Kind::retried);
      error_.reset();
      plan_.clear();
      co_return Verdict::goes_on;
    }
    case Next::prepare_again: {
      auto prepared = co_await prepare_again(*ended.connection);
      if (prepared && (start(ended.connection, ended.host) || start_next())) co_return Verdict::goes_on;
      if (prepared) break;
      error_ = std::move(prepared).error();
      // The statement itself did not run.
      if (ended.connection->is_closed()) co_return co_await follow({.kind = Failure::not_sent}, std::move(ended));
      break;
    }
  }
  co_return Verdict::failed;
}

/// Tells a node the statements that it forgot. Meanwhile others may answer, and the caller may go.
Async<> Attempts::prepare_again(Connection& connection) {
  cluster_.observe(Event::Kind::prepared_again);
  const auto keep = connection.shared_from_this();
  for (const PreparedPtr& statement : asked_.prepared) {
    preparing_ = connection.send(PrepareQuestion{statement->cql, statement->keyspace}, call_.deadline, wake_);
    while (!cancelled_ && !preparing_->finished && !preparing_->error) {
      co_await wake_.wait();
      wake_.reset();
    }
    if (cancelled_) {
      abandon_all();
      co_return fail(cancelled_by(call_.cancellation->reason()));
    }
    const ExchangePtr answer = std::exchange(preparing_, nullptr);
    if (answer->error) co_return fail(std::move(*answer->error));
    std::string_view body = answer->body.view();
    AnswerExtras extras;
    if (!take_extras(answer->flags, body, extras)) co_return fail(malformed());
    if (answer->opcode == Opcode::error) {
      const auto server = read_error(body);
      if (!server) co_return fail(malformed());
      co_return fail(error_from_server(*server, {asked_.caller_cql, false}));
    }
    const auto prepared = answer->opcode == Opcode::result ? read_prepared(body, connection.version()) : std::nullopt;
    if (!prepared) co_return fail(malformed());
    if (prepared->id == statement->id) continue;
    // Nodes of different releases may name one statement differently: it is prepared anew from the start.
    statement->is_outdated = true;
    co_return fail(error_from_server({.code = kUnprepared, .message = "another id"}, {}));
  }
  co_return Result<>();
}

}  // namespace athena::driver::scylla
