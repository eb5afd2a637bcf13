#include "supabase/schema_load.h"

#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace athena::driver::supabase {
namespace {

using ::testing::ElementsAre;

constexpr std::string_view kDocument = R"doc({
 "swagger": "2.0",
 "paths": {
  "/": {"get": {}}, "/orders": {"get": {}, "post": {}, "patch": {}, "delete": {}}, "/report": {"get": {}},
  "/rpc/f": {"post": {}}
 },
 "definitions": {
  "orders": {
   "type": "object",
   "required": ["id", "customer"],
   "properties": {
    "id": {"format": "bigint", "type": "integer", "description": "Note:\nThis is a Primary Key.<pk/>",
           "default": "nextval('orders_id_seq'::regclass)"},
    "customer": {"format": "uuid", "type": "string",
      "description": "who\n\nNote:\nThis is a Foreign Key to `customers.key`.<fk table='customers' column='key'/>"},
    "tags": {"format": "text[]", "type": "array", "items": {"type": "string"}},
    "total": {"format": "numeric", "type": "number", "default": 0},
    "state": {"format": "public.order_state", "type": "string", "enum": ["new", "paid"], "default": "new"},
    "code": {"format": "character varying", "maxLength": 20, "type": "string"},
    "raw": {"format": "bytea", "type": "string"},
    "doc": {"format": "jsonb"},
    "at": {"format": "timestamp with time zone", "type": "string"}
   }
  },
  "report": {"type": "object", "properties": {"sum": {"format": "bigint", "type": "integer"}}},
  "nothing": {"type": "object"}
 }
})doc";

TEST(ReadDescription, knows_tables_columns_keys_and_references) {
  const auto description = read_description(kDocument, "public");
  ASSERT_TRUE(description) << description.error().log_detail;
  ASSERT_EQ(description->tables.size(), 2U);
  const query::TableDef& orders = description->tables[0];
  EXPECT_EQ(orders.name, "orders");
  EXPECT_EQ(orders.schema, "public");
  EXPECT_EQ(orders.kind, query::TableKind::table);
  EXPECT_THAT(orders.primary_key, ElementsAre(0U));
  std::vector<query::TypeClass> types;
  for (const auto& column : orders.columns) types.push_back(column.type);
  using enum query::TypeClass;
  EXPECT_THAT(types, ElementsAre(integer, uuid, array, decimal, other, text, bytes, json, timestamptz));
  EXPECT_FALSE(orders.columns[0].nullable);
  EXPECT_TRUE(orders.columns[0].has_default);
  EXPECT_FALSE(orders.columns[1].nullable);
  EXPECT_TRUE(orders.columns[2].nullable);
  EXPECT_FALSE(orders.columns[2].has_default);
  EXPECT_EQ(orders.columns[3].default_expression, "0");
  EXPECT_EQ(orders.columns[8].type_name, "timestamp with time zone");
  EXPECT_EQ(description->tables[1].kind, query::TableKind::view);

  ASSERT_EQ(description->constraints.size(), 2U);
  EXPECT_EQ(description->constraints[0].type, "PRIMARY KEY");
  EXPECT_THAT(description->constraints[0].columns, ElementsAre("id"));
  EXPECT_EQ(description->constraints[1].type, "FOREIGN KEY");
  EXPECT_THAT(description->constraints[1].columns, ElementsAre("customer"));
  EXPECT_EQ(description->constraints[1].foreign_table, "customers");
  EXPECT_THAT(description->constraints[1].foreign_columns, ElementsAre("key"));
}

TEST(ReadDescription, a_service_without_tables_is_no_mistake) {
  const auto description = read_description(R"({"swagger":"2.0","paths":{"/":{"get":{}}}})", "api");
  ASSERT_TRUE(description);
  EXPECT_TRUE(description->tables.empty());
}

TEST(ReadDescription, refuses_what_is_no_description) {
  for (const char* document : {"", "[]", "<html>", "{}", R"({"definitions":5})", R"({"definitions":{)"}) {
    const auto description = read_description(document, "public");
    ASSERT_FALSE(description) << document;
    EXPECT_EQ(description.error().code, Code::database_error) << document;
  }
}

TEST(ReadDescription, copes_with_members_of_other_kinds) {
  const auto description = read_description(
      R"({"definitions":{"a":5,)"
      R"("b":{"properties":{"x":7,"y":{"format":3,"description":["<pk/>"]}},"required":"x"}},"paths":[]})",
      "public");
  ASSERT_TRUE(description);
  ASSERT_EQ(description->tables.size(), 1U);
  EXPECT_EQ(description->tables[0].columns.size(), 2U);
  EXPECT_TRUE(description->tables[0].primary_key.empty());
}

}  // namespace
}  // namespace athena::driver::supabase
