#include <algorithm>

#include <athena/base/buffer.h>
#include <athena/base/json.h>
#include <athena/base/json_writer.h>
#include <athena/base/text.h>

#include "rest_printer.h"
#include "words.h"

namespace athena::query {
namespace {

Result<> append_string(std::string& body, std::string_view text) {
  if (!text::is_utf8(text) || text.contains('\0')) {
    return fail(Code::invalid_encoding, "A value is not valid UTF-8, or holds a NUL");
  }
  Buffer buffer;
  json::append_string(buffer, text);
  body += buffer.view();
  return {};
}

/// Digits or JSON of the caller's, which stand in the body as they are: only if that is what they are.
Result<> append_verbatim(std::string& body, std::string_view text) {
  const auto document = json::Document::parse(text);
  if (!document) return fail(Code::invalid_value, "A value is neither a number nor JSON: " + quoted(text));
  body += document->root().raw();
  return {};
}

}  // namespace

Result<> append_rest_json(std::string& body, const Scalar& value, const ColumnDef* column) {
  struct Visitor {
    std::string& to;
    const ColumnDef* of;
    Result<> operator()(std::monostate) const { return to += "null", Result<>(); }
    Result<> operator()(bool flag) const { return to += flag ? "true" : "false", Result<>(); }
    Result<> operator()(const Number& number) const { return append_verbatim(to, number.digits); }
    Result<> operator()(const JsonText& json) const { return append_verbatim(to, json.text); }
    Result<> operator()(const std::string& text) const {
      if (!of || of->type != TypeClass::json) return append_string(to, text);
      if (!text::is_utf8(text) || text.contains('\0')) return append_string(to, text);  // refuses it
      // A text that is itself an array or an object is taken for it, as everywhere.
      ATHENA_TRY(const Param param, to_param(text, {of->type, of->name}, Flavor::postgres, Use::store));
      return append_verbatim(to, param.text);
    }
  };
  return std::visit(Visitor{body, column}, value);
}

/// One header for all preferences. Writes give the rows that they wrote, and how many those are.
void RestPrinter::prefer(std::string text, std::optional<std::uint64_t> max_affected) {
  if (!text.empty()) text += ", ";
  text += "return=representation, count=exact";
  if (max_affected) text += ", handling=strict, max-affected=" + std::to_string(*max_affected);
  out_.headers.emplace_back("Prefer", std::move(text));
}

Result<> RestPrinter::add_rows(const Insert& insert, const Grid& grid, std::string& prefer) {
  const std::size_t width = grid.columns.size();
  bool some_are_missing = false;
  out_.body = "[";
  for (std::size_t row = 0; row < insert.rows.size(); ++row) {
    out_.body += row == 0 ? "{" : ",{";
    bool first = true;
    for (std::size_t i = 0; i < width; ++i) {
      const Scalar* cell = grid.cells[row * width + i];
      some_are_missing = some_are_missing || !cell;
      if (!cell) continue;
      if (!first) out_.body += ',';
      first = false;
      const ColumnDef& column = table_->columns[grid.columns[i]];
      ATHENA_TRY_VOID(append_string(out_.body, column.name));
      out_.body += ':';
      ATHENA_TRY_VOID(append_rest_json(out_.body, *cell, &column));
    }
    out_.body += '}';
  }
  out_.body += ']';
  std::string columns;
  for (const std::uint32_t index : grid.columns) {
    if (!columns.empty()) columns += ',';
    append_rest_name(columns, table_->columns[index].name);
  }
  add("columns", std::move(columns));
  if (some_are_missing) prefer = insert.default_to_null ? "missing=null" : "missing=default";
  return {};
}

Result<> RestPrinter::add_conflict(const Conflict& conflict, const Grid& grid, std::string& prefer) {
  ATHENA_TRY(const auto target, find_conflict_target(conflict, grid, names()));
  if (target.empty() && !conflict.do_nothing) return {};  // no key is touched: a plain insert
  if (conflict.set) {
    return fail(Error(Code::feature_not_supported,
                      "On conflict PostgREST sets all columns of the new row: 'update_body' cannot choose others",
                      "Leave 'update_body' out, or send {} to keep the existing row")
                    .with("backend", "supabase"));
  }
  if (!target.empty()) {
    std::string columns;
    for (const std::uint32_t index : target) {
      if (!columns.empty()) columns += ',';
      append_rest_name(columns, table_->columns[index].name);
    }
    add("on_conflict", std::move(columns));
  }
  if (!prefer.empty()) prefer += ", ";
  prefer += conflict.do_nothing ? "resolution=ignore-duplicates" : "resolution=merge-duplicates";
  return {};
}

Result<RestRequest> RestPrinter::print(const Insert& insert) {
  ATHENA_TRY_VOID(begin(insert.into, "POST"));
  if (insert.rows.empty()) return fail(Code::invalid_value, "There is no row to insert");
  ATHENA_TRY(Grid grid, lay_out(insert.rows, names()));
  std::string wishes;
  if (grid.columns.empty() && insert.rows.size() == 1 && !insert.on_conflict) {
    out_.body = "{}";  // a row of defaults
  } else {
    if (grid.columns.empty()) {  // several such rows: name one column, and give it nothing
      const auto writable = std::ranges::find(table_->columns, false, &ColumnDef::generated);
      if (writable == table_->columns.end()) return fail(Code::invalid_value, "There is nothing to insert");
      grid.columns.push_back(names().index_of(*writable));
      grid.cells.assign(insert.rows.size(), nullptr);
    }
    ATHENA_TRY_VOID(add_rows(insert, grid, wishes));
  }
  if (insert.on_conflict) ATHENA_TRY_VOID(add_conflict(*insert.on_conflict, grid, wishes));
  ATHENA_TRY_VOID(add_select(insert.returning, false));
  prefer(std::move(wishes));
  return std::move(out_);
}

Result<RestRequest> RestPrinter::print(const Update& update) {
  ATHENA_TRY_VOID(begin(update.table, "PATCH"));
  if (update.resource_id) {
    ATHENA_TRY(id_column_, find_id_column(update.id_column, names()));
  }
  Row unwrapped;
  ATHENA_TRY(const auto assignments, lay_out_update(update.set, names(), unwrapped));
  if (!update.order.empty()) {
    return fail(Error(Code::feature_not_supported,
                      "supabase returns the updated rows in no order: 'sort_by' is not supported here",
                      "Leave 'sort_by' out, or fetch the rows after the update")
                    .with("backend", "supabase"));
  }
  out_.body = "{";
  for (const auto& [column, value] : assignments) {
    if (out_.body.size() > 1) out_.body += ',';
    ATHENA_TRY_VOID(append_string(out_.body, column->name));
    out_.body += ':';
    ATHENA_TRY_VOID(append_rest_json(out_.body, *value, column));
  }
  out_.body += '}';
  ATHENA_TRY_VOID(add_where(update.where, update.resource_id));
  ATHENA_TRY_VOID(add_select(update.returning, false));
  prefer({}, update.max_affected);
  return std::move(out_);
}

Result<RestRequest> RestPrinter::print(const Delete& del) {
  ATHENA_TRY_VOID(begin(del.from, "DELETE"));
  if (del.resource_id) {
    ATHENA_TRY(id_column_, find_id_column(del.id_column, names()));
  }
  ATHENA_TRY_VOID(add_where(del.where, del.resource_id));
  ATHENA_TRY_VOID(add_select(del.returning, false));
  prefer({}, del.max_affected);
  return std::move(out_);
}

}  // namespace athena::query
