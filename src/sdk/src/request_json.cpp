#include "request_json.h"

#include <algorithm>

#include <athena/base/json_writer.h>
#include <athena/query/operators.h>

namespace athena::sdk {
namespace {

/// A gateway has a default where nothing is said; this says "all", and every database takes it.
constexpr std::uint64_t kAllRows = 2'000'000'000;

void write(json::Writer& w, const query::Scalar& scalar) {
  struct Visitor {
    json::Writer& w;
    void operator()(std::monostate) const { w.null(); }
    void operator()(bool truth) const { w.boolean(truth); }
    void operator()(const query::Number& number) const { w.raw(number.digits); }
    void operator()(const std::string& text) const { w.string(text); }
    void operator()(const query::JsonText& json) const { w.raw(json.text); }
  };
  std::visit(Visitor{w}, scalar);
}

void write(json::Writer& w, const query::Row& row) {
  w.begin_object();
  for (const auto& [column, value] : row) {
    w.key(column);
    write(w, value);
  }
  w.end_object();
}

bool is_plain(std::string_view name) noexcept {
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  const bool has_letter = std::ranges::any_of(name, [](char c) { return c < '0' || c > '9'; });
  return has_letter && std::ranges::all_of(name, is_word);
}

std::string column_text(const query::Column& column) {
  std::string text = quoted_name(column.name);
  for (std::size_t i = 0; i < column.path.size(); ++i) {
    const bool is_last = i + 1 == column.path.size();
    text += is_last && column.path_as_text ? "->>" : "->";
    text += column.path[i].is_index ? column.path[i].key : quoted_name(column.path[i].key);
  }
  return text;
}

std::string output_text(const query::Output& output) {
  std::string text = output.alias.empty() ? "" : quoted_name(output.alias) + ":";
  text += output.column.name == "*" ? "*" : column_text(output.column);
  if (!output.cast.empty()) text += "::" + output.cast;
  return text;
}

void write_columns(json::Writer& w, const std::vector<query::Output>& outputs) {
  if (outputs.empty()) return;
  w.key("columns").begin_array();
  for (const query::Output& output : outputs) w.string(output_text(output));
  w.end_array();
}

void write_table(json::Writer& w, const query::Table& table) {
  w.member("table_name", quoted_name(table.name));
  if (!table.schema.empty()) w.member("schema_name", table.schema);
}

void write_operands(json::Writer& w, const query::Predicate& predicate) {
  const query::Arity arity = query::operator_row(predicate.op).arity;
  if (arity != query::Arity::list && arity != query::Arity::two) return write(w, predicate.operands.front());
  w.begin_array();
  for (const query::Scalar& operand : predicate.operands) write(w, operand);
  w.end_array();
}

void write_term(json::Writer& w, const query::Filter& filter);

void write_term(json::Writer& w, const query::Predicate& predicate) {
  if (predicate.negated) w.begin_object().key("not");
  w.begin_object().member("operator", query::operator_row(predicate.op).name);
  w.member("column", column_text(predicate.column)).key("value");
  write_operands(w, predicate);
  w.end_object();
  if (predicate.negated) w.end_object();
}

void write_terms(json::Writer& w, const query::Filter& filter) {
  w.begin_array();
  for (const auto& term : filter.terms) std::visit([&w](const auto& inner) { write_term(w, inner); }, term);
  w.end_array();
}

void write_term(json::Writer& w, const query::Filter& filter) {
  if (filter.negated) w.begin_object().key("not");
  w.begin_object().key(filter.join == query::Filter::Join::all_of ? "and" : "or");
  write_terms(w, filter);
  w.end_object();
  if (filter.negated) w.end_object();
}

void write_conditions(json::Writer& w, const query::Filter& where) {
  if (where.empty()) return;
  w.key("conditions");
  if (where.join == query::Filter::Join::all_of && !where.negated) return write_terms(w, where);
  w.begin_array();
  write_term(w, where);
  w.end_array();
}

void write_order(json::Writer& w, const std::vector<query::OrderBy>& order) {
  if (order.empty()) return;
  w.key("sort_by").begin_array();
  for (const query::OrderBy& by : order) {
    w.begin_object().member("column", column_text(by.column)).member("direction", by.descending ? "desc" : "asc");
    if (by.nulls != query::OrderBy::Nulls::by_default) {
      w.member("nulls", by.nulls == query::OrderBy::Nulls::first ? "first" : "last");
    }
    w.end_object();
  }
  w.end_array();
}

std::string_view count_word(query::Count count) noexcept {
  switch (count) {
    case query::Count::none:
      return "none";
    case query::Count::exact:
      return "exact";
    case query::Count::planned:
      return "planned";
    case query::Count::estimated:
      return "estimated";
  }
  return "none";
}

/// What update and delete have in common.
template <class Write>
void write_guarded(json::Writer& w, const Write& statement, bool allow_unfiltered) {
  write_conditions(w, statement.where);
  if (statement.resource_id) {
    w.key("resource_id");
    write(w, *statement.resource_id);
  }
  if (allow_unfiltered) w.key("allow_unfiltered").boolean(true);
  if (statement.max_affected) w.key("max_affected").integer(*statement.max_affected);
  write_columns(w, statement.returning);
}

class Writer {
 public:
  Writer(const Request& request, std::string_view client) : request_(request), client_(client) {}

