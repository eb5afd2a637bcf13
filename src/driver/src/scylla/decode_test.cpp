#include "scylla/decode.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <athena/base/json_writer.h>

#include "scylla/server_bytes.h"

namespace athena::driver::scylla {
namespace {

using namespace std::literals;

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

std::string show(const Cell& cell) {
  switch (cell.kind()) {
    case CellKind::null:
      return "null";
    case CellKind::boolean:
      return cell.integer() != 0 ? "true" : "false";
    case CellKind::integer:
      return std::to_string(cell.integer());
    case CellKind::real: {
      Buffer out;
      json::append_double(out, cell.real());
      return std::string(out.view());
    }
    case CellKind::text:
      return "'" + std::string(cell.view()) + "'";
    case CellKind::verbatim:
      return "{" + std::string(cell.view()) + "}";
    case CellKind::quoted:
      return "\"" + std::string(cell.view()) + "\"";
    case CellKind::bytes:
      return "bytes of " + std::to_string(cell.view().size());
  }
  return "?";
}

/// A cell of one row, as its kind and text; "malformed" if the decoder refuses it.
std::string decoded(std::string_view type, std::optional<std::string> bytes) {
  const ColumnSpec columns[] = {{.keyspace = "ks", .table = "t", .name = "c", .type = type_of(type)}};
  RowDecoder decoder(columns);
  std::vector<Cell> cells;
  ScratchArena scratch;
  const std::string row = bytes ? ServerBytes().bytes(*bytes) : ServerBytes().null();
  std::string_view rows = row;
  if (!decoder.decode_row(rows, cells, scratch)) return "malformed";
  EXPECT_TRUE(rows.empty());
  return show(cells.at(0));
}
/// The same within a list of one, where values are JSON.
std::string in_list(std::string_view type, const std::string& bytes) {
  return decoded("list<" + std::string(type) + ">", ServerBytes().i32(1).bytes(bytes).text());
}

struct Value {
  const char* type;
  std::string bytes;
  const char* cell;
  const char* json;  ///< in a list
};

const Value kValues[] = {
    {"ascii", "abc", "'abc'", R"({["abc"]})"},
    {"text", "\"ä\n", "'\"ä\n'", R"({["\"ä\n"]})"},
    {"text", "", "''", R"({[""]})"},
    {"blob", "\0\xff"s, "bytes of 2", R"({["\\x00ff"]})"},
    {"blob", "", "bytes of 0", R"({["\\x"]})"},
    {"boolean", "\1", "true", "{[true]}"},
    {"boolean", "\0"s, "false", "{[false]}"},
    {"tinyint", "\x80", "-128", "{[-128]}"},
    {"smallint", "\x80\0"s, "-32768", "{[-32768]}"},
    {"int", "\x7f\xff\xff\xff", "2147483647", "{[2147483647]}"},
    {"bigint", "\x80\0\0\0\0\0\0\0"s, "-9223372036854775808", "{[-9223372036854775808]}"},
    {"counter", "\0\0\0\0\0\0\0\5"s, "5", "{[5]}"},
    {"float", "\x3d\xcc\xcc\xcd", "{0.1}", "{[0.1]}"},
    {"float", "\x7f\xc0\0\0"s, "\"NaN\"", R"({["NaN"]})"},
    {"float", "\xff\x80\0\0"s, "\"-Infinity\"", R"({["-Infinity"]})"},
    {"double", "\x3f\xb9\x99\x99\x99\x99\x99\x9a", "0.1", "{[0.1]}"},
    {"double", "\x7f\xf0\0\0\0\0\0\0"s, "\"Infinity\"", R"({["Infinity"]})"},
    {"varint", "\xfe\x71\x16\xf0\x09\x3c\x8c\x1f\x11\xb1\xc0\xf5\x2e", "{-123456789012345678901234567890}",
     "{[-123456789012345678901234567890]}"},
    {"decimal", "\0\0\0\2\x7b"s, "{1.23}", "{[1.23]}"},
    {"timestamp", "\0\0\0\0\0\0\0\1"s, "\"1970-01-01T00:00:00.001+00:00\"", R"({["1970-01-01T00:00:00.001+00:00"]})"},
    {"date", "\x80\0\0\1"s, "\"1970-01-02\"", R"({["1970-01-02"]})"},
    {"time", "\0\0\0\0\0\0\0\1"s, "\"00:00:00.000000001\"", R"({["00:00:00.000000001"]})"},
    {"uuid", "\x12\x34\x56\x78\x9a\xbc\xde\xf0\x12\x34\x56\x78\x9a\xbc\xde\xf0",
     "\"12345678-9abc-def0-1234-56789abcdef0\"", R"({["12345678-9abc-def0-1234-56789abcdef0"]})"},
    {"inet", "\x7f\0\0\1"s, "\"127.0.0.1\"", R"({["127.0.0.1"]})"},
    {"inet", "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"s, "\"2001:db8::1\"", R"({["2001:db8::1"]})"},
    {"duration", "\2\4\6", "\"1mo2d3ns\"", R"({["1mo2d3ns"]})"},
    {"duration", "\1\3\0"s, "\"-1mo2d\"", R"({["-1mo2d"]})"},
};

