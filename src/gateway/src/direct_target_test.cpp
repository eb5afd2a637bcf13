#include "direct_target.h"

#include <gtest/gtest.h>

#include <athena/testing/run.h>

namespace athena::gateway {
namespace {

TEST(IsPublicAddress, refuses_what_is_no_address) {
  for (const std::string_view text :
       {"", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", "0x7f000001", "2130706433", "8.8.8.8 ", "8.8.8.8:53",
        "[2606:4700::1111]", "::g", "8.8.8.8%eth0", "2606:4700::1111/64"}) {
    EXPECT_FALSE(is_public_address(text)) << text;
  }
}

TEST(IsPublicAddress, refuses_every_special_ipv4_range_up_to_its_edges) {
  for (const std::string_view text :
       {"0.0.0.0",         "0.255.255.255",   "10.0.0.0",        "10.255.255.255", "100.64.0.0",
        "100.127.255.255", "127.0.0.1",       "127.255.255.255", "169.254.0.0",    "169.254.169.254",
        "172.16.0.0",      "172.31.255.255",  "192.0.0.1",       "192.0.2.1",      "192.88.99.1",
        "192.168.0.0",     "192.168.255.255", "198.18.0.0",      "198.19.255.255", "198.51.100.7",
        "203.0.113.7",     "224.0.0.1",       "239.255.255.255", "240.0.0.1",      "255.255.255.255"}) {
    EXPECT_FALSE(is_public_address(text)) << text;
  }
}

TEST(IsPublicAddress, refuses_every_special_ipv6_range) {
  for (const std::string_view text : {"::",
                                      "::1",
                                      "::7f00:1",
                                      "::8.8.8.8",
                                      "::ffff:127.0.0.1",
                                      "::ffff:8.8.8.8",
                                      "::ffff:a9fe:a9fe",
                                      "64:ff9b::8.8.8.8",
                                      "64:ff9b:1::1",
                                      "100::1",
                                      "2001::1",
                                      "2001:0:4136:e378:8000:63bf:3fff:fdd2",
                                      "2001:db8::1",
                                      "2002:7f00:1::",
                                      "2002:808:808::1",
                                      "3fff::1",
                                      "5f00::1",
                                      "fc00::1",
                                      "fd12:3456::1",
                                      "fdff::1",
                                      "fe80::1",
                                      "fe80::1%1",
                                      "febf::1",
                                      "fec0::1",
                                      "ff02::1",
                                      "ff0e::1"}) {
    EXPECT_FALSE(is_public_address(text)) << text;
  }
}

TEST(IsPublicAddress, takes_what_lies_beside_the_special_ranges) {
  for (const std::string_view text :
       {"8.8.8.8",     "1.1.1.1",         "9.255.255.255",   "11.0.0.0",        "100.63.255.255",
        "100.128.0.0", "126.255.255.255", "128.0.0.1",       "169.253.255.255", "172.15.255.255",
        "172.32.0.0",  "192.0.1.1",       "192.167.255.255", "192.169.0.0",     "198.17.255.255",
        "198.20.0.0",  "223.255.255.255", "2606:4700::1111", "2a00:1450::1",    "2001:4860:4860::8888",
        "2003::1"}) {
    EXPECT_TRUE(is_public_address(text)) << text;
  }
}

TEST(IsAllowedHost, a_name_that_only_looks_alike_is_refused) {
  const std::vector<std::string> allowed{"example.org"};
  for (const std::string_view host :
       {"", ".", "evilexample.org", "example.org.evil.net", "example.orgx", "xample.org", "org", ".example.org.evil",
        "example.org..", "example,org", "example.org@evil.net"}) {
    EXPECT_FALSE(is_allowed_host(host, allowed)) << host;
  }
  EXPECT_FALSE(is_allowed_host("example.org", {}));
  EXPECT_FALSE(is_allowed_host("example.org", {""}));
}

TEST(IsAllowedHost, takes_the_name_its_subdomains_any_case_and_a_final_dot) {
  const std::vector<std::string> allowed{"other.net", "Example.org"};
  for (const std::string_view host :
       {"example.org", "EXAMPLE.ORG", "example.org.", "db.example.org", "a.b.Example.org."}) {
    EXPECT_TRUE(is_allowed_host(host, allowed)) << host;
  }
}

class ResolveDirectTarget : public ::testing::Test {
 protected:
  Result<driver::Target> resolve(std::string uri) {
    return testing::run(loop_, resolve_direct_target(loop_, std::move(uri), settings_));
  }

  Loop loop_;
  Settings settings_;
};

TEST_F(ResolveDirectTarget, is_off_without_an_allow_list) {
  EXPECT_EQ(resolve("postgres://u:p@127.0.0.1/db").error().code, Code::direct_target_refused);
}

TEST_F(ResolveDirectTarget, malformed_uris_and_other_databases_are_invalid) {
  settings_.jdbc_allowed_hosts = {"127.0.0.1"};
  for (const char* uri :
       {"", "nonsense", "sqlite:/etc/passwd", "postgres://127.0.0.1/db?service=x", "postgres:///db?host=/tmp"}) {
    EXPECT_EQ(resolve(uri).error().code, Code::invalid_value) << uri;
  }
}

TEST_F(ResolveDirectTarget, a_host_that_is_not_listed_is_refused) {
  settings_.jdbc_allowed_hosts = {"example.org"};
  settings_.jdbc_allow_private_hosts = true;
  const auto refused = resolve("jdbc:postgresql://u:p@127.0.0.1/db");
  EXPECT_EQ(refused.error().code, Code::direct_target_refused);
  EXPECT_EQ(refused.error().error, "X-JDBC-URL host is not in the configured JDBC host allowlist");
}

TEST_F(ResolveDirectTarget, a_listed_name_with_a_private_address_is_refused) {
  settings_.jdbc_allowed_hosts = {"localhost", "127.0.0.1", "::1"};
  for (const char* uri : {"postgres://u:p@localhost/db", "postgres://u:p@127.0.0.1/db", "postgres://u:p@[::1]/db"}) {
    const auto refused = resolve(uri);
    ASSERT_FALSE(refused) << uri;
    EXPECT_EQ(refused.error().error, "X-JDBC-URL private or local hosts are blocked by policy") << uri;
  }
}

TEST_F(ResolveDirectTarget, pins_the_address_that_was_checked) {
  settings_.jdbc_allowed_hosts = {"localhost"};
  settings_.jdbc_allow_private_hosts = true;
  const auto target = resolve("jdbc:postgresql://user:secret@localhost:6543/app");
  ASSERT_TRUE(target) << target.error().error;
  EXPECT_TRUE(target->address == "127.0.0.1" || target->address == "::1") << target->address;
  EXPECT_EQ(target->port, 6543);
  EXPECT_EQ(target->database, "app");
}

}  // namespace
}  // namespace athena::gateway
