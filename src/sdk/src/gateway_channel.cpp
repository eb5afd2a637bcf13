#include "gateway_channel.h"

#include <algorithm>
#include <deque>
#include <utility>

#include <athena/base/text.h>
#include <athena/driver/health.h>
#include <athena/http/client.h>

#include "pause.h"
#include "reply_json.h"
#include "request_json.h"

namespace athena::sdk {
namespace {

constexpr std::uint32_t kUsualConnections = 50;
constexpr milliseconds kUsualConnectTimeout{5'000}, kUsualIdleTimeout{300'000};
constexpr milliseconds kGrace{500};  // for the gateway's own answer that the time is over

class GatewayChannel final : public Channel {
 public:
  GatewayChannel(const AthenaClientConfig& config, GatewayUrl url, ChannelContext context)
      : config_(config),
        url_(std::move(url)),
        runtime_(std::move(context.runtime)),
        max_result_bytes_(context.max_result_bytes),
        free_(config.pool.max_connections.value_or(kUsualConnections)),
        client_(http::Client::create(runtime_.loop)) {}

  Async<QueryResult> run(const Request& request, TimePoint deadline, Cancellation* cancellation) override {
    GatewayRequest json = to_gateway(request, config_.gateway.client);
    http::ClientRequest http = prepare(json.method, json.path, deadline);
    http.body = std::move(json.body);
    bool was_sent = false;
    http.may_repeat = request.may_repeat();
    http.sent = &was_sent;
    auto response = co_await send(std::move(http), deadline, cancellation);
    if (!response) co_return fail(outcome(std::move(response).error(), was_sent && !request.may_repeat()));
    auto result = read_reply(*response);
    const bool has_no_route = !result && result.error().code == Code::route_not_found;
    if (has_no_route && std::holds_alternative<RemoteCall>(request.what)) {
      co_return fail(Code::feature_not_supported, "This gateway calls no functions", "Use execute_sql()");
    }
    co_return result;
  }

  Async<> probe(TimePoint deadline) override {
    ATHENA_CO_TRY(const auto response, co_await send(prepare("GET", "/ping", deadline), deadline, nullptr));
    if (response.status == 200) co_return Result<>();
    co_return fail(Code::database_unavailable, "The gateway is not healthy");
  }

  std::vector<std::string> health_keys() const override { return {url_.health_key}; }

  Task<> stop() override {
    is_stopping_ = true;
    for (Waiter* waiter : std::exchange(waiting_, {})) waiter->turn.set();
    while (running_ > 0) {
      ended_.reset();
      co_await ended_.wait();
    }
  }

 private:
  /// One of the requests that may be under way at the same time.
  struct Waiter {
    Event turn;
    bool has_place = false;
  };
  struct Place {
    explicit Place(GatewayChannel& of) : channel(&of) { ++of.running_; }
    Place(Place&& other) noexcept : channel(std::exchange(other.channel, nullptr)) {}
    ~Place() {
      if (channel) channel->give_back();
    }
    GatewayChannel* channel;
  };

  http::ClientRequest prepare(std::string_view method, std::string_view path, TimePoint deadline) const {
    http::ClientRequest http;
    http.method = method;
    http.url = url_.base + std::string(path);
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
    http.timeout = std::max(left, milliseconds(1)) + kGrace;
    http.connect_timeout = config_.pool.connection_timeout.value_or(kUsualConnectTimeout);
    http.idle_timeout = config_.pool.idle_timeout.value_or(kUsualIdleTimeout);
    http.max_body_bytes = max_result_bytes_;
    const auto add = [&](std::string_view name, std::string value) {
      const auto same = [name](const auto& header) { return text::iequals(header.first, name); };
      if (value.empty() || std::ranges::any_of(config_.gateway.headers, same)) return;
      http.headers.emplace_back(std::string(name), std::move(value));
    };
    add("Content-Type", "application/json");
    add("X-Athena-Client", config_.gateway.client);
    add("X-Athena-Key", config_.connection.key.value_or(""));
    add("X-Athena-Shape", "documented");
    add("X-Athena-Timeout-Ms", std::to_string(std::max<std::int64_t>(left.count(), 1)));
    for (const auto& header : config_.gateway.headers) http.headers.push_back(header);
    return http;
  }

  Async<http::ClientResponse> send(http::ClientRequest http, TimePoint deadline, Cancellation* cancellation) {
    ATHENA_CO_TRY(const Place place, co_await take_place(deadline, cancellation));
    driver::HostHealth::Permit permit;
    if (runtime_.health) {
      ATHENA_CO_TRY(permit, runtime_.health->admit(url_.health_key, Clock::now()));
    }
    auto response = co_await client_->send(std::move(http), cancellation);
    if (response) {
      permit.succeeded(Clock::now());
    } else if (response.error().code == Code::database_unavailable ||
               response.error().code == Code::deadline_exceeded) {
      permit.failed(Clock::now());
    }
    co_return response;
  }

  Async<Place> take_place(TimePoint deadline, Cancellation* cancellation) {
    if (is_stopping_) co_return fail(Code::shutting_down);
    if (free_ > 0) {
      --free_;
      co_return Place(*this);
    }
    Waiter waiter;
    waiting_.push_back(&waiter);
    co_await wait_until(runtime_.loop, waiter.turn, deadline, cancellation);
    if (waiter.has_place) co_return Place(*this);
    std::erase(waiting_, &waiter);
    if (is_stopping_) co_return fail(Code::shutting_down);
    if (cancellation && cancellation->cancelled()) co_return fail(Code::cancelled);
    co_return fail(Code::pool_timeout, "As many requests as may be are under way, and none ended in time");
  }

  void give_back() {
    --running_;
    if (waiting_.empty()) {
      ++free_;
    } else {
      Waiter* next = waiting_.front();
      waiting_.pop_front();
      next->has_place = true;
      next->turn.set();
    }
    ended_.set();
  }

  /// A write that was on its way when the connection broke may have happened.
  static Error outcome(Error error, bool may_have_happened) {
    const bool is_broken = error.code == Code::deadline_exceeded || error.code == Code::database_unavailable ||
                           error.code == Code::cancelled;
    if (!may_have_happened || !is_broken) {
      if (error.error.empty()) error.error = "The gateway cannot be reached at present";
      return error;
    }
    return Error(Code::write_outcome_unknown,
                 "The connection to the gateway was lost: the write may or may not have happened",
                 "Look whether it happened before sending it again, or mark writes that may be repeated")
        .logged(std::move(error.log_detail));
  }

  const AthenaClientConfig config_;
  const GatewayUrl url_;
  driver::Runtime runtime_;
  const std::size_t max_result_bytes_;
  std::uint32_t free_, running_ = 0;
  std::deque<Waiter*> waiting_;
  bool is_stopping_ = false;
  Event ended_;
  std::unique_ptr<http::Client> client_;
};

}  // namespace

std::unique_ptr<Channel> open_gateway_channel(const AthenaClientConfig& config, GatewayUrl url,
                                              ChannelContext context) {
  return std::make_unique<GatewayChannel>(config, std::move(url), std::move(context));
}

}  // namespace athena::sdk