TEST(Decode, every_type_by_itself_and_in_a_list) {
  for (const Value& value : kValues) {
    EXPECT_EQ(decoded(value.type, value.bytes), value.cell) << value.type;
    EXPECT_EQ(in_list(value.type, value.bytes), value.json) << value.type;
    EXPECT_EQ(decoded(value.type, std::nullopt), "null") << value.type;
  }
}

TEST(Decode, no_bytes_are_null_but_for_texts_and_blobs) {
  for (const char* type : {"boolean", "int", "double", "decimal", "varint", "timestamp", "uuid", "inet", "duration",
                           "list<int>", "map<int, int>", "tuple<int>", "address"}) {
    EXPECT_EQ(decoded(type, ""), "null") << type;
  }
  EXPECT_EQ(in_list("int", ""), "{[null]}");
}

TEST(Decode, bytes_that_are_not_of_the_type_are_malformed) {
  const std::pair<const char*, std::string> lies[] = {
      {"boolean", "\1\1"},
      {"tinyint", "\0\1"s},
      {"smallint", "\1"},
      {"int", "\1\2\3"},
      {"int", "\1\2\3\4\5"},
      {"bigint", "\1\2\3\4"},
      {"float", "\1\2\3"},
      {"double", "\1\2\3\4"},
      {"timestamp", "\1\2\3\4"},
      {"date", "\1\2\3"},
      {"time", "\1\2\3\4"},
      {"time", "\x7f\xff\xff\xff\xff\xff\xff\xff"},
      {"time", "\xff\xff\xff\xff\xff\xff\xff\xff"},
      {"uuid", "\1\2\3"},
      {"inet", "\1\2\3\4\5"},
      {"duration", "\2\4"},
      {"duration", "\2\4\6\x8"},
      {"duration", "\2\3\4"},             // one month, and back two days
      {"duration", "\xf1\0\0\0\0\0\0"s},  // more months than an int has
      {"duration", "\xff\1\2"},           // nine bytes that are not there
      {"list<int>", "\0\0\0"s},
      {"list<int>", "\0\0\0\2\0\0\0\4\0\0\0\1"s},  // two, and one comes
      {"list<int>", "\x7f\xff\xff\xff"},
      {"list<int>", "\0\0\0\1\0\0\0\3\1\2\3"s},
      {"map<text, int>", "\0\0\0\1\0\0\0\1k"s},
      {"tuple<int, text>", "\0\0\0\3\1\2\3"s},
      {"tuple<int, text>", "\0\0\0\4\0\0\0\1\0\0"s},
      {"vector<float, 2>", "\0\0\0\0\0\0\0"s},
      {"vector<float, 2>", "\0\0\0\0\0\0\0\0\0"s},
      {"vector<text, 2>", "\1a\5b"},
      {"vector<text, 1>", "\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
  };
  for (const auto& [type, bytes] : lies) EXPECT_EQ(decoded(type, bytes), "malformed") << type << " " << bytes.size();
}

TEST(Decode, exact_numbers_beyond_the_bound_come_as_their_bytes) {
  const std::string large(5'000, '\1');
  EXPECT_EQ(decoded("varint", large), "bytes of 5000");
  EXPECT_EQ(decoded("decimal", "\0\0\0\1"s + large), "bytes of 5004");
  EXPECT_EQ(decoded("decimal", "\0\0"s), "bytes of 2");
}

TEST(Decode, composites_are_json) {
  const std::string two = ServerBytes().i32(2).bytes("a").bytes("b");
  EXPECT_EQ(decoded("set<text>", two), R"({["a","b"]})");
  EXPECT_EQ(decoded("list<int>", ServerBytes().i32(0).text()), "{[]}");
  EXPECT_EQ(decoded("list<int>", ServerBytes().i32(-1).text()), "{[]}");
  EXPECT_EQ(decoded("map<text, int>", ServerBytes().i32(1).bytes("a\"b").bytes("\0\0\0\1"s).text()), R"({{"a\"b":1}})");
  EXPECT_EQ(decoded("map<int, text>", ServerBytes().i32(1).bytes("\0\0\0\1"s).bytes("x").text()), R"({{"1":"x"}})");
  EXPECT_EQ(decoded("map<list<int>, text>",
                    ServerBytes().i32(1).bytes(ServerBytes().i32(1).bytes("\0\0\0\1"s).text()).bytes("x").text()),
            R"({{"[1]":"x"}})");
  EXPECT_EQ(decoded("tuple<int, text, int>", ServerBytes().bytes("\0\0\0\1"s).null().text()), "{[1,null,null]}")
      << "what is not there is null";
  EXPECT_EQ(decoded("address", ServerBytes().bytes("Main").bytes("\0\0\0\7"s).text()), R"({{"street":"Main","no":7}})");
  EXPECT_EQ(decoded("address", ServerBytes().bytes("Main").text()), R"({{"street":"Main","no":null}})")
      << "a field that was added later";
  EXPECT_EQ(decoded("list<list<text>>", ServerBytes().i32(1).bytes(two).text()), R"({[["a","b"]]})");
}

