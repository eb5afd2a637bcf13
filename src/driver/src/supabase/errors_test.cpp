#include "supabase/errors.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace athena::driver::supabase {
namespace {

http::ClientResponse answer(int status, std::string body,
                            std::vector<std::pair<std::string, std::string>> headers = {}) {
  return {.status = status, .headers = std::move(headers), .body = std::move(body)};
}

Failure failed(int status, std::string body) {
  return failure_from(answer(status, std::move(body)), {"users", "s3cret-key"});
}

std::string field(const Error& error, std::string_view name) {
  const auto found = std::ranges::find(error.fields, name, &std::pair<std::string, std::string>::first);
  return found == error.fields.end() ? std::string() : found->second;
}

TEST(Errors, of_postgresql_have_the_same_codes_as_over_its_own_protocol) {
  const struct {
    int status;
    const char* body;
    Code code;
    const char* error;
  } cases[] = {
      {409,
       R"({"code":"23505","details":"Key (email)=(a@b) already exists.","hint":null)"
       R"(,"message":"duplicate key value violates unique constraint \"users_email_key\""})",
       Code::unique_violation,
       "A record of table 'users' with the same value of 'email' already exists (constraint 'users_email_key')"},
      {409,
       R"({"code":"23503","details":"Key (team)=(7) is not present in table \"teams\".")"
       R"(,"message":"insert or update on table \"members\" violates foreign key constraint \"members_team_fkey\""})",
       Code::foreign_key_violation,
       "The value of 'team' in table 'members' refers to a record that does not exist (constraint "
       "'members_team_fkey')"},
      {400,
       R"({"code":"23502","details":"Failing row contains (1, null).")"
       R"(,"message":"null value in column \"email\" of relation \"users\" violates not-null constraint"})",
       Code::not_null_violation, "Column 'email' of table 'users' must not be null"},
      {400, R"({"code":"22P02","message":"invalid input syntax for type integer: \"x\""})",
       Code::invalid_text_representation, "invalid input syntax for type integer: \"x\""},
      {500, R"({"code":"40001","message":"could not serialize access"})", Code::serialization_failure, nullptr},
      {500, R"({"code":"57014","message":"canceling statement due to statement timeout"})", Code::statement_timeout,
       nullptr},
      {403, R"({"code":"42501","message":"permission denied for table secrets"})", Code::insufficient_privilege,
       nullptr},
      {404, R"({"code":"42P01","message":"relation \"public.nope\" does not exist"})", Code::undefined_table,
       "Table 'public.nope' does not exist"},
      {400, R"({"code":"42703","message":"column users.nope does not exist"})", Code::undefined_column, nullptr},
      {400, R"({"code":"21000","message":"UPDATE requires a WHERE clause"})", Code::unfiltered_write,
       "The database refuses writes without conditions"},
  };
  for (const auto& expected : cases) {
    const Failure failure = failed(expected.status, expected.body);
    EXPECT_EQ(failure.error.code, expected.code) << expected.body;
    EXPECT_FALSE(failure.error.error.empty()) << expected.body;
    if (expected.error) EXPECT_EQ(failure.error.error, expected.error);
    EXPECT_FALSE(failure.may_have_run || failure.is_host_down || failure.may_pass) << expected.body;
    EXPECT_EQ(field(failure.error, "http_status"), std::to_string(expected.status));
  }
}

TEST(Errors, of_postgrest_are_told_by_their_codes) {
  EXPECT_EQ(
      failed(400, R"({"code":"PGRST204","message":"Could not find the 'nope' column of 'users' in the schema cache"})")
          .error.error,
      "Column 'nope' does not exist in table 'users'");
  EXPECT_EQ(failed(404, R"({"code":"PGRST205","message":"…"})").error.code, Code::undefined_table);
  EXPECT_EQ(failed(400, R"({"code":"PGRST124","message":"…"})").error.code, Code::too_many_affected);
  EXPECT_EQ(failed(401, R"({"code":"PGRST301","message":"JWT expired"})").error.code, Code::insufficient_privilege);
  const Failure down = failed(503, R"({"code":"PGRST002","message":"…"})");
  EXPECT_TRUE(down.is_host_down && down.may_pass && !down.may_have_run);
  EXPECT_EQ(down.error.code, Code::database_unavailable);
  const Failure broken = failed(503, R"({"code":"08006","message":"server closed the connection"})");
  EXPECT_TRUE(broken.is_host_down && broken.may_have_run);
}

