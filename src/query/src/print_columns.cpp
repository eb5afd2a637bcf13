#include <algorithm>
#include <iterator>

#include <athena/base/text.h>

#include "casts.h"
#include "outputs.h"
#include "printer.h"
#include "words.h"

namespace athena::query {
namespace {

bool is_decimal_in_text(const ColumnDef& column) {
  // SQLite gives these names TEXT affinity: digits are kept as written and would compare as text.
  const std::string name = text::to_lower(column.type_name);
  return column.type == TypeClass::decimal && (name.contains("text") || name.contains("char") || name.contains("clob"));
}

}  // namespace

Result<std::string> Printer::postgres_path(const Column& column, const ColumnDef& def) {
  std::string path = "(" + qualifier_;
  append_identifier(path, def.name);
  for (const Column::Step& step : column.path) {
    const bool last = &step == &column.path.back();
    path += last && column.path_as_text ? "->>" : "->";
    append_param(path, {ParamKind::text, step.key});
    path += step.is_index ? "::integer" : "::text";
  }
  return path += ')';
}

Result<std::string> Printer::sqlite_path(const Column& column, const ColumnDef& def, Place place) {
  std::string path = "$";
  for (const Column::Step& step : column.path) {
    if (step.is_index) {
      const bool from_end = step.key.starts_with('-');
      path += from_end ? "[#" + step.key + "]" : "[" + step.key + "]";
    } else if (!append_json_label(path, step.key)) {
      return fail(Code::invalid_value, "SQLite cannot reach the JSON key " + quoted(step.key));
    }
  }
  std::string placeholder, name = qualifier_;
  append_param(placeholder, {ParamKind::text, std::move(path)});
  append_identifier(name, def.name);
  if (column.path_as_text) {
    // What `->>` gives in PostgreSQL: text, whatever the element is.
    return "(CASE json_type(" + name + ", " + placeholder +
           ") WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(" + name + " ->> " + placeholder +
           " AS TEXT) END)";
  }
  // An answer needs JSON, with the quotes of its strings; a comparison needs the value itself.
  if (place == Place::answer) return "(" + name + " -> " + placeholder + ")";
  return "json_extract(" + name + ", " + placeholder + ")";
}

Result<Printer::Expression> Printer::expression(const Column& column, Place place) {
  Expression result;
  ATHENA_TRY(result.column, names().find(column.name));
  const ColumnDef& def = *result.column;
  if (column.path.empty()) {
    result.type = def.type;
    result.sql.reserve(qualifier_.size() + def.name.size() + 4);
    result.sql += qualifier_;
    append_identifier(result.sql, def.name);
    return result;
  }
  if (def.type != TypeClass::json && def.type != TypeClass::other) {
    return fail(Error(Code::invalid_value, "Column " + quoted(def.name) + " is not JSON: no path leads into it")
                    .with("column", def.name));
  }
  result.is_path = true;
  result.type = column.path_as_text ? TypeClass::text : TypeClass::json;
  ATHENA_TRY(result.sql, is_postgres() ? postgres_path(column, def) : sqlite_path(column, def, place));
  return result;
}

void Printer::append_compared(const Expression& column) {
  const bool plain_json = is_postgres() && column.type == TypeClass::json && column.column->type_name == "json";
  const bool cast = !is_postgres() && !column.is_path && is_decimal_in_text(*column.column);
  if (cast) sql() += "CAST(";
  sql() += column.sql;
  if (plain_json) sql() += "::jsonb";  // json itself has no operators
  if (cast) sql() += " AS NUMERIC)";
}

void Printer::append_as_text(const Expression& column) {
  sql() += column.sql;
  const bool is_text = column.type == TypeClass::text || (!column.is_path && column.column->type_name == "citext");
  if (is_postgres() && !is_text) sql() += "::text";
}

void Printer::append_all_columns() {
  const bool prepared = qualifier_ == "t.";
  if (prepared) sql() += table_->all_columns_sql;
  out_.keys.reserve(out_.keys.size() + table_->columns.size());
  out_.types.reserve(out_.types.size() + table_->columns.size());
  bool first = true;
  for (const ColumnDef& column : table_->columns) {
    out_.keys.push_back(column.name);
    out_.types.push_back(column.type);
    if (prepared) continue;
    if (!first) sql() += ", ";
    first = false;
    sql() += qualifier_;
    append_identifier(sql(), column.name);
  }
}

Result<> Printer::append_returning(const std::vector<Output>& outputs) {
  sql() += " RETURNING ";
  if (!is_postgres()) {
    // There SQLite knows the table by its name alone, and would take an unqualified name that it does not know (the
    // table changed a moment ago) for a text.
    qualifier_.clear();
    append_identifier(qualifier_, table_->name);
    qualifier_ += '.';
  }
  return append_outputs(outputs);
}

Result<> Printer::append_outputs(const std::vector<Output>& outputs) {
  if (outputs.empty() && !table_->columns.empty()) {
    append_all_columns();
    return {};
  }
  bool first = true;
  for (const Output& output : outputs) {
    if (!first) sql() += ", ";
    first = false;
    if (is_star(output, *table_, options_.names)) {
      append_all_columns();
    } else {
      ATHENA_TRY_VOID(append_output(output));
    }
  }
  return check_keys(out_.keys, *table_);
}

Result<> Printer::append_output(const Output& output) {
  ATHENA_TRY(const Expression column, expression(output.column, Place::answer));
  out_.keys.push_back(key_of(output));
  if (output.cast.empty()) {
    sql() += column.sql;
    out_.types.push_back(column.type);
    return {};
  }
  const CastRow* cast = find_cast(output.cast);
  const std::string_view text = !cast ? std::string_view() : is_postgres() ? cast->postgres : cast->sqlite;
  if (text.empty()) {
    return fail(Code::invalid_value, "There is no cast to " + quoted(output.cast) + " here",
                "Known types: " + known_casts(options_.flavor));
  }
  const std::size_t at = text.find("{c}");
  sql() += text.substr(0, at);
  sql() += column.sql;
  sql() += text.substr(at + 3);
  out_.types.push_back(cast->type);
  return {};
}

}  // namespace athena::query