TEST(Decode, vectors_have_lengths_only_where_sizes_vary) {
  EXPECT_EQ(decoded("vector<float, 2>", "\x3f\x80\0\0\xbf\x80\0\0"s), "{[1,-1]}");
  EXPECT_EQ(decoded("vector<text, 2>", "\1a\2bc"), R"({["a","bc"]})");
  EXPECT_EQ(decoded("vector<smallint, 2>", "\2\0\1\2\0\2"s), "{[1,2]}") << "small integers count as varying";
  EXPECT_EQ(decoded("vector<vector<int, 1>, 2>", "\0\0\0\1\0\0\0\2"s), "{[[1],[2]]}");
}

TEST(Decode, a_class_that_is_not_known_is_bytes) {
  const ColumnSpec columns[] = {
      {.keyspace = "ks", .table = "t", .name = "c", .type = {.kind = CqlKind::custom, .name = "org.example.Unheard"}}};
  RowDecoder decoder(columns);
  std::vector<Cell> cells;
  ScratchArena scratch;
  std::string_view rows = "\0\0\0\3abc"sv;
  ASSERT_TRUE(decoder.decode_row(rows, cells, scratch));
  EXPECT_EQ(show(cells[0]), "bytes of 3");
}

TEST(Decode, rows_come_one_after_the_other_and_end_where_they_end) {
  const ColumnSpec columns[] = {{"ks", "t", "a", type_of("int")}, {"ks", "t", "b", type_of("text")}};
  RowDecoder decoder(columns);
  const std::string bytes = ServerBytes().bytes("\0\0\0\1"s).bytes("x").bytes("\0\0\0\2"s).null().raw("\0\0"s);
  std::string_view rows = bytes;
  std::vector<Cell> cells;
  ScratchArena scratch;
  ASSERT_TRUE(decoder.decode_row(rows, cells, scratch));
  ASSERT_TRUE(decoder.decode_row(rows, cells, scratch));
  ASSERT_EQ(cells.size(), 4U);
  EXPECT_EQ(show(cells[0]) + show(cells[1]) + show(cells[2]) + show(cells[3]), "1'x'2null");
  const auto third = decoder.decode_row(rows, cells, scratch);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Code::connection_error);
}

TEST(Vint, has_as_many_bytes_as_its_first_says) {
  const std::pair<std::uint64_t, std::string> pairs[] = {{0, "\0"s},
                                                         {127, "\x7f"},
                                                         {128, "\x80\x80"},
                                                         {16'383, "\xbf\xff"},
                                                         {16'384, "\xc0\x40\0"s},
                                                         {1ULL << 55, "\xfe\x80\0\0\0\0\0\0"s},
                                                         {1ULL << 56, "\xff\1\0\0\0\0\0\0\0"s},
                                                         {~0ULL, std::string(9, '\xff')}};
  for (const auto& [value, bytes] : pairs) {
    std::string out;
    append_vint(out, value);
    EXPECT_EQ(out, bytes) << value;
    std::string_view rest = bytes;
    EXPECT_EQ(take_vint(rest), value);
    EXPECT_TRUE(rest.empty());
    std::string_view cut = std::string_view(bytes).substr(0, bytes.size() - 1);
    EXPECT_EQ(take_vint(cut), std::nullopt);
  }
}

}  // namespace
}  // namespace athena::driver::scylla
