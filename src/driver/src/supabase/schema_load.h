#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <athena/base/result.h>
#include <athena/driver/backend.h>
#include <athena/query/schema.h>

namespace athena::driver::supabase {

/// What PostgREST's root document (OpenAPI 2.0) says about the tables of one schema: columns, types, defaults, primary
/// keys and references by one column. It does not name other unique keys, and tells a view only by its taking no
/// writes.
struct Description {
  std::vector<query::TableDef> tables;
  std::vector<ConstraintInfo> constraints;
};

/// Errors: database_error, what is no such document; limit_exceeded, one beyond any reason.
Result<Description> read_description(std::string_view document, const std::string& schema);

}  // namespace athena::driver::supabase
