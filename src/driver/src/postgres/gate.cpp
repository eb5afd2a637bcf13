#include "postgres/gate.h"

#include <algorithm>

#include "postgres/connect.h"

namespace athena::driver::postgres {
namespace {

std::string key_of(const Target& target) {
  return "postgresql|" + (target.host.empty() ? "localhost" : target.host) + ':' +
         std::to_string(target.port == 0 ? 5432 : target.port);
}

/// The server itself said no, in its own words.
bool is_answer(const Error& error) noexcept {
  return std::ranges::find(error.fields, "sql_state", &Error::Fields::value_type::first) != error.fields.end();
}

}  // namespace

Gate::Gate(const Target& target)
    : key_(key_of(target)),
      backoff_(std::hash<std::string>()(key_) ^ reinterpret_cast<std::uintptr_t>(this), kFirstPause) {}

Gate::Attempt Gate::enter(HostHealth* health, TimePoint now) {
  const std::lock_guard lock(mutex_);
  if (!backoff_.may_try(now) || (!is_proven_ && under_way_ > 0)) return {};
  auto permit = ask(health, now);
  if (!permit) return {};
  ++under_way_;
  return Attempt(this, health, *std::move(permit));
}

std::optional<HostHealth::Permit> Gate::ask(HostHealth* health, TimePoint now) {
  offline_until_ = {};
  if (!health) return HostHealth::Permit();
  auto admitted = health->admit(key_, now);
  if (admitted) return *std::move(admitted);
  offline_until_ = now + seconds(admitted.error().retry_after_s);
  is_proven_ = false;
  return std::nullopt;
}

bool Gate::may_enter(TimePoint now) const {
  const std::lock_guard lock(mutex_);
  return backoff_.may_try(now) && now >= offline_until_ && (is_proven_ || under_way_ == 0);
}

Gate::Attempt::~Attempt() {
  if (!gate_) return;
  const std::lock_guard lock(gate_->mutex_);
  --gate_->under_way_;
}

void Gate::Attempt::connected(TimePoint now) {
  permit_.succeeded(now);
  Gate* gate = std::exchange(gate_, nullptr);
  const std::lock_guard lock(gate->mutex_);
  --gate->under_way_;
  gate->backoff_.succeeded();
  gate->is_proven_ = true;
}

/// What the server says against this client (its password, its database) is no fault of the host; when it is full, or
/// about to start or to stop, the pauses alone decide: it can be back at any moment.
void Gate::Attempt::failed(const Error& error, TimePoint now) {
  const bool is_final = is_permanent(error);
  if (is_final) permit_.succeeded(now);
  if (!is_answer(error)) permit_.failed(now);
  permit_ = {};
  Gate* gate = std::exchange(gate_, nullptr);
  const std::lock_guard lock(gate->mutex_);
  --gate->under_way_;
  gate->backoff_.failed(now, is_final);
  gate->is_proven_ = false;
  gate->last_failure_ = error;
  gate->last_error_ = error.log_detail;
  gate->ask(health_, now);  // so that nobody waits if this was one too many
}

void Gate::lost(bool was_useless, std::string detail, TimePoint now) {
  const std::lock_guard lock(mutex_);
  is_proven_ = false;
  if (was_useless) backoff_.failed(now, false);
  last_error_ = std::move(detail);
}

bool Gate::is_down(TimePoint now) const {
  const std::lock_guard lock(mutex_);
  return now < offline_until_ || backoff_.is_down(now);
}

bool Gate::is_failing() const {
  const std::lock_guard lock(mutex_);
  return backoff_.is_failing();
}

bool Gate::is_proven() const {
  const std::lock_guard lock(mutex_);
  return is_proven_;
}

Error Gate::unavailable(TimePoint now) const {
  const std::lock_guard lock(mutex_);
  const bool says_why = last_failure_.code == Code::too_many_connections || is_permanent(last_failure_);
  Error error =
      says_why ? last_failure_ : Error(Code::database_unavailable, "The database cannot be reached at present");
  error.log_detail = last_error_;
  const auto offline = std::chrono::ceil<seconds>(offline_until_ - now).count();
  error.retry_after_s =
      std::max(backoff_.retry_after_s(now), static_cast<std::uint32_t>(std::max<std::int64_t>(0, offline)));
  return error;
}

std::string Gate::last_error() const {
  const std::lock_guard lock(mutex_);
  return last_error_;
}

}  // namespace athena::driver::postgres
