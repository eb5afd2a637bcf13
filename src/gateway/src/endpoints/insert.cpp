#include "endpoints/routes.h"
#include "endpoints/write_reply.h"
#include "reply.h"
#include "services.h"

namespace athena::gateway {

Result<> read_insert_body(RequestContext& context) {
  ATHENA_TRY_VOID(check_audit_headers(context));
  ATHENA_TRY(auto insert, query::read_insert(context.document->root(), context.settings().read));
  ATHENA_TRY(context.shape, decide_shape(context.head(), context.settings(), false, true));
  ATHENA_TRY(context.strip_nulls, wants_strip_nulls(context.head(), context.document->root()));
  context.table = insert.insert.into.name;
  context.intent = std::move(insert);
  return {};
}

Async<> run_insert(RequestContext& context, Services&) {
  auto& request = std::get<query::InsertRequest>(context.intent);
  WriteReply reply{.message = "Data inserted successfully",
                   .single = !request.body_is_array,
                   .ids_of_rows = true,
                   .with_count = request.count != query::Count::none,
                   .without_rows = request.head};
  ATHENA_CO_TRY(const auto schema, co_await context.backend().schema(context.call()));
  const query::Table& into = request.insert.into;
  const query::TableDef* table = schema->find(into.schema, into.name, context.call().names);
  const std::string id_column = table ? id_column_of(context, *table) : std::string();
  const std::size_t hidden = add_hidden_id(request.insert.returning, id_column);
  ATHENA_CO_TRY(auto stream, co_await context.backend().execute(std::move(request.insert), context.call()));
  co_return co_await answer_write(context, *stream, std::move(reply), id_column, hidden);
}

}  // namespace athena::gateway
