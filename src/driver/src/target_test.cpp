#include <athena/driver/target.h>

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <athena/driver/backend.h>

namespace athena::driver {
namespace {

struct Refused {
  const char* uri;
  const char* said;  ///< part of the error
};

TEST(ParseUri, what_is_not_allowed_is_refused_by_name) {
  const Refused cases[] = {
      {"", "unknown scheme"},
      {"mysql://u:secret@h/d", "unknown scheme"},
      {"postgres://", "names no host"},
      {"postgres:///db", "names no host"},
      {"postgres://a,b/db", "several hosts"},
      {"postgres://a:1,b:2/db", "several hosts"},
      {"postgres://h/db?host=a,b", "several hosts"},
      {"postgres://h:0/db", "port"},
      {"postgres://h:65536/db", "port"},
      {"postgres://h:12x/db", "port"},
      {"postgres://[::1/db", "bracket"},
      {"postgres://[::1]x/db", "malformed"},
      {"postgres://[evil host]/db", "IPv6"},
      {"postgres://::1/db", "malformed"},
      {"postgres://h/db?service=x", "'service'"},
      {"postgres://h/db?passfile=/etc/passwd", "'passfile'"},
      {"postgres://h/db?hostaddr=10.0.0.1", "'hostaddr'"},
      {"postgres://h/db?sslkey=k", "'sslkey'"},
      {"postgres://h/db?options=-c%20x", "'options'"},
      {"postgres://h/db?%6fptions=x", "'options'"},
      {"postgres://h/db?sslmode=maybe", "sslmode"},
      {"postgres://h/db?user", "no value"},
      {"postgres://h/d%zz", "% escape"},
      {"postgres://h/d%00b", "not valid text"},
      {"postgres://h/d%ff", "not valid text"},
      {"postgres://u:a#b@h/db", "fragment"},
      {"sqlite:", "no file"},
      {"sqlite://host/file", "names a host"},
      {"sqlite::memory:", "memory"},
      {"sqlite:file:x?mode=memory", "memory"},
  };
  for (const Refused& refused : cases) {
    const auto target = parse_uri(refused.uri);
    ASSERT_FALSE(target) << refused.uri;
    EXPECT_EQ(target.error().code, Code::configuration_error) << refused.uri;
    EXPECT_NE(target.error().error.find(refused.said), std::string::npos)
        << refused.uri << ": " << target.error().error;
    EXPECT_EQ(target.error().error.find("secret"), std::string::npos);
  }
}

TEST(ParseUri, reads_every_part_of_a_postgres_uri) {
  const auto target = parse_uri("postgresql://us%40er:p%2Fss%3Aw@db.example:6543/my%20db?sslmode=require");
  ASSERT_TRUE(target) << target.error().error;
  EXPECT_EQ(target->kind, "postgresql");
  EXPECT_EQ(target->user, "us@er");
  EXPECT_EQ(target->password, "p/ss:w");
  EXPECT_EQ(target->host, "db.example");
  EXPECT_EQ(target->port, 6543);
  EXPECT_EQ(target->database, "my db");
  EXPECT_EQ(target->sslmode, "require");
}

TEST(ParseUri, takes_the_connection_strings_of_neon_as_they_are_copied) {
  const std::string host = "ep-cool-darkness-a1b2c3d4.us-east-2.aws.neon.tech";
  for (const std::string& uri :
       {"postgresql://alex:AbC@" + host + "/dbname?sslmode=require&channel_binding=require",
        "postgres://alex:AbC@" + host + "/dbname?sslmode=require&options=endpoint%3Dep-cool-darkness-a1b2c3d4",
        "postgres://alex:AbC@" + host + "/dbname?sslmode=require&options=project%3Dep-cool-darkness-a1b2c3d4"}) {
    const auto target = parse_uri(uri);
    ASSERT_TRUE(target) << uri << ": " << target.error().error;
    EXPECT_EQ(target->host, host);
    EXPECT_EQ(target->sslmode, "require");
  }
  const auto pooled = parse_uri(
      "postgresql://alex:AbC@ep-cool-a1-pooler.us-east-2.aws.neon.tech/dbname?sslmode=require&channel_binding=require"
      "&options=endpoint%3Dep-cool-a1");
  ASSERT_TRUE(pooled) << pooled.error().error;
  EXPECT_EQ(pooled->host, "ep-cool-a1-pooler.us-east-2.aws.neon.tech");
  EXPECT_EQ(pooled->channel_binding, "require");
}

TEST(ParseUri, takes_no_other_option_and_no_weaker_binding) {
  for (const char* uri :
       {"postgres://ep-a.neon.tech/d?options=endpoint%3Dep-b", "postgres://ep-a.neon.tech/d?options=endpoint%3D",
        "postgres://ep-a.neon.tech/d?options=endpoint%3Dep-a%20-c%20role%3Dx",
        "postgres://-pooler.neon.tech/d?options=endpoint%3D-pooler", "postgres://h/d?channel_binding=disable"}) {
    EXPECT_FALSE(parse_uri(uri)) << uri;
  }
}

TEST(ParseUri, reads_the_forms_of_hosts) {
  EXPECT_EQ(parse_uri("postgres://h")->host, "h");
  EXPECT_EQ(parse_uri("postgres://h")->port, 0);
  EXPECT_EQ(parse_uri("postgres://[::1]:5433/d")->host, "::1");
  EXPECT_EQ(parse_uri("postgres://[::1]:5433/d")->port, 5433);
  EXPECT_EQ(parse_uri("postgres://u@%2Fvar%2Frun%2Fpg/d")->host, "/var/run/pg");
  EXPECT_EQ(parse_uri("postgres:///d?host=/tmp&port=1")->host, "/tmp");
  EXPECT_EQ(parse_uri("  POSTGRES://h/d\n")->host, "h");
}

TEST(ParseUri, a_password_that_was_not_escaped_is_still_whole) {
  const auto target = parse_uri("postgres://u:a/b@c@h/d");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->password, "a/b@c");
  EXPECT_EQ(target->host, "h");
}

TEST(ParseUri, reads_jdbc) {
  const auto target = parse_uri("jdbc:postgresql://h:5432/d?user=u&password=p%26w");
  ASSERT_TRUE(target) << target.error().error;
  EXPECT_EQ(target->user, "u");
  EXPECT_EQ(target->password, "p&w");
}

TEST(ParseUri, takes_the_path_of_an_sqlite_file_as_it_is) {
  EXPECT_EQ(parse_uri("sqlite:data/a.db")->database, "data/a.db");
  EXPECT_EQ(parse_uri("sqlite:/var/a%20b.db")->database, "/var/a%20b.db");
  EXPECT_EQ(parse_uri("sqlite:///var/a.db?mode=x")->database, "/var/a.db?mode=x");
  EXPECT_EQ(parse_uri("sqlite:a.db")->kind, "sqlite");
  EXPECT_FALSE(parse_uri("sqlite:a.db")->create);
}

TEST(Target, masked_shows_everything_but_the_password) {
  EXPECT_EQ(parse_uri("postgres://u:topsecret@h:1/d?sslmode=require")->masked(), "postgresql://u@h:1/d");
  EXPECT_EQ(parse_uri("postgres://[::1]:1/d")->masked(), "postgresql://[::1]:1/d");
  EXPECT_EQ(parse_uri("postgres://%2Ftmp/d")->masked(), "postgresql://%2Ftmp/d");
  EXPECT_EQ(parse_uri("sqlite:/a/b.db")->masked(), "sqlite:/a/b.db");
}

TEST(BackendKinds, are_found_by_name_and_alias_whatever_the_case) {
  for (const char* name : {"postgresql", "postgres", "neon", "pg", "PostgreSQL"}) {
    ASSERT_NE(find_backend_kind(name), nullptr) << name;
    EXPECT_EQ(find_backend_kind(name)->name, "postgresql");
  }
  for (const char* name : {"sqlite", "sqlite3", "SQLite"}) {
    ASSERT_NE(find_backend_kind(name), nullptr) << name;
    EXPECT_EQ(find_backend_kind(name)->name, "sqlite");
  }
  EXPECT_EQ(find_backend_kind("oracle"), nullptr);
  EXPECT_EQ(find_backend_kind(""), nullptr);
}

TEST(SqlFacts, anything_but_reading_writes) {
  SqlFacts facts;
  facts.statements = {StatementKind::select, StatementKind::utility};
  EXPECT_FALSE(facts.writes_anything());
  facts.is_volatile = true;
  EXPECT_TRUE(facts.writes_anything());
  facts = {};
  facts.statements = {StatementKind::select, StatementKind::ddl};
  EXPECT_TRUE(facts.writes_anything());
  facts = {};
  facts.statements = {StatementKind::select};
  facts.writes.push_back({"", "t"});  // WITH x AS (INSERT INTO t …) SELECT
  EXPECT_TRUE(facts.writes_anything());
}

}  // namespace
}  // namespace athena::driver
