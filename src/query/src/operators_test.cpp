#include <athena/query/operators.h>

#include <cctype>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include <athena/base/text.h>

namespace athena::query {
namespace {

TEST(Operators, unknown_names_are_not_found) {
  for (const std::string_view name : {"", " ", "eqq", "eq ", "=>", "like%"})
    EXPECT_EQ(find_operator(name), nullptr) << name;
}

TEST(Operators, are_found_by_name_and_alias_in_any_case) {
  for (const OpRow& row : operator_rows()) {
    EXPECT_EQ(find_operator(row.name), &row);
    std::string upper(row.name);
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    EXPECT_EQ(find_operator(upper), &row);
    for (const std::string_view alias : row.aliases) EXPECT_EQ(find_operator(alias), &row) << alias;
  }
}

TEST(Operators, no_spelling_means_two_things) {
  std::set<std::string> spellings;
  for (const OpRow& row : operator_rows()) {
    EXPECT_TRUE(spellings.insert(text::to_lower(row.name)).second) << row.name;
    for (const std::string_view alias : row.aliases)
      EXPECT_TRUE(spellings.insert(text::to_lower(alias)).second) << alias;
  }
}

TEST(Operators, row_of_an_enumerator_is_its_own) {
  for (const OpRow& row : operator_rows()) EXPECT_EQ(&operator_row(row.op), &row);
}

/// A placeholder that the printer does not know would be printed as an operand.
TEST(Operators, templates_use_known_placeholders_and_all_operands) {
  for (const OpRow& row : operator_rows()) {
    EXPECT_FALSE(row.postgres.empty()) << row.name << " cannot be expressed anywhere";
    for (const std::string_view text : {row.postgres, row.sqlite}) {
      for (std::size_t at = text.find('{'); at != std::string_view::npos; at = text.find('{', at + 1)) {
        ASSERT_LT(at + 2, text.size()) << row.name;
        EXPECT_NE(std::string_view("ctv12w").find(text[at + 1]), std::string_view::npos) << row.name;
        EXPECT_EQ(text[at + 2], '}') << row.name;
      }
      if (text.empty()) continue;
      EXPECT_EQ(text.contains("{2}"), row.arity == Arity::two) << row.name;
      EXPECT_EQ(text.contains("{w}"), row.arity == Arity::word) << row.name;
    }
  }
}

TEST(Operators, the_contract_has_these) {
  for (const std::string_view name :
       {"eq",       "neq",    "gt",    "gte",   "lt",   "lte",         "like",      "ilike",
        "match",    "imatch", "in",    "nin",   "is",   "isdistinct",  "contains",  "containedBy",
        "overlaps", "fts",    "plfts", "phfts", "wfts", "starts_with", "ends_with", "between"}) {
    ASSERT_NE(find_operator(name), nullptr) << name;
    EXPECT_EQ(find_operator(name)->name, name);
  }
}

}  // namespace
}  // namespace athena::query
