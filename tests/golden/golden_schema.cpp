#include "golden_schema.h"

#include <utility>

namespace athena::query {
namespace {

using enum TypeClass;

struct ColumnOptions {
  bool nullable = true;
  bool has_default = false;
  bool generated = false;
  std::string default_expression = {};
};

ColumnDef column(std::string name, std::string type_name, TypeClass type, ColumnOptions options = {}) {
  ColumnDef def;
  def.name = std::move(name);
  def.type_name = std::move(type_name);
  def.type = type;
  def.nullable = options.nullable;
  def.has_default = options.has_default;
  def.generated = options.generated;
  def.default_expression = std::move(options.default_expression);
  return def;
}

TableDef table(std::string name, std::vector<ColumnDef> columns, std::vector<std::uint32_t> primary_key,
               std::vector<UniqueKey> unique_keys = {}) {
  TableDef def;
  def.name = std::move(name);
  def.columns = std::move(columns);
  def.primary_key = std::move(primary_key);
  def.unique_keys = std::move(unique_keys);
  return def;
}

const ColumnOptions kNotNull{.nullable = false};
ColumnOptions numbered() {
  return {.nullable = false, .has_default = true};
}
ColumnOptions defaulting(std::string expression) {
  return {.nullable = false, .has_default = true, .default_expression = std::move(expression)};
}

std::vector<TableDef> common(bool postgres) {
  const std::string decimal_name = postgres ? "numeric(20,4)" : "DECIMAL_TEXT";
  const std::string json_name = postgres ? "jsonb" : "JSON";
  std::vector<TableDef> tables;
  tables.push_back(table(
      "users",
      {column("id", "bigint", integer, numbered()), column("email", "text", text, kNotNull),
       column("name", "text", text), column("status", "text", text, defaulting("'active'")),
       column("balance", decimal_name, decimal), column("active", "boolean", boolean, defaulting("true")),
       column("score", "integer", integer), column("profile", json_name, json), column("external_id", "uuid", uuid),
       column("created_at", "timestamp with time zone", timestamptz, defaulting("CURRENT_TIMESTAMP"))},
      {0}, {{"users_email_key", {1}}}));
  tables.push_back(table("items",
                         {column("item_id", "integer", integer, numbered()), column("sku", "text", text, kNotNull),
                          column("label", "text", text), column("quantity", "integer", integer, defaulting("1")),
                          column("total", "integer", integer, {.has_default = true, .generated = true})},
                         {0}, {{"items_sku_key", {1}}}));
  tables.push_back(
      table("memberships",
            {column("team_id", "integer", integer, kNotNull), column("user_id", "bigint", integer, kNotNull),
             column("role", "text", text, defaulting("'member'"))},
            {0, 1}));
  tables.push_back(table("two_keys",
                         {column("id", "integer", integer, numbered()), column("a", "text", text),
                          column("b", "text", text), column("note", "text", text)},
                         {0}, {{"two_keys_a_key", {1}}, {"two_keys_b_key", {2}}}));
  tables.push_back(table("logs", {column("at", "timestamp", timestamp), column("line", "text", text)}, {}));
  tables.push_back(table("measures",
                         {column("id", "integer", integer, numbered()), column("f", "double precision", real),
                          column("raw", postgres ? "bytea" : "BLOB", bytes), column("day", "date", date)},
                         {0}));
  tables.push_back(table("Weird \"Name",
                         {column("id", "integer", integer, numbered()), column("Mixed Case", "text", text),
                          column("a.b", "text", text), column("emoji😀", "text", text), column("quo\"te", "text", text),
                          column("x:y", "text", text), column("p->q", "text", text)},
                         {0}));
  tables.push_back(table("dotted.table", {column("id", "integer", integer, numbered())}, {0}));
  tables.push_back(table("camel_things",
                         {column("id", "integer", integer, numbered()), column("first_name", "text", text),
                          column("created_by_user", "text", text)},
                         {0}));
  tables.push_back(
      table("boxes", {column("id", "integer", integer, numbered()), column("data", json_name, json)}, {0}));
  TableDef view = table("active_users", {column("id", "bigint", integer), column("email", "text", text)}, {});
  view.kind = TableKind::view;
  tables.push_back(std::move(view));
  return tables;
}

}  // namespace

Schema golden_schema(Flavor flavor) {
  const bool postgres = flavor == Flavor::postgres;
  std::vector<TableDef> tables = common(postgres);
  for (TableDef& def : tables) def.schema = postgres ? "public" : "main";
  if (!postgres) return Schema(std::move(tables), {"main"});
  TableDef documents = table(
      "documents",
      {column("id", "integer", integer, kNotNull), column("tags", "text[]", array), column("nums", "integer[]", array),
       column("mood", "mood", other), column("doc", "tsvector", other), column("plain", "json", json),
       column("body", "text", text), column("span", "int4range", other), column("handle", "citext", other)},
      {0});
  documents.schema = "public";
  tables.push_back(std::move(documents));
  TableDef notes = table("notes", {column("id", "integer", integer, kNotNull), column("body", "text", text)}, {0});
  notes.schema = "other";
  tables.push_back(std::move(notes));
  return Schema(std::move(tables), {"public"});
}

}  // namespace athena::query
