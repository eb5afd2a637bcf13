#pragma once

#include "context.h"
#include "endpoint.h"

/// The readers and runners that the endpoint table names, by the file that holds them.
namespace athena::gateway {

// fetch.cpp
Result<> read_fetch_body(RequestContext& context);
Result<> recall_fetch(RequestContext& context, RecalledFetch recalled);
Result<> read_fetch_query(RequestContext& context);
Async<> run_fetch(RequestContext& context, Services& services);
// update.cpp, insert.cpp, delete.cpp
Result<> read_update_body(RequestContext& context);
Async<> run_update(RequestContext& context, Services& services);
Result<> read_insert_body(RequestContext& context);
Async<> run_insert(RequestContext& context, Services& services);
Result<> read_delete_body(RequestContext& context);
Async<> run_delete(RequestContext& context, Services& services);
// query.cpp
Result<> read_query_body(RequestContext& context);
Async<> run_query(RequestContext& context, Services& services);
Result<> read_query_sql_body(RequestContext& context);
Async<> run_query_sql(RequestContext& context, Services& services);
// schema.cpp
Async<> run_schema_tables(RequestContext& context, Services& services);
Async<> run_schema_columns(RequestContext& context, Services& services);
Async<> run_schema_constraints(RequestContext& context, Services& services);
Async<> run_schema_migrations(RequestContext& context, Services& services);
// supabase.cpp
Result<> read_ssl_enforcement_body(RequestContext& context);
Async<> run_ssl_enforcement(RequestContext& context, Services& services);
// utility.cpp
Async<> run_clients(RequestContext& context, Services& services);
Async<> run_root(RequestContext& context, Services& services);
Async<> run_ping(RequestContext& context, Services& services);
Async<> run_health(RequestContext& context, Services& services);
Async<> run_ready(RequestContext& context, Services& services);
Async<> run_docs(RequestContext& context, Services& services);
Async<> run_openapi(RequestContext& context, Services& services);

}  // namespace athena::gateway
