#include "endpoints/supabase.h"

#include "serve_fixture.h"

namespace athena::gateway {
namespace {

using enum http::Method;
constexpr const char* kPath = "/api/v2/supabase/ssl_enforcement";

class SslEnforcementTest : public ServeTest {
 protected:
  Exchange enforce(std::string body, Headers headers = {{"apikey", "admin-key"}}) {
    return send({post, kPath, std::move(headers), std::move(body)});
  }
};

TEST_F(SslEnforcementTest, needs_the_admin_key) {
  expect_error(*enforce(R"({"enabled":true})", {}), Code::invalid_admin_key);
  expect_error(*enforce(R"({"enabled":true})", {{"apikey", "wrong"}}), Code::invalid_admin_key);
}

TEST_F(SslEnforcementTest, says_what_is_missing) {
  expect_error(*enforce("{}"), Code::missing_field);
  expect_error(*enforce(R"({"enabled":"yes"})"), Code::missing_field);
  const auto without_token = enforce(R"({"enabled":true,"project_ref":"abc"})");
  expect_error(*without_token, Code::missing_field);
  EXPECT_NE(without_token->answer().find("SUPABASE_ACCESS_TOKEN"), std::string::npos);
  expect_error(*enforce(R"({"enabled":true,"access_token":"t"})"), Code::missing_field);
  expect_error(*enforce(R"({"enabled":true,"access_token":5,"project_ref":"abc"})"), Code::invalid_value);
}

TEST_F(SslEnforcementTest, a_reference_is_a_part_of_a_url_and_nothing_more) {
  for (const char* ref : {"a/b", "..", "a?b", "a#b", "a b", "A", "a%2fb", "é"}) {
    const auto refused = enforce(R"({"enabled":true,"access_token":"t","project_ref":")" + std::string(ref) + "\"}");
    expect_error(*refused, Code::invalid_value);
  }
  EXPECT_TRUE(is_project_ref("abcdefghijklmnopqrst"));
  EXPECT_FALSE(is_project_ref(""));
  EXPECT_FALSE(is_project_ref(std::string(65, 'a')));
}

TEST_F(SslEnforcementTest, an_api_that_cannot_be_reached_is_told_without_the_token) {
  settings_.supabase_api_url = "http://127.0.0.1:1";
  settings_.supabase_access_token = "t0ken";
  settings_.supabase_project_ref = "abc";
  const auto failed = enforce(R"({"enabled":true})");
  expect_error(*failed, Code::database_unavailable);
  EXPECT_EQ((failed->answer() + sink_.text).find("t0ken"), std::string::npos);
}

class QuerySqlSupabaseTest : public ServeTest {
 protected:
  Exchange query(Headers headers = {}) {
    return send({post, "/query/sql", std::move(headers), R"({"query":"select 1","driver":"supabase","db_name":"x"})"});
  }
};

TEST_F(QuerySqlSupabaseTest, without_a_postgresql_behind_it_there_is_no_sql) {
  const auto refused = query();
  expect_error(*refused, Code::feature_not_supported);
  EXPECT_NE(refused->answer().find("SUPABASE_POSTGRES_URI"), std::string::npos);
  expect_error(*query({{"X-Athena-Client", "main"}}), Code::feature_not_supported);
  expect_error(*query({{"X-Athena-Client", "frozen"}}), Code::client_frozen);
}

TEST_F(QuerySqlSupabaseTest, a_uri_of_something_else_is_the_operators_mistake) {
  settings_.supabase_postgres_uri = "sqlite:{db}";
  expect_error(*query(), Code::configuration_error);
}

TEST_F(QuerySqlSupabaseTest, custom_supabase_wants_its_headers) {
  const auto refused = send(post, "/gateway/fetch", R"({"table_name":"t"})", {{"X-Athena-Client", "Custom_Supabase"}});
  expect_error(*refused, Code::missing_field);
  EXPECT_EQ(error_text(*refused), "Missing x-supabase-url or x-supabase-key headers");
  expect_error(
      *send(post, "/gateway/fetch", R"({"table_name":"t"})",
            {{"X-Athena-Client", "custom_supabase"}, {"x-supabase-url", "https://127.0.0.1"}, {"x-supabase-key", "k"}}),
      Code::direct_target_refused);
}

}  // namespace
}  // namespace athena::gateway
