#include <gtest/gtest.h>

#include <athena/query/read_json.h>

namespace athena::query {
namespace {

using Join = Filter::Join;

Filter read(std::string_view text, Join join = Join::all_of) {
  auto filter = read_filter_text(text, join, ReadOptions());
  EXPECT_TRUE(filter.has_value()) << text << ": " << (filter ? "" : filter.error().error);
  return filter.value_or(Filter());
}

Code refusal(std::string_view text, const ReadOptions& options = {}) {
  const auto filter = read_filter_text(text, Join::any_of, options);
  EXPECT_FALSE(filter.has_value()) << text;
  return filter ? Code::internal_error : filter.error().code;
}

const Predicate& first(const Filter& filter) {
  return std::get<Predicate>(filter.terms.at(0));
}

TEST(FilterText, malformed_text_is_refused) {
  for (const std::string_view text : {"",
                                      " ",
                                      ",",
                                      "a",
                                      "a.",
                                      "a.eq",
                                      ".eq.1",
                                      "a..1",
                                      "eq.1",
                                      "a.eq.1,",
                                      ",a.eq.1",
                                      "or(",
                                      "or()",
                                      "or(a.eq.1",
                                      "or(a.eq.1))",
                                      "not.",
                                      "not.or(",
                                      "a.in.",
                                      "a.in.1",
                                      "a.in.(1",
                                      "a.in.(1,",
                                      "a.between.(1)",
                                      "a.between.(1,2,3)",
                                      "a.is.",
                                      "a.is.x",
                                      "a.gt.null",
                                      "a.cs.{",
                                      "a.cs.[1",
                                      "(a.eq.1",
                                      "a->.eq.1",
                                      "a->>b->c.eq.1",
                                      "a.eq(x).1",
                                      "a.not.eq"}) {
    EXPECT_EQ(refusal(text), Code::invalid_condition) << text;
  }
}

TEST(FilterText, unknown_operators_are_refused) {
  EXPECT_EQ(refusal("a.resembles.1"), Code::unknown_operator);
}

TEST(FilterText, text_that_is_not_utf8_is_refused) {
  EXPECT_EQ(refusal("a.eq.\xff"), Code::invalid_encoding);
  EXPECT_EQ(refusal(std::string_view("a.eq.\0", 6)), Code::invalid_encoding);
}

TEST(FilterText, depth_is_bounded) {
  std::string text = "a.eq.1";
  for (int i = 0; i < 500; ++i) text = "and(" + text + ")";
  EXPECT_EQ(refusal(text), Code::limit_exceeded);
}

TEST(FilterText, the_number_of_conditions_is_bounded) {
  std::string text = "a.eq.1";
  for (int i = 0; i < 1'000; ++i) text += ",a.eq.1";
  EXPECT_EQ(refusal(text), Code::limit_exceeded);
}

TEST(FilterText, the_length_of_lists_is_bounded) {
  ReadOptions options;
  options.max_list = 3;
  EXPECT_EQ(refusal("a.in.(1,2,3,4)", options), Code::limit_exceeded);
  EXPECT_EQ(refusal("a.in.(1,2),b.in.(3,4)", options), Code::limit_exceeded);
}

/// Each of these once made a reader look at the rest of the text for each of its pieces.
TEST(FilterText, long_hostile_text_takes_no_time) {
  for (const std::string_view piece : {"\"", "(", "{", "[", ",", "\\", "a.in.(\"", "->", "not."}) {
    std::string text;
    while (text.size() < 2'000'000) text += piece;
    for (const std::string& hostile : {text, "a.eq." + text, "a.in.(" + text, "a.cs.{" + text, "or(" + text}) {
      EXPECT_FALSE(read_filter_text(hostile, Join::any_of, ReadOptions()).has_value() && hostile.starts_with("or("));
    }
  }
}

TEST(FilterText, bare_words_are_what_they_look_like) {
  EXPECT_EQ(first(read("a.eq.5")).operands.at(0), Scalar(Number{"5"}));
  EXPECT_EQ(first(read("a.eq.-1.50e3")).operands.at(0), Scalar(Number{"-1.50e3"}));
  EXPECT_EQ(first(read("a.eq.true")).operands.at(0), Scalar(true));
  EXPECT_EQ(first(read("a.eq.null")).operands.at(0), Scalar(std::monostate()));
  EXPECT_EQ(first(read("a.eq.007")).operands.at(0), Scalar(std::string("007")));
  EXPECT_EQ(first(read("a.eq.")).operands.at(0), Scalar(std::string()));
  EXPECT_EQ(first(read("a.eq. x ")).operands.at(0), Scalar(std::string(" x")));
}

TEST(FilterText, quoted_words_are_texts) {
  EXPECT_EQ(first(read("a.eq.\"5\"")).operands.at(0), Scalar(std::string("5")));
  EXPECT_EQ(first(read("a.eq.\"x,y).\\\"\\\\\"")).operands.at(0), Scalar(std::string("x,y).\"\\")));
}

TEST(FilterText, quotes_that_do_not_end_are_characters) {
  EXPECT_EQ(first(read("a.eq.\"x")).operands.at(0), Scalar(std::string("\"x")));
  EXPECT_EQ(first(read("a.eq.\"x\"y")).operands.at(0), Scalar(std::string("\"x\"y")));
  EXPECT_EQ(first(read("a.eq.5\" pipe")).operands.at(0), Scalar(std::string("5\" pipe")));
}

TEST(FilterText, the_joint_is_the_callers) {
  EXPECT_EQ(read("a.eq.1,b.eq.2", Join::any_of).join, Join::any_of);
  EXPECT_EQ(read("(a.eq.1,b.eq.2)", Join::any_of).terms.size(), 2U);
}

TEST(FilterText, not_turns_terms_and_trees) {
  EXPECT_TRUE(first(read("not.a.eq.1")).negated);
  EXPECT_TRUE(first(read("a.not.eq.1")).negated);
  EXPECT_FALSE(first(read("not.a.not.eq.1")).negated);
  EXPECT_TRUE(std::get<Filter>(read("not.and(a.eq.1,b.eq.2)").terms.at(0)).negated);
}

TEST(FilterText, columns_may_be_paths_and_quoted) {
  const Filter path = read("a->b->0->>c.eq.1");
  EXPECT_EQ(first(path).column.path.size(), 3U);
  EXPECT_TRUE(first(path).column.path[1].is_index);
  EXPECT_TRUE(first(path).column.path_as_text);
  EXPECT_EQ(first(read("\"a.b\"->>\"c.d\".eq.1")).column.name, "a.b");
  EXPECT_EQ(first(read("\"a.b\"->>\"c.d\".eq.1")).column.path.at(0).key, "c.d");
}

TEST(FilterText, ranges_may_mix_brackets) {
  EXPECT_EQ(first(read("a.ov.[1,5),b.eq.1")).operands.at(0), Scalar(std::string("[1,5)")));
}

}  // namespace
}  // namespace athena::query
