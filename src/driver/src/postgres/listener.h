#pragma once

#include <functional>
#include <memory>

#include <athena/base/event.h>
#include <athena/driver/backend.h>

#include "backoff.h"
#include "postgres/connect.h"
#include "postgres/shared.h"

namespace athena::driver::postgres {

/// Listens for `NOTIFY athena_schema` on a connection of its own: one for each client, on whichever loop came first.
/// Behind a pooler, or with very few connections allowed, there is none, and the schema is refreshed by time and by
/// errors alone.
class Listener {
 public:
  static constexpr std::uint32_t kMinBudget = 4;

  /// `on_change` runs for each notification, and whenever it begins to listen: one may have been missed.
  Listener(Runtime runtime, const Target& target, Shared& shared, std::function<void()> on_change);
  ~Listener();

  /// Takes the part of the listener if nobody has it.
  void start();
  void tick(TimePoint now);
  Task<> stop();

 private:
  Task<> run();
  Async<> listen();

  Runtime runtime_;
  const Target& target_;
  Shared& shared_;
  std::function<void()> on_change_;
  Backoff backoff_;
  std::unique_ptr<Connection> connection_;
  athena::Event may_try_, ended_;
  bool is_ours_ = false, is_useless_ = false, running_ = false, stopping_ = false;
};

}  // namespace athena::driver::postgres
