#include <initializer_list>
#include <utility>

#include "golden_schema.h"

namespace athena::query {
namespace {

using enum TypeClass;

ColumnDef column(std::string name, std::string type_name, TypeClass type, IndexUses index = {}) {
  ColumnDef def;
  def.name = std::move(name);
  def.type_name = std::move(type_name);
  def.type = type;
  def.index = index;
  return def;
}
ColumnDef descending(ColumnDef def) {
  def.descending = true;
  return def;
}
ColumnDef shared(ColumnDef def) {
  def.is_static = true;
  return def;
}

/// The first columns are the key: so many of the partition, so many clustering.
TableDef table(std::string name, std::uint32_t partition, std::uint32_t clustering, std::vector<ColumnDef> columns) {
  TableDef def;
  def.schema = "ks";
  def.name = std::move(name);
  def.columns = std::move(columns);
  def.partition_columns = partition;
  for (std::uint32_t i = 0; i < partition + clustering; ++i) {
    def.columns[i].nullable = false;
    def.primary_key.push_back(i);
  }
  return def;
}

constexpr IndexUses kSecondary{.equal = true};
constexpr IndexUses kAttached{.equal = true, .combines = true};
constexpr IndexUses kAttachedNumber{.equal = true, .range = true, .combines = true};

}  // namespace

Schema golden_cql_schema() {
  std::vector<TableDef> tables;
  tables.push_back(
      table("users", 1, 0,
            {column("id", "int", integer), column("active", "boolean", boolean), column("balance", "decimal", decimal),
             column("email", "text", text, kSecondary), column("first_name", "text", text),
             column("tags", "set<text>", json, {.values = true}), column("team", "text", text, kSecondary)}));
  tables.push_back(table(
      "events", 2, 2,
      {column("tenant", "text", text), column("day", "date", date), descending(column("at", "timestamp", timestamptz)),
       column("seq", "bigint", integer), shared(column("owner", "text", text)), column("kind", "text", text),
       column("payload", "map<text, text>", json)}));
  tables.push_back(table("products", 1, 1,
                         {column("shop", "uuid", uuid), column("sku", "text", text),
                          column("name", "text", text, {.equal = true, .prefix = true, .like = true}),
                          column("label", "text", text, {.equal = true, .prefix = true}),
                          column("price", "int", integer, kAttachedNumber), column("color", "text", text, kAttached),
                          column("parts", "list<text>", json, {.values = true, .combines = true}),
                          column("props", "map<text, text>", json, {.entries = true, .combines = true})}));
  tables.push_back(table("hits", 1, 0, {column("page", "text", text), column("views", "counter", integer)}));
  tables.push_back(table("Weird \"Name", 1, 0, {column("Key \"1", "text", text), column("a.b", "text", text)}));
  TableDef view = table("users_by_email", 1, 1, {column("email", "text", text), column("id", "int", integer)});
  view.kind = TableKind::view;
  tables.push_back(std::move(view));
  return Schema(std::move(tables), {"ks"});
}

}  // namespace athena::query
