#include <athena/gateway/gateway.h>

#include <atomic>
#include <future>
#include <mutex>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include "endpoint.h"
#include "serve.h"

namespace athena::gateway {
namespace {

class GatewayOfLoops : public Gateway {
 public:
  GatewayOfLoops(std::shared_ptr<const Snapshot> snapshot, std::vector<Loop*> loops, LogSink& sink)
      : loops_(std::move(loops)), log_(sink), snapshot_(std::move(snapshot)) {
    const auto health = driver::HostHealth::create(snapshot_->settings.health, log_);
    for (Loop* loop : loops_) handlers_.push_back(std::make_unique<Serve>(*loop, sink, snapshot_, health));
  }

  http::Handler& handler(std::size_t index) override { return *handlers_[index]; }

  void set_ready(bool ready) override {
    for_each_loop([ready](Serve& serve) { serve.set_ready(ready); });
  }

  Result<> reload(Settings settings) override {
    const std::lock_guard lock(reload_mutex_);
    ATHENA_TRY(auto next, make_snapshot(std::move(settings), snapshot_.get()));
    snapshot_ = next;
    for_each_loop([next](Serve& serve) { serve.set_snapshot(next); });
    return {};
  }

  void stop() override {
    for (std::size_t i = 0; i < loops_.size(); ++i) {
      asio::co_spawn(loops_[i]->executor(), handlers_[i]->stop(), asio::use_future).wait();
    }
  }

 private:
  /// Runs `action` on each loop, later: each Serve is touched by its own thread alone.
  template <class F>
  void for_each_loop(F action) {
    for (std::size_t i = 0; i < loops_.size(); ++i) {
      asio::post(loops_[i]->executor(), [action, serve = handlers_[i].get()] { action(*serve); });
    }
  }

  std::vector<Loop*> loops_;
  DriverLog log_;  // of what is no loop's own; outlives the health that the handlers share
  std::mutex reload_mutex_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::vector<std::unique_ptr<Serve>> handlers_;
};

}  // namespace

Result<std::unique_ptr<Gateway>> Gateway::create(Settings settings, std::vector<Loop*> loops, LogSink& sink) {
  ATHENA_TRY(auto snapshot, make_snapshot(std::move(settings), nullptr));
  return std::make_unique<GatewayOfLoops>(std::move(snapshot), std::move(loops), sink);
}

std::vector<RouteInfo> routes() {
  std::vector<RouteInfo> rows;
  for (const Endpoint& endpoint : endpoints()) {
    rows.push_back({http::to_string(endpoint.method), endpoint.path, endpoint.summary});
  }
  return rows;
}

}  // namespace athena::gateway
