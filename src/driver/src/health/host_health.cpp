#include <athena/driver/health.h>

#include <algorithm>
#include <iterator>
#include <mutex>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "health/breaker.h"

namespace athena::driver {
namespace {

std::uint32_t whole_seconds(Duration duration) noexcept {
  const auto whole = std::chrono::ceil<seconds>(duration).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(whole, 1, 86'400));
}

/// "postgresql|db:5432" → "postgresql", "db:5432".
std::pair<std::string_view, std::string_view> parts(std::string_view key) noexcept {
  const std::size_t bar = key.find('|');
  if (bar == std::string_view::npos) return {{}, key};
  return {key.substr(0, bar), key.substr(bar + 1)};
}

Error refusal(std::string_view key, Duration wait) {
  Error error(Code::database_unavailable, "The database cannot be reached at present",
              "It is left alone for a while after several failures; the request can be sent again then");
  error.retry_after_s = whole_seconds(wait);
  error.log_detail = "host " + std::string(key) + " is offline";
  return error;
}

class SharedHealth final : public HostHealth, public std::enable_shared_from_this<SharedHealth> {
 public:
  SharedHealth(HealthConfig config, Observer& observer) : config_(config), observer_(observer) {}

  Result<Permit> admit(std::string_view key, TimePoint now) override {
    Breaker::Change change = Breaker::Change::none;
    std::optional<Breaker::Leave> leave;
    Duration wait{};
    {
      const std::lock_guard lock(mutex_);
      Host* host = find_or_add(key);
      if (!host) return Permit();  // more hosts than are watched: those that fail are known already
      host->last_use = now;
      leave = host->breaker.admit(now, change);
      wait = host->breaker.wait(now);
      if (!leave) ++host->refused;
    }
    tell(key, change, {});
    if (!leave) return fail(refusal(key, wait));
    return Permit(shared_from_this(), std::string(key), leave->generation, leave->is_trial);
  }

  bool is_offline(std::string_view key, TimePoint now) const override {
    const std::lock_guard lock(mutex_);
    const auto at = hosts_.find(key);
    return at != hosts_.end() && at->second.breaker.is_offline(now);
  }

  void force_offline(std::string_view key, Duration duration, TimePoint now) override {
    {
      const std::lock_guard lock(mutex_);
      Host* host = find_or_add(key);
      if (!host) return;
      host->last_use = now;
      host->breaker.force_offline(duration, now);
      ++host->times_opened;
    }
    tell(key, Breaker::Change::opened, "by hand, for " + std::to_string(whole_seconds(duration)) + " s");
  }

  void reset(std::string_view key) override {
    Breaker::Change change = Breaker::Change::none;
    {
      const std::lock_guard lock(mutex_);
      const auto at = hosts_.find(key);
      if (at != hosts_.end()) change = at->second.breaker.reset();
    }
    tell(key, change, "by hand");
  }

  std::vector<HostReport> report(TimePoint now) const override {
    std::vector<HostReport> rows;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [key, host] : hosts_) {
        const auto [backend, name] = parts(key);
        rows.push_back({.backend = std::string(backend),
                        .host = std::string(name),
                        .state = host.breaker.state(),
                        .recent_failures = host.breaker.recent_failures(now),
                        .retry_in = std::chrono::ceil<milliseconds>(host.breaker.wait(now)),
                        .times_opened = host.times_opened,
                        .refused = host.refused});
      }
    }
    std::ranges::sort(rows, {}, [](const HostReport& row) { return std::tie(row.backend, row.host); });
    return rows;
  }

 private:
  struct Host {
    Breaker breaker;
    TimePoint last_use{};
    std::uint64_t times_opened = 0, refused = 0;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const noexcept { return std::hash<std::string_view>()(key); }
  };
  using Hosts = std::unordered_map<std::string, Host, Hash, std::equal_to<>>;

  /// Null: as many as are watched have something to be remembered for.
  Host* find_or_add(std::string_view key) {
    if (const auto at = hosts_.find(key); at != hosts_.end()) return &at->second;
    if (hosts_.size() >= kMaxHosts && !forget_one()) return nullptr;
    next_generation_ += kGenerationsOfOne;
    const auto [at, added] = hosts_.try_emplace(std::string(key), Host{Breaker(config_, next_generation_)});
    return &at->second;
  }

