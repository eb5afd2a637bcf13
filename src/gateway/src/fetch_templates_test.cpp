#include "fetch_templates.h"

#include <gmock/gmock.h>

#include <athena/base/json.h>

namespace athena::gateway {
namespace {

using query::Number;
using query::Scalar;
using testing::ElementsAre;
using testing::IsEmpty;

const query::ReadOptions kOptions;

query::FetchRequest read(std::string_view body) {
  const auto document = json::Document::parse(body);
  EXPECT_TRUE(document) << body;
  auto fetch = query::read_fetch(document->root(), kOptions);
  EXPECT_TRUE(fetch) << body;
  return *std::move(fetch);
}

/// As Serve does it: recognised, or read and perhaps learned.
bool ask(FetchTemplates& templates, std::string_view body) {
  if (templates.find(body)) return true;
  templates.learn(read(body), kOptions);
  return false;
}

/// What a recognised body asks for is what reading it gives.
void expect_as_read(FetchTemplates& templates, std::string_view body) {
  const auto recalled = templates.find(body);
  ASSERT_TRUE(recalled) << body;
  query::FetchRequest whole = read(body);
  EXPECT_EQ(recalled->fetch->limit, limit_and_one_more(whole)) << body;
  EXPECT_EQ(recalled->fetch->statement->with(recalled->operands), whole.select) << body;
  EXPECT_EQ(recalled->fetch->strip_nulls, whole.strip_nulls) << body;
  EXPECT_EQ(recalled->fetch->has_strip_nulls_field, whole.has_strip_nulls_field) << body;
}

TEST(FetchTemplates, know_a_body_by_its_text_when_it_comes_the_third_time) {
  FetchTemplates templates;
  EXPECT_FALSE(ask(templates, R"({"table_name":"t","conditions":[{"eq_column":"id","eq_value":1}]})"));
  EXPECT_EQ(templates.size(), 0U) << "what comes once is not kept";
  EXPECT_FALSE(ask(templates, R"({"table_name":"t","conditions":[{"eq_column":"id","eq_value":2}]})"));
  const auto recalled = templates.find(R"({"table_name":"t","conditions":[{"eq_column":"id","eq_value":-37}]})");
  ASSERT_TRUE(recalled);
  EXPECT_THAT(recalled->operands, ElementsAre(Scalar(Number{"-37"})));
  EXPECT_EQ(recalled->fetch->limit, 100U);
  EXPECT_EQ(recalled->fetch->statement->select.limit, 101U);
}

TEST(FetchTemplates, give_what_reading_would) {
  const std::pair<std::string_view, std::string_view> bodies[] = {
      {R"({"view_name":"t"})", R"({"view_name":"t"})"},
      {R"({"table_name":"s.t","columns":["a","b:c::int"],"limit":5,"offset":2,"strip_nulls":true})",
       R"({"table_name":"s.t","columns":["a","b:c::int"],"limit":5,"offset":2,"strip_nulls":true})"},
      {R"({"table_name":"t","conditions":[{"eq_column":"a","eq_value":"x"},{"eq_column":"b","eq_value":7}]})",
       R"({"table_name":"t","conditions":[{"eq_column":"a","eq_value":"' --$1;"},{"eq_column":"b","eq_value":0}]})"},
      {R"({"table_name":"t","conditions":[{"operator":"eq","column":"a","value":"x"}],"sort_by":{"field":"a"}})",
       R"({"table_name":"t","conditions":[{"operator":"eq","column":"a","value":"null"}],"sort_by":{"field":"a"}})"},
      // Both forms in one, as the SDK writes them.
      {R"({"table_name":"t","conditions":[{"eq_column":"a","eq_value":"x","operator":"eq","column":"a","value":"x"},)"
       R"({"eq_column":"b","eq_value":1,"operator":"eq","column":"b","value":1}]})",
       R"({"table_name":"t","conditions":[{"eq_column":"a","eq_value":"yz","operator":"eq","column":"a","value":"yz"},)"
       R"({"eq_column":"b","eq_value":22,"operator":"eq","column":"b","value":22}]})"},
      {R"({"table_name":"t","conditions":[{"eq_value":"same","eq_column":"a"},{"eq_column":"b","eq_value":"same"}]})",
       R"({"table_name":"t","conditions":[{"eq_value":"one","eq_column":"a"},{"eq_column":"b","eq_value":"two"}]})"},
      {"{\"table_name\":\"t\",\n\"conditions\": [ {\"eq_column\":\"a\",\"eq_value\":1\n}\t]}",
       "{\"table_name\":\"t\",\n\"conditions\": [ {\"eq_column\":\"a\",\"eq_value\":123456789012345678\n}\t]}"},
  };
  for (const auto& [first, then] : bodies) {
    FetchTemplates templates;
    ask(templates, first), ask(templates, first);
    expect_as_read(templates, then);
  }
}

TEST(FetchTemplates, take_no_value_for_one_of_a_condition_that_is_none) {
  const std::string_view bodies[] = {
      // Members that are ignored, in front of one that is not seen for its space.
      R"({"eq_value":5,"view_name":"t","conditions":[{"eq_column":"a","eq_value":5},{"eq_column":"b","eq_value" :5}]})",
      R"({"value":"x","table_name":"t","conditions":[{"eq_column":"a","eq_value" :"x"}]})",
      R"({"table_name":"t","extra":{"value":3},"conditions":[{"eq_column":"a","eq_value": 3}]})",
      // The same, with a value that might stand in for the ignored one.
      R"({"value":5,"table_name":"t","conditions":[{"eq_column":"a","eq_value" :700000000000000}]})",
      R"({"value":5,"table_name":"t","conditions":[{"eq_column":"a","eq_value" :900000000000000}]})",
      R"({"value":"x","table_name":"t","conditions":[{"eq_column":"a","eq_value":"\u0076alue 900000000000000"}]})",
      // Other operators, lists, trees, null, booleans, and what has an escape.
      R"({"table_name":"t","conditions":[{"operator":"gt","column":"a","value":3}]})",
      R"({"table_name":"t","conditions":[{"operator":"in","column":"a","value":[1,2]}]})",
      R"({"table_name":"t","conditions":[{"or":[{"eq_column":"a","eq_value":1},{"eq_column":"a","eq_value":2}]}]})",
      R"({"table_name":"t","conditions":[{"not":{"eq_column":"a","eq_value":1}}]})",
      R"({"table_name":"t","conditions":[{"eq_column":"a->>b","eq_value":1}]})",
      R"({"table_name":"t","conditions":[{"eq_column":"a","eq_value":null}]})",
      R"({"table_name":"t","conditions":[{"eq_column":"a","eq_value":true}]})",
      R"({"table_name":"t","conditions":[{"eq_column":"a","eq_value":"a\"b"}]})",
      R"({"table_name":"t","conditions":[{"eq_column":"a","eq_value":"ä"}]})",
      R"({"table_name":"t","conditions":[{"eq_column":"a","eq_value":1.5}]})",
      R"({"table_name":"t","conditions":[{"eq_column":"a","eq_value":1234567890123456789}]})",
      // What needs more than rows.
      R"({"table_name":"t","count":"exact"})",
      R"({"table_name":"t","head":true})",
      R"({"table_name":"t","cursor":true})",
      R"({"table_name":"t","group_by":"a"})",
  };
  FetchTemplates templates;
  for (const std::string_view body : bodies) {
    for (int i = 0; i < 4; ++i) EXPECT_FALSE(ask(templates, body)) << body;
  }
  EXPECT_EQ(templates.size(), 0U);
}

