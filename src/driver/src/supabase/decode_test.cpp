#include "supabase/decode.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace athena::driver::supabase {
namespace {

using ::testing::ElementsAre;

std::vector<ColumnInfo> named(std::initializer_list<const char*> names) {
  std::vector<ColumnInfo> columns;
  for (const char* name : names) columns.push_back({.name = name, .type_name = {}, .type = query::TypeClass::text});
  return columns;
}

std::string shown(const Cell& cell) {
  switch (cell.kind()) {
    case CellKind::null:
      return "null";
    case CellKind::boolean:
      return cell.integer() ? "true" : "false";
    case CellKind::verbatim:
      return "verbatim " + std::string(cell.view());
    case CellKind::quoted:
      return "quoted " + std::string(cell.view());
    case CellKind::text:
      return "text " + std::string(cell.view());
    case CellKind::integer:
    case CellKind::real:
    case CellKind::bytes:
      break;
  }
  return "?";
}

/// All cells of all rows, or the error.
std::vector<std::string> read(RowsReader& reader) {
  std::vector<std::string> cells;
  if (const auto begun = reader.begin(); !begun) return {begun.error().log_detail};
  for (bool last = false; !last;) {
    const auto batch = reader.next();
    if (!batch) {
      EXPECT_EQ(batch.error().code, Code::database_error);
      return {batch.error().log_detail};
    }
    for (const Cell& cell : batch->cells) cells.push_back(shown(cell));
    last = batch->last;
  }
  return cells;
}

TEST(RowsReader, gives_values_as_they_stand) {
  RowsReader reader(R"([{"a":1.500,"b":"x","c":null},
 {"a":12345678901234567890,"b":"é \"q\" \\x00","c":true},{"a":-0.0,"b":"","c":{"k": [1,2]}}])",
                    named({"a", "b", "c"}), false);
  EXPECT_THAT(read(reader),
              ElementsAre("verbatim 1.500", "quoted x", "null", "verbatim 12345678901234567890", "text é \"q\" \\x00",
                          "true", "verbatim -0.0", "quoted ", R"(verbatim {"k": [1,2]})"));
  EXPECT_EQ(reader.rows(), 3U);
}

TEST(RowsReader, puts_members_in_the_order_that_was_asked_for) {
  RowsReader reader(R"([{"b":1,"a":2},{"a":3,"b":4},{"\u0062":5,"a":6}])", named({"a", "b"}), false);
  EXPECT_THAT(read(reader),
              ElementsAre("verbatim 2", "verbatim 1", "verbatim 3", "verbatim 4", "verbatim 6", "verbatim 5"));
}

TEST(RowsReader, of_everything_takes_the_columns_that_are_there) {
  RowsReader reader(R"([{"new":1,"a":"x"},{"new":2,"a":"y"}])", named({"a", "gone"}), true);
  EXPECT_THAT(read(reader), ElementsAre("verbatim 1", "quoted x", "verbatim 2", "quoted y"));
  ASSERT_EQ(reader.columns().size(), 2U);
  EXPECT_EQ(reader.columns()[0].name, "new");
  EXPECT_EQ(reader.columns()[0].type, query::TypeClass::other);
  EXPECT_EQ(reader.columns()[1].type, query::TypeClass::text);
  RowsReader empty("[]", named({"a", "gone"}), true);
  EXPECT_THAT(read(empty), ElementsAre());
  EXPECT_EQ(empty.columns().size(), 2U);
}

TEST(RowsReader, a_body_without_rows_has_none) {
  for (const char* body : {"", "  \n", "[]", " [ ] "}) {
    RowsReader reader(body, named({"a"}), false);
    EXPECT_THAT(read(reader), ElementsAre()) << body;
  }
}

TEST(RowsReader, batches_do_not_collect_rows) {
  std::string body = "[";
  for (int i = 0; i < 1'000; ++i) body += std::string(i == 0 ? "" : ",") + R"({"a":"\n)" + std::to_string(i) + "\"}";
  RowsReader reader(body + "]", named({"a"}), false);
  ASSERT_TRUE(reader.begin());
  std::size_t batches = 0, rows = 0;
  for (bool last = false; !last; ++batches) {
    const auto batch = reader.next();
    ASSERT_TRUE(batch);
    EXPECT_LE(batch->rows, 256U);
    for (std::size_t i = 0; i < batch->rows; ++i) EXPECT_EQ(batch->cells[i].view(), "\n" + std::to_string(rows + i));
    rows += batch->rows;
    last = batch->last;
  }
  EXPECT_EQ(rows, 1'000U);
  EXPECT_GE(batches, 4U);
}

TEST(RowsReader, refuses_what_is_not_rows) {
  const auto complaint = [](std::string body, bool is_open) {
    RowsReader reader(std::move(body), named({"a", "b"}), is_open);
    const auto cells = read(reader);
    return cells.empty() ? std::string("none") : cells.front();
  };
  for (const bool is_open : {false, true}) {
    EXPECT_EQ(complaint("{}", is_open), "the body is no JSON array");
    EXPECT_EQ(complaint("<html>", is_open), "the body is no JSON array");
    EXPECT_EQ(complaint("[1]", is_open), "a row is no JSON object");
    EXPECT_EQ(complaint("[{\"a\":1,\"b\":\"\xff\"}]", is_open), "the body is not UTF-8");
    EXPECT_THAT(complaint(R"([{"a":1,"b":2})", is_open), ::testing::StartsWith("the body ends"));
    EXPECT_THAT(complaint(R"([{"a":1,"b":2}] x)", is_open), ::testing::StartsWith("the body ends"));
    EXPECT_THAT(complaint(R"([{"a":1,"b":2},{"a":1,"b":2,"c":3}])", is_open), ::testing::HasSubstr("not asked for"));
    EXPECT_THAT(complaint(R"([{"a":1,"b":2},{"a":1}])", is_open), ::testing::HasSubstr("lacks"));
    EXPECT_THAT(complaint(R"([{"a":1,"b":2},{"a":1,"a":2,"b":3}])", is_open), ::testing::HasSubstr("twice"));
    EXPECT_THAT(complaint(R"([{"a":1,"b":2},{"a":01,"b":2}])", is_open), ::testing::HasSubstr("no JSON"));
  }
}

}  // namespace
}  // namespace athena::driver::supabase
