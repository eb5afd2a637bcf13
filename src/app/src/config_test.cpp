#include "config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "resources.h"

namespace athena::app {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

/// A folder that is gone when the test is.
class Folder {
 public:
  Folder() {
    std::string pattern = fs::temp_directory_path() / "athena-config-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path_); }
  std::string write(const std::string& name, const std::string& text) const {
    const fs::path file = path_ / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
    return file.string();
  }
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

Result<Config> parse(std::string_view text, std::map<std::string, std::string> variables = {},
                     ConfigOptions options = {}) {
  return parse_config(text, "config.yaml", Environment(std::move(variables)), options);
}

Result<Config> load(const std::string& config, const std::string& pipelines = "") {
  ConfigOptions options;
  options.config = config;
  options.pipelines = pipelines;
  return load_config(options, Environment());
}

std::string error_of(std::string_view text, std::map<std::string, std::string> variables = {}) {
  const auto config = parse(text, std::move(variables));
  return config ? "no error" : config.error().error;
}

std::vector<std::string> warnings_of(std::string_view text) {
  const auto config = parse(text);
  std::vector<std::string> out;
  if (!config) return {config.error().error};
  for (const Notice& notice : config->notices) out.push_back(notice.text);
  return out;
}

TEST(config, names_file_line_key_and_what_is_allowed) {
  EXPECT_EQ(error_of("api:\n  host: a\n  port: abc\n"),
            "config.yaml:3: api.port must be a whole number from 0 to 65535; it is 'abc'");
  EXPECT_EQ(error_of("api:\n  port: 65536\n"),
            "config.yaml:2: api.port must be a whole number from 0 to 65535; it is '65536'");
  EXPECT_EQ(error_of("api:\n  port: [1]\n"), "config.yaml:2: api.port must be a single value");
  EXPECT_EQ(error_of("gateway:\n  early_sdk: maybe\n"),
            "config.yaml:2: gateway.early_sdk must be true or false; it is 'maybe'");
  EXPECT_EQ(error_of("gateway:\n  response_shape: round\n"),
            "config.yaml:2: gateway.response_shape must be one of documented, compact, bare; it is 'round'");
}

TEST(config, says_where_the_yaml_is_broken) {
  EXPECT_THAT(error_of("api:\n  port: [1\n"), StartsWith("config.yaml:3:1: "));
  EXPECT_EQ(error_of("- a\n"), "config.yaml:1: must be a map of sections");
  EXPECT_EQ(error_of("api: 5\n"), "config.yaml:1: api must be a map, or a list of maps");
  EXPECT_EQ(error_of("api:\n  - 5\n"), "config.yaml:2: api must hold `key: value`");
}

TEST(config, survives_aliases_that_multiply) {
  std::string text = "a: &a [1,1,1,1,1,1,1,1,1,1]\n";
  for (char name = 'b'; name < 'k'; ++name) {
    const std::string last = std::string("*") + static_cast<char>(name - 1);
    text += std::string(1, name) + ": &" + name + " [" + last;
    for (int i = 0; i < 9; ++i) text += "," + last;
    text += "]\n";
  }
  EXPECT_THAT(error_of(text), HasSubstr("too deep or too long"));
}

TEST(config, stops_at_a_variable_that_is_not_set_and_names_it) {
  EXPECT_EQ(error_of("postgres_clients:\n  main: ${MAIN_URI}\n"),
            "config.yaml:2: postgres_clients.main uses ${MAIN_URI}, which is not set");
  EXPECT_EQ(error_of("clients:\n  - name: a\n    uri_env_var: MAIN_URI\n"),
            "config.yaml:3: clients.0.uri_env_var names the variable MAIN_URI, which is not set");
  EXPECT_EQ(error_of("api:\n  host: ${\n"),
            "config.yaml:2: api.host has a ${ that is no ${NAME} and no ${NAME:-default}");
}

TEST(config, does_not_ask_for_variables_of_keys_without_effect) {
  EXPECT_THAT(warnings_of("urls:\n  - athena: ${NOWHERE}\n"), ElementsAre(HasSubstr("urls.athena: not in effect")));
}

TEST(config, warns_of_what_it_does_not_know_and_suggests) {
  EXPECT_THAT(warnings_of("api:\n  prot: 1\n"),
              ElementsAre("config.yaml:2: api.prot is no key that Athena knows; did you mean 'port'?"));
  EXPECT_THAT(warnings_of("gatevay: {}\n"),
              ElementsAre("config.yaml:1: gatevay is no section that Athena knows; did you mean 'gateway'?"));
  EXPECT_THAT(warnings_of("clients:\n  - {name: a, uri: 'postgres://h/d', colour: red}\n"),
              ElementsAre("config.yaml:2: clients.0.colour is no key that Athena knows"));
}

TEST(config, warns_of_what_this_version_does_nothing_with) {
  EXPECT_THAT(warnings_of("api:\n  cache_ttl: 240\nstorage: sqlite:catalog.db\n"),
              ElementsAre("config.yaml:2: api.cache_ttl: not in effect in this version",
                          "config.yaml:3: storage: not in effect in this version"));
}

TEST(config, takes_the_first_of_two) {
  const auto config = parse("api:\n  - port: 1\n  - port: 2\n");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->listen.port, 1);
  EXPECT_EQ(config->notices.at(0).text, "config.yaml:3: api.port is given twice; the first one counts");
}

TEST(config, reads_lists_of_single_maps_and_plain_maps_alike) {
  for (const char* text : {"api:\n  - port: 8080\n  - http_workers: 3\n", "api:\n  port: 8080\n  http_workers: 3\n"}) {
    const auto config = parse(text);
    ASSERT_TRUE(config) << config.error().error;
    EXPECT_EQ(config->listen.port, 8080);
    EXPECT_EQ(config->threads, 3U);
  }
}

TEST(config, reads_every_kind_of_value) {
  const auto config = parse(R"(
api:
  host: ${HOST:-0.0.0.0}
  keep_alive_secs: 15
  statement_timeout_ms: 1500
  cors_allowed_origins: "https://a.example, https://b.example"
gateway:
  audit_headers: Optional
  force_camel_case_to_snake_case: yes
  default_limit: 0
  post_processing_max_rows: 500
  jdbc_allowed_hosts: [a.example, b.example]
logs:
  request_log: errors
)");
  ASSERT_TRUE(config) << config.error().error;
  EXPECT_EQ(config->listen.host, "0.0.0.0");
  EXPECT_EQ(config->limits.idle_timeout, seconds(15));
  EXPECT_EQ(config->settings.statement_timeout, milliseconds(1500));
  EXPECT_THAT(config->settings.cors_allowed_origins, ElementsAre("https://a.example", "https://b.example"));
  EXPECT_FALSE(config->settings.audit_headers_required);
  EXPECT_TRUE(config->settings.camel_to_snake);
  EXPECT_EQ(config->settings.read.default_limit, 0U);
  EXPECT_EQ(config->settings.post_processing_max_rows, 500U);
  EXPECT_THAT(config->settings.jdbc_allowed_hosts, ElementsAre("a.example", "b.example"));
  EXPECT_EQ(config->settings.request_log, "errors");
}

TEST(config, reads_when_a_host_is_left_alone) {
  const auto config =
      parse("health:\n  enabled: false\n  failure_threshold: 3\n  failure_window_seconds: 7\n  offline_seconds: 9\n");
  ASSERT_TRUE(config);
  EXPECT_FALSE(config->settings.health.enabled);
  EXPECT_EQ(config->settings.health.failure_threshold, 3U);
  EXPECT_EQ(config->settings.health.failure_window, seconds(7));
  EXPECT_EQ(config->settings.health.offline, seconds(9));
  EXPECT_EQ(error_of("health:\n  failure_threshold: 0\n"),
            "config.yaml:2: health.failure_threshold must be a whole number from 1 to 1000; it is '0'");
}

TEST(config, compatibility_is_one_line_and_keys_of_their_own_win) {
  const auto config = parse("gateway:\n  audit_headers: required\n  compatibility: \"2.0\"\n");
  ASSERT_TRUE(config) << config.error().error;
  EXPECT_EQ(config->settings.response_shape, gateway::Shape::compact);
  EXPECT_TRUE(config->settings.audit_headers_required);
}

TEST(config, the_command_line_wins) {
  ConfigOptions options;
  options.port = 9;
  options.host = "::1";
  const auto config = parse("api:\n  port: 1\n  host: a\n", {}, options);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->listen.port, 9);
  EXPECT_EQ(config->listen.host, "::1");
}

TEST(config, is_embedded_without_any_client) {
  EXPECT_TRUE(parse("").value().is_embedded);
  EXPECT_TRUE(parse("postgres_clients: []\n").value().is_embedded);
  EXPECT_FALSE(parse("postgres_clients:\n  a: postgres://h/d\n").value().is_embedded);
}

TEST(config, the_bundled_file_is_clean_and_embedded) {
  const auto config = parse(bundled_config());
  ASSERT_TRUE(config) << config.error().error;
  EXPECT_THAT(config->notices, testing::IsEmpty());
  EXPECT_TRUE(config->is_embedded);
  EXPECT_FALSE(config->settings.audit_headers_required);
}

TEST(config, key_and_certificate_belong_together) {
  EXPECT_THAT(error_of("api:\n  tls_cert: a\n"), HasSubstr("belong together"));
}

TEST(config, admin_key_comes_from_the_environment) {
  EXPECT_EQ(parse("", {{"ATHENA_KEY_12", "k"}}).value().settings.admin_key, "k");
}

TEST(clients, are_refused_without_name_or_uri) {
  EXPECT_EQ(error_of("clients:\n  - uri: postgres://h/d\n"), "config.yaml:2: clients.0 needs a name");
  EXPECT_EQ(error_of("clients:\n  - name: a\n"),
            "config.yaml:2: clients.0 needs uri, uri_env_var, or metadata that says where the database of 'a' is");
  EXPECT_EQ(error_of("clients:\n  - {name: a, uri: 'postgres://h/d', pg_uri: 'postgres://h/d'}\n"),
            "config.yaml:2: clients.0 has both uri and pg_uri");
  EXPECT_EQ(error_of("clients:\n  a: b\n"), "config.yaml:1: clients must be a list of {name, uri, …}");
}

TEST(clients, take_their_key_from_the_variable_that_is_named) {
  const auto config =
      parse("clients:\n  - {name: edge, uri: 'd1+https://w.example/?binding=DB', key_env_var: EDGE_KEY}\n",
            {{"EDGE_KEY", " token\n"}});
  ASSERT_TRUE(config) << config.error().error;
  EXPECT_EQ(config->settings.clients.front().target.password, "token");
  EXPECT_TRUE(config->notices.empty());
  const std::string uri = "clients:\n  - name: a\n    uri: ";
  const std::string named = "\n    key_env_var: EDGE_KEY\n";
  EXPECT_THAT(error_of(uri + "supabase+https://p.supabase.co" + named), HasSubstr("EDGE_KEY, which is not set"));
  EXPECT_THAT(error_of(uri + "supabase+https://KEY@p.supabase.co" + named), HasSubstr("beside a key in the uri"));
  EXPECT_THAT(error_of(uri + "postgres://h/d" + named), HasSubstr("is for clients with a key"));
}

TEST(clients, may_say_in_their_metadata_where_their_database_is) {
  const auto config = parse(
      "clients:\n"
      "  - name: ring\n"
      "    metadata: {dbEngine: scylla, scylla: {hosts: ['h1:9043', h2], keyspace: '${KS}', password_env_var: PW}}\n"
      "  - name: edge\n"
      "    metadata:\n"
      "      cloudflareD1:\n"
      "        worker_base_url: https://w.example\n"
      "        auth_token_env_var: PW\n"
      "        database_binding: DB\n"
      "  - name: shop\n"
      "    metadata: {neon: {host: ep-a.neon.tech, port: 5433, database: shop, user: u, sslmode: require}}\n"
      "  - name: file\n"
      "    metadata: {sqlite: {path: shop.db, read_only: true}}\n"
      "  - {name: old, pg_uri_env_var: OLD, metadata: {dbEngine: postgresql, team: a}}\n",
      {{"KS", "orders"}, {"PW", " token "}, {"OLD", "postgres://h/d"}});
  ASSERT_TRUE(config) << config.error().error;
  const auto& clients = config->settings.clients;
  ASSERT_EQ(clients.size(), 5U);
  EXPECT_EQ(clients[0].target.masked(), "scylla://h1:9043/orders");
  EXPECT_EQ(clients[0].target.secret(), "token");
  EXPECT_EQ(clients[1].target.url, "https://w.example");
  EXPECT_EQ(clients[1].target.secret(), "token");
  EXPECT_EQ(clients[2].target.masked(), "postgresql://u@ep-a.neon.tech:5433/shop");
  EXPECT_TRUE(clients[3].target.read_only);
  EXPECT_EQ(clients[4].target.masked(), "postgresql://h/d");
  EXPECT_THAT(config->notices, testing::IsEmpty());
}

TEST(clients, are_told_by_file_name_and_key_what_their_metadata_lacks) {
  const auto error = [](const std::string& metadata) {
    return error_of("clients:\n  - name: ring\n    metadata: " + metadata + "\n");
  };
  EXPECT_EQ(error("{dbEngine: scylla}"),
            "config.yaml:3: clients.0.metadata of client 'ring': metadata marks the client as Scylla-backed but does "
            "not include any Scylla hosts");
  EXPECT_EQ(error("{scylla: {hosts: h1, keyspce: k}}"),
            "config.yaml:3: clients.0.metadata of client 'ring': scylla.keyspce is no key of this object; did you mean "
            "'keyspace'?");
  EXPECT_EQ(error("{neon: {host: h, password_env_var: NOPE}}"),
            "config.yaml:3: clients.0.metadata of client 'ring': the variable NOPE is not set, or empty");
  EXPECT_EQ(error("{neon: {host: '${NOPE}'}}"),
            "config.yaml:3: clients.0.metadata.neon.host uses ${NOPE}, which is not set");
  EXPECT_EQ(error("{sqlite: {path: ../../etc/x.db}}"),
            "config.yaml:2: clients.0 names a file outside of the data folder and of storage.sqlite_roots");
  EXPECT_EQ(error("{team: a}"),
            "config.yaml:2: clients.0 needs uri, uri_env_var, or metadata that says where the database of 'ring' is");
  EXPECT_EQ(
      error("{neon: {host: h}}\n    uri: postgres://h/d"),
      "config.yaml:3: clients.0.metadata of client 'ring': metadata says where the database is, and so does a URI "
      "beside it");
}

TEST(clients, are_refused_twice_whatever_the_case) {
  EXPECT_EQ(error_of("postgres_clients:\n  a: postgres://h/d\nclients:\n  - {name: A, uri: 'postgres://h/e'}\n"),
            "config.yaml:4: clients.0 is the second client named 'A'");
}

TEST(clients, never_show_a_uri_that_is_refused) {
  EXPECT_THAT(error_of("clients:\n  - {name: a, uri: 'mongodb://u:secret@h/d'}\n"), testing::Not(HasSubstr("secret")));
}

TEST(clients, are_left_out_when_their_uri_is_empty) {
  const auto config = parse("postgres_clients:\n  a: ${NOWHERE:-}\n");
  ASSERT_TRUE(config) << config.error().error;
  EXPECT_TRUE(config->settings.clients.empty());
  EXPECT_THAT(config->notices.at(0).text, HasSubstr("the client is left out"));
}

TEST(clients, have_the_pool_of_the_environment) {
  const std::string text = "postgres_clients:\n  a: postgres://u:p@h:1/d\n";
  const auto config = parse(text, {{"ATHENA_PG_POOL_MAX_CONNECTIONS", "3"}, {"ATHENA_PG_POOL_IDLE_TIMEOUT_SECS", "9"}});
  ASSERT_TRUE(config) << config.error().error;
  const auto& pool = config->settings.clients.at(0).target.pool;
  EXPECT_EQ(pool.max_connections, 3U);
  EXPECT_EQ(pool.min_connections, 3U);
  EXPECT_EQ(pool.idle_timeout, seconds(9));
  EXPECT_EQ(error_of(text, {{"ATHENA_PG_POOL_MAX_CONNECTIONS", "many"}}),
            "ATHENA_PG_POOL_MAX_CONNECTIONS must be a whole number; it is 'many'");
}

TEST(clients, of_sqlite_stay_below_the_data_folder_or_a_root) {
  const Folder folder;
  const Folder other;
  ConfigOptions options;
  options.data = folder.path() + "/data";
  fs::create_directories(options.data);
  fs::create_symlink(other.path(), options.data + "/link");
  const auto text = [](const std::string& path, const std::string& root = "") {
    return "storage:\n  sqlite_roots: [" + root + "]\nclients:\n  - {name: a, uri: 'sqlite:" + path + "'}\n";
  };
  for (const std::string& path :
       std::vector<std::string>{"../x.db", "/etc/x.db", "a/../../x.db", "link/x.db", options.data + "2/x.db"}) {
    const auto config = parse(text(path), {}, options);
    ASSERT_FALSE(config) << path;
    EXPECT_THAT(config.error().error, HasSubstr("outside of the data folder")) << path;
  }
  EXPECT_EQ(parse(text("a/x.db"), {}, options)->settings.clients.at(0).target.database, options.data + "/a/x.db");
  EXPECT_TRUE(parse(text(other.path() + "/x.db", other.path()), {}, options));
  EXPECT_TRUE(parse(text("link/x.db", other.path()), {}, options));
}

TEST(search_path, has_the_documented_order) {
  const Environment environment({{"HOME", "/h"}, {"XDG_CONFIG_HOME", "/x"}, {"APPDATA", "/a"}});
  EXPECT_THAT(search_path(environment), ElementsAre("/a/athena", "/x/athena", "/h/.config/athena", "/h/.athena",
                                                    "/h/Library/Application Support/athena", "."));
}

TEST(load, copies_the_bundled_file_to_the_first_folder_that_takes_it) {
  const Folder folder;
  folder.write("blocked", "a file where a folder should be");
  const Environment environment({{"XDG_CONFIG_HOME", folder.path() + "/blocked"}, {"HOME", folder.path()}});
  const auto config = load_config({}, environment);
  ASSERT_TRUE(config) << config.error().error;
  EXPECT_EQ(config->file, folder.path() + "/.config/athena/config.yaml");
  EXPECT_TRUE(fs::exists(config->file));
  EXPECT_EQ(config->notices.front().text, folder.path() + "/blocked/athena/config.yaml is not there");
}

TEST(load, reads_only_the_file_that_is_named) {
  const auto config = load("/nowhere/config.yaml");
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().error, HasSubstr("/nowhere/config.yaml: cannot be read: No such file"));
}

TEST(load, reads_what_stands_beside_the_file) {
  const Folder folder;
  folder.write(".env", "PORT=77\n");
  folder.write("table_id_map.yaml", "mappings:\n  users: user_id\n");
  const auto config = load(folder.write("config.yaml", "api:\n  port: ${PORT}\n"));
  ASSERT_TRUE(config) << config.error().error;
  EXPECT_EQ(config->listen.port, 77);
  EXPECT_EQ(config->settings.id_columns.at("users"), "user_id");
}

TEST(load, refuses_pipelines_that_are_no_yaml) {
  const Folder folder;
  const std::string config = folder.write("config.yaml", "");
  EXPECT_FALSE(load(config, folder.path() + "/none.yaml"));
  EXPECT_FALSE(load(config, folder.write("p.yaml", "a: [")));
  EXPECT_TRUE(load(config, folder.write("q.yaml", "pipelines: []")));
}

}  // namespace
}  // namespace athena::app
