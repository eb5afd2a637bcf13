#include <gmock/gmock.h>

#include <athena/driver/target.h>

namespace athena::driver {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(ScyllaUri, names_user_hosts_keyspace_and_tls) {
  const auto target = parse_uri("scylla://app:p%40ss@h1:9043,h2,[::1]:9044/shop?tls=verify-full");
  ASSERT_TRUE(target) << target.error().error;
  EXPECT_EQ(target->kind, "scylla");
  EXPECT_EQ(target->user, "app");
  EXPECT_EQ(target->password, "p@ss");
  EXPECT_EQ(target->host, "h1");
  EXPECT_EQ(target->port, 9043);
  EXPECT_THAT(target->more_hosts, ElementsAre(HostPort{"h2", 0}, HostPort{"::1", 9044}));
  EXPECT_EQ(target->database, "shop");
  EXPECT_EQ(target->sslmode, "verify-full");
}

TEST(ScyllaUri, one_host_is_enough) {
  const auto target = parse_uri("scylla://127.0.0.1");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->host, "127.0.0.1");
  EXPECT_EQ(target->port, 0);
  EXPECT_THAT(target->more_hosts, IsEmpty());
  EXPECT_EQ(target->database, "");
  EXPECT_EQ(target->sslmode, "");
}

TEST(ScyllaUri, a_password_may_hold_what_separates) {
  const auto target = parse_uri("scylla://app:a/b@c:d@h1/shop");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->password, "a/b@c:d");
  EXPECT_EQ(target->host, "h1");
}

TEST(ScyllaUri, what_is_malformed_is_refused_without_repeating_it) {
  for (const char* uri :
       {"scylla://", "scylla://h1,,h2", "scylla://h1:0", "scylla://h1:65536", "scylla://h1:x",
        "scylla://h1:", "scylla://::1", "scylla://[::1", "scylla://[::1]9042", "scylla://[x]", "scylla://a b",
        "scylla://h1/a/b", "scylla://app:secret@h1?tls=maybe", "scylla://app:secret@h1?ssl=1",
        "scylla://app:secret%zz@h1", "scylla://h1#secret", "scylla://secret%00@h1"}) {
    const auto target = parse_uri(uri);
    ASSERT_FALSE(target) << uri;
    EXPECT_EQ(target.error().code, Code::configuration_error) << uri;
    EXPECT_THAT(target.error().error + target.error().hint, Not(HasSubstr("secret"))) << uri;
  }
}

TEST(ScyllaUri, hides_its_password_when_it_is_shown) {
  EXPECT_EQ(parse_uri("scylla://app:secret@h1:9042,h2/shop")->masked(), "scylla://app@h1:9042/shop");
}

}  // namespace
}  // namespace athena::driver
