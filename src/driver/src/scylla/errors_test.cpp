#include "scylla/errors.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace athena::driver::scylla {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

constexpr ErrorContext kOurs{}, kTheirs{.caller_cql = true}, kWrite{.is_write = true};

ServerError server(std::int32_t code, std::string message = "10.0.0.7: SELECT secret") {
  ServerError error;
  error.code = code;
  error.message = std::move(message);
  return error;
}

TEST(CqlErrors, each_row_gives_its_code_and_hides_the_servers_words_about_our_own_cql) {
  for (const CqlErrorRow& row : cql_error_rows()) {
    const Error error = error_from_server(server(row.number), kWrite);
    EXPECT_EQ(error.code, row.code) << cql_error_text(row.number);
    EXPECT_THAT(error.error + error.hint, Not(HasSubstr("secret")));
    EXPECT_EQ(error.log_detail, "10.0.0.7: SELECT secret");
    EXPECT_THAT(error.fields, Contains(Pair("cql_error", cql_error_text(row.number))));
    const Error theirs = error_from_server(server(row.number, "your column"), kTheirs);
    EXPECT_EQ(theirs.error.find("your column") != std::string::npos, row.theirs) << cql_error_text(row.number);
  }
}

TEST(CqlErrors, a_number_that_is_not_known_is_an_error_of_the_database) {
  for (const std::int32_t number : {-1, 1, 0x1002 + 0x100, 0x7FFFFFFF}) {
    EXPECT_EQ(error_from_server(server(number), kTheirs).code, Code::database_error);
    EXPECT_EQ(failure_of(server(number)).kind, Failure::refused);
  }
}

TEST(CqlErrors, a_write_whose_end_is_not_known_says_so_and_a_read_only_timed_out) {
  EXPECT_EQ(error_from_server(server(0x1100), kWrite).code, Code::write_outcome_unknown);
  EXPECT_THAT(error_from_server(server(0x1100), kWrite).hint, HasSubstr("before sending it again"));
  EXPECT_EQ(error_from_server(server(0x1100), kOurs).code, Code::statement_timeout);
  ServerError log = server(0x1100);
  log.write_type = "BATCH_LOG";
  EXPECT_EQ(error_from_server(log, kWrite).code, Code::statement_timeout) << "the batch did not begin";
}

TEST(CqlErrors, invalid_means_what_its_words_say) {
  const std::pair<const char*, Code> phrases[] = {
      {"unconfigured table nope", Code::undefined_table},
      {"Table ks.nope does not exist", Code::undefined_table},
      {"Undefined column name nope in table ks.t", Code::undefined_column},
      {"Unrecognized name nope", Code::undefined_column},
      {"Unknown function 'nope'", Code::undefined_function},
      {"Keyspace nope does not exist", Code::undefined_object},
      {"Keyspace names are long", Code::invalid_parameter},
      {"Invalid STRING constant (x) for \"id\" of type int", Code::type_mismatch},
      {"Cannot execute this query as it might involve data filtering and thus…", Code::unindexed_filter},
      {"Batch too large", Code::limit_exceeded},
      {"Something else", Code::invalid_parameter},
  };
  for (const auto& [message, code] : phrases) EXPECT_EQ(error_from_server(server(0x2200, message), kOurs).code, code);
  EXPECT_EQ(error_from_server(server(0x2000, "unconfigured table nope"), kOurs).code, Code::syntax_error);
}

TEST(CqlErrors, a_position_is_the_callers) {
  const Error error = error_from_server(server(0x2000, "line 3:7 no viable alternative"), kTheirs);
  EXPECT_THAT(error.fields, Contains(Pair("line", "3")));
  EXPECT_THAT(error.fields, Contains(Pair("line_column", "8")));
  for (const char* message :
       {"line", "line ", "line x:1", "line 3", "line 3:", "line 3:x", "line 99999999999999999999:1"}) {
    EXPECT_THAT(error_from_server(server(0x2000, message), kTheirs).fields, Not(Contains(Pair("line", testing::_))))
        << message;
  }
  EXPECT_THAT(error_from_server(server(0x2000, "line 3:7 x"), kOurs).fields, Not(Contains(Pair("line", "3"))));
}

TEST(CqlErrors, words_that_are_passed_on_are_short_and_utf_8) {
  const Error cut = error_from_server(server(0x2000, std::string(499, 'x') + "ää"), kTheirs);
  EXPECT_EQ(cut.error, std::string(499, 'x'));
  EXPECT_EQ(error_from_server(server(0x2000, "bad \xff"), kTheirs).error, "The database could not read the statement");
}

TEST(CqlErrors, what_may_be_tried_again) {
  EXPECT_EQ(failure_of(server(0x1000)).kind, Failure::unavailable);
  EXPECT_EQ(failure_of(server(0x1001)).kind, Failure::overloaded);
  EXPECT_EQ(failure_of(server(0x1002)).kind, Failure::bootstrapping);
  EXPECT_EQ(failure_of(server(0x2500)).kind, Failure::unprepared);
  EXPECT_EQ(failure_of(server(0x2200)).kind, Failure::refused);
  EXPECT_EQ(failure_of(server(0x1700)).kind, Failure::refused);
  ServerError read = server(0x1200);
  read.received = read.required = 2;
  EXPECT_TRUE(failure_of(read).enough_replies);
  read.data_present = true;
  EXPECT_FALSE(failure_of(read).enough_replies);
  read.data_present = false;
  read.received = 1;
  EXPECT_FALSE(failure_of(read).enough_replies);
  ServerError write = server(0x1100);
  EXPECT_FALSE(failure_of(write).enough_replies);
  write.write_type = "BATCH_LOG";
  EXPECT_TRUE(failure_of(write).enough_replies);
}

TEST(CqlErrors, unavailable_says_when_to_come_back) {
  for (const std::int32_t number : {0x1000, 0x1001, 0x1002}) {
    EXPECT_EQ(error_from_server(server(number), kOurs).retry_after_s, 1U);
  }
}

}  // namespace
}  // namespace athena::driver::scylla
