#pragma once

#include <memory>

#include <athena/driver/backend.h>

namespace athena::driver::postgres {

/// What the loops of one client share: the budget of connections, the schema, the thread that cancels. Opens nothing
/// yet.
std::shared_ptr<SharedState> share(const Target& target);
/// One client's database as one loop sees it.
std::unique_ptr<Backend> open(Target target, std::shared_ptr<SharedState> shared, Runtime runtime);

}  // namespace athena::driver::postgres