TEST(Errors, each_row_has_a_meaning_and_words) {
  for (const PostgrestRow& row : postgrest_rows()) {
    const Failure failure = failed(400, R"({"code":")" + std::string(row.code) + R"(","message":"words of theirs"})");
    EXPECT_EQ(failure.error.code, row.meaning) << row.code;
    EXPECT_FALSE(failure.error.error.empty()) << row.code;
    EXPECT_EQ(failure.error.error.find("words of theirs"), std::string::npos) << row.code;
    EXPECT_EQ(failure.is_host_down, row.is_host_down) << row.code;
  }
}

TEST(Errors, without_a_code_the_status_decides) {
  const struct {
    int status;
    Code code;
    bool may_have_run, may_pass, is_host_down;
  } cases[] = {
      {302, Code::feature_not_supported, false, false, false},  {400, Code::database_error, true, false, false},
      {401, Code::insufficient_privilege, false, false, false}, {404, Code::undefined_object, false, false, false},
      {413, Code::payload_too_large, false, false, false},      {414, Code::limit_exceeded, false, false, false},
      {429, Code::rate_limited, false, false, false},           {500, Code::database_error, true, false, false},
      {502, Code::database_unavailable, true, true, true},      {503, Code::database_unavailable, true, true, true},
      {520, Code::database_unavailable, true, true, true},      {522, Code::database_unavailable, false, true, true},
      {540, Code::database_unavailable, false, false, false},   {599, Code::database_error, true, false, false},
      {700, Code::database_error, true, false, false},
  };
  for (const auto& expected : cases) {
    for (const char* body : {"", "<html>Bad gateway</html>", R"({"message":"no API key found"})", R"({"code":5})"}) {
      const Failure failure = failed(expected.status, body);
      EXPECT_EQ(failure.error.code, expected.code) << expected.status << body;
      EXPECT_EQ(failure.may_have_run, expected.may_have_run) << expected.status;
      EXPECT_EQ(failure.may_pass, expected.may_pass) << expected.status;
      EXPECT_EQ(failure.is_host_down, expected.is_host_down) << expected.status;
      EXPECT_FALSE(failure.error.error.empty());
      EXPECT_EQ(failure.error.error.find("html"), std::string::npos);
    }
  }
}

TEST(Errors, the_log_tells_the_body_but_never_the_key) {
  const Failure failure =
      failed(502, "you sent s3cret-key and Bearer s3cret-key\r\n\x1b[31m" + std::string(2'000, 'x'));
  EXPECT_THAT(failure.error.log_detail, ::testing::StartsWith("HTTP 502: you sent *** and Bearer ***  "));
  EXPECT_LT(failure.error.log_detail.size(), 600U);
  // Cut in the middle of the key.
  const Failure cut = failed(502, std::string(495, 'x') + "s3cret-key");
  EXPECT_EQ(cut.error.log_detail.find("s3"), std::string::npos);
}

TEST(Errors, retry_after_is_passed_on_where_a_retry_makes_sense) {
  const auto wait = [](int status, std::string value) {
    return failure_from(answer(status, "", {{"retry-after", std::move(value)}}), {}).error.retry_after_s;
  };
  EXPECT_EQ(wait(503, "7"), 7U);
  EXPECT_EQ(wait(429, "30"), 30U);
  EXPECT_EQ(wait(503, "999999999"), 3'600U);
  EXPECT_EQ(wait(503, "Wed, 21 Oct 2026 07:28:00 GMT"), 0U);
  EXPECT_EQ(wait(503, "-1"), 0U);
  EXPECT_EQ(wait(401, "7"), 0U);
}

TEST(Errors, without_an_answer_it_matters_whether_the_request_had_left) {
  EXPECT_FALSE(failure_from(Error(Code::database_unavailable), false).may_have_run);
  EXPECT_TRUE(failure_from(Error(Code::database_unavailable), true).may_have_run);
  EXPECT_TRUE(failure_from(Error(Code::database_unavailable), true).is_host_down);
  EXPECT_EQ(failure_from(Error(Code::deadline_exceeded), true).error.code, Code::statement_timeout);
  EXPECT_FALSE(failure_from(Error(Code::deadline_exceeded), true).is_host_down);
  EXPECT_TRUE(failure_from(Error(Code::deadline_exceeded), false).is_host_down);
  EXPECT_EQ(failure_from(Error(Code::result_too_large), true).error.code, Code::result_too_large);
  EXPECT_FALSE(failure_from(Error(Code::cancelled), true).is_host_down);
}

TEST(TotalOf, reads_what_stands_behind_the_slash) {
  EXPECT_EQ(total_of("0-24/3573"), 3573U);
  EXPECT_EQ(total_of("*/0"), 0U);
  for (const char* none : {"0-24/*", "*/*", "", "5", "0-1/", "0-1/-3", "0-1/3x", "0-1/99999999999999999999999"}) {
    EXPECT_FALSE(total_of(none).has_value()) << none;
  }
}

}  // namespace
}  // namespace athena::driver::supabase
