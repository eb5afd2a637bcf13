#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/clock.h>
#include <athena/driver/backend.h>

namespace athena::driver {

/// When a host counts as failing, and for how long it is left alone then (contract 13).
struct HealthConfig {
  bool enabled = true;
  std::uint32_t failure_threshold = 5;
  seconds failure_window{60};
  seconds offline{60};
};

/// What a host is to those who would send it something.
enum class HostState : std::uint8_t {
  closed,     ///< requests go through
  open,       ///< nobody tries before the deadline
  half_open,  ///< one trial is under way; its outcome decides
};

/// One row of a listing, for operators and GET /.
struct HostReport {
  std::string backend;  ///< "scylla"
  std::string host;     ///< "h:9042"; no credentials
  HostState state = HostState::closed;
  std::uint32_t recent_failures = 0;
  milliseconds retry_in{0};        ///< open: until the trial
  std::uint64_t times_opened = 0;  ///< since it is watched
  std::uint64_t refused = 0;       ///< how often somebody was told to leave it alone
};

/// The health of every host that a process talks to, keyed by "backend kind|host:port", so that one that fails is
/// noticed once and for everyone. Thread-safe; no clock is read: the time is told.
///
/// Only transport failures and overload are failures; a database that refuses a statement is healthy. A success
/// forgets the failures before it: a host opens when, within the window, nothing but failures came of it.
class HostHealth {
 public:
  /// How many hosts are watched. Beyond, the healthy one that was not used for the longest time is forgotten; if none
  /// is healthy, the newcomer is admitted unwatched.
  static constexpr std::size_t kMaxHosts = 1'024;

  virtual ~HostHealth() = default;
  /// `observer` is borrowed, and outlives it. Disabled: failures are not counted, only force_offline() opens.
  static std::shared_ptr<HostHealth> create(HealthConfig config, Observer& observer);

  /// Leave to try a host. Its outcome is told once; a permit that goes without one was given up (cancelled), which
  /// frees the trial and judges nobody. Outcomes of permits given before the host's state changed do not close it.
  class Permit {
   public:
    Permit() = default;
    Permit(std::shared_ptr<HostHealth> health, std::string key, std::uint64_t generation, bool is_trial);
    Permit(Permit&&) noexcept;
    Permit& operator=(Permit&&) noexcept;
    ~Permit();
    void succeeded(TimePoint now) noexcept;
    void failed(TimePoint now) noexcept;
    bool is_trial() const noexcept { return is_trial_; }

   private:
    std::shared_ptr<HostHealth> health_;
    std::string key_;
    std::uint64_t generation_ = 0;
    bool is_trial_ = false;
  };
  /// Error: database_unavailable with retry_after_s, if the host is open, or half-open and on trial.
  virtual Result<Permit> admit(std::string_view key, TimePoint now) = 0;

  virtual bool is_offline(std::string_view key, TimePoint now) const = 0;
  /// Opens the host by hand; only time or reset() ends it, not an outcome.
  virtual void force_offline(std::string_view key, Duration duration, TimePoint now) = 0;
  virtual void reset(std::string_view key) = 0;
  virtual std::vector<HostReport> report(TimePoint now) const = 0;

 protected:
  enum class Outcome : std::uint8_t { success, failure, abandoned };

 private:
  virtual void conclude(std::string_view key, std::uint64_t generation, bool is_trial, Outcome outcome,
                        TimePoint now) noexcept = 0;
};

}  // namespace athena::driver