TEST(FetchTemplates, do_not_know_what_only_looks_alike) {
  FetchTemplates templates;
  const std::string_view known = R"({"table_name":"t","conditions":[{"eq_column":"a","eq_value":1}]})";
  ask(templates, known), ask(templates, known);
  ASSERT_TRUE(templates.find(known));
  const std::string_view others[] = {
      R"({"table_name":"t","conditions":[{"eq_column":"a","eq_value":"1"}]})",            // another kind
      R"({"table_name":"u","conditions":[{"eq_column":"a","eq_value":1}]})",              // another table
      R"({"table_name":"t","conditions":[{"eq_column":"a","eq_value":1}]} )",             // another text
      R"({"table_name":"t","conditions":[{"eq_column":"a","eq_value":01}]})",             // no JSON
      R"({"table_name":"t","conditions":[{"eq_column":"a","eq_value":1x}]})",             // no JSON
      R"({"table_name":"t","conditions":[{"eq_column":"a","eq_value":-}]})",              // no JSON
      R"({"table_name":"t","conditions":[{"eq_column":"a","eq_value":1)",                 // half of it
      "{\"table_name\":\"t\",\"conditions\":[{\"eq_column\":\"a\",\"eq_value\":\x01}]}",  // our own mark
      "",
  };
  for (const std::string_view other : others) EXPECT_FALSE(templates.find(other)) << other;
}

TEST(FetchTemplates, a_value_said_twice_must_be_the_same_both_times) {
  FetchTemplates templates;
  const std::string_view known =
      R"({"table_name":"t","conditions":[{"eq_column":"a","eq_value":1,"operator":"eq","column":"a","value":1}]})";
  ask(templates, known), ask(templates, known);
  EXPECT_TRUE(templates.find(known));
  EXPECT_FALSE(templates.find(
      R"({"table_name":"t","conditions":[{"eq_column":"a","eq_value":1,"operator":"eq","column":"a","value":2}]})"));
}

TEST(FetchTemplates, forget_when_they_are_too_many_and_when_told) {
  FetchTemplates templates;
  for (std::size_t i = 0; i <= FetchTemplates::kMost; ++i) {
    const std::string body = R"({"table_name":"t)" + std::to_string(i) + R"("})";
    ask(templates, body), ask(templates, body);
  }
  EXPECT_EQ(templates.size(), 1U);
  templates.clear();
  EXPECT_EQ(templates.size(), 0U);
  const std::string long_body = R"({"table_name":")" + std::string(FetchTemplates::kMaxBodyBytes, 't') + R"("})";
  EXPECT_FALSE(templates.find(long_body));
}

}  // namespace
}  // namespace athena::gateway
