#include "endpoints/write_reply.h"

#include <algorithm>

#include <athena/base/json_writer.h>
#include <athena/base/text.h>

#include "encode.h"
#include "reply.h"

namespace athena::gateway {
namespace {

/// Rows of one write are held whole: they are bounded by the statement that made them, and by this.
constexpr std::size_t kMaxReturnedBytes = 64 * 1024 * 1024;

struct Returned {
  Buffer rows;  ///< objects, separated by commas
  Buffer ids;   ///< values of the id column, separated by commas
  std::uint64_t count = 0;
};

Async<> drain(RequestContext& context, driver::RowStream& stream, const std::string& id_column, std::size_t hidden,
              Returned& into) {
  const auto columns = stream.columns();
  // A hidden id stands last; another column before it may have taken its name as an alias.
  const auto is_id = [&](const driver::ColumnInfo& column) { return text::iequals(column.name, id_column); };
  const auto id = hidden ? columns.end() - 1 : std::ranges::find_if(columns, is_id);
  const auto id_index = static_cast<std::size_t>(id - columns.begin());
  RowEncoder encoder(columns, context.strip_nulls, hidden);
  for (bool last = columns.empty(); !last;) {
    ATHENA_CO_TRY(const driver::RowBatch batch, co_await stream.next());
    encoder.append_rows(into.rows, batch, UINT64_MAX);
    for (std::size_t row = 0; row < batch.rows && id != columns.end(); ++row) {
      if (!into.ids.empty()) into.ids.push_back(',');
      append_cell(into.ids, batch.cells[row * encoder.width() + id_index]);
    }
    if (into.rows.size() > kMaxReturnedBytes) {
      co_return fail(Code::result_too_large, "The write was done, but its rows are more than a reply can hold",
                     "Name fewer columns in `columns`.");
    }
    last = batch.last;
  }
  into.count = encoder.rows();
  co_return Result<>{};
}

}  // namespace

Result<> check_audit_headers(const RequestContext& context) {
  if (!context.settings().audit_headers_required) return {};
  for (const std::string_view name : {"X-User-Id", "X-Company-Id", "X-Organization-Id"}) {
    const auto value = context.head().find(name);
    if (value && !value->empty()) continue;
    return fail(Error(Code::missing_audit_header, std::string(name) + " header not found in the request",
                      "Send it, or set gateway.audit_headers to optional.")
                    .with("header", std::string(name)));
  }
  return {};
}

bool is_strict(const http::RequestHead& head) {
  const auto prefer = head.find("Prefer");
  if (!prefer) return false;
  for (const std::string_view preference : text::split(*prefer, ',')) {
    if (text::iequals(text::trim(preference), "handling=strict")) return true;
  }
  return false;
}

Result<> check_matched(const RequestContext& context, const driver::RowStream& stream) {
  if (stream.affected() > 0 || !is_strict(context.head())) return {};
  return fail(Error(Code::nothing_matched, "No row of '" + context.table + "' matches").with("table", context.table));
}

std::string id_column_of(const RequestContext& context, const query::TableDef& table) {
  const auto& mapped = context.settings().id_columns;
  if (const auto it = mapped.find(table.name); it != mapped.end()) return it->second;
  return table.primary_key.size() == 1 ? table.columns[table.primary_key.front()].name : std::string();
}

std::size_t add_hidden_id(std::vector<query::Output>& returning, const std::string& id_column) {
  if (returning.empty() || id_column.empty()) return 0;
  const auto is_id = [&](const query::Output& o) {
    return o.column.path.empty() && o.alias.empty() && text::iequals(o.column.name, id_column);
  };
  if (std::ranges::any_of(returning, is_id)) return 0;
  query::Output hidden;
  hidden.column.name = id_column;
  returning.push_back(std::move(hidden));
  return 1;
}

Async<> answer_write(RequestContext& context, driver::RowStream& stream, WriteReply reply, const std::string& id_column,
                     std::size_t hidden) {
  Returned returned;
  ATHENA_CO_TRY_VOID(co_await drain(context, stream, id_column, hidden, returned));
  if (reply.without_rows) returned.rows.clear();
  context.rows = stream.affected();
  context.exchange.add_header("Content-Type", "application/json");
  Buffer& out = context.body();
  const auto append_rows = [&](bool single) {
    if (!single) out.push_back('[');
    out.append(single && returned.rows.empty() ? "null" : returned.rows.view());
    if (!single) out.push_back(']');
  };
  if (context.shape == Shape::bare) {
    append_rows(false);
    co_return Result<>{};
  }
  out.append("{\"status\":\"success\",\"success\":true,\"message\":");
  json::append_string(out, reply.message);
  out.append(",\"data\":");
  append_rows(reply.single);
  out.append(",\"resource_id\":");
  if (!reply.ids_of_rows) {
    out.append(reply.resource_id);
  } else if (reply.single) {
    out.append(returned.ids.empty() ? "null" : returned.ids.view());
  } else {
    out.push_back('[');
    out.append(returned.ids.view());
    out.push_back(']');
  }
  out.append(",\"table_name\":");
  json::append_string(out, context.table);
  if (reply.with_count) {
    out.append(",\"count\":");
    json::append_integer(out, stream.affected());
  }
  out.append(",\"meta\":");
  write_meta(out, {context.client().kind->name, returned.count, stream.affected(), 1});
  out.push_back('}');
  co_return Result<>{};
}

std::string to_json(const query::Scalar& scalar) {
  struct Visitor {
    std::string operator()(std::monostate) const { return "null"; }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(const query::Number& number) const { return number.digits; }
    std::string operator()(const query::JsonText& json) const { return json.text; }
    std::string operator()(const std::string& text) const {
      Buffer out;
      json::append_string(out, text);
      return std::string(out.view());
    }
  };
  return std::visit(Visitor{}, scalar);
}

}  // namespace athena::gateway
