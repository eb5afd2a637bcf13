#pragma once

#include <memory>

#include <athena/driver/backend.h>

namespace athena::driver::d1 {

/// What the loops of one client share: the tables, how many requests run at once, how many more may be retried.
std::shared_ptr<SharedState> share(const Target& target);
/// Cloudflare D1 through the Worker of d1/ at the root. Each request is a transaction of its own.
std::unique_ptr<Backend> open(Target target, std::shared_ptr<SharedState> shared, Runtime runtime);

inline constexpr Capabilities kCapabilities{.raw_sql = true, .returning = true, .sessions = true};

}  // namespace athena::driver::d1
