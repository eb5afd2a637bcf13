#include <athena/base/digest.h>
#include <athena/base/json_writer.h>

#include "endpoints/routes.h"
#include "fetch_templates.h"
#include "parameters.h"
#include "reply.h"
#include "services.h"
#include "transform/grouped_reply.h"

namespace athena::gateway {
namespace {

/// Stands for a statement in the caller's hands until there is a cache: client, body and shape, digested.
std::string cache_key(const RequestContext& context) {
  Digest digest;
  digest.add(context.client().settings.name);
  digest.add(context.head().query);
  digest.add(context.request_body);
  const char options[] = {static_cast<char>(context.shape), context.strip_nulls ? '1' : '0'};
  digest.add({options, sizeof options});
  return digest.hex();
}

/// What the head says beside a fetch, whether it was read or recalled.
template <class Fetch>
Result<> accept(RequestContext& context, const Fetch& fetch, const query::Select& select) {
  ATHENA_TRY(context.shape, decide_shape(context.head(), context.settings(), fetch.has_strip_nulls_field, false));
  context.strip_nulls = wants_strip_nulls(context.head(), fetch.strip_nulls);
  context.table = select.from.name;
  context.exchange.add_header("X-Athena-Cache", "off");
  return {};
}
Result<> accept(RequestContext& context, query::FetchRequest fetch) {
  ATHENA_TRY_VOID(accept(context, fetch, fetch.select));
  context.intent = std::move(fetch);
  return {};
}

}  // namespace

Result<> read_fetch_body(RequestContext& context) {
  ATHENA_TRY(auto fetch, query::read_fetch(context.document->root(), context.settings().read));
  return accept(context, std::move(fetch));
}

Result<> recall_fetch(RequestContext& context, RecalledFetch recalled) {
  ATHENA_TRY_VOID(accept(context, *recalled.fetch, recalled.fetch->statement->select));
  context.intent = std::move(recalled);
  return {};
}

Result<> read_fetch_query(RequestContext& context) {
  ATHENA_TRY(const auto parameters, read_parameters(context.head().query));
  ATHENA_TRY(auto fetch, query::read_fetch_url(parameters, context.settings().read));
  return accept(context, std::move(fetch));
}

namespace {

/// The rows, if they are all that is wanted.
Async<> run_recalled(RequestContext& context, RecalledFetch& recalled) {
  const std::string key = cache_key(context);
  ATHENA_CO_TRY(auto stream, co_await context.backend().execute_recurring(
                                 {recalled.fetch->statement, std::move(recalled.operands)}, context.call()));
  RowsReply reply(context, "Fetched ", true);
  reply.begin_rows(stream->columns());
  ATHENA_CO_TRY(const bool more, co_await reply.append(*stream, recalled.fetch->limit));
  reply.end_rows();
  if (more && reply.member("has_more")) context.body().append("true");
  reply.finish(key);
  co_return Result<>{};
}

Async<> run_read(RequestContext& context, query::FetchRequest& fetch) {
  const query::Count count_kind = fetch.count;
  const std::string key = cache_key(context);
  std::optional<std::uint64_t> total;
  if (count_kind != query::Count::none) {
    ATHENA_CO_TRY(total, co_await context.backend().count(fetch.select, count_kind, context.call()));
  }
  const std::uint64_t limit = limit_and_one_more(fetch);
  const auto grouping = fetch.grouping;
  ATHENA_CO_TRY(auto stream, co_await context.backend().execute(std::move(fetch.select), context.call()));
  RowsReply reply(context, "Fetched ", true);
  reply.begin_rows(stream->columns());
  bool more = false;
  std::optional<Grouper> grouper;
  if (grouping) {
    grouper.emplace(*grouping, context.shape == Shape::compact);
    ATHENA_CO_TRY(more, co_await grouper->append(reply, context, *stream, limit));
  } else {
    ATHENA_CO_TRY(more, co_await reply.append(*stream, limit));
  }
  reply.end_rows();
  const std::string cursor = stream->cursor();
  if (grouper && reply.member("post_processing")) grouper->write(context.body());
  if (total && reply.member("count")) json::append_integer(context.body(), *total);
  if ((more || !cursor.empty()) && reply.member("has_more")) context.body().append("true");
  if (!cursor.empty() && reply.member("next_cursor")) json::append_string(context.body(), cursor);
  reply.finish(key);
  co_return Result<>{};
}

}  // namespace

Async<> run_fetch(RequestContext& context, Services&) {
  if (auto* recalled = std::get_if<RecalledFetch>(&context.intent)) return run_recalled(context, *recalled);
  return run_read(context, std::get<query::FetchRequest>(context.intent));
}

}  // namespace athena::gateway
