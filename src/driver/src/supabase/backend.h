#pragma once

#include <memory>

#include <athena/driver/backend.h>

namespace athena::driver::supabase {

/// What the loops of one client share: the tables, what may be retried, how many rows the service gives at most.
std::shared_ptr<SharedState> share(const Target& target);
/// Supabase, or any PostgREST, over its REST interface: Target::url is its base (".../rest/v1"), Target::database the
/// schema to ask for (empty: the service's own choice), Target::secret or Target::password the API key (empty: none is
/// sent). PostgREST runs no SQL: Native is refused.
std::unique_ptr<Backend> open(Target target, std::shared_ptr<SharedState> shared, Runtime runtime);

inline constexpr Capabilities kCapabilities{
    .schemas = true, .regex = true, .full_text = true, .arrays = true, .returning = true, .estimates = true};

}  // namespace athena::driver::supabase
