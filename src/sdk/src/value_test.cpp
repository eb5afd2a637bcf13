#include <athena/sdk/value.h>

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace athena::sdk {
namespace {

TEST(Value, numbers_keep_their_digits) {
  EXPECT_EQ(Value(std::numeric_limits<std::int64_t>::min()).as_text(), "-9223372036854775808");
  EXPECT_EQ(Value(std::numeric_limits<std::uint64_t>::max()).as_text(), "18446744073709551615");
  EXPECT_EQ(Value(0.1).as_text(), "0.1");
  EXPECT_EQ(Value(query::Scalar(query::Number{"1.10"})).as_text(), "1.10");
}

TEST(Value, is_read_as_what_it_is_and_nothing_else) {
  EXPECT_EQ(Value(7).as_integer(), 7);
  EXPECT_EQ(Value(7.5).as_integer(), std::nullopt);
  EXPECT_EQ(Value("7").as_integer(), std::nullopt);
  EXPECT_EQ(Value(7.5).as_double(), 7.5);
  EXPECT_EQ(Value(true).as_bool(), true);
  EXPECT_EQ(Value(1).as_bool(), std::nullopt);
  EXPECT_EQ(Value(std::numeric_limits<std::uint64_t>::max()).as_integer(), std::nullopt);
  EXPECT_TRUE(Value(nullptr).is_null());
  EXPECT_EQ(Value().as_text(), std::nullopt);
}

TEST(Value, what_json_has_no_number_for_is_text_and_still_a_double) {
  EXPECT_EQ(Value(std::nan("")).as_text(), "NaN");
  EXPECT_TRUE(std::isnan(*Value(std::nan("")).as_double()));
  EXPECT_EQ(Value(-std::numeric_limits<double>::infinity()).as_double(), -std::numeric_limits<double>::infinity());
}

TEST(Value, an_optional_is_its_value_or_null) {
  EXPECT_EQ(Value(std::optional<int>(3)), Value(3));
  EXPECT_TRUE(Value(std::optional<std::string>()).is_null());
}

TEST(QueryResult, is_written_as_json_with_digits_and_documents_as_they_are) {
  QueryResult result;
  result.columns = {"id", "note", "doc", "none"};
  result.rows = {{Value(query::Scalar(query::Number{"1.10"})), "say \"hi\"", Json{"[1, 2]"}, nullptr}};
  EXPECT_EQ(result.to_json(), R"([{"id":1.10,"note":"say \"hi\"","doc":[1, 2],"none":null}])");
}

TEST(QueryResult, what_is_not_there_is_null) {
  QueryResult result;
  result.columns = {"id"};
  result.rows = {{1}};
  EXPECT_EQ(result.at(0, "id"), Value(1));
  EXPECT_TRUE(result.at(0, "ID").is_null());
  EXPECT_TRUE(result.at(1, "id").is_null());
}

}  // namespace
}  // namespace athena::sdk
