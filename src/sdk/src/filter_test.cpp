#include <athena/sdk/filter.h>

#include <gtest/gtest.h>

namespace athena::sdk {
namespace {

std::optional<Code> code_of(const Filter& filter) {
  return filter.error() ? std::optional(filter.error()->code) : std::nullopt;
}

TEST(Filter, what_an_operator_cannot_take_is_an_error_of_the_statement) {
  EXPECT_EQ(code_of(gt("a", nullptr)), Code::invalid_condition);
  EXPECT_EQ(code_of(between("a", 1, nullptr)), Code::invalid_condition);
  EXPECT_EQ(code_of(in("a", {1, Json{"[]"}})), Code::invalid_condition);
  EXPECT_EQ(code_of(contains("a", nullptr)), Code::invalid_condition);
  EXPECT_EQ(code_of(compare("a", query::Op::eq, {1, 2})), Code::invalid_condition);
  EXPECT_EQ(code_of(compare("a", query::Op::is, {"null; drop"})), Code::invalid_condition);
  EXPECT_EQ(code_of(any_of({})), Code::invalid_condition);
}

TEST(Filter, malformed_columns_json_and_text_are_refused) {
  EXPECT_EQ(code_of(eq("", 1)), Code::invalid_value);
  EXPECT_EQ(code_of(eq("a->", 1)), Code::invalid_value);
  EXPECT_EQ(code_of(contains("a", Json{"[1,"})), Code::malformed_json);
  EXPECT_EQ(code_of(eq("a", "\xff")), Code::invalid_encoding);
}

TEST(Filter, an_error_within_is_the_error_of_the_whole) {
  EXPECT_EQ(code_of(all_of({eq("a", 1), any_of({gt("b", nullptr)})})), Code::invalid_condition);
  EXPECT_EQ(code_of(negated(gt("b", nullptr))), Code::invalid_condition);
}

TEST(Filter, equality_takes_null) {
  EXPECT_FALSE(eq("a", nullptr).error());
  EXPECT_FALSE(neq("a", nullptr).error());
}

TEST(Filter, is_joined_and_negated_as_values) {
  const Filter filter = negated(any_of({eq("a", 1), is("b", Is::not_null)}));
  const auto& joined = std::get<query::Filter>(filter.term());
  EXPECT_TRUE(joined.negated);
  EXPECT_EQ(joined.join, query::Filter::Join::any_of);
  ASSERT_EQ(joined.terms.size(), 2U);
  EXPECT_EQ(std::get<query::Predicate>(joined.terms[1]).operands.at(0), query::Scalar(std::string("not_null")));
  EXPECT_FALSE(std::get<query::Filter>(negated(filter).term()).negated);
}

}  // namespace
}  // namespace athena::sdk
