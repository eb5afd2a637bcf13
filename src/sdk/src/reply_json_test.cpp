#include "reply_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace athena::sdk {
namespace {

using testing::ElementsAre;
using testing::Pair;

Result<QueryResult> read(int status, std::string body, std::vector<std::pair<std::string, std::string>> headers = {}) {
  return read_reply({status, std::move(headers), std::move(body)});
}

TEST(Reply, errors_keep_code_text_hint_details_and_the_time_to_wait) {
  const auto reply = read(503, R"({"status":"error","success":false,"code":"pool_timeout","error_id":"ATH-432",
      "message":"m","error":"no connection","hint":"wait","details":{"table":"users","n":3},"trace_id":"t"})",
                          {{"retry-after", "7"}});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::pool_timeout);
  EXPECT_EQ(reply.error().error, "no connection");
  EXPECT_EQ(reply.error().hint, "wait");
  EXPECT_EQ(reply.error().retry_after_s, 7U);
  EXPECT_THAT(reply.error().fields, ElementsAre(Pair("table", "users"), Pair("n", "3")));
}

TEST(Reply, an_error_of_a_code_that_is_not_known_is_judged_by_its_status) {
  EXPECT_EQ(read(400, R"({"error_id":"ATH-199","error":"x"})").error().code, Code::invalid_request);
  EXPECT_EQ(read(503, R"({"message":"x"})").error().code, Code::database_unavailable);
  EXPECT_EQ(read(503, R"({"message":"x"})").error().error, "x");
}

TEST(Reply, what_is_no_gateway_is_told_apart) {
  for (const char* body : {"<html>502</html>", "", "[1]", R"({"data":{"rows":7}})", R"({"data":[1]})", "7"}) {
    const auto reply = read(200, body);
    ASSERT_FALSE(reply) << body;
    EXPECT_EQ(reply.error().code, Code::connection_error) << body;
  }
  EXPECT_EQ(read(502, "<html>").error().code, Code::connection_error);
  EXPECT_EQ(read(500, "[]").error().code, Code::connection_error);
}

TEST(Reply, the_three_shapes_hold_the_same) {
  const char* documented = R"({"status":"success","message":"Fetched 2 rows",)"
                           R"("data":{"rows":[{"a":1,"b":"x"},{"a":2,"b":null}],"count":9}})";
  for (const char* body : {documented, R"({"data":[{"a":1,"b":"x"},{"a":2,"b":null}],"count":9})"}) {
    const auto reply = read(200, body);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->to_json(), R"([{"a":1,"b":"x"},{"a":2,"b":null}])");
    EXPECT_EQ(reply->count, 9U);
  }
  EXPECT_EQ(read(200, R"([{"a":1}])")->to_json(), R"([{"a":1}])");
}

TEST(Reply, digits_and_documents_are_kept) {
  EXPECT_EQ(read(200, R"({"data":[{"n":12345678901234567890.10,"d":{"k":[1, 2]},"t":"é"}]})")->to_json(),
            R"([{"n":12345678901234567890.10,"d":{"k":[1, 2]},"t":"é"}])");
}

TEST(Reply, columns_in_another_order_or_left_out_find_their_places) {
  EXPECT_EQ(read(200, R"({"data":[{"a":1,"b":2},{"b":4,"a":3},{"b":6}]})")->to_json(),
            R"([{"a":1,"b":2},{"a":3,"b":4},{"a":null,"b":6}])");
}

TEST(Reply, writes_say_how_many_rows) {
  EXPECT_EQ(
      read(200, R"({"status":"success","data":[{"id":1}],"resource_id":[1],"meta":{"rows_affected":1}})")->affected,
      1U);
  EXPECT_EQ(read(200, R"({"status":"success","data":{"rows":[],"meta":{"rows_affected":3}}})")->affected, 3U);
  EXPECT_EQ(read(200, R"({"status":"success","data":{"id":1},"meta":{"rows_affected":1}})")->to_json(),
            R"([{"id":1}])");
}

TEST(Reply, sql_says_its_columns_without_rows_too) {
  const auto reply = read(200, R"({"data":{"rows":[],"columns":[{"name":"a","type":"integer"}],"rows_affected":0}})");
  ASSERT_TRUE(reply);
  EXPECT_THAT(reply->columns, ElementsAre("a"));
  EXPECT_TRUE(reply->empty());
}

}  // namespace
}  // namespace athena::sdk
