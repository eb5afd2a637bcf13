#include "postgres/kept_template.h"

#include <gmock/gmock.h>

#include "template_fixture.h"

namespace athena::driver::postgres {
namespace {

using query::Number;
using query::Scalar;
using query::TypeClass;

std::shared_ptr<const query::Schema> schema_with(std::vector<query::TypeClass> types) {
  query::TableDef table;
  table.schema = "public";
  table.name = "t";
  for (const TypeClass type : types) {
    query::ColumnDef& column = table.columns.emplace_back();
    column.name = std::string(1, static_cast<char>('a' + table.columns.size() - 1));
    column.type = type;
  }
  table.primary_key = {0};
  table.reads_alone = true;
  return std::make_shared<query::Schema>(std::vector{table}, std::vector<std::string>{"public"});
}

TEST(KeptTemplate, of_a_read_by_key_goes_on_a_lane_and_may_share) {
  const auto schema = schema_with({TypeClass::integer, TypeClass::text});
  const KeptTemplate kept = KeptTemplate::make(template_of({{"a", Number{"1"}}}), *schema, {});
  EXPECT_TRUE(kept.goes_on_lane);
  EXPECT_TRUE(kept.may_share);
  EXPECT_FALSE(KeptTemplate::make(template_of({{"b", std::string("x")}}), *schema, {}).may_share);
}

TEST(KeptTemplate, bind_what_printing_would) {
  const auto schema = schema_with({TypeClass::integer, TypeClass::text, TypeClass::uuid, TypeClass::boolean});
  const auto of =
      template_of({{"b", Number{"1"}}, {"a", std::string("x")}, {"c", std::string("x")}, {"d", std::string("x")}});
  const std::vector<Scalar> operands = {Number{"-42"}, std::string("7"), std::string("{[\"'"), std::string("yes")};
  const KeptTemplate kept = KeptTemplate::make(of, *schema, {});
  ASSERT_TRUE(kept.goes_on_lane);
  const auto printed = query::to_sql(of.with(operands), *schema, {});
  ASSERT_TRUE(printed);
  EXPECT_EQ(kept.printed.sql, printed->sql);
  EXPECT_THAT(KeptTemplate::bind(operands), testing::ElementsAreArray(printed->params));
}

TEST(KeptTemplate, leave_to_printing_what_is_spelled_by_its_value) {
  const auto schema = schema_with({TypeClass::integer, TypeClass::json, TypeClass::array});
  EXPECT_FALSE(KeptTemplate::make(template_of({{"b", std::string("x")}}), *schema, {}).goes_on_lane);
  EXPECT_FALSE(
      KeptTemplate::make(template_of({{"a", Number{"1"}}, {"c", std::string("x")}}), *schema, {}).goes_on_lane);
}

TEST(KeptTemplate, leave_to_printing_what_is_an_error_or_no_short_answer) {
  const auto schema = schema_with({TypeClass::integer, TypeClass::text});
  EXPECT_FALSE(KeptTemplate::make(template_of({{"no", Number{"1"}}}), *schema, {}).goes_on_lane);
  query::SelectTemplate unbounded = template_of({{"b", std::string("x")}});
  unbounded.select.limit.reset();
  EXPECT_FALSE(KeptTemplate::make(unbounded, *schema, {}).goes_on_lane);
}

}  // namespace
}  // namespace athena::driver::postgres
