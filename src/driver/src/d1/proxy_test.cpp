#include "d1/proxy.h"

#include <gmock/gmock.h>

namespace athena::driver::d1 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

http::ClientResponse answer(std::string body, int status = 200) {
  return {.status = status, .headers = {}, .body = std::move(body)};
}

Error refusal(std::string body) {
  auto reply = read_reply(answer(body));
  EXPECT_FALSE(reply) << body;
  return reply ? Error() : reply.error();
}

std::vector<std::string> texts_of(std::string_view rows) {
  std::vector<std::string> all;
  RowTexts texts(rows);
  while (true) {
    auto text = texts.next();
    if (!text) {
      all.push_back("error");
      return all;
    }
    if (!*text) return all;
    all.emplace_back(**text);
  }
}

TEST(D1ProxyRequest, has_the_names_of_the_protocol) {
  EXPECT_EQ(request_body({.sql = "select \"a\"",
                          .params = "1,\"x\"",
                          .binding = "DB",
                          .session_mode = "first-primary",
                          .bookmark = "b-1"}),
            R"({"query":"select \"a\"","params":[1,"x"],"databaseBinding":"DB","sessionMode":"first-primary",)"
            R"("bookmark":"b-1"})");
  EXPECT_EQ(request_body({.sql = "select 1", .params = "", .binding = "DB", .session_mode = "", .bookmark = ""}),
            R"({"query":"select 1","params":[],"databaseBinding":"DB","sessionMode":null,"bookmark":null})");
}

TEST(D1ProxyRequest, sends_values_that_javascript_keeps) {
  using query::ParamKind;
  const query::Param params[] = {{ParamKind::null, ""},
                                 {ParamKind::text, "a\"b"},
                                 {ParamKind::boolean, "true"},
                                 {ParamKind::boolean, "false"},
                                 {ParamKind::real, ".5"},
                                 {ParamKind::real, "+1e3"},
                                 {ParamKind::integer, "9223372036854775807"}};
  EXPECT_EQ(printed_params(params).value(), R"(null,"a\"b",1,0,0.5,1000,"9223372036854775807")");
  const query::Param large[] = {{ParamKind::real, "1e400"}};
  EXPECT_EQ(printed_params(large).error().code, Code::value_out_of_range);
}

TEST(D1ProxyRequest, orders_values_by_their_numbers) {
  const query::Scalar params[] = {query::Number{"9007199254740993"},
                                  std::string("two"),
                                  true,
                                  query::JsonText{"[1]"},
                                  query::Number{"9007199254740991"},
                                  query::Number{"0.1234567890123456789"},
                                  std::monostate()};
  EXPECT_EQ(native_params(params, {}).value(),
            R"("9007199254740993","two",1,"[1]",9007199254740991,"0.1234567890123456789",null)");
  const std::size_t numbers[] = {2, 1, 2, 3, 4, 5, 6, 7};
  EXPECT_EQ(native_params(params, numbers).value(),
            R"("two","9007199254740993","two",1,"[1]",9007199254740991,"0.1234567890123456789",null)");
  const std::size_t beyond[] = {8}, too_few[] = {1};
  EXPECT_EQ(native_params(params, beyond).error().code, Code::invalid_parameter);
  EXPECT_THAT(native_params(params, too_few).error().error, HasSubstr("Parameter 2 has a value"));
}

TEST(D1ProxyReply, is_read_without_its_rows) {
  const auto reply = read_reply(answer(
      R"( {"columns":["a",7,"b"],"rows" : [{"a":"]}","b":[1]}, {"a":null}],"count":3,"bookmark":" b-2 ","meta":{}})"));
  ASSERT_TRUE(reply) << reply.error().error;
  EXPECT_EQ((*reply)->rows, R"({"a":"]}","b":[1]}, {"a":null})");
  EXPECT_THAT((*reply)->columns, ElementsAre("a", "b"));
  EXPECT_EQ((*reply)->bookmark, "b-2");
  EXPECT_EQ((*reply)->affected, 3U);
  EXPECT_THAT(texts_of((*reply)->rows), ElementsAre(R"({"a":"]}","b":[1]})", R"({"a":null})"));
}

TEST(D1ProxyReply, is_an_error_wherever_it_is_cut) {
  const std::string whole = R"({"columns":["a"], "rows": [{"a":"]}"}, {"a":null}] ,"meta":{"changes":1}})";
  ASSERT_TRUE(read_reply(answer(whole)));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    // A string of its own, so that a byte too far is one behind its memory.
    EXPECT_FALSE(read_reply(answer(std::string(whole.data(), size)))) << whole.substr(0, size);
  }
}

TEST(D1ProxyReply, prefers_the_header_and_what_meta_counts) {
  http::ClientResponse response = answer(R"({"rows":[],"count":0,"bookmark":"body","meta":{"changes":5}})");
  response.headers = {{"x-athena-d1-bookmark", " header "}};
  const auto reply = read_reply(response);
  ASSERT_TRUE(reply);
  EXPECT_EQ((*reply)->bookmark, "header");
  EXPECT_EQ((*reply)->affected, 5U);
}

TEST(D1ProxyReply, may_lack_members_but_not_all) {
  EXPECT_TRUE(read_reply(answer(R"({"durationMs":1.5})")));
  EXPECT_TRUE(read_reply(answer(R"({"rows":null,"meta":{}})")));
  EXPECT_THAT(refusal("{}").error, HasSubstr("nothing of the proxy protocol"));
  EXPECT_THAT(refusal(R"({"hello":"world"})").error, HasSubstr("nothing of the proxy protocol"));
}

TEST(D1ProxyReply, is_no_success_because_its_status_is_one) {
  EXPECT_EQ(refusal(R"({"success":false,"error":"D1_ERROR: no such table: x: SQLITE_ERROR"})").code,
            Code::undefined_table);
  EXPECT_EQ(refusal("[]").code, Code::database_error);
  EXPECT_EQ(refusal(R"({"rows":{"a":1}})").code, Code::database_error);
  for (const char* body :
       {"", "<html>", "{\"rows\":[", "{\"rows\":[{]}", "{\"rows\":[}", "{\"rows\":[]", "null", "{\"rows\""}) {
    EXPECT_THAT(refusal(body).error, HasSubstr("Cloudflare D1 proxy returned invalid JSON")) << body;
  }
}

TEST(D1RowTexts, wants_one_comma_between_two_rows) {
  EXPECT_THAT(texts_of(""), ElementsAre());
  EXPECT_THAT(texts_of(" 1 , \"a,]\" "), ElementsAre("1 ", "\"a,]\""));
  EXPECT_THAT(texts_of("{}{}"), ElementsAre("{}", "error"));
  EXPECT_THAT(texts_of("{},,{}"), ElementsAre("{}", "error"));
  EXPECT_THAT(texts_of("{},"), ElementsAre("{}", "error"));
}

TEST(D1RetryAfter, is_a_number_of_seconds) {
  http::ClientResponse response = answer("", 429);
  EXPECT_FALSE(retry_after(response));
  response.headers = {{"retry-after", "7"}};
  EXPECT_EQ(retry_after(response), 7U);
  response.headers = {{"retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"}};
  EXPECT_FALSE(retry_after(response));
  response.headers = {{"retry-after", "99999999999"}};
  EXPECT_EQ(retry_after(response), 3'600U);
}

}  // namespace
}  // namespace athena::driver::d1
