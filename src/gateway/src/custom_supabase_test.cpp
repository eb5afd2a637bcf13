#include "custom_supabase.h"

#include <deque>

#include <gtest/gtest.h>

#include <athena/testing/run.h>

namespace athena::gateway {
namespace {

constexpr const char* kPublic = "104.18.38.10";

/// Requests through x-supabase-url against a resolver that says what the test wants.
class SupabaseTarget : public ::testing::Test {
 protected:
  Result<driver::Target> resolve(std::string url, std::string key = "key") {
    Resolve resolver = [this](std::string, std::uint16_t) -> Async<std::vector<std::string>> {
      ++lookups_;
      if (answers_.empty()) co_return fail(Code::database_unavailable);
      auto answer = answers_.front();
      if (answers_.size() > 1) answers_.pop_front();
      co_return answer;
    };
    return testing::run(loop_, resolve_supabase_target(resolver, std::move(url), std::move(key), settings_));
  }

  Loop loop_;
  Settings settings_;
  std::deque<std::vector<std::string>> answers_{{kPublic}};
  int lookups_ = 0;
};

TEST_F(SupabaseTarget, a_project_is_reached_at_the_address_that_was_checked) {
  for (const char* url : {"https://abc.supabase.co", "https://abc.supabase.co/", "https://ABC.Supabase.co/rest/v1",
                          "https://abc.supabase.co:443/rest/v1/", " https://abc.supabase.co "}) {
    const auto target = resolve(url);
    ASSERT_TRUE(target) << url << target.error().error;
    EXPECT_EQ(target->kind, "supabase");
    EXPECT_EQ(target->url, "https://abc.supabase.co/rest/v1");
    EXPECT_EQ(target->address, kPublic);
    EXPECT_EQ(target->port, 443);
    EXPECT_EQ(target->password, "key");
  }
}

TEST_F(SupabaseTarget, both_headers_are_needed) {
  for (const auto& [url, key] : {std::pair("", "key"), std::pair("https://abc.supabase.co", ""), std::pair("", "")}) {
    const auto refused = resolve(url, key);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::missing_field);
    EXPECT_EQ(refused.error().error, "Missing x-supabase-url or x-supabase-key headers");
  }
  EXPECT_EQ(resolve("https://abc.supabase.co", "a b").error().code, Code::invalid_value);
  EXPECT_EQ(resolve("https://abc.supabase.co", "a\r\nx: y").error().code, Code::invalid_value);
  EXPECT_EQ(resolve("https://abc.supabase.co", std::string(5'000, 'k')).error().code, Code::invalid_value);
}

struct Attempt {
  const char* why;
  const char* url;
  Code code;
};

class Ssrf : public SupabaseTarget, public ::testing::WithParamInterface<Attempt> {};

TEST_P(Ssrf, is_refused_before_anything_is_looked_up) {
  const auto refused = resolve(GetParam().url);
  ASSERT_FALSE(refused) << GetParam().why;
  EXPECT_EQ(refused.error().code, GetParam().code) << GetParam().why << ": " << refused.error().error;
  EXPECT_EQ(lookups_, 0) << GetParam().why;
}

constexpr Code kMalformed = Code::invalid_value, kForeign = Code::direct_target_refused;
constexpr Attempt kAttempts[] = {
    {"another host", "https://evil.example", kForeign},
    {"a host that looks alike", "https://evilsupabase.co", kForeign},
    {"the project as a part of another host", "https://abc.supabase.co.evil.example", kForeign},
    {"the domain itself", "https://supabase.co", kForeign},
    {"loopback", "https://127.0.0.1", kForeign},
    {"a private address", "https://10.0.0.5", kForeign},
    {"the metadata service", "https://169.254.169.254/", kForeign},
    {"an address as one decimal", "https://2130706433", kForeign},
    {"an address in hex", "https://0x7f000001", kForeign},
    {"an address in octal", "https://0177.0.0.1", kForeign},
    {"a short address", "https://127.1", kForeign},
    {"IPv6 loopback", "https://[::1]", kMalformed},
    {"IPv4 mapped into IPv6", "https://[::ffff:127.0.0.1]", kMalformed},
    {"IPv4 by NAT64", "https://[64:ff9b::7f00:1]", kMalformed},
    {"a link-local address with a zone", "https://[fe80::1%25eth0]", kMalformed},
    {"IPv6 without brackets", "https://::1", kMalformed},
    {"localhost", "https://localhost", kForeign},
    {"a name of the local network", "https://db.internal", kForeign},
    {"credentials before another host", "https://abc.supabase.co@evil.example", kMalformed},
    {"credentials", "https://user:pw@abc.supabase.co", kMalformed},
    {"empty credentials", "https://@abc.supabase.co", kMalformed},
    {"an @ behind the host", "https://abc.supabase.co/@evil.example", kMalformed},
    {"a backslash before the host", "https://evil.example\\.supabase.co", kMalformed},
    {"a backslash behind the scheme", "https:\\\\abc.supabase.co", kMalformed},
    {"another port", "https://abc.supabase.co:8443", kMalformed},
    {"port 80", "https://abc.supabase.co:80", kMalformed},
    {"port 0", "https://abc.supabase.co:0", kMalformed},
    {"a port with a leading plus", "https://abc.supabase.co:+443", kMalformed},
    {"no port behind the colon", "https://abc.supabase.co:", kMalformed},
    {"http", "http://abc.supabase.co", kMalformed},
    {"another scheme", "gopher://abc.supabase.co", kMalformed},
    {"a file", "file:///etc/passwd", kMalformed},
    {"no scheme", "abc.supabase.co", kMalformed},
    {"a scheme in a scheme", "https://https://abc.supabase.co", kMalformed},
    {"a dot at the end", "https://abc.supabase.co.", kMalformed},
    {"two dots at the end", "https://abc.supabase.co..", kMalformed},
    {"unicode letters", "https://abc.suṗabase.co", kMalformed},
    {"an ideographic full stop", "https://abc。supabase.co", kMalformed},
    {"full-width letters", "https://ａbc.supabase.co", kMalformed},
    {"escapes in the host", "https://abc%2esupabase.co", kMalformed},
    {"an escaped slash", "https://evil.example%2f.supabase.co", kMalformed},
    {"a NUL escape", "https://evil.example%00.supabase.co", kMalformed},
    {"a fragment", "https://evil.example#.supabase.co", kMalformed},
    {"a query", "https://evil.example?.supabase.co", kMalformed},
    {"a query of ours", "https://abc.supabase.co?schema=auth", kMalformed},
    {"a blank", "https://abc.supabase.co evil.example", kMalformed},
    {"a line break", "https://abc.supabase.co\r\nHost: evil.example", kMalformed},
    {"a tab", "https://abc.supa\tbase.co", kMalformed},
    {"another path", "https://abc.supabase.co/auth/v1", kMalformed},
    {"a path that goes upwards", "https://abc.supabase.co/rest/v1/../../auth", kMalformed},
    {"an empty host", "https://", kMalformed},
    {"an empty label", "https://.supabase.co", kForeign},
};
INSTANTIATE_TEST_SUITE_P(, Ssrf, ::testing::ValuesIn(kAttempts));

TEST_F(SupabaseTarget, a_name_that_leads_to_a_private_address_is_refused) {
  for (const char* address : {"127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
                              "0.0.0.0", "::1", "::", "::ffff:10.0.0.1", "64:ff9b::a00:1", "fe80::1", "fe80::1%1",
                              "fc00::1", "fd00:ec2::254", "2002:7f00:1::", "224.0.0.1", "255.255.255.255"}) {
    answers_ = {{address}};
    const auto alone = resolve("https://abc.supabase.co");
    ASSERT_FALSE(alone) << address;
    EXPECT_EQ(alone.error().code, Code::direct_target_refused) << address;
    answers_ = {{kPublic, address}};
    EXPECT_FALSE(resolve("https://abc.supabase.co").has_value()) << address << " beside a public one";
  }
}

TEST_F(SupabaseTarget, a_name_that_changes_its_address_is_looked_up_once) {
  answers_ = {{kPublic}, {"127.0.0.1"}};
  const auto target = resolve("https://abc.supabase.co");
  ASSERT_TRUE(target);
  EXPECT_EQ(lookups_, 1);
  EXPECT_EQ(target->address, kPublic) << "which is where the connection goes, whatever the name says by then";
  EXPECT_EQ(resolve("https://abc.supabase.co").error().code, Code::direct_target_refused);
}

TEST_F(SupabaseTarget, a_name_that_leads_nowhere_is_told) {
  answers_.clear();
  EXPECT_EQ(resolve("https://abc.supabase.co").error().code, Code::database_unavailable);
  answers_ = {{}};
  EXPECT_EQ(resolve("https://abc.supabase.co").error().code, Code::database_unavailable);
}

TEST_F(SupabaseTarget, the_allow_list_decides_and_may_be_empty) {
  settings_.supabase_allowed_hosts = {"*.rest.example.org", "one.example.net"};
  EXPECT_TRUE(resolve("https://a.rest.example.org").has_value());
  EXPECT_TRUE(resolve("https://one.example.net").has_value());
  EXPECT_EQ(resolve("https://rest.example.org").error().code, Code::direct_target_refused);
  EXPECT_EQ(resolve("https://abc.supabase.co").error().code, Code::direct_target_refused);
  settings_.supabase_allowed_hosts.clear();
  EXPECT_EQ(resolve("https://abc.supabase.co").error().code, Code::direct_target_refused);
}

TEST_F(SupabaseTarget, private_hosts_are_for_those_who_allow_them) {
  settings_.supabase_allowed_hosts = {"localhost"};
  settings_.supabase_allow_private_hosts = true;
  answers_ = {{"127.0.0.1"}};
  const auto target = resolve("http://localhost:54321/rest/v1");
  ASSERT_TRUE(target) << target.error().error;
  EXPECT_EQ(target->url, "http://localhost:54321/rest/v1");
  EXPECT_EQ(target->address, "127.0.0.1");
  EXPECT_EQ(resolve("http://user@localhost:54321").error().code, Code::invalid_value);
  EXPECT_EQ(resolve("http://127.0.0.1:54321").error().code, Code::direct_target_refused);
}

}  // namespace
}  // namespace athena::gateway
