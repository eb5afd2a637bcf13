#include "endpoints/routes.h"
#include "endpoints/write_reply.h"
#include "reply.h"
#include "services.h"

namespace athena::gateway {
Result<> read_delete_body(RequestContext& context) {
  ATHENA_TRY_VOID(check_audit_headers(context));
  ATHENA_TRY(auto request, query::read_delete(context.document->root(), context.settings().read));
  ATHENA_TRY(context.shape, decide_shape(context.head(), context.settings(), false, true));
  ATHENA_TRY(context.strip_nulls, wants_strip_nulls(context.head(), context.document->root()));
  context.table = request.del.from.name;
  if (const auto mapped = context.settings().id_columns.find(context.table);
      mapped != context.settings().id_columns.end()) {
    request.del.id_column = mapped->second;
  }
  request.del.must_exist = is_strict(context.head());
  context.intent = std::move(request);
  return {};
}

Async<> run_delete(RequestContext& context, Services&) {
  auto& request = std::get<query::DeleteRequest>(context.intent);
  WriteReply reply{.message = "Data deleted successfully"};
  if (request.del.resource_id) reply.resource_id = to_json(*request.del.resource_id);
  ATHENA_CO_TRY(auto stream, co_await context.backend().execute(std::move(request.del), context.call()));
  ATHENA_CO_TRY_VOID(co_await answer_write(context, *stream, std::move(reply), {}, 0));
  co_return check_matched(context, *stream);
}

}  // namespace athena::gateway
