#include "target_http.h"

#include <string>

#include <gtest/gtest.h>

namespace athena::driver {
namespace {

TEST(ReadHttpUrl, takes_a_url_apart) {
  const auto url = read_http_url("HTTPS://ke%40y@Db.Example.org:8443/rest/v1//?schema=a");
  ASSERT_TRUE(url) << url.error().error;
  EXPECT_TRUE(url->is_secure);
  EXPECT_EQ(url->host, "db.example.org");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->path, "/rest/v1");
  EXPECT_EQ(url->user_info, "ke@y");
  EXPECT_EQ(url->query, "schema=a");
  EXPECT_EQ(url->base(), "https://db.example.org:8443/rest/v1");
  EXPECT_EQ(read_http_url("http://[::1]:3000")->base(), "http://[::1]:3000");
  EXPECT_EQ(read_http_url("https://h:443/")->base(), "https://h");
}

TEST(ReadHttpUrl, refuses_tricks) {
  for (const std::string_view text : {"",
                                      "h",
                                      "//h",
                                      "ftp://h",
                                      "https:/h",
                                      "https://",
                                      "https:///x",
                                      "https://:443",
                                      "https://h:0",
                                      "https://h:99999",
                                      "https://h:4x",
                                      "https://h:",
                                      "https://a b",
                                      "https://a\tb",
                                      "https://a\\b",
                                      "https://h/#f",
                                      "https://h#f",
                                      "https://exämple.org",
                                      "https://[::1",
                                      "https://[::1]x",
                                      "https://[h]",
                                      "https://[fe80::1%25eth0]",
                                      "https://h%2eorg",
                                      "https://h,i",
                                      "https://a_b",
                                      "https://u%00@h",
                                      "https://u%zz@h",
                                      "https://h/../admin",
                                      "https://h/a/..",
                                      "https://[]",
                                      "https://a:b:c"}) {
    const auto url = read_http_url(text);
    EXPECT_FALSE(url.has_value()) << text;
    if (!url) EXPECT_EQ(url.error().code, Code::configuration_error);
  }
  EXPECT_FALSE(read_http_url("https://h/" + std::string(3'000, 'a')).has_value());
  // The last @ decides, as in every browser: what stands before it is no host.
  EXPECT_EQ(read_http_url("https://good.example@evil.example")->host, "evil.example");
  EXPECT_EQ(read_http_url("https://good.example:x@evil.example")->host, "evil.example");
}

TEST(ReadSupabase, the_rest_path_may_be_left_out) {
  const auto target = parse_uri("supabase+https://abc.supabase.co");
  ASSERT_TRUE(target) << target.error().error;
  EXPECT_EQ(target->kind, "supabase");
  EXPECT_EQ(target->url, "https://abc.supabase.co/rest/v1");
  EXPECT_EQ(target->host, "abc.supabase.co");
  EXPECT_EQ(target->port, 443);
  EXPECT_EQ(target->password, "");
  EXPECT_EQ(parse_uri("supabase+https://abc.supabase.co/rest/v1/")->url, "https://abc.supabase.co/rest/v1");
  EXPECT_EQ(parse_uri("supabase+http://localhost:54321")->url, "http://localhost:54321/rest/v1");
  EXPECT_EQ(parse_uri("postgrest+http://localhost:3000/")->url, "http://localhost:3000");
  EXPECT_EQ(parse_uri("postgrest+https://h/api?schema=my%20schema")->database, "my schema");
}

TEST(ReadSupabase, the_key_is_taken_out_of_the_url_and_never_shown) {
  for (const char* uri : {"supabase+https://s3cret@h.supabase.co", "supabase+https://:s3cret@h.supabase.co"}) {
    const auto target = parse_uri(uri);
    ASSERT_TRUE(target);
    EXPECT_EQ(target->password, "s3cret");
    EXPECT_EQ(target->url.find("s3cret"), std::string::npos);
    EXPECT_EQ(target->masked().find("s3cret"), std::string::npos);
  }
  for (const char* uri : {"supabase+https://s3cret@h?x=1", "supabase+https://s3cret@", "supabase+ftp://s3cret@h",
                          "supabase+https://s3cret@h?schema=", "supabase+https://s3cret@h?schema=%00"}) {
    const auto refused = parse_uri(uri);
    ASSERT_FALSE(refused) << uri;
    EXPECT_EQ((refused.error().error + refused.error().hint).find("s3cret"), std::string::npos) << uri;
  }
}

TEST(TargetD1, reads_the_proxys_address_and_the_binding) {
  const auto target = parse_uri("d1+https://t%40k@worker.example/path/?binding=DB&session_mode=first-primary");
  ASSERT_TRUE(target) << target.error().error;
  EXPECT_EQ(target->kind, "d1");
  EXPECT_EQ(target->url, "https://worker.example/path");
  EXPECT_EQ(target->password, "t@k");
  EXPECT_EQ(target->binding, "DB");
  EXPECT_EQ(target->session_mode, "first-primary");
  EXPECT_EQ(target->host, "worker.example");
  EXPECT_EQ(target->port, 443);
  for (const char* local : {"localhost:8787", "127.0.0.1:1", "[::1]:1"}) {
    EXPECT_TRUE(parse_uri("d1+http://" + std::string(local) + "/?binding=DB")) << local;
  }
}

TEST(TargetD1, takes_plain_http_from_this_machine_alone) {
  for (const char* uri :
       {"d1+http://worker.example/?binding=DB", "d1+http://localhost:x@evil.example/?binding=DB",
        "d1+http://localhost.evil.example/?binding=DB", "d1+https:///?binding=DB", "d1+https://worker.example",
        "d1+https://worker.example/?binding=", "d1+ftp://h/?binding=DB", "d1+https://worker.example/?binding=DB&x=1"}) {
    const auto refused = parse_uri(uri);
    ASSERT_FALSE(refused) << uri;
    EXPECT_EQ(refused.error().code, Code::configuration_error) << uri;
  }
}

}  // namespace
}  // namespace athena::driver
