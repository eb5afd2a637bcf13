#include "environment.h"

#include <gtest/gtest.h>

namespace athena::app {
namespace {

const Environment kEnvironment({{"HOST", "db.example.org"}, {"EMPTY", ""}});

TEST(expand, names_the_variable_that_is_not_set) {
  const auto value = expand("postgres://${NOWHERE}/a", kEnvironment);
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().variable, "NOWHERE");
}

TEST(expand, refuses_what_is_no_reference) {
  for (const char* text : {"${", "a${HOST", "${}", "${1A}", "${A B}", "${:-a}"}) {
    const auto value = expand(text, kEnvironment);
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().variable, "") << text;
  }
}

TEST(expand, replaces_references_wherever_they_stand) {
  EXPECT_EQ(expand("postgres://${HOST}:${PORT:-5432}/a", kEnvironment), "postgres://db.example.org:5432/a");
  EXPECT_EQ(expand("${HOST}${HOST}", kEnvironment), "db.example.orgdb.example.org");
}

TEST(expand, takes_the_default_for_an_empty_variable) {
  EXPECT_EQ(expand("${EMPTY:-a}", kEnvironment), "a");
  EXPECT_EQ(expand("${EMPTY}", kEnvironment), "");
  EXPECT_EQ(expand("${NOWHERE:-}", kEnvironment), "");
}

TEST(expand, leaves_single_dollars_alone) {
  EXPECT_EQ(expand("pa$$word$", kEnvironment), "pa$$word$");
}

TEST(expand, does_not_look_into_what_it_put_in) {
  const Environment environment({{"A", "${HOST}"}});
  EXPECT_EQ(expand("${A}", environment), "${HOST}");
}

TEST(dotenv, names_file_and_line_of_a_line_that_is_no_assignment) {
  Environment environment;
  const auto result = environment.add_dotenv("A=1\nwhat is this\n", "/x/.env");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().error, "/x/.env:2: a line is NAME=value");
}

TEST(dotenv, reads_the_usual_forms) {
  Environment environment;
  ASSERT_TRUE(environment.add_dotenv("# comment\n\nA=1\nexport B='x # y'\nC = \"two words\" \nD=a=b # said so\nE=\r\n",
                                     ".env"));
  EXPECT_EQ(environment.get("A"), "1");
  EXPECT_EQ(environment.get("B"), "x # y");
  EXPECT_EQ(environment.get("C"), "two words");
  EXPECT_EQ(environment.get("D"), "a=b");
  EXPECT_EQ(environment.get("E"), "");
}

TEST(dotenv, does_not_override_the_environment) {
  Environment environment({{"A", "process"}});
  ASSERT_TRUE(environment.add_dotenv("A=file\n", ".env"));
  EXPECT_EQ(environment.get("A"), "process");
}

}  // namespace
}  // namespace athena::app