  /// The healthy host that was not used for the longest time.
  bool forget_one() {
    auto oldest = hosts_.end();
    for (auto at = hosts_.begin(); at != hosts_.end(); ++at) {
      if (!at->second.breaker.is_healthy()) continue;
      if (oldest == hosts_.end() || at->second.last_use < oldest->second.last_use) oldest = at;
    }
    if (oldest == hosts_.end()) return false;
    hosts_.erase(oldest);
    return true;
  }

  void conclude(std::string_view key, std::uint64_t generation, bool is_trial, Outcome outcome,
                TimePoint now) noexcept override {
    Breaker::Change change = Breaker::Change::none;
    {
      const std::lock_guard lock(mutex_);
      const auto at = hosts_.find(key);
      if (at == hosts_.end()) return;
      Breaker& breaker = at->second.breaker;
      const Breaker::Leave leave{generation, is_trial};
      switch (outcome) {
        case Outcome::success:
          change = breaker.succeeded(leave);
          break;
        case Outcome::failure:
          change = breaker.failed(leave, now);
          if (change == Breaker::Change::opened) ++at->second.times_opened;
          break;
        case Outcome::abandoned:
          breaker.abandoned(leave);
          break;
      }
    }
    tell(key, change, {});
  }

  /// Outside the lock: an observer may take its time, and may ask for the report.
  void tell(std::string_view key, Breaker::Change change, std::string detail) noexcept {
    const std::string_view host = parts(key).second;
    switch (change) {
      case Breaker::Change::none:
        return;
      case Breaker::Change::opened:
        if (detail.empty()) detail = "left alone for " + std::to_string(config_.offline.count()) + " s";
        return observer_.observe({Event::Kind::host_opened, host, std::move(detail)});
      case Breaker::Change::on_trial:
        return observer_.observe({Event::Kind::host_on_trial, host, std::move(detail)});
      case Breaker::Change::closed:
        return observer_.observe({Event::Kind::host_closed, host, std::move(detail)});
    }
  }

  static constexpr std::uint64_t kGenerationsOfOne = std::uint64_t{1} << 32;

  const HealthConfig config_;
  Observer& observer_;
  mutable std::mutex mutex_;
  Hosts hosts_;
  std::uint64_t next_generation_ = 0;
};

}  // namespace

std::shared_ptr<HostHealth> HostHealth::create(HealthConfig config, Observer& observer) {
  config.failure_threshold = std::max<std::uint32_t>(1, config.failure_threshold);
  return std::make_shared<SharedHealth>(config, observer);
}

HostHealth::Permit::Permit(std::shared_ptr<HostHealth> health, std::string key, std::uint64_t generation, bool is_trial)
    : health_(std::move(health)), key_(std::move(key)), generation_(generation), is_trial_(is_trial) {}

HostHealth::Permit::Permit(Permit&& other) noexcept
    : health_(std::exchange(other.health_, nullptr)),
      key_(std::move(other.key_)),
      generation_(other.generation_),
      is_trial_(std::exchange(other.is_trial_, false)) {}

HostHealth::Permit& HostHealth::Permit::operator=(Permit&& other) noexcept {
  Permit taken(std::move(other));
  std::swap(health_, taken.health_), std::swap(key_, taken.key_);
  std::swap(generation_, taken.generation_), std::swap(is_trial_, taken.is_trial_);
  return *this;
}

HostHealth::Permit::~Permit() {
  if (health_) health_->conclude(key_, generation_, is_trial_, Outcome::abandoned, {});
}

void HostHealth::Permit::succeeded(TimePoint now) noexcept {
  if (const auto health = std::exchange(health_, nullptr))
    health->conclude(key_, generation_, is_trial_, Outcome::success, now);
}

void HostHealth::Permit::failed(TimePoint now) noexcept {
  if (const auto health = std::exchange(health_, nullptr))
    health->conclude(key_, generation_, is_trial_, Outcome::failure, now);
}

}  // namespace athena::driver
