#include "scylla/schema_load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace athena::driver::scylla {
namespace {

using query::TypeClass;
using testing::ElementsAre;
using testing::IsEmpty;

/// Rows in the order of schema_queries(): keyspaces, types, tables, views, columns, indexes.
enum Query : std::size_t { kKeyspaces, kTypes, kTables, kViews, kColumns, kIndexes };
using Row = std::vector<SystemCell>;
using Rows = std::vector<std::pair<std::size_t, Row>>;

Result<Picture> build(const Rows& rows, std::string keyspace = "shop") {
  PictureBuilder builder(std::move(keyspace));
  for (const auto& [query, row] : rows) builder.add_row(query, row);
  return builder.finish();
}

Rows shop() {
  return {
      {kKeyspaces, {"shop", R"({"class":"org.apache.cassandra.locator.SimpleStrategy","replication_factor":"2"})"}},
      {kKeyspaces, {"system", R"({"class":"org.apache.cassandra.locator.LocalStrategy"})"}},
      {kTypes, {"shop", "person", R"(["name","home"])", R"(["text","frozen<address>"])"}},
      {kTypes, {"shop", "address", R"(["street"])", R"(["text"])"}},
      {kTables, {"shop", "orders"}},
      {kTables, {"system", "local"}},
      {kViews, {"shop", "by_day"}},
      {kColumns, {"shop", "orders", "note", "regular", "-1", "text", "none"}},
      {kColumns, {"shop", "orders", "at", "clustering", "0", "timestamp", "desc"}},
      {kColumns, {"shop", "orders", "b", "partition_key", "1", "int", "none"}},
      {kColumns, {"shop", "orders", "z", "partition_key", "0", "uuid", "none"}},
      {kColumns, {"shop", "orders", "owner", "static", "-1", "frozen<person>", "none"}},
      {kColumns, {"shop", "orders", "amount", "regular", "-1", "decimal", "none"}},
      {kColumns, {"shop", "orders", "tags", "regular", "-1", "set<text>", "none"}},
      {kColumns, {"shop", "by_day", "day", "partition_key", "0", "date", "none"}},
      {kColumns, {"system", "local", "key", "partition_key", "0", "text", "none"}},
  };
}

const query::TableDef& orders(const Picture& picture) {
  const query::TableDef* table = picture.schema->find("", "orders", {});
  EXPECT_NE(table, nullptr);
  return *table;
}
query::IndexUses uses(std::string options, std::string column) {
  Rows rows = shop();
  rows.push_back({kIndexes, {"shop", "orders", "COMPOSITES", options}});
  const auto picture = build(rows);
  EXPECT_TRUE(picture.has_value());
  return orders(*picture).find(column, {})->index;
}

TEST(CqlSchema, columns_stand_as_cql_shows_them) {
  const auto picture = build(shop());
  ASSERT_TRUE(picture.has_value());
  const query::TableDef& table = orders(*picture);
  std::vector<std::string> names;
  for (const auto& column : table.columns) names.push_back(column.name);
  EXPECT_THAT(names, ElementsAre("z", "b", "at", "owner", "amount", "note", "tags"));
  EXPECT_THAT(table.primary_key, ElementsAre(0, 1, 2));
  EXPECT_EQ(table.partition_columns, 2U);
  EXPECT_TRUE(table.columns[2].descending);
  EXPECT_FALSE(table.columns[2].nullable);
  EXPECT_TRUE(table.columns[3].is_static);
  EXPECT_EQ(table.columns[4].type, TypeClass::decimal);
  EXPECT_EQ(table.columns[6].type, TypeClass::json);
  EXPECT_EQ(table.columns[6].type_name, "set<text>");
}

TEST(CqlSchema, views_are_views_and_system_tables_are_left_out) {
  const auto picture = build(shop());
  ASSERT_TRUE(picture.has_value());
  EXPECT_EQ(picture->schema->tables().size(), 2U);
  EXPECT_EQ(picture->schema->find("shop", "by_day", {})->kind, query::TableKind::view);
  EXPECT_EQ(picture->schema->find("system", "local", {}), nullptr);
  EXPECT_THAT(picture->schema->search_path(), ElementsAre("shop"));
  EXPECT_THAT(build(shop(), "")->schema->search_path(), IsEmpty());
}

TEST(CqlSchema, types_are_unfolded_whatever_their_order) {
  const auto picture = build(shop());
  ASSERT_TRUE(picture.has_value());
  const auto type = picture->type("shop", "list<frozen<person>>");
  ASSERT_TRUE(type.has_value());
  const CqlType& person = type->elements.front();
  EXPECT_EQ(person.kind, CqlKind::udt);
  EXPECT_THAT(person.fields, ElementsAre("name", "home"));
  EXPECT_EQ(person.elements[1].fields, std::vector<std::string>{"street"});
  EXPECT_EQ(picture->type("other", "person")->kind, CqlKind::custom);
}

TEST(CqlSchema, types_that_hold_themselves_do_no_harm) {
  Rows rows = shop();
  rows.push_back({kTypes, {"shop", "loop", R"(["next"])", R"(["frozen<loop>"])"}});
  const auto picture = build(rows);
  ASSERT_TRUE(picture.has_value());
  EXPECT_TRUE(picture->type("shop", "loop").has_value());
}

TEST(CqlSchema, replication_is_kept_for_every_keyspace) {
  const auto picture = build(shop());
  ASSERT_TRUE(picture.has_value());
  EXPECT_EQ(picture->replication.at("shop").factor, 2U);
  EXPECT_EQ(picture->replication.at("system").strategy, Replication::Strategy::unknown);
}

TEST(CqlSchema, secondary_indexes_serve_equality_or_elements) {
  EXPECT_EQ(uses(R"({"target":"note"})", "note"), query::IndexUses{.equal = true});
  EXPECT_EQ(uses(R"({"target":"\"note\""})", "note"), query::IndexUses{.equal = true});
  EXPECT_EQ(uses(R"j({"target":"values(tags)"})j", "tags"), query::IndexUses{.values = true});
  EXPECT_EQ(uses(R"j({"target":"keys(tags)"})j", "tags"), query::IndexUses{.keys = true});
  EXPECT_EQ(uses(R"j({"target":"entries(tags)"})j", "tags"), query::IndexUses{.entries = true});
  EXPECT_EQ(uses(R"j({"target":"full(tags)"})j", "tags"), query::IndexUses{.equal = true});
}

TEST(CqlSchema, storage_attached_indexes_serve_ranges_of_numbers_and_combine) {
  const std::string sai = R"("class_name":"org.apache.cassandra.index.sai.StorageAttachedIndex"})";
  EXPECT_EQ(uses(R"({"target":"amount",)" + sai, "amount"),
            (query::IndexUses{.equal = true, .range = true, .combines = true}));
  EXPECT_EQ(uses(R"({"target":"note",)" + sai, "note"), (query::IndexUses{.equal = true, .combines = true}));
  EXPECT_EQ(uses(R"({"target":"note","case_sensitive":"false",)" + sai, "note"), query::IndexUses());
}

TEST(CqlSchema, sasi_indexes_serve_patterns_as_their_mode_says) {
  const std::string sasi = R"("class_name":"org.apache.cassandra.index.sasi.SASIIndex"})";
  EXPECT_EQ(uses(R"({"target":"note",)" + sasi, "note"),
            (query::IndexUses{.equal = true, .range = true, .prefix = true}));
  EXPECT_EQ(uses(R"({"target":"note","mode":"CONTAINS",)" + sasi, "note"),
            (query::IndexUses{.equal = true, .prefix = true, .like = true}));
  // Analyzers find more than was asked for.
  const std::string cuts = R"("analyzer_class":"org.apache.cassandra.index.sasi.analyzer.StandardAnalyzer",)";
  EXPECT_EQ(uses(R"({"target":"note",)" + cuts + sasi, "note"), query::IndexUses());
  const std::string keeps = R"("analyzer_class":"org.apache.cassandra.index.sasi.analyzer.NonTokenizingAnalyzer",)";
  EXPECT_TRUE(uses(R"({"target":"note",)" + keeps + sasi, "note").prefix);
  EXPECT_EQ(uses(R"({"target":"note","case_sensitive":"false",)" + keeps + sasi, "note"), query::IndexUses());
}

TEST(CqlSchema, indexes_that_are_not_known_serve_nothing) {
  EXPECT_EQ(uses(R"({"target":"note","class_name":"com.example.MyIndex"})", "note"), query::IndexUses());
  EXPECT_EQ(uses(R"({"target":"gone"})", "note"), query::IndexUses());
  EXPECT_EQ(uses(R"({})", "note"), query::IndexUses());
}

TEST(CqlSchema, rows_that_do_not_fit_are_reported) {
  const std::pair<std::size_t, Row> broken[] = {
      {kKeyspaces, {"shop"}},
      {kKeyspaces, {"shop", std::nullopt}},
      {kKeyspaces, {"shop", "[1]"}},
      {kTypes, {"shop", "t", R"(["a"])", R"(["int","int"])"}},
      {kTypes, {"shop", "t", R"(["a"])", R"([1])"}},
      {kColumns, {"shop", "orders", "x", "regular", "first", "int", "none"}},
      {kColumns, {"shop", "orders", "x", "regular", "-1", std::nullopt, "none"}},
      {99, {"a", "b"}},
  };
  for (const auto& row : broken) {
    Rows rows = shop();
    rows.push_back(row);
    const auto picture = build(rows);
    ASSERT_FALSE(picture.has_value());
    EXPECT_EQ(picture.error().code, Code::internal_error);
  }
}

TEST(CqlSchema, a_type_that_cannot_be_read_is_only_that_columns_affair) {
  Rows rows = shop();
  rows.push_back({kColumns, {"shop", "orders", "odd", "regular", "-1", "list<", "none"}});
  const auto picture = build(rows);
  ASSERT_TRUE(picture.has_value());
  EXPECT_EQ(orders(*picture).find("odd", {})->type, TypeClass::other);
}

TEST(Constraints, are_the_primary_keys) {
  const auto picture = build(shop());
  ASSERT_TRUE(picture.has_value());
  const auto constraints = constraints_of(*picture->schema);
  ASSERT_EQ(constraints.size(), 2U);
  EXPECT_EQ(constraints[1].table, "orders");
  EXPECT_EQ(constraints[1].type, "PRIMARY KEY");
  EXPECT_THAT(constraints[1].columns, ElementsAre("z", "b", "at"));
  EXPECT_EQ(constraints[1].definition, "PRIMARY KEY ((z, b), at)");
}

}  // namespace
}  // namespace athena::driver::scylla
