#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <athena/driver/backend.h>
#include <athena/driver/health.h>

#include "backoff.h"

namespace athena::driver::postgres {

/// When connections to one client's database may be opened, by whichever loop: not while its host is left alone, not
/// sooner than the pauses after failures allow, and one at a time until one has shown that somebody is there. So a dead
/// host is knocked at a few times, however many requests wait. Thread-safe; asked when a connection is wanted, not for
/// each request.
class Gate {
 public:
  /// Five failures of a host in a row are then as far apart as the restart of a server takes.
  static constexpr milliseconds kFirstPause{150};

  explicit Gate(const Target& target);

  /// Leave to open one connection. Its outcome is told once; one that goes without was given up, and judges nobody.
  class Attempt {
   public:
    Attempt() = default;
    Attempt(Attempt&& other) noexcept
        : gate_(std::exchange(other.gate_, nullptr)), health_(other.health_), permit_(std::move(other.permit_)) {}
    Attempt& operator=(Attempt&& other) noexcept {
      std::swap(gate_, other.gate_), std::swap(health_, other.health_), std::swap(permit_, other.permit_);
      return *this;
    }
    ~Attempt();
    explicit operator bool() const noexcept { return gate_ != nullptr; }

    void connected(TimePoint now);
    void failed(const Error& error, TimePoint now);

   private:
    friend class Gate;
    Attempt(Gate* gate, HostHealth* health, HostHealth::Permit permit)
        : gate_(gate), health_(health), permit_(std::move(permit)) {}
    Gate* gate_ = nullptr;
    HostHealth* health_ = nullptr;
    HostHealth::Permit permit_;
  };

  /// Empty: not now. `health` is borrowed, and outlives the attempt; null: no host is left alone.
  Attempt enter(HostHealth* health, TimePoint now);
  /// Whether it is worth asking.
  bool may_enter(TimePoint now) const;
  /// A connection ended by itself: the next one is to show whether the server is there. `was_useless`: it had answered
  /// nothing, so a server that takes connections and drops them is not knocked at in a circle.
  void lost(bool was_useless, std::string detail, TimePoint now);

  /// Nobody should wait for a connection: the host is left alone, or opening one has failed for too long.
  bool is_down(TimePoint now) const;
  bool is_failing() const;
  /// The last thing heard of the server was good.
  bool is_proven() const;
  /// What those are told who would have to wait.
  Error unavailable(TimePoint now) const;
  std::string last_error() const;

 private:
  /// None: the host is left alone; takes note until when.
  std::optional<HostHealth::Permit> ask(HostHealth* health, TimePoint now);

  const std::string key_;
  mutable std::mutex mutex_;
  Backoff backoff_;
  std::size_t under_way_ = 0;
  bool is_proven_ = false;
  TimePoint offline_until_{};  ///< the host is left alone until then
  Error last_failure_;
  std::string last_error_;
};

}  // namespace athena::driver::postgres
