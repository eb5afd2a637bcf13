#include "supabase/channel.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "cancelled.h"

namespace athena::driver::supabase {
namespace {

constexpr std::size_t kMaxAnswer = 64 * 1024 * 1024;
/// Longer ones no gateway takes; refused here they cost nothing, and the error says what is too long.
constexpr std::size_t kMaxUrl = 32 * 1024;

bool is_write(const query::RestRequest& request) noexcept {
  return request.method != "GET" && request.method != "HEAD";
}

}  // namespace

struct Channel::Attempt {
  http::ClientResponse response;
  std::optional<Failure> failure;  ///< none: the response is a success
};

Channel::Channel(const Target& target, Runtime runtime, RetryBudget& retries)
    : target_(target),
      runtime_(std::move(runtime)),
      retries_(retries),
      health_key_("supabase|" + target.host + ":" + std::to_string(target.port)),
      client_(http::Client::create(runtime_.loop)) {}

void Channel::observe(Event::Kind kind, std::string detail) {
  const std::string target = target_.masked();
  runtime_.observer.observe({kind, target, std::move(detail)});
}

Result<http::ClientRequest> Channel::prepare(const query::RestRequest& request, const Call& call,
                                             std::string& key) const {
  key = target_.password;
  if (target_.secret) {
    ATHENA_TRY(key, target_.secret());
  }
  http::ClientRequest http;
  http.method = request.method;
  http.url = target_.url + request.target();
  if (http.url.size() > kMaxUrl) {
    return fail(Code::limit_exceeded, "The conditions are longer than a URL can be",
                "Name fewer values or columns in one request");
  }
  http.headers = request.headers;
  const bool has_accept = std::ranges::any_of(request.headers, [](const auto& h) { return h.first == "Accept"; });
  if (!has_accept) http.headers.emplace_back("Accept", "application/json");
  if (!request.body.empty()) http.headers.emplace_back("Content-Type", "application/json");
  if (!target_.database.empty()) {
    const bool is_read = !is_write(request);
    const bool is_named =
        std::ranges::any_of(request.headers, [](const auto& h) { return h.first.ends_with("Profile"); });
    if (!is_named) http.headers.emplace_back(is_read ? "Accept-Profile" : "Content-Profile", target_.database);
  }
  if (!key.empty()) {
    http.headers.emplace_back("apikey", key);
    http.headers.emplace_back("Authorization", "Bearer " + key);
  }
  http.body = request.body;
  http.max_body_bytes = kMaxAnswer;
  const bool is_v6 = target_.host.contains(':');
  if (!target_.address.empty()) {
    http.pinned_address =
        (is_v6 ? "[" + target_.host + "]" : target_.host) + ":" + std::to_string(target_.port) + ":" + target_.address;
  }
  http.timeout = std::chrono::duration_cast<milliseconds>(call.deadline - Clock::now());
  return http;
}

Task<Channel::Attempt> Channel::attempt(const query::RestRequest& request, Call call, bool may_repeat) {
  Attempt attempt;
  std::string key;
  auto http = prepare(request, call, key);
  if (!http) {
    attempt.failure = Failure{.error = std::move(http).error()};
    co_return attempt;
  }
  HostHealth::Permit permit;
  if (runtime_.health) {
    auto admitted = runtime_.health->admit(health_key_, Clock::now());
    if (!admitted) {
      attempt.failure = Failure{.error = std::move(admitted).error()};
      co_return attempt;
    }
    permit = *std::move(admitted);
  }
  bool sent = false;
  http->may_repeat = may_repeat;
  http->sent = &sent;
  auto response = co_await client_->send(*std::move(http), call.cancellation);
  if (!response) {
    Error error = std::move(response).error();
    if (error.code == Code::cancelled) {
      error = call.cancellation && call.cancellation->cancelled() ? cancelled_by(call.cancellation->reason())
                                                                  : Error(Code::shutting_down);
    }
    attempt.failure = failure_from(std::move(error), sent);
  } else if (response->status >= 200 && response->status < 300) {
    attempt.response = *std::move(response);
  } else {
    const std::string_view table = request.table ? std::string_view(request.table->name) : std::string_view();
    attempt.failure = failure_from(*response, {table, key});
  }
  const bool is_down = attempt.failure && attempt.failure->is_host_down;
  // A caller who went away, or whose own time was short, judges nobody.
  const bool has_answered = !attempt.failure || attempt.failure->error.row().status != 504;
  const bool was_cancelled = attempt.failure && (attempt.failure->error.code == Code::cancelled ||
                                                 attempt.failure->error.code == Code::shutting_down);
  if (is_down) {
    permit.failed(Clock::now());
  } else if (has_answered && !was_cancelled) {
    permit.succeeded(Clock::now());
  }
  co_return attempt;
}

/// True: the time has come; false: the request was cancelled, or the channel is closing.
Task<bool> Channel::rest_until(TimePoint until, Cancellation* cancellation) {
  athena::Event over;
  const auto tick = runtime_.loop.watch([&over, until](TimePoint now) {
    if (now >= until) over.set();
  });
  resting_.push_back(&over);
  {
    const Cancellation::Watch watch(cancellation, [&over] { over.set(); });
    co_await over.wait();
  }
  resting_.remove(&over);
  co_return !stopping_ && !(cancellation && cancellation->cancelled());
}

Async<http::ClientResponse> Channel::send_attempts(query::RestRequest request, Call call, bool may_repeat) {
  Retry retry(call.deadline);
  retries_.earn();
  for (;;) {
    if (call.cancellation && call.cancellation->cancelled()) co_return fail(cancelled_by(call.cancellation->reason()));
    if (stopping_) co_return fail(Code::shutting_down);
    if (Clock::now() >= call.deadline) co_return fail(Code::statement_timeout);
    Attempt tried = co_await attempt(request, call, may_repeat);
    if (!tried.failure) co_return std::move(tried.response);
    Failure& failure = *tried.failure;
    if (failure.error.row().level >= LogLevel::warn) last_error_ = failure.error.log_detail;
    if (failure.may_pass && (may_repeat || !failure.may_have_run)) {
      const double random = std::uniform_real_distribution<double>(0, 1)(random_);
      const auto again = retry.next(Clock::now(), failure.error.retry_after_s, random, retries_);
      if (again) {
        observe(Event::Kind::retried, failure.error.log_detail);
        if (co_await rest_until(*again, call.cancellation)) continue;
        const bool is_cancelled = call.cancellation && call.cancellation->cancelled();
        co_return fail(is_cancelled ? cancelled_by(call.cancellation->reason()) : Error(Code::shutting_down));
      }
    }
    if (is_write(request) && failure.may_have_run) {
      co_return fail(Error(Code::write_outcome_unknown, "Whether the write was done is not known",
                           "Look whether it was, before it is sent again")
                         .logged(std::move(failure.error.log_detail)));
    }
    co_return fail(std::move(failure.error));
  }
}

Async<http::ClientResponse> Channel::send(query::RestRequest request, Call call, bool may_repeat) {
  ++running_;
  auto response = co_await send_attempts(std::move(request), call, may_repeat);
  --running_;
  ended_.set();
  co_return response;
}

Health Channel::health() const {
  Health health;
  health.usable = !stopping_ && !(runtime_.health && runtime_.health->is_offline(health_key_, Clock::now()));
  health.connections = health.busy = running_;
  health.last_error = last_error_;
  return health;
}

Task<> Channel::stop() {
  stopping_ = true;
  client_ = nullptr;  // wakes whoever waits for an answer
  for (athena::Event* event : std::list(resting_)) {
    if (std::ranges::find(resting_, event) != resting_.end()) event->set();
  }
  while (running_ > 0) {
    ended_.reset();
    co_await ended_.wait();
  }
}

}  // namespace athena::driver::supabase
