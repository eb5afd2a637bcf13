#include <algorithm>

#include <athena/base/json_writer.h>

#include "encode.h"
#include "endpoints/routes.h"
#include "parameters.h"
#include "reply.h"
#include "services.h"

namespace athena::gateway {
namespace {

json::Writer begin_json(RequestContext& context) {
  context.exchange.add_header("Content-Type", "application/json");
  return json::Writer(context.body());
}

std::vector<const query::TableDef*> sorted_tables(const query::Schema& schema) {
  std::vector<const query::TableDef*> tables;
  for (const auto& table : schema.tables()) tables.push_back(&table);
  std::ranges::sort(tables, {},
                    [](const auto* t) { return std::pair(std::string_view(t->schema), std::string_view(t->name)); });
  return tables;
}

void write_strings(json::Writer& w, const std::vector<std::string>& values) {
  w.begin_array();
  for (const auto& value : values) w.string(value);
  w.end_array();
}

}  // namespace

Async<> run_schema_tables(RequestContext& context, Services&) {
  ATHENA_CO_TRY(const auto parameters, read_parameters(context.head().query));
  const std::string_view wanted = find_parameter(parameters, "schema");
  ATHENA_CO_TRY(const auto schema, co_await context.backend().schema(context.call()));
  json::Writer w = begin_json(context);
  w.begin_object().key("tables").begin_array();
  for (const query::TableDef* table : sorted_tables(*schema)) {
    if (!wanted.empty() && table->schema != wanted) continue;
    w.begin_object().member("table_schema", table->schema).member("table_name", table->name);
    w.member("table_type", table->kind == query::TableKind::view ? "VIEW" : "BASE TABLE").end_object();
    ++context.rows;
  }
  w.end_array().end_object();
  co_return Result<>{};
}

Async<> run_schema_columns(RequestContext& context, Services&) {
  ATHENA_CO_TRY(const auto parameters, read_parameters(context.head().query));
  const std::string_view name = find_parameter(parameters, "table_name");
  const std::string_view wanted = find_parameter(parameters, "table_schema");
  if (name.empty()) {
    co_return fail(Error(Code::missing_field, "table_name is required", "GET /schema/columns?table_name=…"));
  }
  context.table = name;
  ATHENA_CO_TRY(const auto schema, co_await context.backend().schema(context.call()));
  const query::TableDef* table = schema->find(wanted, name, context.call().names);
  json::Writer w = begin_json(context);
  w.begin_object().key("columns").begin_array();
  for (std::size_t i = 0; table && i < table->columns.size(); ++i) {
    const query::ColumnDef& column = table->columns[i];
    w.begin_object().member("table_schema", table->schema).member("table_name", table->name);
    w.member("column_name", column.name).member("data_type", column.type_name);
    w.member("is_nullable", column.nullable ? "YES" : "NO").key("column_default");
    if (column.default_expression.empty()) {
      w.null();
    } else {
      w.string(column.default_expression);
    }
    const bool in_key =
        std::ranges::find(table->primary_key, static_cast<std::uint32_t>(i)) != table->primary_key.end();
    w.key("ordinal_position").integer(i + 1).key("is_primary_key").boolean(in_key).end_object();
  }
  w.end_array().end_object();
  if (!table) co_return fail(schema->undefined_table(wanted, name));
  co_return Result<>{};
}

Async<> run_schema_constraints(RequestContext& context, Services&) {
  ATHENA_CO_TRY(const auto parameters, read_parameters(context.head().query));
  const std::string_view name = find_parameter(parameters, "table_name");
  const std::string_view wanted = find_parameter(parameters, "table_schema");
  ATHENA_CO_TRY(const auto constraints, co_await context.backend().constraints(context.call()));
  json::Writer w = begin_json(context);
  w.begin_object().key("constraints").begin_array();
  for (const driver::ConstraintInfo& c : constraints) {
    if ((!name.empty() && c.table != name) || (!wanted.empty() && c.schema != wanted)) continue;
    w.begin_object().member("table_schema", c.schema).member("table_name", c.table);
    w.member("constraint_name", c.name).member("constraint_type", c.type).key("columns");
    write_strings(w, c.columns);
    if (!c.foreign_table.empty()) {
      w.member("foreign_table_schema", c.foreign_schema).member("foreign_table_name", c.foreign_table);
      write_strings(w.key("foreign_columns"), c.foreign_columns);
    }
    w.member("definition", c.definition).end_object();
  }
  w.end_array().end_object();
  co_return Result<>{};
}

Async<> run_schema_migrations(RequestContext& context, Services&) {
  ATHENA_CO_TRY(const auto schema, co_await context.backend().schema(context.call()));
  const query::TableDef* table = schema->find("supabase_migrations", "schema_migrations", {});
  if (!table || !table->find("version", {})) {
    json::Writer w = begin_json(context);
    w.begin_object().member("message", "Migration tracking is not available for this database.");
    w.key("migrations").begin_array().end_array().end_object();
    co_return Result<>{};
  }
  query::Select select;
  select.from = {table->schema, table->name};
  for (const std::string_view name : {"version", "name"}) {
    if (!table->find(name, {})) continue;
    select.columns.emplace_back().column.name = name;
  }
  select.order.emplace_back().column.name = "version";
  select.limit = 10'000;
  ATHENA_CO_TRY(auto stream, co_await context.backend().execute(std::move(select), context.call()));
  RowEncoder encoder(stream->columns(), false);
  begin_json(context);
  context.body().append("{\"migrations\":[");
  for (bool last = false; !last;) {
    ATHENA_CO_TRY(const driver::RowBatch batch, co_await stream->next());
    encoder.append_rows(context.body(), batch, UINT64_MAX);
    last = batch.last;
  }
  context.body().append("]}");
  co_return Result<>{};
}

}  // namespace athena::gateway
