#include "endpoint.h"

#include <algorithm>

#include "endpoints/routes.h"

namespace athena::gateway {
namespace {

using enum http::Method;
constexpr Reply kShaped = Reply::enveloped, kRaw = Reply::raw;

// method, path, frame, action, needs_client, reply, read, run, summary, recall
constexpr Endpoint kEndpoints[] = {
    {post, "/gateway/fetch", "gateway.fetch", Action::read, true, kShaped, read_fetch_body, run_fetch,
     "Fetch rows with filters, paging, sorting, counting and grouping", recall_fetch},
    {post, "/gateway/data", "", Action::read, true, kShaped, read_fetch_body, run_fetch, "The same as /gateway/fetch",
     recall_fetch},
    {get, "/data", "", Action::read, true, kShaped, read_fetch_query, run_fetch, "Fetch rows by URL"},
    {post, "/gateway/update", "gateway.update", Action::write, true, kShaped, read_update_body, run_update,
     "Update rows that match conditions"},
    {put, "/gateway/insert", "gateway.insert", Action::write, true, kShaped, read_insert_body, run_insert,
     "Insert rows, or update them on conflict"},
    {post, "/gateway/insert", "", Action::write, true, kShaped, read_insert_body, run_insert,
     "The same as PUT /gateway/insert"},
    {del, "/gateway/delete", "gateway.delete", Action::del, true, kShaped, read_delete_body, run_delete,
     "Delete rows by id or conditions"},
    {post, "/gateway/delete", "", Action::del, true, kShaped, read_delete_body, run_delete,
     "The same as DELETE /gateway/delete"},
    {post, "/gateway/query", "gateway.query", Action::query, true, kShaped, read_query_body, run_query, "Run raw SQL"},
    {post, "/query/sql", "", Action::query, false, kRaw, read_query_sql_body, run_query_sql,
     "Run raw SQL through a named driver"},
    {post, "/gateway/sql", "", Action::query, false, kRaw, read_query_sql_body, run_query_sql,
     "The same as /query/sql"},
    {get, "/schema/clients", "", Action::admin, false, kRaw, nullptr, run_clients, "List the clients"},
    {get, "/clients", "", Action::admin, false, kRaw, nullptr, run_clients, "The same as /schema/clients"},
    {get, "/schema/tables", "", Action::schema, true, kRaw, nullptr, run_schema_tables, "List tables and views"},
    {get, "/schema/columns", "", Action::schema, true, kRaw, nullptr, run_schema_columns,
     "List the columns of a table"},
    {get, "/schema/constraints", "", Action::schema, true, kRaw, nullptr, run_schema_constraints,
     "List keys and constraints"},
    {get, "/schema/migrations", "", Action::schema, true, kRaw, nullptr, run_schema_migrations,
     "List applied migrations, where the database tracks them"},
    {post, "/api/v2/supabase/ssl_enforcement", "", Action::admin, false, kRaw, read_ssl_enforcement_body,
     run_ssl_enforcement, "Switch the enforcement of SSL for the database of a Supabase project"},
    {get, "/", "", Action::open, false, kRaw, nullptr, run_root, "Status, version and routes"},
    {get, "/ping", "", Action::open, false, kRaw, nullptr, run_ping, "Answers pong"},
    {get, "/health", "", Action::open, false, kRaw, nullptr, run_health, "Liveness"},
    {get, "/ready", "", Action::open, false, kRaw, nullptr, run_ready, "Readiness"},
    {get, "/docs", "", Action::open, false, kRaw, nullptr, run_docs, "Redirects to the documentation"},
    {get, "/openapi.yaml", "", Action::open, false, kRaw, nullptr, run_openapi,
     "The OpenAPI description of these routes"},
};

constexpr bool answers_under_db(const Endpoint& endpoint) noexcept {
  return endpoint.action == Action::read || endpoint.action == Action::write || endpoint.action == Action::del ||
         endpoint.action == Action::query || endpoint.action == Action::schema;
}

/// True if `path` is the endpoint's own, or `/db` and then it.
bool answers(const Endpoint& endpoint, std::string_view path) noexcept {
  if (endpoint.path == path) return true;
  constexpr std::string_view kPrefix = "/db";
  return path.size() == endpoint.path.size() + kPrefix.size() && path.starts_with(kPrefix) &&
         path.substr(kPrefix.size()) == endpoint.path && answers_under_db(endpoint);
}

}  // namespace

std::span<const Endpoint> endpoints() noexcept {
  return kEndpoints;
}

Match match(http::Method method, std::string_view path) noexcept {
  if (method == head) method = get;
  Match found;
  for (const Endpoint& endpoint : kEndpoints) {
    if (!answers(endpoint, path)) continue;
    found.path_known = true;
    if (endpoint.method == method) {
      found.endpoint = &endpoint;
      return found;
    }
  }
  return found;
}

std::string allowed_methods(std::string_view path) {
  std::string methods;
  const auto add = [&methods](std::string_view method) {
    if (!methods.empty()) methods += ", ";
    methods += method;
  };
  for (const Endpoint& endpoint : kEndpoints) {
    if (!answers(endpoint, path)) continue;
    add(http::to_string(endpoint.method));
    if (endpoint.method == get) add("HEAD");
  }
  if (!methods.empty()) add("OPTIONS");
  return methods;
}

}  // namespace athena::gateway
