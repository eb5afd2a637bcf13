#include "postgres/backend.h"

#include <utility>

#include "postgres/connect.h"
#include "postgres/session.h"
#include "postgres/shared.h"

namespace athena::driver::postgres {

std::shared_ptr<SharedState> share(const Target& target) {
  forget_libpq_environment();
  return std::make_shared<Shared>(target);
}

std::unique_ptr<Backend> open(Target target, std::shared_ptr<SharedState> shared, Runtime runtime) {
  return std::make_unique<PostgresBackend>(std::move(target), std::static_pointer_cast<Shared>(std::move(shared)),
                                           runtime);
}

}  // namespace athena::driver::postgres
