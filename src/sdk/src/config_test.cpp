#include <athena/sdk/config.h>

#include <cstdlib>

#include <gmock/gmock.h>

#include "target.h"

namespace athena::sdk {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

AthenaClientConfig config(BackendType backend, std::string url) {
  AthenaClientConfig config;
  config.backend = backend;
  config.connection.url = std::move(url);
  return config;
}

std::string error_of(const AthenaClientConfig& config) {
  if (is_gateway(config)) {
    const auto url = make_gateway_url(config);
    return url ? "no error" : url.error().error;
  }
  const auto target = make_target(config);
  return target ? "no error" : target.error().error;
}

TEST(BackendType, is_found_by_its_documented_names_in_any_case) {
  for (const char* name :
       {"native", "Supabase", "postgrest", "scylla", "neon", "PostgreSQL", "sqlite", "d1", "gateway"})
    EXPECT_TRUE(backend_type(name)) << name;
  EXPECT_EQ(backend_type("PostgreSQL").value(), BackendType::postgresql);
  const auto unknown = backend_type("oracle");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::unknown_driver);
  EXPECT_THAT(unknown.error().hint, HasSubstr("postgrest"));
}

TEST(Target, every_option_of_a_connection_arrives) {
  AthenaClientConfig all = config(BackendType::postgresql, "postgres://app:old@db:1/shop");
  all.connection.key = "secret";
  all.connection.ssl = true;
  all.connection.port = 6543;
  all.connection.database = "other";
  all.pool = {.max_connections = 7, .min_connections = 2, .connection_timeout = seconds(1), .idle_timeout = seconds(9)};
  const auto target = make_target(all);
  ASSERT_TRUE(target) << target.error().error;
  EXPECT_EQ(target->host, "db");
  EXPECT_EQ(target->user, "app");
  EXPECT_EQ(target->password, "secret");
  EXPECT_EQ(target->port, 6543);
  EXPECT_EQ(target->database, "other");
  EXPECT_EQ(target->sslmode, "require");
  EXPECT_EQ(target->pool.max_connections, 7U);
  EXPECT_EQ(target->pool.min_connections, 2U);
  EXPECT_EQ(target->pool.connect_timeout, seconds(1));
  EXPECT_EQ(target->pool.idle_timeout, seconds(9));
  EXPECT_THAT(health_keys(*target), ElementsAre("postgresql|db:6543"));
}

TEST(Target, ssl_does_not_weaken_what_the_url_asks_for) {
  AthenaClientConfig strict = config(BackendType::neon, "postgres://db/shop?sslmode=verify-full");
  strict.connection.ssl = true;
  EXPECT_EQ(make_target(strict)->sslmode, "verify-full");
  strict.connection.ssl = false;
  EXPECT_EQ(make_target(strict)->sslmode, "disable");
}

TEST(Target, a_file_is_a_path_or_a_uri) {
  EXPECT_EQ(make_target(config(BackendType::sqlite, "/tmp/a.db"))->database, "/tmp/a.db");
  EXPECT_EQ(make_target(config(BackendType::native, "sqlite:/tmp/a.db"))->kind, "sqlite");
  EXPECT_THAT(health_keys(*make_target(config(BackendType::sqlite, "a.db"))), IsEmpty());
}

TEST(Target, what_an_option_cannot_do_is_said) {
  AthenaClientConfig file = config(BackendType::sqlite, "a.db");
  file.connection.key = "secret";
  EXPECT_EQ(error_of(file), "key() has no meaning for a file");
  file = config(BackendType::sqlite, "a.db");
  file.connection.ssl = true;
  EXPECT_EQ(error_of(file), "ssl() has no meaning for a file");
  AthenaClientConfig database = config(BackendType::postgresql, "postgres://db/shop");
  database.gateway.client = "main";
  EXPECT_EQ(error_of(database), "client() and header() are for a gateway");
  database = config(BackendType::postgresql, "postgres://db/shop");
  database.connection.create = true;
  EXPECT_EQ(error_of(database), "create_if_missing() is for sqlite");
  EXPECT_EQ(error_of(config(BackendType::native, "")), "url() is missing");
  EXPECT_EQ(error_of(config(BackendType::neon, "sqlite:a.db")), "The URL is one of sqlite, and the backend is neon");
}

TEST(Target, limits_that_let_nothing_through_are_refused) {
  AthenaClientConfig none = config(BackendType::sqlite, "a.db");
  none.pool.max_connections = 0;
  EXPECT_EQ(error_of(none), "max_connections must be 1 or more");
  none.pool = {};
  none.pool.connection_timeout = milliseconds(0);
  EXPECT_EQ(error_of(none), "A timeout must be positive");
}

TEST(GatewayUrl, is_normalised_and_names_its_host) {
  const auto url = make_gateway_url(config(BackendType::native, "https://API.example.org/db/"));
  ASSERT_TRUE(url);
  EXPECT_EQ(url->base, "https://API.example.org/db");
  EXPECT_EQ(url->health_key, "gateway|api.example.org:443");
  EXPECT_EQ(make_gateway_url(config(BackendType::gateway, "http://[::1]:4052"))->health_key, "gateway|[::1]:4052");
  EXPECT_EQ(make_gateway_url(config(BackendType::gateway, "http://[::1]"))->health_key, "gateway|[::1]:80");
}

TEST(GatewayUrl, holds_no_secret_and_no_query) {
  for (const char* url : {"http://user:secret@host", "http://host?key=secret", "http://", "ftp://host", "host:4052"}) {
    const std::string error = error_of(config(BackendType::gateway, url));
    EXPECT_NE(error, "no error") << url;
    EXPECT_THAT(error, Not(HasSubstr("secret")));
  }
  AthenaClientConfig with_port = config(BackendType::gateway, "http://host");
  with_port.connection.port = 1;
  EXPECT_THAT(error_of(with_port), HasSubstr("port()"));
}

TEST(SupabaseBackend, names_the_variable_that_is_missing) {
  ::unsetenv("ATHENA_TEST_NO_URL");
  const auto missing = SupabaseBackend::from_env("ATHENA_TEST_NO_URL", "ATHENA_TEST_NO_KEY");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().error, "Missing environment variable 'ATHENA_TEST_NO_URL'");
}

TEST(SupabaseBackend, takes_url_and_key_from_the_environment) {
  ::setenv("ATHENA_TEST_SUPABASE_URL", "https://project.supabase.co", 1);
  ::setenv("ATHENA_TEST_SUPABASE_KEY", "service-role", 1);
  const auto backend = SupabaseBackend::from_env("ATHENA_TEST_SUPABASE_URL", "ATHENA_TEST_SUPABASE_KEY");
  ASSERT_TRUE(backend);
  EXPECT_EQ(backend->config().connection.url, "https://project.supabase.co");
  EXPECT_EQ(backend->config().connection.key, "service-role");
  EXPECT_EQ(backend->config().backend, BackendType::supabase);
}

}  // namespace
}  // namespace athena::sdk
