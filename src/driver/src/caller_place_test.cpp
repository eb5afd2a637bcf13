#include "caller_place.h"

#include <map>
#include <string>

#include <gmock/gmock.h>

namespace athena::driver {
namespace {

using testing::ElementsAre;
using testing::Pair;

std::map<std::string, std::string> details(const Error& error) {
  std::map<std::string, std::string> found;
  for (const auto& [name, value] : error.fields) found[std::string(name)] = value;
  return found;
}

TEST(CallerPlace, a_position_becomes_line_and_column_in_characters) {
  const std::string_view text = "SELECT 'ä',\n  'öü', nope";
  Error error(Code::undefined_column, "no such column");
  error.fields.emplace_back("position", "21");  // n of nope
  add_place(error, {.text = text, .end = text.size()});
  EXPECT_EQ(error.error, "no such column");
  EXPECT_THAT(details(error), ElementsAre(Pair("line", "2"), Pair("line_column", "9"), Pair("position", "21")));
}

TEST(CallerPlace, a_position_behind_the_end_is_the_end) {
  Error error(Code::syntax_error, "at end of input");
  error.fields.emplace_back("position", "99");
  add_place(error, {.text = "SELECT\n"});
  EXPECT_EQ(details(error)["line"], "2");
  EXPECT_EQ(details(error)["line_column"], "1");
}

TEST(CallerPlace, names_one_of_several_statements_with_its_lines) {
  const std::string_view text = "SELECT 1;\n\nUPDATE t\nSET a = 1;\nSELECT 2";
  const std::size_t begin = text.find("\n\nUPDATE"), end = text.find(";\nSELECT 2");
  Error error(Code::undefined_table, "no such table");
  add_place(error, {.text = text, .begin = begin, .end = end, .index = 2, .total = 3, .is_one_of_several = true});
  EXPECT_EQ(error.error, "Statement 2/3 failed at lines 3-4: no such table");
  EXPECT_THAT(details(error), ElementsAre(Pair("line_end", "4"), Pair("line_start", "3"), Pair("statement_index", "2"),
                                          Pair("total_statements", "3")));
}

TEST(CallerPlace, leaves_out_what_is_unknown) {
  Error error(Code::syntax_error);
  add_place(error, {.text = "SELECT 1; SELEC", .begin = 9, .index = 2, .is_one_of_several = true});
  EXPECT_EQ(error.error, "Statement 2 failed at line 1: " + std::string(error.row().message));
  EXPECT_THAT(details(error), ElementsAre(Pair("line_start", "1"), Pair("statement_index", "2")));
}

}  // namespace
}  // namespace athena::driver
