#include "scylla/kept_template.h"

#include <gmock/gmock.h>

#include "template_fixture.h"

namespace athena::driver::scylla {
namespace {

using query::Number;
using query::Scalar;
using testing::ElementsAre;

/// A table with a key of two columns.
query::Schema schema() {
  query::TableDef table;
  table.schema = "ks";
  table.name = "t";
  for (const char* name : {"id", "part", "body"}) {
    query::ColumnDef& column = table.columns.emplace_back();
    column.name = name;
    column.type = query::TypeClass::text;
    column.type_name = "text";
  }
  table.primary_key = {0, 1};
  table.partition_columns = 1;
  return query::Schema({table}, {"ks"});
}

TEST(CqlKeptTemplate, knows_which_operand_is_which_parameter) {
  const query::SelectTemplate of = template_of({{"part", std::string("b")}, {"id", std::string("a")}});
  const KeptTemplate kept = KeptTemplate::make(of, schema(), {});
  ASSERT_TRUE(kept.is_kept);
  EXPECT_THAT(kept.sources, ElementsAre(1U, 0U)) << "CQL orders them by the table";
  const std::vector<Scalar> operands = {Number{"7"}, std::string("x' OR 1")};
  const auto printed = query::to_cql(of.with(operands), schema(), {});
  ASSERT_TRUE(printed);
  EXPECT_EQ(printed->statements[0].cql, kept.printed.statements[0].cql);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(printed->statements[0].params[i].value, operands[kept.sources[i]]);
}

TEST(CqlKeptTemplate, is_none_of_what_depends_on_the_values_or_fails) {
  EXPECT_FALSE(
      KeptTemplate::make(template_of({{"id", std::string("a")}, {"id", std::string("b")}}), schema(), {}).is_kept);
  EXPECT_FALSE(
      KeptTemplate::make(template_of({{"id", std::string("a")}, {"part", std::string("a")}}), schema(), {}).is_kept)
      << "its operands cannot be told apart";
  EXPECT_FALSE(KeptTemplate::make(template_of({{"no", std::string("a")}}), schema(), {}).is_kept);
  EXPECT_FALSE(KeptTemplate::make(template_of({{"body", std::string("a")}}), schema(), {}).is_kept)
      << "no index serves it";
}

}  // namespace
}  // namespace athena::driver::scylla
