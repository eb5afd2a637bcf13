#pragma once

#include <memory>
#include <thread>

#include <athena/driver/health.h>
#include <athena/driver/retry.h>
#include <athena/sdk/client.h>

#include "channel.h"

namespace athena::sdk {

/// What a client consists of: a loop (its own, on a thread of its own, or the program's), a channel, the health of its
/// hosts. Shared by the client and the builders that it has made.
class Core {
 public:
  /// `loop` and `observer` null: own ones.
  static Result<std::shared_ptr<Core>> create(AthenaClientConfig config, Loop* loop, driver::Observer* observer);
  /// Ends everything. With a loop of the program's that happens on it, later.
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  /// On the loop.
  Async<QueryResult> run(Request request, Cancellation* cancellation);
  /// Waits for run() on another thread than the loop's.
  Result<QueryResult> wait(Request request);
  Result<HealthStatus> check();
  Async<HealthStatus> co_check();
  Task<> stop();

  const AthenaClientConfig& config() const noexcept { return config_; }
  driver::HostHealth& health() noexcept { return *parts_->health; }
  std::vector<std::string> health_keys() const { return parts_->channel->health_keys(); }

 private:
  struct Silent final : driver::Observer {
    void observe(const driver::Event&) noexcept override {}
  };
  /// What background work may use until it has ended. Members go in reverse order: the channel first.
  struct Parts {
    Silent silent;
    std::shared_ptr<driver::HostHealth> health;
    std::unique_ptr<Channel> channel;
  };

  explicit Core(AthenaClientConfig config) : config_(std::move(config)) {}
  Result<> open(Loop* loop, driver::Observer* observer);
  template <class T>
  Result<T> wait_for(Async<T> work, Duration patience);

  const AthenaClientConfig config_;
  driver::RetryBudget retries_;
  std::unique_ptr<Loop> own_loop_;
  Loop* loop_ = nullptr;
  std::unique_ptr<Parts> parts_;
  std::thread thread_;
  bool is_stopped_ = false;
  TimePoint last_check_{};
  std::optional<Error> last_check_error_;
};

}  // namespace athena::sdk
