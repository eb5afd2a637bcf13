#include "postgres/decode.h"

#include <optional>
#include <string>

#include <gtest/gtest.h>

#include <athena/base/json_writer.h>

namespace athena::driver::postgres {
namespace {

using query::TypeClass;
using Values = std::vector<std::optional<std::string>>;

std::string big_endian(std::uint32_t value, int bytes) {
  std::string out;
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
  return out;
}

/// The body of a DataRow message.
std::string data_row(const Values& values) {
  std::string body = big_endian(static_cast<std::uint32_t>(values.size()), 2);
  for (const auto& value : values) {
    body += big_endian(value ? static_cast<std::uint32_t>(value->size()) : 0xffffffff, 4);
    if (value) body += *value;
  }
  return body;
}

std::vector<ColumnFormat> formats(const std::vector<std::uint32_t>& oids) {
  std::vector<ColumnFormat> columns;
  for (const std::uint32_t oid : oids)
    columns.push_back({oid, type_class_of(oid), "c", std::string(type_name_of(oid))});
  return columns;
}

/// What the encoder writes for a cell.
std::string as_json(const Cell& cell) {
  Buffer out;
  switch (cell.kind()) {
    case CellKind::null:
      return "null";
    case CellKind::boolean:
      return cell.integer() ? "true" : "false";
    case CellKind::integer:
      return std::to_string(cell.integer());
    case CellKind::real:
      json::append_double(out, cell.real());
      break;
    case CellKind::text:
      json::append_string(out, cell.view());
      break;
    case CellKind::verbatim:
      return std::string(cell.view());
    case CellKind::quoted:
      return '"' + std::string(cell.view()) + '"';
    case CellKind::bytes:
      json::append_bytes(out, cell.view());
      break;
  }
  return std::string(out.view());
}

std::string decoded(const ColumnFormat& column, const std::string& value) {
  RowDecoder decoder;
  decoder.reset({&column, 1});
  std::vector<Cell> cells;
  ScratchArena scratch;
  const std::string body = data_row({value});
  const auto done = decoder.decode_row(body, cells, scratch);
  return done ? as_json(cells.at(0)) : "error: " + done.error().log_detail;
}
std::string decoded(std::uint32_t oid, const std::string& value) {
  return decoded(formats({oid})[0], value);
}

TEST(Decode, refuses_bodies_that_do_not_hold_what_they_say) {
  const auto columns = formats({23, 25});
  RowDecoder decoder;
  decoder.reset(columns);
  std::vector<Cell> cells(3, Cell::integer(7));
  ScratchArena scratch;
  const std::string whole = data_row({"42", "text"});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    // A copy of its own, so that AddressSanitizer sees a read behind the end.
    const std::string cut(whole, 0, size);
    const auto done = decoder.decode_row(std::string(cut.data(), cut.size()), cells, scratch);
    ASSERT_FALSE(done) << size;
    EXPECT_EQ(done.error().code, Code::internal_error);
    ASSERT_EQ(cells.size(), 3U) << "what was there stays";
  }
  EXPECT_FALSE(decoder.decode_row(whole + "x", cells, scratch));
  EXPECT_FALSE(decoder.decode_row(data_row({"1"}), cells, scratch)) << "too few columns";
  EXPECT_FALSE(decoder.decode_row(data_row({"1", "2", "3"}), cells, scratch)) << "too many columns";
  for (const std::uint32_t length : {0x7fffffffU, 0x80000000U, 0xfffffffeU, 3U}) {
    const std::string lying = big_endian(2, 2) + big_endian(length, 4) + "42";
    EXPECT_FALSE(decoder.decode_row(lying, cells, scratch)) << length;
  }
  ASSERT_TRUE(decoder.decode_row(whole, cells, scratch));
  EXPECT_EQ(cells.size(), 5U);
}

TEST(Decode, appends_one_cell_for_each_column_and_nulls_are_null) {
  const auto columns = formats({23, 25, 16});
  RowDecoder decoder;
  decoder.reset(columns);
  std::vector<Cell> cells;
  ScratchArena scratch;
  const std::string first = data_row({"1", std::nullopt, "t"}), second = data_row({std::nullopt, "", std::nullopt});
  ASSERT_TRUE(decoder.decode_row(first, cells, scratch));
  ASSERT_TRUE(decoder.decode_row(second, cells, scratch));
  ASSERT_EQ(cells.size(), 6U);
  EXPECT_EQ(as_json(cells[0]), "1");
  EXPECT_TRUE(cells[1].is_null());
  EXPECT_EQ(as_json(cells[2]), "true");
  EXPECT_TRUE(cells[3].is_null());
  EXPECT_EQ(as_json(cells[4]), R"("")");
  EXPECT_TRUE(cells[5].is_null());
}

TEST(Decode, a_result_without_columns_has_rows_without_cells) {
  RowDecoder decoder;
  decoder.reset({});
  std::vector<Cell> cells;
  ScratchArena scratch;
  EXPECT_TRUE(decoder.decode_row(data_row({}), cells, scratch));
  EXPECT_TRUE(cells.empty());
}

TEST(Decode, writes_each_type_as_the_contract_says) {
  struct Case {
    std::uint32_t oid;
    const char *value, *json;
  };
  const Case cases[] = {
      {16, "t", "true"},
      {16, "f", "false"},
      {16, "yes", R"("yes")"},
      {20, "9223372036854775807", "9223372036854775807"},
      {21, "-1", "-1"},
      {23, "0", "0"},
      {26, "4294967295", "4294967295"},
      {1700, "12345678901234567890.1234500", "12345678901234567890.1234500"},
      {1700, "-0.10", "-0.10"},
      {1700, "NaN", R"("NaN")"},
      {1700, "Infinity", R"("Infinity")"},
      {1700, "-Infinity", R"("-Infinity")"},
      {700, "1e-05", "1e-05"},
      {701, "1e+20", "1e+20"},
      {701, "-0", "-0"},
      {701, "NaN", R"("NaN")"},
      {701, "-Infinity", R"("-Infinity")"},
      {701, "", R"("")"},
      {701, "-", R"("-")"},
      {25, "a \"b\" \\ \n é", R"("a \"b\" \\ \n é")"},
      {1043, "v", R"("v")"},
      {1042, "ab  ", R"("ab  ")"},
      {19, "name", R"("name")"},
      {18, "x", R"("x")"},
      {142, "<a/>", R"("<a/>")"},
      {114, R"({"a" : 1.0})", R"({"a" : 1.0})"},
      {3802, "[1, null]", "[1, null]"},
      {3802, "", R"("")"},
      {2950, "11111111-1111-4111-8111-111111111111", R"("11111111-1111-4111-8111-111111111111")"},
      {1184, "2025-01-31 13:00:00.12+00", R"("2025-01-31T13:00:00.12+00:00")"},
      {1184, "2025-01-31 13:00:00+00", R"("2025-01-31T13:00:00+00:00")"},
      {1184, "2025-01-31 18:30:00+05:30", R"("2025-01-31T18:30:00+05:30")"},
      {1184, "1850-01-31 13:00:00-00:01:15", R"("1850-01-31T13:00:00-00:01:15")"},
      {1184, "2025-01-31 05:00:00-08", R"("2025-01-31T05:00:00-08:00")"},
      {1184, "12345-01-31 13:00:00+00", R"("12345-01-31T13:00:00+00:00")"},
      {1184, "0044-03-15 12:00:00+00 BC", R"("0044-03-15 12:00:00+00 BC")"},
      {1184, "infinity", R"("infinity")"},
      {1184, "-infinity", R"("-infinity")"},
      {1184, "Fri Jan 31 13:00:00 2025 UTC", R"("Fri Jan 31 13:00:00 2025 UTC")"},
      {1184, "", R"("")"},
      {1114, "2025-01-31 13:00:00", R"("2025-01-31T13:00:00")"},
      {1114, "2025-01-31 13:00:00.000001", R"("2025-01-31T13:00:00.000001")"},
      {1114, "infinity", R"("infinity")"},
      {1114, "31/01/2025 13:00:00", R"("31/01/2025 13:00:00")"},
      {1082, "2025-01-31", R"("2025-01-31")"},
      {1082, "infinity", R"("infinity")"},
      {1082, "0044-03-15 BC", R"("0044-03-15 BC")"},
      {1083, "13:00:00.5", R"("13:00:00.5")"},
      {1266, "13:00:00+00", R"("13:00:00+00")"},
      {1186, "1 day 02:00:00", R"("1 day 02:00:00")"},
      {17, "\\x00ff10", R"("\\x00ff10")"},
      {17, "\\x", R"("\\x")"},
      {869, "10.0.0.1/8", R"("10.0.0.1/8")"},
      {3904, "[1,5)", "\"[1,5)\""},
      {3614, "'fox':1", R"("'fox':1")"},
      {600, "(1,2)", "\"(1,2)\""},
      {790, "$1.00", R"("$1.00")"},
      {99999, "(1,\"a\")", R"~("(1,\"a\")")~"},
  };
  for (const auto& [oid, value, json] : cases) EXPECT_EQ(decoded(oid, value), json) << oid << " " << value;
}

TEST(Decode, writes_arrays_as_json) {
  struct Case {
    std::uint32_t oid;
    const char *value, *json;
  };
  const Case cases[] = {
      {1007, "{}", "[]"},
      {1007, "{1,2,NULL}", "[1,2,null]"},
      {1007, "{{1,2},{3,4}}", "[[1,2],[3,4]]"},
      {1007, "{{{1}}}", "[[[1]]]"},
      {1007, "[0:1]={1,2}", "[1,2]"},
      {1007, "[-1:0][2:3]={{1,2},{3,4}}", "[[1,2],[3,4]]"},
      {1231, "{0.10,NaN}", R"([0.10,"NaN"])"},
      {1022, "{1e+20,-Infinity}", R"([1e+20,"-Infinity"])"},
      {1000, "{t,f,NULL}", "[true,false,null]"},
      {1009, R"({a,NULL,"NULL","null","","b c","q\"q","back\\slash","{br}","com,ma"})",
       R"(["a",null,"NULL","null","","b c","q\"q","back\\slash","{br}","com,ma"])"},
      {1009, R"({"\\\\","a\"\"b","\"","é\\"})", R"(["\\\\","a\"\"b","\"","é\\"])"},
      {1009, "{\"line\nfeed\",tab\there}", R"(["line\nfeed","tab\there"])"},
      {1185, R"({"2025-01-31 13:00:00+00",infinity})", R"(["2025-01-31T13:00:00+00:00","infinity"])"},
      {1115, R"({"2025-01-31 13:00:00"})", R"(["2025-01-31T13:00:00"])"},
      {1182, "{2025-01-31}", R"(["2025-01-31"])"},
      {2951, "{11111111-1111-4111-8111-111111111111}", R"(["11111111-1111-4111-8111-111111111111"])"},
      {3807, R"({"{\"a\": [1, \"x\"]}",NULL,1})", R"([{"a": [1, "x"]},null,1])"},
      {1001, R"({"\\x00ff"})", R"(["\\x00ff"])"},
      {1020, "{(1,1),(0,0);(2,2),(1,1)}", R"~(["(1,1),(0,0)","(2,2),(1,1)"])~"},
      {3905, R"~({"[1,5)"})~", R"~(["[1,5)"])~"},
  };
  for (const auto& [oid, value, json] : cases) EXPECT_EQ(decoded(oid, value), json) << oid << " " << value;
}

