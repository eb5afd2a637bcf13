#include <athena/query/print_rest.h>

#include <algorithm>
#include <array>

#include <athena/base/text.h>

#include "casts.h"
#include "outputs.h"
#include "rest_printer.h"
#include "words.h"

namespace athena::query {
namespace {

/// Query keys that are not filters, and the words of logical expressions: a column of such a name is quoted.
constexpr std::string_view kReserved[] = {"and",         "columns", "limit", "not",   "offset",
                                          "on_conflict", "or",      "order", "select"};

constexpr bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

bool is_bare_name(std::string_view name) noexcept {
  if (name.empty() || !is_letter(name[0])) return false;
  return std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c); }) &&
         std::ranges::find(kReserved, name) == std::end(kReserved);
}

void append_quoted(std::string& to, std::string_view text) {
  to += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') to += '\\';
    to += c;
  }
  to += '"';
}

/// The type as PostgREST takes it behind `::`, which is the name that PostgreSQL is given: letters, digits, blanks and
/// underscores. Arrays have such a name, too: `_text`.
std::string cast_name(std::string_view postgres) {
  std::string_view name = postgres.substr(postgres.find("::") + 2);
  if (!name.ends_with("[]")) return std::string(name);
  name.remove_suffix(2);
  static constexpr std::pair<std::string_view, std::string_view> kInternal[] = {{"integer", "int4"},
                                                                                {"bigint", "int8"}};
  const auto* internal = std::ranges::find(kInternal, name, &std::pair<std::string_view, std::string_view>::first);
  return "_" + std::string(internal == std::end(kInternal) ? name : internal->second);
}

}  // namespace

void append_rest_name(std::string& to, std::string_view name) {
  is_bare_name(name) ? void(to += name) : append_quoted(to, name);
}

void append_rest_value(std::string& to, std::string_view value) {
  const auto is_bare = [](char c) {
    return is_letter(c) || is_digit(c) || c == '.' || c == '-' || c == '+' || c == ':';
  };
  !value.empty() && std::ranges::all_of(value, is_bare) ? void(to += value) : append_quoted(to, value);
}

std::string encode_query(const RestRequest::Pairs& pairs) {
  std::string text;
  for (const auto& [name, value] : pairs) {
    if (!text.empty()) text += '&';
    text += text::url_encode(name);
    text += '=';
    text += text::url_encode(value);
  }
  return text;
}

std::string RestRequest::target() const {
  return query.empty() ? path : path + "?" + encode_query(query);
}

void set_page(RestRequest& request, std::optional<std::uint64_t> limit, std::uint64_t offset) {
  std::erase_if(request.query, [](const auto& pair) { return pair.first == "limit" || pair.first == "offset"; });
  if (limit) request.query.emplace_back("limit", std::to_string(*limit));
  if (offset > 0) request.query.emplace_back("offset", std::to_string(offset));
}

Result<RestRequest> to_rest(const Statement& statement, const Schema& schema, const RestOptions& options) {
  RestPrinter printer(schema, options);
  return std::visit([&printer](const auto& kind) { return printer.print(kind); }, statement);
}

Result<RestRequest> to_rest_count(const Select& select, Count kind, const Schema& schema, const RestOptions& options) {
  return RestPrinter(schema, options).print_count(select, kind);
}

Result<RestRequest> to_rest_call(const Table& function, const Row& arguments, bool read_only,
                                 const RestOptions& options) {
  RestRequest request;
  request.method = read_only ? "GET" : "POST";
  request.path = "/rpc/" + text::url_encode(function.name);
  if (!function.schema.empty() && function.schema != options.default_schema) {
    request.headers.emplace_back(read_only ? "Accept-Profile" : "Content-Profile", function.schema);
  }
  if (!read_only) request.body = "{";
  for (const auto& [name, value] : arguments) {
    if (!text::is_utf8(name) || name.contains('\0')) {
      return fail(Code::invalid_encoding, "The name of an argument is not valid UTF-8");
    }
    if (read_only) {
      // To GET an argument that is not there is null: one of the functions that take fewer would be found.
      if (std::holds_alternative<std::monostate>(value)) {
        return fail(Code::invalid_value, "A read-only call cannot take null for " + quoted(name),
                    "Leave the argument out, or call without read_only");
      }
      ATHENA_TRY(const Param param, to_param(value, {TypeClass::array, name}, Flavor::postgres, Use::compare));
      request.query.emplace_back(name, param.text);
      continue;
    }
    if (request.body.size() > 1) request.body += ',';
    ATHENA_TRY_VOID(append_rest_json(request.body, name, nullptr));
    request.body += ':';
    ATHENA_TRY_VOID(append_rest_json(request.body, value, nullptr));
  }
  if (!read_only) request.body += '}';
  return request;
}

Result<> RestPrinter::begin(const Table& table, std::string_view method) {
  table_ = schema_.find(table.schema, table.name, options_.names);
  if (!table_) return fail(schema_.undefined_table(table.schema, table.name));
  out_.table = table_;
  out_.method = method;
  out_.path = "/" + text::url_encode(table_->name);
  if (table_->schema != options_.default_schema) {
    const bool reads = method == "GET" || method == "HEAD";
    out_.headers.emplace_back(reads ? "Accept-Profile" : "Content-Profile", table_->schema);
  }
  return {};
}

