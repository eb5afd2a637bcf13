#pragma once

#include <string>

#include "context.h"

namespace athena::gateway {

class Services;

/// PostgREST runs no SQL. Raw SQL of the driver `supabase` goes to the PostgreSQL behind it: SUPABASE_POSTGRES_URI with
/// `{db}` replaced, or else what the client's metadata names. Sets context.slot. Error: feature_not_supported, neither
/// is there; configuration_error.
Result<> use_supabase_postgres(RequestContext& context, Services& services, const std::string& db_name);

/// True for what can be a project's reference: it becomes a part of a URL.
bool is_project_ref(std::string_view text) noexcept;

}  // namespace athena::gateway
