#include <athena/driver/metadata.h>

#include <map>

#include <gmock/gmock.h>

#include <athena/driver/backend.h>

namespace athena::driver {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Result<std::string> secret_of_test(const std::string& name) {
  static const std::map<std::string, std::string> kSecrets{{"TOKEN", "hidden-token"},
                                                           {"PG_URI", "postgres://u:hidden@db.example/shop"}};
  const auto found = kSecrets.find(name);
  if (found == kSecrets.end()) return fail(Code::configuration_error, "the variable " + name + " is not set");
  return found->second;
}

Result<std::optional<Target>> read(const std::string& text, const Target* beside = nullptr) {
  const auto document = json::Document::parse(text);
  if (!document) return fail(document.error());
  return read_metadata(document->root(), secret_of_test, beside);
}

/// A target as one line: kind, where, who, and whatever else is set.
std::string told(const Result<std::optional<Target>>& read) {
  if (!read) return "error: " + read.error().error;
  if (!*read) return "none";
  const Target& target = **read;
  std::string line = target.kind;
  const auto add = [&line](std::string_view name, std::string_view value) {
    if (!value.empty()) line += " " + std::string(name) + "=" + std::string(value);
  };
  add("url", target.url);
  if (target.url.empty()) add("host", target.host);
  if (target.url.empty() && target.port != 0) add("port", std::to_string(target.port));
  for (const HostPort& more : target.more_hosts) {
    add("and", more.host + (more.port == 0 ? "" : ":" + std::to_string(more.port)));
  }
  add("database", target.database);
  add("user", target.user);
  add("password", target.password);
  if (target.secret) add("secret", target.secret() ? *target.secret() : target.secret().error().error);
  add("sslmode", target.sslmode);
  add("channel_binding", target.channel_binding);
  add("binding", target.binding);
  add("mode", target.session_mode);
  if (target.read_only) line += " read_only";
  if (target.create) line += " create";
  return line;
}

struct Case {
  std::string json, told;
};

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) EXPECT_EQ(told(read(c.json)), c.told) << c.json;
}

TEST(Metadata, that_describes_no_database_is_none) {
  check({{"null", "none"},
         {"{}", "none"},
         {R"({"seeded_from":"config.yaml"})", "none"},
         {R"({"managed_by":"admin_api","note":{"hosts":["h"]}})", "none"},
         {R"({"dbEngine":null,"backend":" ","engine":""})", "none"},
         {R"({"scylla":null,"cloudflareD1":null})", "none"},
         {R"({"connection":{"host":"h"}})", "none"},
         {R"({"scyllaHosts":" , "})", "none"},
         {"[]", "error: metadata must be an object"},
         {"\"scylla\"", "error: metadata must be an object"}});
}

TEST(Metadata, of_scylla) {
  check({
      {R"({"dbEngine":"scylla","scylla":{"hosts":"h1:9043, h2 ,,[::1]:9044","keyspace":" ks ","username":"u",
          "password":"p"}})",
       "scylla host=h1 port=9043 and=h2 and=::1:9044 database=ks user=u password=p"},
      {R"({"backend":" ScyllaDB ","scylladb":{"hosts":["h1"," ","h2"]}})", "scylla host=h1 and=h2"},
      {R"({"engine":"cassandra","connection":{"hosts":["h1"]}})", "scylla host=h1"},
      {R"({"connection":{"hosts":["h1"]}})", "scylla host=h1"},
      {R"({"scylla":{"hosts":["h1"],"tls":"verify-full"}})", "scylla host=h1 sslmode=verify-full"},
      {R"({"scylla":{"hosts":["h1"],"password_env_var":"TOKEN"}})", "scylla host=h1 secret=hidden-token"},
      {R"({"scyllaHosts":"h1,h2","scyllaKeyspace":"k","scyllaUsername":"u","scyllaPassword":"p"})",
       "scylla host=h1 and=h2 database=k user=u password=p"},
      // What is nested wins, key by key; what stands flat fills the gaps, and so it does for blanks.
      {R"({"scylla":{"hosts":["n"],"keyspace":" ","username":"nested"},"scyllaHosts":"f","scyllaKeyspace":"flat",
          "scyllaUsername":"flat"})",
       "scylla host=n database=flat user=nested"},
      {R"({"scylla":{"hosts":[]},"scyllaHosts":"f"})", "scylla host=f"},
  });
}

