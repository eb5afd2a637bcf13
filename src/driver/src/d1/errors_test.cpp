#include "d1/errors.h"

#include <gmock/gmock.h>

namespace athena::driver::d1 {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Failure failure(int status, std::string body, CallerText text = {}) {
  return failure_of({.status = status, .headers = {}, .body = std::move(body)}, text);
}
std::string message(std::string_view text) {
  return "{\"message\":\"" + std::string(text) + "\"}";
}
std::string field(const Error& error, std::string_view name) {
  for (const auto& [key, value] : error.fields) {
    if (key == name) return value;
  }
  return "";
}

TEST(D1Errors, of_sqlite_are_sqlites) {
  const Failure unique = failure(
      400,
      message(
          "D1_ERROR: UNIQUE constraint failed: users.email: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)"));
  EXPECT_EQ(unique.error.code, Code::unique_violation);
  EXPECT_EQ(unique.effect, Effect::refused);
  EXPECT_EQ(field(unique.error, "column"), "email");
  EXPECT_EQ(field(unique.error, "proxy_status"), "400");
  EXPECT_EQ(failure(400, message("D1_ERROR: no such table: nope: SQLITE_ERROR")).error.code, Code::undefined_table);
  EXPECT_EQ(failure(500, message("D1_ERROR: D1_ERROR: datatype mismatch: SQLITE_MISMATCH")).error.code,
            Code::type_mismatch);
  EXPECT_EQ(failure(400, message("D1_ERROR: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: "
                                 "SQLITE_CONSTRAINT_FOREIGNKEY)"))
                .error.code,
            Code::foreign_key_violation);
  EXPECT_EQ(failure(400, message("D1_ERROR: something new: SQLITE_NEWCODE")).error.code, Code::database_error);
}

TEST(D1Errors, tell_where_in_the_callers_text) {
  const std::string sql = "SELEC ä 1";
  const Failure syntax =
      failure(400, message("D1_ERROR: near \\\"1\\\": syntax error at offset 9: SQLITE_ERROR"), {true, sql});
  EXPECT_EQ(syntax.error.code, Code::syntax_error);
  EXPECT_EQ(field(syntax.error, "position"), "9");  // characters, not bytes
  const Failure ours = failure(400, message("D1_ERROR: a secret sentence at offset 3: SQLITE_ERROR"));
  EXPECT_EQ(ours.error.code, Code::database_error);
  EXPECT_THAT(ours.error.error, Not(HasSubstr("secret")));
}

TEST(D1Errors, of_transactions_say_what_to_do) {
  const Failure begin =
      failure(400, message("D1_ERROR: To execute a transaction, please use the state.storage.transaction() or …"),
              {true, "begin"});
  EXPECT_EQ(begin.error.code, Code::unsupported_statement);
  EXPECT_EQ(begin.effect, Effect::refused);
}

TEST(D1Errors, keep_the_status_of_what_is_no_json) {
  const Failure html = failure(502, "<html>Bad gateway</html>");
  EXPECT_EQ(html.error.code, Code::database_unavailable);
  EXPECT_EQ(html.effect, Effect::unknown);
  EXPECT_EQ(html.error.error, "Cloudflare D1 proxy request failed with status 502");
  EXPECT_EQ(field(html.error, "proxy_status"), "502");
  EXPECT_THAT(html.error.error, Not(HasSubstr("html")));
}

TEST(D1Errors, tell_the_statuses_apart) {
  EXPECT_EQ(failure(401, message("unauthorized")).error.code, Code::configuration_error);
  EXPECT_EQ(failure(404, "").error.code, Code::configuration_error);
  EXPECT_EQ(failure(413, "").error.code, Code::limit_exceeded);
  EXPECT_EQ(failure(429, "").effect, Effect::not_run);
  EXPECT_EQ(failure(429, "").error.code, Code::database_unavailable);
  EXPECT_EQ(failure(418, message("teapot")).error.code, Code::database_error);
  EXPECT_EQ(failure(418, message("teapot")).effect, Effect::refused);
  EXPECT_EQ(failure(400, message("D1_ERROR: new words"), {true, "x"}).error.code, Code::unsupported_statement);
  EXPECT_EQ(failure(302, "").effect, Effect::refused);
}

TEST(D1Errors, know_the_sentences_of_the_platform) {
  for (const SentenceRow& row : sentence_rows()) {
    const Failure failed = failure(500, message("D1_ERROR: x " + std::string(row.part) + " y"));
    EXPECT_EQ(failed.error.code, row.code) << row.part;
    EXPECT_EQ(failed.effect, row.effect) << row.part;
    EXPECT_FALSE(failed.error.error.empty()) << row.part;
  }
}

TEST(D1Errors, take_the_text_from_where_it_may_be) {
  EXPECT_EQ(failure_text(R"({"message":"m","error":"e"})"), "m");
  EXPECT_EQ(failure_text(R"({"message":"","error":"e"})"), "e");
  EXPECT_EQ(failure_text(R"({"error":{"message":"inner"}})"), "inner");
  EXPECT_EQ(failure_text(R"([1])"), "");
  EXPECT_EQ(failure_text("<html>"), "");
}

TEST(D1Errors, say_what_may_have_happened_without_an_answer) {
  EXPECT_EQ(no_answer(Error(Code::database_unavailable), false).effect, Effect::not_run);
  EXPECT_EQ(no_answer(Error(Code::database_unavailable), true).effect, Effect::unknown);
  EXPECT_EQ(no_answer(Error(Code::deadline_exceeded), true).error.code, Code::statement_timeout);
  EXPECT_EQ(no_answer(Error(Code::result_too_large), true).effect, Effect::in_vain);
  EXPECT_EQ(no_answer(Error(Code::cancelled), false).effect, Effect::refused);
  EXPECT_EQ(no_answer(Error(Code::cancelled), true).effect, Effect::in_vain);
}

}  // namespace
}  // namespace athena::driver::d1
