#include "scylla/encode.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scylla/decode.h"
#include "scylla/server_bytes.h"

namespace athena::driver::scylla {
namespace {

using namespace std::literals;
using query::JsonText;
using query::Number;
using query::Scalar;
using testing::HasSubstr;

CqlType type_of(std::string_view name) {
  const CqlType address{.kind = CqlKind::udt,
                        .elements = {{.kind = CqlKind::text}, {.kind = CqlKind::int_}},
                        .fields = {"street", "no"},
                        .keyspace = "ks",
                        .name = "address"};
  auto type = parse_cql_type(name, [&](std::string_view udt) { return udt == "address" ? &address : nullptr; });
  EXPECT_TRUE(type) << name;
  return type ? *std::move(type) : CqlType();
}

/// The value's bytes without their length, or the wire code of the error.
std::string bound(std::string_view type, const Scalar& value) {
  BoundValues values;
  const auto written = bind_value(values, value, "c", type_of(type));
  if (!written) {
    EXPECT_EQ(values.bytes, "") << "nothing is left of what failed";
    EXPECT_EQ(values.count, 0);
    EXPECT_THAT(written.error().error, HasSubstr("'c'"));
    return written.error().code == Code::value_out_of_range ? "out of range" : "wrong";
  }
  EXPECT_EQ(values.count, 1);
  MessageReader reader(values.bytes);
  const auto bytes = reader.bytes();
  EXPECT_TRUE(reader.rest().empty());
  return bytes ? std::string(*bytes) : "null";
}

TEST(Encode, null_is_null_for_every_type) {
  for (const char* type : {"int", "text", "list<int>", "address"}) EXPECT_EQ(bound(type, std::monostate()), "null");
}

struct Value {
  const char* type;
  Scalar value;
  std::string bytes;
};

TEST(Encode, every_type_from_the_ways_it_is_written) {
  const Value values[] = {
      {"text", "ä"s, "ä"},
      {"text", ""s, ""},
      {"text", JsonText{"{\"a\":1}"}, "{\"a\":1}"},
      {"text", Number{"1.50"}, "1.50"},
      {"ascii", "abc"s, "abc"},
      {"boolean", true, "\1"},
      {"boolean", "false"s, "\0"s},
      {"tinyint", Number{"-128"}, "\x80"},
      {"smallint", "32767"s, "\x7f\xff"},
      {"int", Number{"-1"}, "\xff\xff\xff\xff"},
      {"int", "+7"s, "\0\0\0\7"s},
      {"bigint", Number{"-9223372036854775808"}, "\x80\0\0\0\0\0\0\0"s},
      {"bigint", "9223372036854775807"s, "\x7f\xff\xff\xff\xff\xff\xff\xff"},
      {"float", Number{"0.1"}, "\x3d\xcc\xcc\xcd"},
      {"float", "NaN"s, "\x7f\xc0\0\0"s},
      {"double", Number{"0.1"}, "\x3f\xb9\x99\x99\x99\x99\x99\x9a"},
      {"double", "-Infinity"s, "\xff\xf0\0\0\0\0\0\0"s},
      {"varint", Number{"256"}, "\1\0"s},
      {"decimal", Number{"1.230"}, "\0\0\0\3\4\xce"s},
      {"decimal", "1E+3"s, "\xff\xff\xff\xfd\1"},
      {"timestamp", "1970-01-01T00:00:00.001Z"s, "\0\0\0\0\0\0\0\1"s},
      {"timestamp", Number{"-1"}, std::string(8, '\xff')},
      {"date", "1970-01-02"s, "\x80\0\0\1"s},
      {"time", "00:00:00.000000001"s, "\0\0\0\0\0\0\0\1"s},
      {"time", Number{"86399999999999"}, "\0\0\x4e\x94\x91\x4e\xff\xff"s},
      {"duration", "1mo2d3ns"s, "\2\4\6"},
      {"duration", "-1mo2d"s, "\1\3\0"s},
      {"uuid", "12345678-9ABC-def0-1234-56789abcdef0"s,
       "\x12\x34\x56\x78\x9a\xbc\xde\xf0\x12\x34\x56\x78\x9a\xbc\xde\xf0"},
      {"timeuuid", "12345678-9abc-1ef0-1234-56789abcdef0"s,
       "\x12\x34\x56\x78\x9a\xbc\x1e\xf0\x12\x34\x56\x78\x9a\xbc\xde\xf0"},
      {"inet", "127.0.0.1"s, "\x7f\0\0\1"s},
      {"inet", "2001:db8::1"s, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"s},
      {"blob", "\\x00FF"s, "\0\xff"s},
      {"blob", "0x00ff"s, "\0\xff"s},
      {"blob", "\\x"s, ""},
  };
  for (const Value& value : values) EXPECT_EQ(bound(value.type, value.value), value.bytes) << value.type;
}

TEST(Encode, what_is_no_value_of_the_type_is_wrong) {
  const std::pair<const char*, Scalar> wrong[] = {{"ascii", "ä"s},
                                                  {"boolean", Number{"1"}},
                                                  {"boolean", "yes"s},
                                                  {"int", true},
                                                  {"int", "seven"s},
                                                  {"int", ""s},
                                                  {"int", "+"s},
                                                  {"int", "+-7"s},
                                                  {"int", "7 "s},
                                                  {"int", Number{"1.0"}},
                                                  {"int", Number{"1e3"}},
                                                  {"int", JsonText{"[1]"}},
                                                  {"double", "0x10"s},
                                                  {"double", "1,5"s},
                                                  {"double", "+-1"s},
                                                  {"double", ""s},
                                                  {"double", true},
                                                  {"varint", Number{"1.5"}},
                                                  {"varint", true},
                                                  {"decimal", "1.2.3"s},
                                                  {"decimal", ".-5"s},
                                                  {"timestamp", "soon"s},
                                                  {"timestamp", Number{"1.5"}},
                                                  {"timestamp", "2024-01-02T03:04:05.0001Z"s},
                                                  {"timestamp", true},
                                                  {"date", Number{"2024"}},
                                                  {"date", "2024-02-30"s},
                                                  {"time", "24:00"s},
                                                  {"duration", "1 day"s},
                                                  {"uuid", "1234"s},
                                                  {"uuid", "123456789-abc-def0-1234-56789abcdef0"s},
                                                  {"uuid", "1234567g-9abc-def0-1234-56789abcdef0"s},
                                                  {"timeuuid", "12345678-9abc-4ef0-1234-56789abcdef0"s},
                                                  {"inet", "localhost"s},
                                                  {"inet", "fe80::1%eth0"s},
                                                  {"inet", "127.0.0.1/8"s},
                                                  {"blob", "00ff"s},
                                                  {"blob", "\\x0"s},
                                                  {"blob", "\\x0g"s},
                                                  {"blob", Number{"1"}}};
  for (const auto& [type, value] : wrong) EXPECT_EQ(bound(type, value), "wrong") << type << " " << value.index();
}

TEST(Encode, what_is_too_large_for_the_type_is_out_of_range) {
  const std::pair<const char*, Scalar> large[] = {
      {"tinyint", Number{"128"}},    {"tinyint", Number{"-129"}},    {"smallint", Number{"32768"}},
      {"int", Number{"2147483648"}}, {"int", Number{"-2147483649"}}, {"bigint", "9223372036854775808"s},
      {"float", Number{"1e39"}},     {"double", Number{"1e309"}},    {"time", Number{"86400000000000"}},
      {"time", Number{"-1"}},
  };
  for (const auto& [type, value] : large) EXPECT_EQ(bound(type, value), "out of range") << type;
}

TEST(Encode, composites_from_json) {
  const std::string one = "\0\0\0\1"s;
  EXPECT_EQ(bound("list<int>", JsonText{"[1, 1]"}), ServerBytes().i32(2).bytes(one).bytes(one).text());
  EXPECT_EQ(bound("list<int>", JsonText{"[]"}), ServerBytes().i32(0).text());
  EXPECT_EQ(bound("set<text>", "[\"a\"]"s), ServerBytes().i32(1).bytes("a").text()) << "a text that holds JSON";
  EXPECT_EQ(bound("map<text, int>", JsonText{R"({"k":1})"}), ServerBytes().i32(1).bytes("k").bytes(one).text());
  EXPECT_EQ(bound("map<int, text>", JsonText{R"({"1":"x"})"}), ServerBytes().i32(1).bytes(one).bytes("x").text());
  EXPECT_EQ(bound("map<list<int>, text>", JsonText{R"([[[1],"x"]])"}),
            ServerBytes().i32(1).bytes(ServerBytes().i32(1).bytes(one).text()).bytes("x").text());
  EXPECT_EQ(bound("tuple<int, text>", JsonText{"[1,null]"}), ServerBytes().bytes(one).null().text());
  EXPECT_EQ(bound("address", JsonText{R"({"no":1,"street":"Main"})"}), ServerBytes().bytes("Main").bytes(one).text());
  EXPECT_EQ(bound("address", JsonText{R"({"no":1})"}), ServerBytes().null().bytes(one).text());
  EXPECT_EQ(bound("vector<float, 2>", JsonText{"[1,-1]"}), "\x3f\x80\0\0\xbf\x80\0\0"s);
  EXPECT_EQ(bound("vector<text, 2>", JsonText{R"(["a","bc"])"}), "\1a\2bc");
  EXPECT_EQ(bound("list<text>", JsonText{R"([{"a":[1, 2]}])"}), ServerBytes().i32(1).bytes(R"({"a":[1, 2]})").text());
}

TEST(Encode, composites_that_do_not_fit_are_wrong) {
  const std::pair<const char*, const char*> wrong[] = {
      {"list<int>", "1"},
      {"list<int>", "{\"a\":1}"},
      {"list<int>", "[1,null]"},
      {"list<int>", "[[1]]"},
      {"list<int>", "not json"},
      {"map<text, int>", "[1]"},
      {"map<text, int>", "[[\"a\"]]"},
      {"map<text, int>", "[[\"a\",1,2]]"},
      {"map<text, int>", "{\"a\":null}"},
      {"map<int, text>", "{\"one\":\"x\"}"},
      {"tuple<int, text>", "[1]"},
      {"tuple<int, text>", "[1,\"a\",2]"},
      {"tuple<int, text>", "{\"a\":1}"},
      {"address", "[1]"},
      {"address", "{\"city\":\"x\"}"},
      {"vector<float, 2>", "[1]"},
      {"vector<float, 2>", "[1,2,3]"},
      {"vector<float, 2>", "[1,null]"},
  };
  for (const auto& [type, json] : wrong) EXPECT_EQ(bound(type, JsonText{json}), "wrong") << type << " " << json;
  EXPECT_EQ(bound("list<int>", Number{"1"}), "wrong");
  EXPECT_EQ(bound("list<tinyint>", JsonText{"[1000]"}), "out of range");
}

TEST(Encode, what_is_written_reads_back) {
  const std::pair<const char*, const char*> values[] = {
      {"map<uuid, list<decimal>>", R"({"12345678-9abc-def0-1234-56789abcdef0":[1.50,-2,1E+30]})"},
      {"list<tuple<date, time, timestamp>>", R"([["2024-01-02","03:04:05.006","2024-01-02T03:04:05.006+00:00"]])"},
      {"map<text, set<varint>>", R"({"a":[123456789012345678901234567890],"b":[]})"},
      {"list<inet>", R"(["10.0.0.1","::1"])"},
      {"list<duration>", R"(["1y2mo3d4h5m6s7ms8us9ns"])"},
      {"vector<vector<double, 2>, 2>", "[[0.1,-0.5],[1e+300,0]]"},
      {"list<blob>", R"(["\\x00ff"])"},
      {"tuple<boolean, float, address>", R"([true,0.1,{"street":"ä\"","no":null}])"},
  };
  for (const auto& [name, json] : values) {
    const CqlType type = type_of(name);
    BoundValues bytes;
    ASSERT_TRUE(bind_value(bytes, JsonText{json}, "c", type)) << name;
    MessageReader reader(bytes.bytes);
    Buffer out;
    ASSERT_TRUE(append_json(out, type, reader.bytes())) << name;
    EXPECT_EQ(out.view(), json) << name;
  }
}

}  // namespace
}  // namespace athena::driver::scylla
