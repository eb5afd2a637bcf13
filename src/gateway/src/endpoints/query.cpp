#include <array>
#include <memory>
#include <utility>
#include <vector>

#include <athena/base/json_writer.h>
#include <athena/base/text.h>

#include "endpoints/routes.h"
#include "endpoints/supabase.h"
#include "reply.h"
#include "services.h"

namespace athena::gateway {
namespace {

/// The words that `driver` takes (contract 3.5), and the kind of database that each one means. `native` fits every
/// kind.
struct DriverWord {
  std::string_view word, kind;
};
constexpr DriverWord kDrivers[] = {
    {"postgresql", "postgresql"},
    {"postgres", "postgresql"},
    {"neon", "postgresql"},
    {"sqlite", "sqlite"},
    {"native", ""},
    {"athena", "scylla"},
    {"scylla", "scylla"},
    {"cassandra", "scylla"},
    {"supabase", "supabase"},
    {"postgrest", "supabase"},
    {"d1", "d1"},
    {"cloudflare-d1", "d1"},
};

Result<std::string_view> kind_of_driver(std::string_view driver) {
  std::string known;
  for (const DriverWord& row : kDrivers) {
    if (text::iequals(row.word, driver)) return row.kind;
    known += known.empty() ? "" : ", ";
    known += row.word;
  }
  return fail(Error(Code::unknown_driver, "Driver '" + std::string(driver.substr(0, 64)) + "' is not supported",
                    "Use one of: " + known + "."));
}

Result<query::QueryRequest> read_text(RequestContext& context, bool driver_required) {
  ATHENA_TRY(auto request, query::read_query(context.document->root(), driver_required));
  if (text::trim(request.query).find_first_not_of("; \t\r\n") == std::string_view::npos) {
    return fail(Code::invalid_value, "Query cannot be empty or contain only semicolons.");
  }
  ATHENA_TRY(context.strip_nulls, wants_strip_nulls(context.head(), context.document->root()));
  return request;
}

driver::Native to_native(query::QueryRequest& request) {
  return {std::move(request.query), std::move(request.params), std::move(request.schema_name)};
}

using Results = std::vector<std::unique_ptr<driver::RowStream>>;

/// `results` beside the rows: what each statement of a text gave. One of them has its rows in the reply already, and is
/// told without.
Async<> write_results(RequestContext& context, RowsReply& reply, Results results, std::uint64_t affected) {
  if (results.empty() || !reply.member("results")) co_return Result<>{};
  for (const auto& result : results) affected -= result ? result->affected() : 0;
  Buffer& out = context.body();
  out.push_back('[');
  for (bool first = true; const auto& result : results) {
    if (!std::exchange(first, false)) out.push_back(',');
    out.push_back('{');
    std::uint64_t returned = reply.rows();
    if (result) {
      RowEncoder encoder(result->columns(), context.strip_nulls);
      out.append("\"rows\":[");
      for (bool last = false; !last;) {
        ATHENA_CO_TRY(const driver::RowBatch batch, co_await result->next());
        encoder.append_rows(out, batch, UINT64_MAX);
        last = batch.last;
        if (out.size() > context.settings().response_head_start) ATHENA_CO_TRY_VOID(co_await reply.relieve());
      }
      out.append("],");
      returned = encoder.rows();
    }
    out.append("\"rows_affected\":");
    json::append_integer(out, result ? result->affected() : affected);
    out.append(",\"returned_row_count\":");
    json::append_integer(out, returned);
    out.push_back('}');
  }
  out.push_back(']');
  co_return Result<>{};
}

}  // namespace

Result<> read_query_body(RequestContext& context) {
  ATHENA_TRY(auto request, read_text(context, false));
  const bool strip_field = context.document->root()["strip_nulls"].exists();
  ATHENA_TRY(context.shape, decide_shape(context.head(), context.settings(), strip_field, false));
  context.intent = std::move(request);
  return {};
}

Async<> run_query(RequestContext& context, Services&) {
  auto& request = std::get<query::QueryRequest>(context.intent);
  const bool read_only = request.read_only;
  ATHENA_CO_TRY(auto stream, co_await context.backend().execute(to_native(request), context.call(read_only)));
  RowsReply reply(context, "Query executed", false);
  reply.begin_rows(stream->columns());
  ATHENA_CO_TRY_VOID(co_await reply.append(*stream, UINT64_MAX));
  reply.end_rows();
  if (reply.member("meta")) {
    write_meta(context.body(),
               {context.client().kind->name, reply.rows(), stream->affected(), stream->statement_count()});
  }
  ATHENA_CO_TRY_VOID(co_await write_results(context, reply, stream->take_results(), stream->affected()));
  reply.finish();
  co_return Result<>{};
}

Result<> read_query_sql_body(RequestContext& context) {
  ATHENA_TRY(auto request, read_text(context, true));
  ATHENA_TRY(const std::string_view kind, kind_of_driver(request.driver));
  // With Supabase it is the name of a database behind it.
  if (!context.slot && kind != "supabase") context.client_in_body = text::trim(request.db_name);
  context.intent = std::move(request);
  return {};
}

Async<> run_query_sql(RequestContext& context, Services& services) {
  auto& request = std::get<query::QueryRequest>(context.intent);
  const std::string_view kind = *kind_of_driver(request.driver);
  const bool is_behind_supabase = kind == "supabase";
  if (is_behind_supabase) ATHENA_CO_TRY_VOID(use_supabase_postgres(context, services, request.db_name));
  if (!kind.empty() && !is_behind_supabase && kind != context.client().kind->name) {
    co_return fail(Error(Code::unknown_driver, "Client '" + context.client().settings.name + "' is a " +
                                                   std::string(context.client().kind->name) + " database; driver '" +
                                                   request.driver + "' does not apply to it"));
  }
  const TimePoint started = Clock::now();
  const std::string driver = request.driver, db_name = request.db_name;
  const bool read_only = request.read_only;
  ATHENA_CO_TRY(auto stream, co_await context.backend().execute(to_native(request), context.call(read_only)));
  context.shape = Shape::documented;
  RowsReply reply(context, "Successfully executed query", false);
  reply.begin_rows(stream->columns());
  ATHENA_CO_TRY_VOID(co_await reply.append(*stream, UINT64_MAX));
  reply.end_rows();
  Buffer& out = context.body();
  reply.member("columns");
  json::Writer w(out);
  w.begin_array();
  for (const auto& column : stream->columns()) {
    w.begin_object().member("name", column.name).member("type", column.type_name).end_object();
  }
  w.end_array().member("db_name", db_name).member("driver", driver);
  w.key("duration_ms").integer(std::chrono::duration_cast<milliseconds>(Clock::now() - started).count());
  w.key("statement_count").integer(stream->statement_count()).key("rows_affected").integer(stream->affected());
  w.key("returned_row_count").integer(reply.rows());
  reply.finish();
  co_return Result<>{};
}

}  // namespace athena::gateway