  GatewayRequest operator()(const query::Statement& statement) { return std::visit(*this, statement); }

  GatewayRequest operator()(const query::Select& select) {
    write_table(w_.begin_object(), select.from);
    write_columns(w_, select.columns);
    write_conditions(w_, select.where);
    write_order(w_, select.order);
    w_.key("limit").integer(select.limit.value_or(kAllRows));
    if (select.offset > 0) w_.key("offset").integer(select.offset);
    if (request_.count != query::Count::none) w_.member("count", count_word(request_.count));
    if (request_.head) w_.key("head").boolean(true);
    return finish("POST", "/gateway/fetch");
  }

  GatewayRequest operator()(const query::Insert& insert) {
    write_table(w_.begin_object(), insert.into);
    w_.key("insert_body").begin_array();
    for (const query::Row& row : insert.rows) write(w_, row);
    w_.end_array();
    if (insert.default_to_null) w_.key("default_to_null").boolean(true);
    if (const auto& conflict = insert.on_conflict) {
      w_.key("on_conflict").begin_array();
      for (const std::string& column : conflict->target) w_.string(quoted_name(column));
      w_.end_array();
      if (conflict->do_nothing) w_.key("ignore_duplicates").boolean(true);
      if (conflict->set) {
        w_.key("update_body");
        write(w_, *conflict->set);
      }
    }
    write_columns(w_, insert.returning);
    return finish("PUT", "/gateway/insert");
  }

  GatewayRequest operator()(const query::Update& update) {
    write_table(w_.begin_object(), update.table);
    w_.key("update_body");
    write(w_, update.set);
    write_guarded(w_, update, request_.allow_unfiltered);
    write_order(w_, update.order);
    return finish("POST", "/gateway/update");
  }

  GatewayRequest operator()(const query::Delete& del) {
    write_table(w_.begin_object(), del.from);
    write_guarded(w_, del, request_.allow_unfiltered);
    return finish("DELETE", "/gateway/delete");
  }

  GatewayRequest operator()(const RawText& raw) {
    const bool is_cql = raw.language == RawText::Language::cql;
    w_.begin_object().member("query", raw.native.text).member("driver", is_cql ? "scylla" : "native");
    w_.member("db_name", client_).key("params").begin_array();
    for (const query::Scalar& param : raw.native.params) write(w_, param);
    w_.end_array();
    if (!raw.native.schema_name.empty()) w_.member("schema_name", raw.native.schema_name);
    if (raw.read_only) w_.key("read_only").boolean(true);
    return finish("POST", "/query/sql");
  }

  GatewayRequest operator()(const RemoteCall& call) {
    w_.begin_object().member("function", call.function).key("args").begin_object();
    for (const auto& [name, value] : call.arguments) {
      w_.key(name);
      write(w_, value.scalar());
    }
    w_.end_object();
    return finish("POST", "/gateway/rpc");
  }

 private:
  GatewayRequest finish(std::string_view method, std::string_view path) {
    w_.end_object();
    return {method, path, std::string(out_.view())};
  }

  const Request& request_;
  std::string_view client_;
  Buffer out_;
  json::Writer w_{out_};
};

}  // namespace

std::string quoted_name(std::string_view name) {
  if (is_plain(name)) return std::string(name);
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

GatewayRequest to_gateway(const Request& request, std::string_view client) {
  Writer writer(request, client);
  return std::visit([&writer](const auto& what) { return writer(what); }, request.what);
}

}  // namespace athena::sdk
