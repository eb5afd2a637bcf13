#include "core.h"

#include <future>
#include <random>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_future.hpp>

#include "driver_channel.h"
#include "gateway_channel.h"
#include "pause.h"

namespace athena::sdk {
namespace {

constexpr seconds kGrace{5};  // for an answer that is due to be on its way to another thread
constexpr milliseconds kProbeTimeout{5'000};
constexpr std::uint32_t kFailureWindowSeconds = 60;

double chance() {
  thread_local std::minstd_rand random(std::random_device{}());
  return std::uniform_real_distribution<double>(0, 1)(random);
}

Result<QueryResult> only_one(QueryResult result) {
  if (result.rows.size() == 1) return result;
  if (result.rows.empty()) return fail(Code::nothing_matched, "No row matches, and one was asked for");
  return fail(Code::too_many_affected, "More than one row matches, and one was asked for");
}

}  // namespace

Result<std::shared_ptr<Core>> Core::create(AthenaClientConfig config, Loop* loop, driver::Observer* observer) {
  if (config.timeout <= milliseconds(0)) return fail(Code::configuration_error, "timeout() must be positive");
  if (config.max_result_bytes == 0) return fail(Code::configuration_error, "max_result_bytes() must be positive");
  const std::shared_ptr<Core> core(new Core(std::move(config)));
  ATHENA_TRY_VOID(core->open(loop, observer));
  return core;
}

Result<> Core::open(Loop* loop, driver::Observer* observer) {
  if (!loop) {
    own_loop_ = std::make_unique<Loop>();
    loop = own_loop_.get();
  }
  loop_ = loop;
  auto parts = std::make_unique<Parts>();
  driver::Observer& watcher = observer ? *observer : parts->silent;
  parts->health = driver::HostHealth::create({.enabled = config_.health.enabled,
                                              .failure_threshold = config_.health.circuit_breaker_threshold,
                                              .failure_window = seconds(kFailureWindowSeconds),
                                              .offline = config_.health.circuit_breaker_timeout},
                                             watcher);
  ChannelContext context{{*loop_, watcher, parts->health}, config_.max_result_bytes};
  if (is_gateway(config_)) {
    ATHENA_TRY(GatewayUrl url, make_gateway_url(config_));
    parts->channel = open_gateway_channel(config_, std::move(url), std::move(context));
  } else {
    ATHENA_TRY(driver::Target target, make_target(config_));
    ATHENA_TRY(parts->channel, open_driver_channel(std::move(target), std::move(context)));
  }
  parts_ = std::move(parts);
  if (own_loop_) thread_ = std::thread([own = own_loop_.get()] { own->run(); });
  return {};
}

Core::~Core() {
  if (!parts_) return;
  if (own_loop_) {
    if (!is_stopped_) asio::co_spawn(own_loop_->executor(), parts_->channel->stop(), asio::use_future).wait();
    own_loop_->stop();
    thread_.join();
  } else if (!is_stopped_) {
    const auto retire = [](std::unique_ptr<Parts> parts) -> Task<> { co_await parts->channel->stop(); };
    asio::co_spawn(loop_->executor(), retire(std::move(parts_)), asio::detached);
  }
}

Task<> Core::stop() {
  if (std::exchange(is_stopped_, true)) co_return;
  co_await parts_->channel->stop();
}

Async<QueryResult> Core::run(Request request, Cancellation* cancellation) {
  if (is_stopped_) co_return fail(Code::shutting_down, "The client is stopped");
  const TimePoint deadline = Clock::now() + request.timeout.value_or(config_.timeout);
  driver::Retry retry(deadline, {.most_tries = config_.retries + 1});
  retries_.earn();
  for (;;) {
    auto result = co_await parts_->channel->run(request, deadline, cancellation);
    if (result) {
      if (request.wants_single) co_return only_one(*std::move(result));
      co_return result;
    }
    const Error& error = result.error();
    const bool is_passing = error.row().retryable && error.code != Code::write_outcome_unknown;
    if (!is_passing || !request.may_repeat()) co_return result;
    const auto next = retry.next(Clock::now(), error.retry_after_s, chance(), retries_);
    if (!next) co_return result;
    Event due;
    co_await wait_until(*loop_, due, *next, cancellation);
    if (cancellation && cancellation->cancelled()) co_return fail(Code::cancelled);
  }
}

template <class T>
Result<T> Core::wait_for(Async<T> work, Duration patience) {
  if (loop_->executor().running_in_this_thread()) {
    return fail(Code::internal_error, "This would wait for its own thread", "Use co_execute() on the client's loop");
  }
  auto answer = asio::co_spawn(loop_->executor(), std::move(work), asio::use_future);
  if (answer.wait_for(patience) == std::future_status::ready) return answer.get();
  return fail(Code::deadline_exceeded, "No answer came in time", "Does the client's loop run?");
}

Result<QueryResult> Core::wait(Request request) {
  const Duration patience = request.timeout.value_or(config_.timeout) + kGrace;
  return wait_for(run(std::move(request), nullptr), patience);
}

Async<HealthStatus> Core::co_check() {
  const TimePoint now = Clock::now();
  if (last_check_ == TimePoint{} || now - last_check_ >= config_.health.check_interval) {
    last_check_ = now;
    const auto asked = co_await parts_->channel->probe(now + std::min(config_.timeout, kProbeTimeout));
    last_check_error_ = asked ? std::nullopt : std::optional(asked.error());
  }
  HealthStatus status;
  status.is_healthy = !last_check_error_;
  if (last_check_error_) status.error = *last_check_error_;
  for (const driver::HostReport& host : health().report(Clock::now())) {
    status.offline_for = std::max(status.offline_for, host.retry_in);
  }
  co_return status;
}

Result<HealthStatus> Core::check() {
  return wait_for(co_check(), config_.timeout + kGrace);
}

}  // namespace athena::sdk
