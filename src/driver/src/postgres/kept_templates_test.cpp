#include "postgres/kept_templates.h"

#include <gmock/gmock.h>

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

std::shared_ptr<const query::SelectTemplate> where(std::vector<std::pair<std::string, Scalar>> conditions) {
  auto of = std::make_shared<query::SelectTemplate>();
  of->select.from.name = "t";
  of->select.limit = 101;
  for (auto& [column, value] : conditions) {
    query::Predicate predicate;
    predicate.column.name = column;
    predicate.operands.push_back(value);
    of->select.where.terms.emplace_back(predicate);
  }
  return of;
}

const query::PrintOptions kOptions;

TEST(KeptTemplates, are_printed_once_for_a_schema) {
  KeptTemplates templates;
  const auto schema = schema_with({TypeClass::integer, TypeClass::text});
  const auto of = where({{"a", Number{"1"}}});
  const auto kept = templates.get(of, schema, kOptions);
  EXPECT_TRUE(kept->goes_on_lane);
  EXPECT_TRUE(kept->may_share);
  EXPECT_EQ(templates.get(of, schema, kOptions), kept);
  EXPECT_NE(templates.get(where({{"a", Number{"1"}}}), schema, kOptions), kept) << "it goes by the object";
  EXPECT_EQ(templates.size(), 2U);
  const auto other = schema_with({TypeClass::text, TypeClass::text});
  EXPECT_NE(templates.get(of, other, kOptions), kept);
  EXPECT_EQ(templates.size(), 1U);
  query::PrintOptions snake = kOptions;
  snake.names.camel_to_snake = true;
  templates.get(of, other, snake);
  EXPECT_EQ(templates.size(), 1U);
}

TEST(KeptTemplates, bind_what_printing_would) {
  const auto schema = schema_with({TypeClass::integer, TypeClass::text, TypeClass::uuid, TypeClass::boolean});
  const auto of =
      where({{"b", Number{"1"}}, {"a", std::string("x")}, {"c", std::string("x")}, {"d", std::string("x")}});
  const std::vector<Scalar> operands = {Number{"-42"}, std::string("7"), std::string("{[\"'"), std::string("yes")};
  KeptTemplates templates;
  const auto kept = templates.get(of, schema, kOptions);
  ASSERT_TRUE(kept->goes_on_lane);
  const auto printed = query::to_sql(of->with(operands), *schema, kOptions);
  ASSERT_TRUE(printed);
  EXPECT_EQ(kept->printed.sql, printed->sql);
  EXPECT_THAT(KeptTemplate::bind(operands), testing::ElementsAreArray(printed->params));
}

TEST(KeptTemplates, leave_to_printing_what_is_spelled_by_its_value) {
  const auto schema = schema_with({TypeClass::integer, TypeClass::json, TypeClass::array});
  KeptTemplates templates;
  EXPECT_FALSE(templates.get(where({{"b", std::string("x")}}), schema, kOptions)->goes_on_lane);
  EXPECT_FALSE(templates.get(where({{"a", Number{"1"}}, {"c", std::string("x")}}), schema, kOptions)->goes_on_lane);
}

TEST(KeptTemplates, leave_to_printing_what_is_an_error_or_no_short_answer) {
  const auto schema = schema_with({TypeClass::integer, TypeClass::text});
  KeptTemplates templates;
  EXPECT_FALSE(templates.get(where({{"no", Number{"1"}}}), schema, kOptions)->goes_on_lane);
  auto unbounded = std::make_shared<query::SelectTemplate>(*where({{"b", std::string("x")}}));
  unbounded->select.limit.reset();
  EXPECT_FALSE(templates.get(unbounded, schema, kOptions)->goes_on_lane);
}

TEST(KeptTemplates, have_a_bound) {
  const auto schema = schema_with({TypeClass::integer});
  KeptTemplates templates;
  for (std::size_t i = 0; i <= KeptTemplates::kMost; ++i) templates.get(where({{"a", Number{"1"}}}), schema, kOptions);
  EXPECT_EQ(templates.size(), 1U);
}

}  // namespace
}  // namespace athena::driver::postgres
