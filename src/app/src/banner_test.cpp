#include "banner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace athena::app {
namespace {

using testing::HasSubstr;
using testing::Not;

Config config() {
  Config out;
  out.file = "/etc/athena/config.yaml";
  out.data = "athena-data";
  out.settings.version = "3.0.0";
  gateway::ClientSettings client;
  client.name = "main";
  client.target.kind = "postgresql";
  client.target.host = "db.example.org";
  client.target.password = "secret";
  out.settings.clients.push_back(client);
  return out;
}

TEST(banner, warns_when_everyone_may_connect) {
  Config open = config();
  open.listen.host = "0.0.0.0";
  EXPECT_THAT(banner(open, 4052, 2), HasSubstr("WARNING"));
  EXPECT_THAT(banner(config(), 4052, 2), Not(HasSubstr("WARNING")));
}

TEST(banner, shows_no_password) {
  EXPECT_THAT(banner(config(), 4052, 2), HasSubstr("db.example.org"));
  EXPECT_THAT(banner(config(), 4052, 2), Not(HasSubstr("secret")));
}

TEST(banner, shows_a_request_with_the_port_that_is_open) {
  EXPECT_THAT(banner(config(), 41'234, 2),
              HasSubstr("curl -s http://127.0.0.1:41234/schema/tables -H 'X-Athena-Client: main'"));
  Config v6 = config();
  v6.listen.host = "::1";
  EXPECT_THAT(banner(v6, 1, 2), HasSubstr("http://[::1]:1"));
}

TEST(banner, repeats_warnings) {
  Config warned = config();
  warned.notices = {{LogLevel::info, "a is not there"}, {LogLevel::warn, "b is odd"}};
  EXPECT_THAT(banner(warned, 1, 1), HasSubstr("b is odd"));
  EXPECT_THAT(banner(warned, 1, 1), Not(HasSubstr("a is not there")));
}

TEST(is_loopback, knows_the_addresses_of_this_machine) {
  for (const char* host : {"127.0.0.1", "127.1.2.3", "localhost", "::1"}) EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "example.org"}) EXPECT_FALSE(is_loopback(host)) << host;
}

}  // namespace
}  // namespace athena::app
