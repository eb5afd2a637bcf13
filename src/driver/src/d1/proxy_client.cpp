#include "d1/proxy_client.h"

#include <algorithm>
#include <utility>

#include <athena/base/text.h>
#include <athena/driver/health.h>

#include "cancelled.h"
#include "pause.h"

namespace athena::driver::d1 {
namespace {

/// What one answer may be. The Worker holds all of it, too, in at most 128 MB.
constexpr std::size_t kMaxReplyBytes = 32 * 1024 * 1024;

constexpr seconds kSilence{5};

constexpr RetryPolicy kRetries{.most_tries = 3, .first = milliseconds(100), .longest = milliseconds(1'000)};

bool is_overload(int status) noexcept {
  return status == 429 || status == 502 || status == 503 || status == 504 || (status >= 520 && status <= 527);
}

bool is_success(int status) noexcept {
  return status >= 200 && status <= 299;
}

bool may_repeat(const Outgoing& outgoing, const Call& call) noexcept {
  return !outgoing.writes || call.idempotent;
}

}  // namespace

ProxyClient::ProxyClient(const Target& target, Runtime& runtime, Budget& places, RetryBudget& retries)
    : target_(target),
      runtime_(runtime),
      places_(places),
      retries_(retries),
      masked_(target.masked()),
      host_key_("d1|" + target.host + ":" + std::to_string(target.port)),
      client_(http::Client::create(runtime.loop)),
      random_(std::random_device()()) {}

Result<> ProxyClient::admit(const Call& call) const {
  if (stopping_) return fail(Code::shutting_down);
  if (call.cancellation && call.cancellation->cancelled()) return fail(cancelled_by(call.cancellation->reason()));
  if (Clock::now() >= call.deadline) return fail(Code::statement_timeout);
  return {};
}

Async<ProxyClient::Reply> ProxyClient::send(Outgoing outgoing, Call call) {
  ATHENA_CO_TRY_VOID(admit(call));
  ++running_;
  Result<Reply> reply = co_await send_until_answered(std::move(outgoing), call);
  if (--running_ == 0 && stopping_) idle_.set();  // last: whoever waits in stop() may destroy this
  co_return reply;
}

/// A place among the requests that the client may have at once. A loop that gets none looks again at each tick.
Async<Budget::Place> ProxyClient::take_place(Call call) {
  for (bool first = true;; first = false) {
    if (Budget::Place place = places_.take()) co_return place;
    if (first) runtime_.observer.observe({driver::Event::Kind::pool_exhausted, masked_, {}});
    co_await pause(runtime_.loop, std::min(Clock::now() + Loop::kTick, call.deadline), call.cancellation);
    const Result<> admitted = admit(call);
    if (admitted) continue;
    if (admitted.error().code != Code::statement_timeout) co_return fail(admitted.error());
    co_return fail(Code::pool_timeout, "All requests that the client may have at once were busy");
  }
}

Async<ProxyClient::Reply> ProxyClient::send_until_answered(Outgoing outgoing, Call call) {
  ATHENA_CO_TRY(const Budget::Place place, co_await take_place(call));
  const ReadSession* session = call.session;
  const bool has_mode = session && !text::trim(session->mode).empty();
  // A caller's second statement (a count, then the rows) reads nothing older than the first did.
  const std::string_view bookmark = !session                   ? std::string_view()
                                    : session->reached.empty() ? session->bookmark
                                                               : session->reached;
  const std::string body = request_body({.sql = outgoing.sql,
                                         .params = outgoing.params,
                                         .binding = target_.binding,
                                         .session_mode = text::trim(has_mode ? session->mode : target_.session_mode),
                                         .bookmark = text::trim(bookmark)});
  Retry retry(call.deadline, kRetries);
  retries_.earn();
  while (true) {
    Attempt tried = co_await attempt(outgoing, body, call);
    if (tried.reply) co_return std::move(tried.reply);
    const double chance = std::uniform_real_distribution<double>(0, 1)(random_);
    // "Not carried out" is the proxy's word, and only what may happen twice is staked on it.
    const bool helps = tried.failure.effect == Effect::not_run || tried.failure.effect == Effect::unknown;
    std::optional<TimePoint> next;
    if (helps && may_repeat(outgoing, call))
      next = retry.next(Clock::now(), tried.retry_after_s.value_or(0), chance, retries_);
    if (!next || !admit(call)) co_return fail(final_error(std::move(tried), outgoing.writes));
    runtime_.observer.observe({driver::Event::Kind::retried, masked_, tried.failure.error.log_detail});
    co_await pause(runtime_.loop, *next, call.cancellation);
    ATHENA_CO_TRY_VOID(admit(call));
  }
}

Result<http::ClientRequest> ProxyClient::request(const std::string& body, bool may_repeat, const Call& call) const {
  Result<std::string> secret = target_.secret ? target_.secret() : target_.password;
  if (!secret) return fail(std::move(secret).error());
  const std::string_view token = text::trim(*secret);
  if (token.empty()) return fail(Code::configuration_error, "The token for the Cloudflare D1 proxy is empty");
  http::ClientRequest request;
  request.method = "POST";
  request.url = target_.url + "/query";
  request.headers = {{"Authorization", "Bearer " + std::string(token)}, {"Content-Type", "application/json"}};
  request.body = body;
  request.timeout = std::chrono::ceil<milliseconds>(call.deadline - Clock::now());
  request.max_body_bytes = kMaxReplyBytes;
  request.may_repeat = may_repeat;
  return request;
}

Task<ProxyClient::Attempt> ProxyClient::attempt(const Outgoing& outgoing, const std::string& body, Call call) {
  Result<http::ClientRequest> request = this->request(body, may_repeat(outgoing, call), call);
  if (!request) co_return Attempt{nullptr, {std::move(request).error(), Effect::refused}, std::nullopt};
  HostHealth::Permit permit;
  if (runtime_.health) {
    auto admitted = runtime_.health->admit(host_key_, Clock::now());
    if (!admitted) co_return Attempt{nullptr, {std::move(admitted).error(), Effect::refused}, std::nullopt};
    permit = *std::move(admitted);
  }
  bool sent = false;
  request->sent = &sent;
  const TimePoint began = Clock::now();
  auto response = co_await client_->send(*std::move(request), call.cancellation);
  if (response) {
    if (is_overload(response->status)) {
      permit.failed(Clock::now());
    } else {
      permit.succeeded(Clock::now());
    }
    co_return judge(*std::move(response), outgoing, call.session);
  }
  // A caller's own short deadline says nothing about the host.
  const bool silent = response.error().code == Code::deadline_exceeded && Clock::now() - began >= kSilence;
  if (response.error().code == Code::database_unavailable || silent) permit.failed(Clock::now());
  if (stopping_) {
    response = fail(Code::shutting_down);
  } else if (response.error().code == Code::cancelled && call.cancellation && call.cancellation->cancelled()) {
    runtime_.observer.observe({driver::Event::Kind::statement_cancelled, masked_, {}});
    response = fail(cancelled_by(call.cancellation->reason()));
  }
  co_return Attempt{nullptr, no_answer(response.error(), sent), std::nullopt};
}

ProxyClient::Attempt ProxyClient::judge(http::ClientResponse response, const Outgoing& outgoing,
                                        ReadSession* session) const {
  Attempt attempt;
  attempt.retry_after_s = retry_after(response);
  std::string bookmark = header_bookmark(response);
  if (is_success(response.status)) {
    if (auto reply = read_reply(std::move(response))) {
      attempt.reply = *std::move(reply);
      bookmark = attempt.reply->bookmark;
    } else {
      attempt.failure = {std::move(reply).error(), Effect::in_vain};
    }
  } else {
    attempt.failure = failure_of(response, outgoing.caller);
  }
  if (session && !bookmark.empty()) session->reached = std::move(bookmark);
  return attempt;
}

Error ProxyClient::final_error(Attempt attempt, bool writes) {
  Error error = std::move(attempt.failure.error);
  const bool unknown = attempt.failure.effect == Effect::unknown || attempt.failure.effect == Effect::in_vain;
  if (unknown && writes) {
    std::string detail = error.log_detail.empty() ? error.error : std::move(error.log_detail);
    error = Error(Code::write_outcome_unknown, "d1 did not say whether the write was done").logged(std::move(detail));
  } else if (attempt.retry_after_s) {
    error.retry_after_s = *attempt.retry_after_s;
  }
  if (error.row().level >= LogLevel::warn) last_error_ = error.log_detail.empty() ? error.error : error.log_detail;
  return error;
}

bool ProxyClient::is_usable() const {
  return !stopping_ && !(runtime_.health && runtime_.health->is_offline(host_key_, Clock::now()));
}

Task<> ProxyClient::stop() {
  stopping_ = true;
  client_.reset();  // wakes whoever waits for an answer
  while (running_ > 0) {
    idle_.reset();
    co_await idle_.wait();
  }
}

}  // namespace athena::driver::d1