TEST(Decode, what_is_no_array_literal_passes_as_text) {
  for (const std::string value : {"",      "{",      "}",      "{1",       "{1,}",     "{,1}",   "{1}}",
                                  "{1}x",  "1,2",    "{{1}",   "{1 2\"",   "{\"a}",    "{\"a\\", "{\"a\\\"}",
                                  "[0:1]", "[0:1]=", "{1}{2}", "{\"a\"b}", "{a\"b\"}", "{a{b}}", "{{1}2}"}) {
    Buffer expected;
    json::append_string(expected, value);
    EXPECT_EQ(decoded(1007, value), expected.view()) << value;
  }
  std::string deep = std::string(100'000, '{') + std::string(100'000, '}');
  EXPECT_EQ(decoded(1007, deep), '"' + deep + '"');
}

TEST(Decode, types_that_are_not_built_in_go_by_their_class) {
  EXPECT_EQ(decoded({16500, TypeClass::text, "mood", "mood"}, "happy"), R"("happy")");
  EXPECT_EQ(decoded({16500, TypeClass::array, "moods", "mood[]"}, "{sad,happy}"), R"(["sad","happy"])");
  EXPECT_EQ(decoded({0, TypeClass::integer, "n", ""}, "12"), "12");
  EXPECT_EQ(decoded({16500, TypeClass::other, "pair", "pair"}, "(1,a)"), R"~("(1,a)")~");
}

TEST(Decode, names_and_classes_of_built_in_types) {
  EXPECT_EQ(type_name_of(23), "integer");
  EXPECT_EQ(type_name_of(1184), "timestamp with time zone");
  EXPECT_EQ(type_name_of(1007), "integer[]");
  EXPECT_EQ(type_name_of(0), "");
  EXPECT_EQ(type_name_of(16500), "");
  EXPECT_EQ(type_name_of(0xffffffff), "");
  EXPECT_EQ(type_class_of(1007), TypeClass::array);
  EXPECT_EQ(type_class_of(3802), TypeClass::json);
  EXPECT_EQ(type_class_of(2206), TypeClass::other);
  EXPECT_EQ(type_class_of(0xffffffff), TypeClass::other);
}

TEST(ScratchArena, keeps_what_it_gave_out_in_place_and_one_block_afterwards) {
  ScratchArena scratch;
  std::vector<std::pair<char*, std::size_t>> given;
  for (std::size_t i = 0; i < 2'000; ++i) {
    const std::size_t size = i % 97 == 0 ? 40'000 : i % 50;
    char* at = scratch.allocate(size);
    std::fill_n(at, size, static_cast<char>(i));
    given.emplace_back(at, size);
  }
  for (std::size_t i = 0; i < given.size(); ++i) {
    for (std::size_t k = 0; k < given[i].second; ++k) ASSERT_EQ(given[i].first[k], static_cast<char>(i));
  }
  scratch.clear();
  EXPECT_LE(scratch.capacity(), 64U * 1024);
  const std::size_t kept = scratch.capacity();
  for (int round = 0; round < 100; ++round) {
    scratch.clear();
    for (int i = 0; i < 100; ++i) scratch.allocate(100);
  }
  EXPECT_EQ(scratch.capacity(), kept) << "a stream in its steady state allocates nothing";
}

}  // namespace
}  // namespace athena::driver::postgres
