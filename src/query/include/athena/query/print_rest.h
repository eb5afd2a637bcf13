#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <athena/base/result.h>
#include <athena/query/schema.h>
#include <athena/query/statement.h>

namespace athena::query {

/// A statement as a request to PostgREST (Supabase's REST interface). Names are the schema's own, quoted as PostgREST's
/// grammar wants them; values stand in the query and in the body, each quoted for its place, so that no value can
/// become a part of the request's structure.
struct RestRequest {
  using Pairs = std::vector<std::pair<std::string, std::string>>;

  std::string method;  ///< GET, HEAD, POST, PATCH or DELETE
  std::string path;    ///< "/users", encoded; behind the base URL of the service
  Pairs query;         ///< not encoded: see target()
  Pairs headers;
  std::string body;  ///< JSON; empty: none

  std::vector<std::string> keys;    ///< of each column of the answer, in order; with has_star what the schema says
  std::vector<TypeClass> types;     ///< of each key
  bool has_star = false;            ///< all columns were asked for: the answer may have others than the schema knows
  bool is_keyed = false;            ///< equality on a whole unique key: at most one row
  const TableDef* table = nullptr;  ///< points into the schema that was given; null: a call

  /// Path and encoded query: what stands behind the base URL.
  std::string target() const;
};

struct RestOptions {
  NameRules names;
  /// The schema that the service takes when none is named; tables of others get a profile header.
  std::string_view default_schema = "public";
};

/// Errors: undefined_table, undefined_column, unsupported_operator, invalid_value, invalid_encoding, no_id_column,
/// feature_not_supported (what PostgREST cannot say: other values on conflict, updated rows in an order).
Result<RestRequest> to_rest(const Statement& statement, const Schema& schema, const RestOptions& options);

/// HEAD: the number of rows comes in Content-Range. `kind` is not none.
Result<RestRequest> to_rest_count(const Select& select, Count kind, const Schema& schema, const RestOptions& options);

/// A call of a function, POST /rpc/…; `function.schema` empty: the default. Read-only: GET, whose arguments stand in
/// the query, and which PostgREST runs in a read-only transaction.
Result<RestRequest> to_rest_call(const Table& function, const Row& arguments, bool read_only,
                                 const RestOptions& options);

/// Replaces the page that a GET asks for.
void set_page(RestRequest& request, std::optional<std::uint64_t> limit, std::uint64_t offset);

/// `a=b&c=d`: everything but unreserved characters is escaped, so that what is decoded is exactly what was given.
std::string encode_query(const RestRequest::Pairs& pairs);

}  // namespace athena::query
