#include "sqlite/errors.h"

#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <sqlite3.h>

namespace athena::driver::sqlite {
namespace {

std::string field(const Error& error, std::string_view name) {
  const auto found = std::ranges::find(error.fields, name, &std::pair<std::string, std::string>::first);
  return found == error.fields.end() ? "" : found->second;
}

TEST(Errors, every_result_code_of_sqlite_has_a_row) {
  const int codes[] = {SQLITE_INTERNAL, SQLITE_PERM,       SQLITE_ABORT,     SQLITE_BUSY,     SQLITE_LOCKED,
                       SQLITE_NOMEM,    SQLITE_READONLY,   SQLITE_INTERRUPT, SQLITE_IOERR,    SQLITE_CORRUPT,
                       SQLITE_NOTFOUND, SQLITE_FULL,       SQLITE_CANTOPEN,  SQLITE_PROTOCOL, SQLITE_SCHEMA,
                       SQLITE_TOOBIG,   SQLITE_CONSTRAINT, SQLITE_MISMATCH,  SQLITE_MISUSE,   SQLITE_NOLFS,
                       SQLITE_AUTH,     SQLITE_RANGE,      SQLITE_NOTADB};
  for (const int code : codes) {
    const Error error = to_error({.code = code, .message = "/secret/path.db"});
    EXPECT_NE(error.log_detail.find("/secret"), std::string::npos);
    EXPECT_EQ(error.error.find("/secret"), std::string::npos) << code;
  }
  EXPECT_EQ(to_error({.code = SQLITE_MISUSE, .message = ""}).code, Code::database_error);
  EXPECT_EQ(to_error({.code = SQLITE_IOERR_FSYNC, .message = ""}).code, Code::database_unavailable);
  EXPECT_EQ(to_error({.code = SQLITE_BUSY_SNAPSHOT, .message = ""}).code, Code::serialization_failure);
  EXPECT_EQ(to_error({.code = SQLITE_READONLY_DIRECTORY, .message = ""}).code, Code::read_only_database);
}

TEST(Errors, no_row_hides_another) {
  std::set<int> codes;
  for (const ResultRow& row : result_rows()) EXPECT_TRUE(codes.insert(row.code).second) << row.code;
  std::set<std::pair<std::string_view, std::string_view>> sentences;
  for (const MessageRow& row : message_rows())
    EXPECT_TRUE(sentences.emplace(row.before, row.after).second) << row.before;
}

TEST(Errors, a_constraint_names_table_and_columns) {
  const Error unique = to_error({.code = SQLITE_CONSTRAINT_UNIQUE, .message = "UNIQUE constraint failed: t.a, t.b"});
  EXPECT_EQ(unique.code, Code::unique_violation);
  EXPECT_EQ(field(unique, "table"), "t");
  EXPECT_EQ(field(unique, "column"), "a, b");
  EXPECT_EQ(field(unique, "constraint"), "t.a, t.b");
  EXPECT_EQ(field(unique, "sql_state"), "23505");
  const Error null = to_error({.code = SQLITE_CONSTRAINT_NOTNULL, .message = "NOT NULL constraint failed: t.a"});
  EXPECT_EQ(null.code, Code::not_null_violation);
  EXPECT_EQ(field(null, "column"), "a");
  const Error check = to_error({.code = SQLITE_CONSTRAINT_CHECK, .message = "CHECK constraint failed: positive"});
  EXPECT_EQ(field(check, "constraint"), "positive");
  const Error expression =
      to_error({.code = SQLITE_CONSTRAINT_CHECK, .message = "CHECK constraint failed: secret >= 42"});
  EXPECT_EQ(expression.error.find("secret"), std::string::npos);
  const Error trigger = to_error({.code = SQLITE_CONSTRAINT_TRIGGER, .message = "orders are closed"});
  EXPECT_EQ(trigger.error, "orders are closed");
}

TEST(Errors, sentences_become_codes_and_details) {
  struct Case {
    const char* message;
    Code code;
    const char *detail, *value;
  };
  const Case cases[] = {
      {"no such table: main.nope", Code::undefined_table, "table", "main.nope"},
      {"no such column: nope", Code::undefined_column, "column", "nope"},
      {"table users has no column named nope", Code::undefined_column, "column", "nope"},
      {"error in view v: no such table: main.gone", Code::undefined_table, "table", "main.gone"},
      {"no such function: nope", Code::undefined_function, "function", "nope"},
      {"wrong number of arguments to function abs()", Code::undefined_function, "function", "abs"},
      {"near \"selec\": syntax error", Code::syntax_error, "near", "selec"},
      {"incomplete input", Code::syntax_error, "near", ""},
      {"unrecognized token: \"'abc\"", Code::syntax_error, "near", "'abc"},
      {"table users already exists", Code::duplicate_object, "object", "users"},
      {"too many SQL variables", Code::limit_exceeded, "object", "SQL variables"},
      {"integer overflow", Code::value_out_of_range, "", ""},
      {"malformed JSON", Code::invalid_text_representation, "", ""},
  };
  for (const Case& one : cases) {
    const Error error = to_error({.code = SQLITE_ERROR, .message = one.message});
    EXPECT_EQ(error.code, one.code) << one.message;
    EXPECT_EQ(field(error, one.detail), one.value) << one.message;
    EXPECT_EQ(error.error.find("{}"), std::string::npos) << one.message;
  }
}

TEST(Errors, other_sentences_are_told_to_those_who_wrote_the_sql_alone) {
  const Failure failure{.code = SQLITE_ERROR, .offset = 3, .message = "misuse of aggregate: count()"};
  const Error generated = to_error(failure);
  EXPECT_EQ(generated.code, Code::database_error);
  EXPECT_EQ(generated.error.find("aggregate"), std::string::npos);
  const Error callers = to_error(failure, {.caller_sql = true, .text = "select count(count(1))"});
  EXPECT_EQ(callers.code, Code::syntax_error);
  EXPECT_NE(callers.error.find("aggregate"), std::string::npos);
}

TEST(Errors, of_one_of_several_statements_say_which_and_where) {
  const std::string_view text = "SELECT 1;\nSELECT\n  nope;;\n";
  const std::size_t begin = text.find(";\nSELECT") + 1, end = text.find(";;") + 1;
  const Failure failure{.code = SQLITE_ERROR, .offset = 10, .message = "no such column: nope"};
  const Error error = to_error(failure, {true, text, begin, end, 2});
  EXPECT_EQ(error.error.substr(0, 32), "Statement 2 failed at lines 2-3:");
  EXPECT_EQ(field(error, "statement_index"), "2");
  EXPECT_EQ(field(error, "line"), "3");
  EXPECT_EQ(field(error, "line_column"), "3");
  const Error first = to_error(failure, {true, text, 0, 9, 1});
  EXPECT_EQ(field(first, "statement_index"), "1");
  const Error alone = to_error(failure, {true, text.substr(begin), 0, end - begin, 1});
  EXPECT_EQ(field(alone, "statement_index"), "");
  EXPECT_EQ(field(alone, "line"), "3");
  EXPECT_EQ(field(to_error(failure, {false, text, begin, end, 2}), "statement_index"), "") << "SQL of ours";
}

TEST(Errors, positions_count_characters_of_the_callers_whole_text) {
  const std::string text = "select 'é😀'; selec 1";
  const std::size_t begin = text.find("selec 1");
  const Failure failure{.code = SQLITE_ERROR, .offset = 0, .message = "near \"selec\": syntax error"};
  EXPECT_EQ(field(to_error(failure, {true, text, begin}), "position"), "14");
  const Failure beyond{.code = SQLITE_ERROR, .offset = 1'000, .message = "incomplete input"};
  EXPECT_EQ(field(to_error(beyond, {true, "ab", 0}), "position"), "3");
}

}  // namespace
}  // namespace athena::driver::sqlite