Result<RestPrinter::Field> RestPrinter::field(const Column& column) const {
  Field result;
  ATHENA_TRY(result.column, names().find(column.name));
  const ColumnDef& def = *result.column;
  append_rest_name(result.text, def.name);
  result.type = def.type;
  if (column.path.empty()) return result;
  if (def.type != TypeClass::json && def.type != TypeClass::other) {
    return fail(Error(Code::invalid_value, "Column " + quoted(def.name) + " is not JSON: no path leads into it")
                    .with("column", def.name));
  }
  result.is_path = true;
  result.type = column.path_as_text ? TypeClass::text : TypeClass::json;
  for (const Column::Step& step : column.path) {
    const bool last = &step == &column.path.back();
    result.text += last && column.path_as_text ? "->>" : "->";
    if (step.is_index && text::parse_i64(step.key)) {
      result.text += step.key;
    } else {
      if (!text::is_utf8(step.key) || step.key.contains('\0')) {
        return fail(Code::invalid_encoding, "A JSON key in 'columns' or 'conditions' is not valid UTF-8");
      }
      append_rest_name(result.text, step.key);
    }
  }
  return result;
}

void RestPrinter::add_key(std::string key, TypeClass type) {
  out_.keys.push_back(std::move(key));
  out_.types.push_back(type);
}

Result<> RestPrinter::append_output(std::string& list, const Output& output) {
  ATHENA_TRY(const Field column, field(output.column));
  std::string key = key_of(output);
  if (!text::is_utf8(key) || key.contains('\0')) {
    return fail(Code::invalid_encoding, "An alias in 'columns' is not valid UTF-8");
  }
  if (column.is_path || key != column.column->name) {
    append_rest_name(list, key);
    list += ':';
  }
  list += column.text;
  if (output.cast.empty()) {
    add_key(std::move(key), column.type);
    return {};
  }
  const CastRow* cast = find_cast(output.cast);
  if (!cast) {
    return fail(Code::invalid_value, "There is no cast to " + quoted(output.cast) + " here",
                "Known types: " + known_casts(Flavor::postgres));
  }
  list += "::";
  list += cast_name(cast->postgres);
  add_key(std::move(key), cast->type);
  return {};
}

/// A read of everything asks for nothing in particular, so that a column which was just added is there. The answer to a
/// write names its columns: what the write did cannot be asked for again.
Result<> RestPrinter::add_select(const std::vector<Output>& outputs, bool is_read) {
  std::string list;
  const auto separate = [&list] {
    if (!list.empty()) list += ',';
  };
  const auto add_all = [&] {
    for (const ColumnDef& column : table_->columns) {
      add_key(column.name, column.type);
      if (is_read) continue;
      separate();
      append_rest_name(list, column.name);
    }
    if (!is_read) return;
    out_.has_star = true;
    separate();
    list += '*';
  };
  if (outputs.empty()) add_all();
  for (const Output& output : outputs) {
    if (is_star(output, *table_, options_.names)) {
      add_all();
      continue;
    }
    separate();
    ATHENA_TRY_VOID(append_output(list, output));
  }
  ATHENA_TRY_VOID(check_keys(out_.keys, *table_));
  if (list != "*") add("select", std::move(list));
  return {};
}

Result<> RestPrinter::add_order(const std::vector<OrderBy>& order, bool by_key) {
  std::string list;
  for (const OrderBy& by : order) {
    if (!list.empty()) list += ',';
    ATHENA_TRY(const Field column, field(by.column));
    list += column.text;
    list += by.descending ? ".desc" : ".asc";
    if (by.nulls == OrderBy::Nulls::first) list += ".nullsfirst";
    if (by.nulls == OrderBy::Nulls::last) list += ".nullslast";
  }
  if (by_key) {
    for (const std::uint32_t index : table_->primary_key) {
      if (!list.empty()) list += ',';
      append_rest_name(list, table_->columns[index].name);
      list += ".asc";
    }
  }
  if (!list.empty()) add("order", std::move(list));
  return {};
}

Result<RestRequest> RestPrinter::print(const Select& select) {
  ATHENA_TRY_VOID(check_no_cursor(select, "supabase"));
  ATHENA_TRY_VOID(begin(select.from, "GET"));
  ATHENA_TRY_VOID(add_select(select.columns, true));
  ATHENA_TRY_VOID(add_where(select.where, std::nullopt));
  out_.is_keyed = covers_unique_key(select.where, names());
  ATHENA_TRY_VOID(add_order(select.order, select.order.empty() && select.stable_pages && !out_.is_keyed));
  set_page(out_, select.limit, select.offset);
  return std::move(out_);
}

Result<RestRequest> RestPrinter::print_count(const Select& select, Count kind) {
  ATHENA_TRY_VOID(begin(select.from, "HEAD"));
  ATHENA_TRY_VOID(add_where(select.where, std::nullopt));
  set_page(out_, 0, 0);
  const std::string_view word = kind == Count::planned     ? "count=planned"
                                : kind == Count::estimated ? "count=estimated"
                                                           : "count=exact";
  out_.headers.emplace_back("Prefer", word);
  return std::move(out_);
}

}  // namespace athena::query
