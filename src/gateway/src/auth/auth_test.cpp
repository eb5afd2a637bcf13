#include "auth/auth.h"

#include <optional>

#include <gtest/gtest.h>

#include <athena/testing/fake_exchange.h>

#include "endpoint.h"

namespace athena::gateway {
namespace {

constexpr std::string_view kKey = "the-admin-key";
using Headers = std::vector<std::pair<std::string, std::string>>;

/// The code of the refusal; none if the admin route lets the request through.
std::optional<Code> refusal_of(Headers headers, std::string target = "/clients", std::string_view key = kKey) {
  testing::FakeRequest request;
  request.target = std::move(target);
  request.headers = std::move(headers);
  testing::FakeExchange exchange(std::move(request));
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->settings.admin_key = key;
  RequestContext context(exchange, std::move(snapshot));
  context.endpoint = match(http::Method::get, "/clients").endpoint;
  const auto result = Auth().authenticate(context);
  return result ? std::nullopt : std::optional(result.error().code);
}

TEST(AdminKey, without_a_configured_one_nobody_is_admin) {
  EXPECT_EQ(refusal_of({{"apikey", ""}}, "/clients", ""), Code::admin_not_configured);
  EXPECT_EQ(refusal_of({}, "/clients?api_key=", ""), Code::admin_not_configured);
}

TEST(AdminKey, a_missing_wrong_or_partial_key_is_refused) {
  for (const char* value : {"", "wrong", "the-admin-ke", "the-admin-key2", "THE-ADMIN-KEY"}) {
    EXPECT_EQ(refusal_of({{"apikey", value}}), Code::invalid_admin_key) << value;
  }
  EXPECT_EQ(refusal_of({}), Code::invalid_admin_key);
  EXPECT_EQ(refusal_of({{"Authorization", "Basic the-admin-key"}}), Code::invalid_admin_key);
  EXPECT_EQ(refusal_of({}, "/clients?other_api_key=the-admin-key"), Code::invalid_admin_key);
  EXPECT_EQ(refusal_of({}, "/clients?api_key=%zz"), Code::invalid_admin_key);
}

TEST(AdminKey, every_documented_place_is_looked_at) {
  for (const char* name : {"apikey", "X-API-Key", "x-athena-key"}) {
    EXPECT_EQ(refusal_of({{name, std::string(kKey)}}), std::nullopt) << name;
  }
  EXPECT_EQ(refusal_of({{"authorization", "bEaReR  the-admin-key"}}), std::nullopt);
  EXPECT_EQ(refusal_of({}, "/clients?x=1&api_key=the%2Dadmin-key"), std::nullopt);
  EXPECT_EQ(refusal_of({}, "/clients?apikey=the-admin-key"), std::nullopt);
}

TEST(AdminKey, a_bearer_token_of_another_system_does_not_shadow_the_key) {
  EXPECT_EQ(refusal_of({{"Authorization", "Bearer somebody.elses"}, {"apikey", std::string(kKey)}}), std::nullopt);
}

}  // namespace
}  // namespace athena::gateway
