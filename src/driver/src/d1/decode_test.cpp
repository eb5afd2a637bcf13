#include "d1/decode.h"

#include <cmath>

#include <gmock/gmock.h>

namespace athena::driver::d1 {
namespace {

using query::TypeClass;

class D1Decode : public testing::Test {
 protected:
  Result<Cell> cell(std::string_view json, TypeClass type) {
    document_.emplace(json::Document::parse(json).value());
    return decode(document_->root(), {.name = "c", .type_name = {}, .type = type}, batch_);
  }
  sqlite::Batch batch_;
  std::optional<json::Document> document_;
};

TEST_F(D1Decode, by_the_declared_type) {
  EXPECT_TRUE(cell("null", TypeClass::integer)->is_null());
  EXPECT_EQ(cell("1", TypeClass::boolean)->kind(), CellKind::boolean);
  EXPECT_EQ(cell("2", TypeClass::boolean)->integer(), 2);
  EXPECT_EQ(cell("\"true\"", TypeClass::boolean)->kind(), CellKind::boolean);
  EXPECT_EQ(cell("5", TypeClass::real)->real(), 5.0);
  EXPECT_EQ(cell("100000000000000000000", TypeClass::real)->real(), 1e20);
  EXPECT_EQ(cell("5.25", TypeClass::other)->real(), 5.25);
  EXPECT_EQ(cell("\"{\\\"a\\\":1}\"", TypeClass::json)->kind(), CellKind::verbatim);
  EXPECT_EQ(cell("\"12.50\"", TypeClass::decimal)->kind(), CellKind::verbatim);
  EXPECT_EQ(cell("\"2025-01-01T00:00:00Z\"", TypeClass::timestamptz)->kind(), CellKind::quoted);
  EXPECT_EQ(cell("\"a\"", TypeClass::text)->view(), "a");
}

TEST_F(D1Decode, integers_exactly_or_not_at_all) {
  EXPECT_EQ(cell("\"9223372036854775807\"", TypeClass::integer)->integer(), INT64_MAX);
  EXPECT_EQ(cell("9007199254740991", TypeClass::integer)->integer(), 9'007'199'254'740'991);
  for (const TypeClass type : {TypeClass::integer, TypeClass::other, TypeClass::decimal}) {
    const auto rounded = cell("9223372036854776000", type);
    ASSERT_FALSE(rounded);
    EXPECT_EQ(rounded.error().code, Code::value_out_of_range);
    EXPECT_THAT(rounded.error().hint, testing::HasSubstr("CAST"));
  }
  EXPECT_FALSE(cell("-9007199254740992", TypeClass::other));
}

TEST_F(D1Decode, infinities_of_columns_of_reals) {
  EXPECT_TRUE(std::isinf(cell("\"Inf\"", TypeClass::real)->real()));
  EXPECT_LT(cell("\"-Inf\"", TypeClass::real)->real(), 0);
  EXPECT_EQ(cell("\"Inf\"", TypeClass::text)->kind(), CellKind::text);
}

TEST_F(D1Decode, bytes_by_the_mark_or_in_columns_of_bytes) {
  const auto marked = cell(R"({"__athena_blob_hex":"00fF"})", TypeClass::other);
  ASSERT_TRUE(marked);
  EXPECT_EQ(marked->view(), std::string_view("\0\xff", 2));
  EXPECT_EQ(cell("[0,255]", TypeClass::bytes)->view(), std::string_view("\0\xff", 2));
  EXPECT_EQ(cell("[]", TypeClass::bytes)->kind(), CellKind::bytes);
  // Elsewhere an array of small numbers is what it says.
  EXPECT_EQ(cell("[0,255]", TypeClass::json)->kind(), CellKind::verbatim);
  EXPECT_EQ(cell("[]", TypeClass::other)->view(), "[]");
  EXPECT_FALSE(cell(R"({"__athena_blob_hex":"0"})", TypeClass::other));
  EXPECT_FALSE(cell(R"({"__athena_blob_hex":"zz"})", TypeClass::other));
  EXPECT_FALSE(cell("[256]", TypeClass::bytes));
  EXPECT_EQ(cell(R"({"__athena_blob_hex":"00","a":1})", TypeClass::other)->kind(), CellKind::verbatim);
}

std::unique_ptr<ProxyReply> reply(std::string body) {
  return read_reply({.status = 200, .headers = {}, .body = std::move(body)}).value();
}

TEST(D1Columns, have_the_names_of_the_reply_and_the_types_of_the_compiler) {
  const std::vector<ColumnInfo> compiled = {{"b", "INTEGER", TypeClass::integer}, {"a", "TEXT", TypeClass::text}};
  auto columns = native_columns(*reply(R"({"rows":[{"a":1,"b":2}],"columns":["a","b"]})"), compiled);
  ASSERT_EQ(columns.size(), 2U);
  EXPECT_EQ(columns[0].type_name, "TEXT");
  columns = native_columns(*reply(R"({"rows":[]})"), compiled);
  ASSERT_EQ(columns.size(), 2U);
  EXPECT_EQ(columns[0].name, "b");
  columns = native_columns(*reply(R"({"rows":[{"x":1,"y":2}]})"), {});
  ASSERT_EQ(columns.size(), 2U);
  EXPECT_EQ(columns[1].name, "y");
  EXPECT_TRUE(native_columns(*reply(R"({"rows":[nonsense]})"), {}).empty());
}

}  // namespace
}  // namespace athena::driver::d1