TEST(Metadata, that_is_wrong_about_scylla_says_what) {
  const std::string no_hosts =
      "error: metadata marks the client as Scylla-backed but does not include any Scylla hosts";
  check({
      {R"({"dbEngine":"scylla"})", no_hosts},
      {R"({"scylla":{}})", no_hosts},
      {R"({"dbEngine":"scylla","scylla":{"hosts":" , "}})", no_hosts},
      {R"({"scylla":"h1"})", "error: scylla must be an object"},
      {R"({"scylla":{"hosts":7}})", "error: scylla.hosts must be a string"},
      {R"({"scylla":{"hosts":["h1",7]}})", "error: scylla.hosts[1] must be a string"},
      {R"({"scylla":{"hosts":["h1:x"]}})",
       "error: scylla.hosts: The port of a scylla host is not a number from 1 to 65535"},
      {R"({"scylla":{"hosts":["h1"],"keyspace":5}})", "error: scylla.keyspace must be a string"},
      {R"({"scyllaHosts":"h1","scyllaPassword":true})", "error: scyllaPassword must be a string"},
      {R"({"scylla":{"hosts":["h1"],"keyspce":"k"}})",
       "error: scylla.keyspce is no key of this object; did you mean 'keyspace'?"},
      {R"({"scylla":{"hosts":["h1"],"tls":"maybe"}})", "error: scylla.tls: Unknown tls of a scylla target"},
      {R"({"scylla":{"hosts":["h1"],"password":"p","password_env_var":"TOKEN"}})",
       "error: scylla.password_env_var stands beside password"},
  });
}

TEST(Metadata, of_d1) {
  const std::string rest = R"("auth_token_env_var":" TOKEN ","database_binding":"DB")";
  check({
      {R"({"dbEngine":"cloudflare-d1","cloudflareD1":{"worker_base_url":" https://w.example/d1/ ",)" + rest + "}}",
       "d1 url=https://w.example/d1 secret=hidden-token binding=DB"},
      {R"({"dbEngine":"Cloudflare-D1","cloudflareD1":{"worker_base_url":"http://[::1]:8787",)" + rest +
           R"(,"default_session_mode":"first-primary"}})",
       "d1 url=http://[::1]:8787 secret=hidden-token binding=DB mode=first-primary"},
      {R"({"cloudflareD1":{"worker_base_url":"http://localhost:8787","default_session_mode":null,)" + rest + "}}",
       "d1 url=http://localhost:8787 secret=hidden-token binding=DB"},
  });
}

