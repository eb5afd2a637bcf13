#include "endpoints/routes.h"
#include "endpoints/write_reply.h"
#include "reply.h"
#include "services.h"
#include "transform/grouped_reply.h"

namespace athena::gateway {

Result<> read_update_body(RequestContext& context) {
  ATHENA_TRY(auto update, query::read_update(context.document->root(), context.settings().read));
  ATHENA_TRY(context.shape, decide_shape(context.head(), context.settings(), update.has_strip_nulls_field, false));
  context.strip_nulls = wants_strip_nulls(context.head(), update.strip_nulls);
  context.table = update.update.table.name;
  if (const auto mapped = context.settings().id_columns.find(context.table);
      mapped != context.settings().id_columns.end()) {
    update.update.id_column = mapped->second;
  }
  update.update.must_exist = is_strict(context.head());
  context.intent = std::move(update);
  return {};
}

Async<> run_update(RequestContext& context, Services&) {
  auto& request = std::get<query::UpdateRequest>(context.intent);
  const auto grouping = request.grouping;
  ATHENA_CO_TRY(auto stream, co_await context.backend().execute(std::move(request.update), context.call()));
  RowsReply reply(context, "Data updated successfully", false);
  reply.begin_rows(stream->columns());
  std::optional<Grouper> grouper;
  if (grouping) {
    grouper.emplace(*grouping, context.shape == Shape::compact);
    ATHENA_CO_TRY_VOID(co_await grouper->append(reply, context, *stream, UINT64_MAX));
  } else {
    ATHENA_CO_TRY_VOID(co_await reply.append(*stream, UINT64_MAX));
  }
  ATHENA_CO_TRY_VOID(check_matched(context, *stream));
  reply.end_rows();
  if (grouper && reply.member("post_processing")) grouper->write(context.body());
  if (reply.member("meta")) {
    write_meta(context.body(), {context.client().kind->name, reply.rows(), stream->affected(), 1});
  }
  reply.finish();
  co_return Result<>{};
}

}  // namespace athena::gateway
