#include "scylla/cql_type.h"

#include <gtest/gtest.h>

namespace athena::driver::scylla {
namespace {

CqlType parse(std::string_view text, const UdtLookup& lookup = {}) {
  auto type = parse_cql_type(text, lookup);
  EXPECT_TRUE(type.has_value()) << text;
  return type ? *std::move(type) : CqlType();
}

TEST(CqlType, names_are_read_and_written_alike) {
  for (const char* name : {"ascii",
                           "bigint",
                           "blob",
                           "boolean",
                           "counter",
                           "decimal",
                           "double",
                           "float",
                           "int",
                           "timestamp",
                           "uuid",
                           "text",
                           "varint",
                           "timeuuid",
                           "inet",
                           "date",
                           "time",
                           "smallint",
                           "tinyint",
                           "duration",
                           "list<int>",
                           "set<text>",
                           "map<text, list<int>>",
                           "tuple<int, text, tuple<blob>>",
                           "vector<float, 3>",
                           "map<uuid, map<text, set<bigint>>>"}) {
    EXPECT_EQ(to_string(parse(name)), name);
  }
  EXPECT_EQ(to_string(parse("varchar")), "text");
  EXPECT_EQ(to_string(parse("frozen<map<text,frozen<list<int>>>>")), "map<text, list<int>>");
  EXPECT_EQ(parse("MAP< text ,INT >"), parse("map<text, int>"));
}

TEST(CqlType, trees_have_what_the_text_says) {
  const CqlType type = parse("map<text, vector<float, 3>>");
  ASSERT_EQ(type.kind, CqlKind::map);
  ASSERT_EQ(type.elements.size(), 2U);
  EXPECT_EQ(type.elements[0].kind, CqlKind::text);
  EXPECT_EQ(type.elements[1].kind, CqlKind::vector);
  EXPECT_EQ(type.elements[1].dimension, 3U);
  EXPECT_EQ(type.elements[1].elements[0].kind, CqlKind::float_);
}

TEST(CqlType, user_defined_types_are_looked_up_by_their_exact_name) {
  const CqlType address{.kind = CqlKind::udt,
                        .elements = {{.kind = CqlKind::text}},
                        .fields = {"street"},
                        .keyspace = "ks",
                        .name = "A b"};
  const UdtLookup lookup = [&](std::string_view name) { return name == "A b" ? &address : nullptr; };
  const CqlType list = parse("list<frozen<\"A b\">>", lookup);
  ASSERT_EQ(list.elements.size(), 1U);
  EXPECT_EQ(list.elements[0], address);
  EXPECT_EQ(to_string(list), "list<\"A b\">");
  const CqlType unknown = parse("A", lookup);
  EXPECT_EQ(unknown.kind, CqlKind::custom);
  EXPECT_EQ(unknown.name, "a");
  EXPECT_EQ(to_string(parse("\"q\"\"q\"")), "\"q\"\"q\"");
  EXPECT_EQ(parse("\"int\"").kind, CqlKind::custom);
}

TEST(CqlType, classes_of_the_protocol_are_read) {
  const auto type =
      parse_class_name("org.apache.cassandra.db.marshal.VectorType(org.apache.cassandra.db.marshal.FloatType , 1024)");
  ASSERT_TRUE(type.has_value());
  EXPECT_EQ(to_string(*type), "vector<float, 1024>");
  const auto map = parse_class_name(
      "org.apache.cassandra.db.marshal.FrozenType(org.apache.cassandra.db.marshal.MapType("
      "org.apache.cassandra.db.marshal.UTF8Type,org.apache.cassandra.db.marshal.Int32Type))");
  ASSERT_TRUE(map.has_value());
  EXPECT_EQ(to_string(*map), "map<text, int>");
  const auto other = parse_class_name("com.example.PointType(a=>b,(c))");
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(other->kind, CqlKind::custom);
  EXPECT_EQ(other->name, "com.example.PointType");
  EXPECT_EQ(parse("'org.apache.cassandra.db.marshal.Int32Type'").kind, CqlKind::int_);
}

TEST(CqlType, what_is_malformed_is_refused) {
  for (const char* text : {"",
                           " ",
                           "list",
                           "list<",
                           "list<int",
                           "list<int>>",
                           "list<int, int>",
                           "map<int>",
                           "tuple<>",
                           "vector<float>",
                           "vector<float, 0>",
                           "vector<float, x>",
                           "vector<float, 65537>",
                           "int int",
                           "\"",
                           "\"a",
                           "<int>",
                           "int>",
                           "frozen<>",
                           "list<int>x"}) {
    EXPECT_FALSE(parse_cql_type(text, {}).has_value()) << text;
  }
  EXPECT_FALSE(parse_class_name("com.example.T((").has_value());
}

TEST(CqlType, texts_without_bounds_are_refused) {
  std::string deep;
  for (int i = 0; i < 40; ++i) deep += "list<";
  deep += "int" + std::string(40, '>');
  EXPECT_FALSE(parse_cql_type(deep, {}).has_value());
  std::string wide = "tuple<int";
  for (int i = 0; i < 5'000; ++i) wide += ",int";
  EXPECT_FALSE(parse_cql_type(wide + ">", {}).has_value());
  // A type that is large counts each time it is used.
  CqlType large{.kind = CqlKind::udt, .name = "large"};
  large.elements.assign(1'000, {.kind = CqlKind::int_});
  const UdtLookup lookup = [&](std::string_view) { return &large; };
  EXPECT_TRUE(parse_cql_type("tuple<large, large>", lookup).has_value());
  EXPECT_FALSE(parse_cql_type("tuple<large, large, large, large, large>", lookup).has_value());
}

TEST(CqlType, classes_of_types_are_those_of_the_encoder) {
  using query::TypeClass;
  EXPECT_EQ(type_class(parse("int")), TypeClass::integer);
  EXPECT_EQ(type_class(parse("varint")), TypeClass::decimal);
  EXPECT_EQ(type_class(parse("timeuuid")), TypeClass::uuid);
  EXPECT_EQ(type_class(parse("timestamp")), TypeClass::timestamptz);
  EXPECT_EQ(type_class(parse("inet")), TypeClass::text);
  EXPECT_EQ(type_class(parse("list<int>")), TypeClass::json);
  EXPECT_EQ(type_class(parse("vector<float, 2>")), TypeClass::json);
  EXPECT_EQ(type_class(parse("something")), TypeClass::other);
}

}  // namespace
}  // namespace athena::driver::scylla
