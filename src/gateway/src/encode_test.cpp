#include "encode.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace athena::gateway {
namespace {

using driver::Cell;
using driver::CellKind;

std::string cell(const Cell& value) {
  Buffer out;
  append_cell(out, value);
  return std::string(out.view());
}

std::vector<driver::ColumnInfo> columns(std::initializer_list<std::string> names) {
  std::vector<driver::ColumnInfo> list;
  for (const std::string& name : names) list.push_back({name, {}, query::TypeClass::other});
  return list;
}

TEST(AppendCell, what_json_numbers_cannot_hold_becomes_text) {
  EXPECT_EQ(cell(Cell::real(std::numeric_limits<double>::quiet_NaN())), R"("NaN")");
  EXPECT_EQ(cell(Cell::real(std::numeric_limits<double>::infinity())), R"("Infinity")");
  EXPECT_EQ(cell(Cell::real(-std::numeric_limits<double>::infinity())), R"("-Infinity")");
}

TEST(AppendCell, text_is_escaped) {
  EXPECT_EQ(cell(Cell::view(CellKind::text, "a\"b\\c\n\x01é")), "\"a\\\"b\\\\c\\n\\u0001é\"");
}

TEST(AppendCell, each_kind_has_its_form) {
  EXPECT_EQ(cell(Cell()), "null");
  EXPECT_EQ(cell(Cell::boolean(true)), "true");
  EXPECT_EQ(cell(Cell::boolean(false)), "false");
  EXPECT_EQ(cell(Cell::integer(std::numeric_limits<std::int64_t>::min())), "-9223372036854775808");
  EXPECT_EQ(cell(Cell::real(0.1)), "0.1");
  EXPECT_EQ(cell(Cell::view(CellKind::verbatim, "123456789012345678901234567890.10")),
            "123456789012345678901234567890.10");
  EXPECT_EQ(cell(Cell::view(CellKind::verbatim, R"({"a": [1]})")), R"({"a": [1]})");
  EXPECT_EQ(cell(Cell::view(CellKind::quoted, "2025-01-31T13:00:00+00:00")), R"("2025-01-31T13:00:00+00:00")");
  EXPECT_EQ(cell(Cell::view(CellKind::bytes, std::string_view("\0\xff", 2))), R"("\\x00ff")");
  EXPECT_EQ(cell(Cell::view(CellKind::text, "")), R"("")");
}

TEST(RowEncoder, keys_are_escaped_and_keep_their_order) {
  const auto keys = columns({"b", "a\"", "a"});
  RowEncoder encoder(keys, false);
  Buffer out;
  const Cell cells[] = {Cell::integer(1), Cell(), Cell::integer(3)};
  encoder.append_row(out, cells);
  EXPECT_EQ(out.view(), R"({"b":1,"a\"":null,"a":3})");
}

TEST(RowEncoder, nulls_are_stripped_wherever_they_stand) {
  const auto keys = columns({"a", "b", "c"});
  RowEncoder encoder(keys, true);
  Buffer out;
  const Cell first[] = {Cell(), Cell::integer(2), Cell()};
  const Cell none[] = {Cell(), Cell(), Cell()};
  encoder.append_row(out, first);
  encoder.append_row(out, none);
  EXPECT_EQ(out.view(), R"({"b":2}{})");
}

TEST(RowEncoder, rows_are_separated_across_batches_and_cut_at_the_limit) {
  const auto keys = columns({"a"});
  RowEncoder encoder(keys, false);
  Buffer out;
  const Cell cells[] = {Cell::integer(1), Cell::integer(2)};
  const driver::RowBatch batch{cells, 2, false};
  EXPECT_EQ(encoder.append_rows(out, batch, 10), 2U);
  EXPECT_EQ(encoder.append_rows(out, batch, 1), 1U);
  EXPECT_EQ(encoder.append_rows(out, batch, 0), 0U);
  EXPECT_EQ(out.view(), R"({"a":1},{"a":2},{"a":1})");
  EXPECT_EQ(encoder.rows(), 3U);
}

TEST(RowEncoder, hidden_columns_are_counted_but_not_written) {
  const auto keys = columns({"a", "id"});
  RowEncoder encoder(keys, false, 1);
  Buffer out;
  const Cell cells[] = {Cell::integer(1), Cell::integer(9), Cell::integer(2), Cell::integer(8)};
  encoder.append_rows(out, {cells, 2, true}, 10);
  EXPECT_EQ(out.view(), R"({"a":1},{"a":2})");
  EXPECT_EQ(encoder.width(), 2U);
}

}  // namespace
}  // namespace athena::gateway