TEST(Metadata, that_is_wrong_about_d1_says_what) {
  const auto d1 = [](std::string_view body) { return R"({"cloudflareD1":{)" + std::string(body) + "}}"; };
  const std::string insecure =
      "error: cloudflareD1.worker_base_url: The URL of a D1 proxy must use https outside local development";
  check({
      {R"({"cloudflareD1":7})", "error: cloudflareD1 metadata must be an object"},
      {R"({"dbEngine":"d1"})", "error: metadata marks the client as D1-backed but has no object cloudflareD1"},
      {d1(""), "error: cloudflareD1.worker_base_url is required"},
      {d1(R"("worker_base_url":"https://w")"), "error: cloudflareD1.auth_token_env_var is required"},
      {d1(R"("worker_base_url":"https://w","auth_token_env_var":"T","database_binding":" ")"),
       "error: cloudflareD1.database_binding is required"},
      {d1(R"("worker_base_url":"https://w","auth_token_env_var":"T","database_binding":"D","default_session_mode":1)"),
       "error: cloudflareD1.default_session_mode must be a string"},
      {d1(R"("worker_base_url":"http://w.example")"), insecure},
      {d1(R"("worker_base_url":"http://localhost.evil.example")"), insecure},
      {d1(R"("worker_base_url":"http://localhost:x@evil.example/")"),
       "error: cloudflareD1.worker_base_url: The URL of a D1 proxy has parameters or a token here"},
      {d1(R"("worker_base_url":"https://w/?binding=DB")"),
       "error: cloudflareD1.worker_base_url: The URL of a D1 proxy has parameters or a token here"},
      {d1(R"("worker_base_url":"https://")"), "error: cloudflareD1.worker_base_url: The URL names no host"},
  });
}

TEST(Metadata, of_postgresql_under_each_of_its_names) {
  check({
      {R"({"dbEngine":"postgresql","postgresql":{"host":"db","port":5433,"database":"shop","user":"u",
          "password":"p","sslmode":"require"}})",
       "postgresql host=db port=5433 database=shop user=u password=p sslmode=require"},
      {R"({"postgres":{"host":"db","port":"5433","password_env_var":"TOKEN"}})",
       "postgresql host=db port=5433 secret=hidden-token"},
      {R"({"engine":"pg","connection":{"host":"db"}})", "postgresql host=db"},
      {R"({"backend":"neon","neon":{"uri":"postgresql://u@ep-a-1-pooler.eu.aws.neon.tech/n?sslmode=require)"
       R"(&channel_binding=require&options=endpoint%3Dep-a-1","password_env_var":"TOKEN"}})",
       "postgresql host=ep-a-1-pooler.eu.aws.neon.tech database=n user=u secret=hidden-token sslmode=require "
       "channel_binding=require"},
      {R"({"neon":{"uri_env_var":"PG_URI"}})", "postgresql host=db.example database=shop user=u password=hidden"},
  });
}

TEST(Metadata, that_is_wrong_about_postgresql_says_what) {
  check({
      {R"({"dbEngine":"postgres"})",
       "error: metadata marks the client as PostgreSQL-backed but does not say where it is"},
      {R"({"postgresql":{}})", "error: postgresql.host is required, or postgresql.uri"},
      {R"({"postgresql":{"host":"db","port":0}})",
       "error: postgresql.port: The port in the database URI is not a number from 1 to 65535"},
      {R"({"postgresql":{"host":"db","port":1.5}})",
       "error: postgresql.port: The port in the database URI is not a number from 1 to 65535"},
      {R"({"postgresql":{"host":7}})", "error: postgresql.host must be a string"},
      {R"({"postgresql":{"uri":"sqlite:x"}})", "error: postgresql.uri is no postgres:// URI"},
      {R"({"postgresql":{"uri":"postgres://db","host":"other"}})", "error: postgresql.host stands beside uri"},
      {R"({"postgresql":{"uri":"postgres://u:hidden@db","password_env_var":"TOKEN"}})",
       "error: postgresql.password_env_var stands beside the secret in its URI"},
      {R"({"neon":{"uri_env_var":"NOT_SET"}})", "error: neon.uri_env_var: the variable NOT_SET is not set"},
      {R"({"neon":{"uri":"postgres://ep-a-1.neon.tech/n?options=endpoint%3Dep-b-2"}})",
       "error: neon.uri: The parameter 'options' is not allowed in a database URI"},
  });
}

TEST(Metadata, of_supabase_and_sqlite) {
  check({
      {R"({"supabase":{"url":"https://p.supabase.co","key":"k","schema":"api"}})",
       "supabase url=https://p.supabase.co/rest/v1 database=api password=k"},
      {R"({"postgrest":{"url":"http://rest:3000","key_env_var":"TOKEN"}})",
       "supabase url=http://rest:3000 secret=hidden-token"},
      {R"({"dbEngine":"PostgREST","connection":{"url":"http://rest:3000"}})", "supabase url=http://rest:3000"},
      {R"({"supabase":{"key":"k"}})", "error: supabase.url is required"},
      {R"({"engine":"supabase"})", "error: metadata marks the client as Supabase-backed but does not say where it is"},
      {R"({"sqlite":{"path":"shop.db","read_only":true}})", "sqlite database=shop.db read_only"},
      {R"({"dbEngine":"sqlite3","connection":{"path":"shop.db","create":"true"}})", "sqlite database=shop.db create"},
      {R"({"sqlite":{"path":"shop.db","create":"perhaps"}})", "error: sqlite.create must be true or false"},
      {R"({"sqlite":{"path":":memory:"}})", "error: sqlite.path: A database in memory cannot be a client"},
      {R"({"sqlite":{}})", "error: sqlite.path is required"},
  });
}

TEST(Metadata, names_one_kind_of_database) {
  check({
      {R"({"dbEngine":"oracle"})", "error: dbEngine names 'oracle', which is no kind of database that Athena knows"},
      {R"({"backend":7})", "error: backend must be a string"},
      // The first one that says something decides.
      {R"({"dbEngine":"oracle","engine":"scylla"})",
       "error: dbEngine names 'oracle', which is no kind of database that Athena knows"},
      {R"({"dbEngine":" ","engine":"sqlite","sqlite":{"path":"x"}})", "sqlite database=x"},
      // Hosts of another engine's are not taken for Scylla's.
      {R"({"dbEngine":"postgresql","connection":{"hosts":["h1"]}})",
       "error: connection.hosts is no key of this object; did you mean 'host'?"},
      {R"({"dbEngine":"postgresql","scylla":{"hosts":["h1"]}})",
       "error: metadata names postgresql, and describes another kind of database in 'scylla'"},
      {R"({"dbEngine":"postgresql","scyllaHosts":"h1"})",
       "error: metadata names postgresql, and describes another kind of database in 'scyllaHosts'"},
      {R"({"scylla":{"hosts":["h1"]},"neon":{"host":"h"}})", "error: metadata has both 'scylla' and 'neon'"},
  });
}

TEST(Metadata, beside_a_uri_confirms_its_kind_and_nothing_more) {
  const auto uri = parse_uri("postgres://db/shop");
  ASSERT_TRUE(uri);
  EXPECT_EQ(told(read(R"({"dbEngine":"neon","team":"a"})", &*uri)), "none");
  EXPECT_EQ(told(read(R"({"dbEngine":"scylla"})", &*uri)),
            "error: metadata names scylla, and the URI is one of postgresql");
  EXPECT_EQ(told(read(R"({"scylla":{"hosts":"h1"}})", &*uri)),
            "error: metadata says where the database is, and so does a URI beside it");
}

TEST(Metadata, repeats_no_secret_in_an_error) {
  for (const char* text : {R"({"neon":{"uri":"postgres://u:hidden@h/d?x=1"}})",
                           R"({"scylla":{"hosts":"h","password":"hidden","tls":"x"}})",
                           R"({"supabase":{"url":"https://hidden@","key":"hidden"}})",
                           R"({"neon":{"host":"h","password":"hidden","port":"x"}})",
                           R"({"cloudflareD1":{"worker_base_url":"https://hidden@w.example"}})"}) {
    const auto target = read(text);
    ASSERT_FALSE(target) << text;
    EXPECT_EQ(target.error().code, Code::configuration_error);
    EXPECT_THAT(target.error().error + target.error().hint, Not(HasSubstr("hidden"))) << text;
  }
}

TEST(Metadata, asks_for_a_secret_each_time_it_is_used) {
  const auto document =
      json::Document::parse(std::string_view(R"({"neon":{"host":"h","password_env_var":"ROTATED"}})"));
  ASSERT_TRUE(document);
  std::vector<std::string> asked;
  const auto target = read_metadata(document->root(), [&asked](const std::string& name) -> Result<std::string> {
    asked.push_back(name);
    return std::to_string(asked.size());
  });
  ASSERT_TRUE(target && *target);
  EXPECT_EQ((*target)->secret(), "1");
  EXPECT_EQ((*target)->secret(), "2");
  EXPECT_THAT(asked, ElementsAre("ROTATED", "ROTATED"));
}

}  // namespace
}  // namespace athena::driver
