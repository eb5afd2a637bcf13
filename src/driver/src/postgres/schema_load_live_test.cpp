// The catalog queries, the row decoder and the list of harmless functions against a real PostgreSQL: the one that
// ATHENA_TEST_POSTGRES names. Works in a database of its own.
#include <libpq-fe.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <athena/base/json_writer.h>

#include "postgres/classify.h"
#include "postgres/decode.h"
#include "postgres/errors.h"
#include "postgres/schema_load.h"

namespace athena::driver::postgres {
namespace {

using query::TypeClass;
using testing::Contains;
using testing::ElementsAre;
using testing::SizeIs;

using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using Answer = std::unique_ptr<PGresult, decltype(&PQclear)>;

Connection connect(const std::string& uri) {
  Connection connection(PQconnectdb(uri.c_str()), &PQfinish);
  EXPECT_EQ(PQstatus(connection.get()), CONNECTION_OK) << PQerrorMessage(connection.get());
  return connection;
}

Answer run(PGconn* connection, const std::string& sql) {
  return {PQexec(connection, sql.c_str()), &PQclear};
}

Answer must_run(PGconn* connection, const std::string& sql) {
  Answer answer = run(connection, sql);
  const auto status = PQresultStatus(answer.get());
  EXPECT_TRUE(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) << PQresultErrorMessage(answer.get()) << sql;
  return answer;
}

template <class Add>
void for_each_row(const PGresult* answer, Add add) {
  std::vector<std::optional<std::string_view>> row;
  for (int r = 0; r < PQntuples(answer); ++r) {
    row.clear();
    for (int c = 0; c < PQnfields(answer); ++c) {
      if (PQgetisnull(answer, r, c)) {
        row.emplace_back();
      } else {
        row.emplace_back(
            std::string_view(PQgetvalue(answer, r, c), static_cast<std::size_t>(PQgetlength(answer, r, c))));
      }
    }
    add(CatalogRow(row));
  }
}

/// A database that is made for one test and dropped after it.
class SchemaLive : public testing::Test {
 protected:
  void SetUp() override {
    const char* uri = std::getenv("ATHENA_TEST_POSTGRES");
    ASSERT_TRUE(uri) << "set ATHENA_TEST_POSTGRES, or run: tools/services.py start postgres";
    admin_ = connect(uri);
    name_ = "schema_live_" + std::to_string(PQbackendPID(admin_.get()));
    must_run(admin_.get(), "CREATE DATABASE " + name_ + " TEMPLATE template0 ENCODING 'UTF8'");
    const std::string base(uri);
    connection_ = connect(base.substr(0, base.rfind('/') + 1) + name_);
    must_run(connection_.get(), "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET bytea_output = 'hex'");
  }
  void TearDown() override {
    connection_.reset();
    if (admin_) must_run(admin_.get(), "DROP DATABASE IF EXISTS " + name_ + " WITH (FORCE)");
  }

  std::shared_ptr<const query::Schema> load() {
    SchemaBuilder builder;
    for (std::size_t query = 0; query < schema_queries().size(); ++query) {
      const Answer rows = must_run(connection_.get(), std::string(schema_queries()[query]));
      for_each_row(rows.get(), [&](CatalogRow row) { builder.add_row(query, row); });
    }
    auto schema = builder.finish();
    EXPECT_TRUE(schema) << schema.error().log_detail;
    return schema ? *schema : nullptr;
  }

  Connection admin_{nullptr, &PQfinish}, connection_{nullptr, &PQfinish};
  std::string name_;
};

constexpr const char* kTables = R"sql(
CREATE SCHEMA app;
CREATE SCHEMA secret;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN small_positive AS positive DEFAULT 1 NOT NULL;
CREATE TABLE users (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  dropped text,
  email text NOT NULL UNIQUE,
  full_name varchar(20) DEFAULT 'nobody',
  upper_name text GENERATED ALWAYS AS (upper(full_name)) STORED,
  feeling mood, feelings mood[], number positive, small small_positive, numbers positive[], a_pair pair,
  external uuid, made timestamptz NOT NULL DEFAULT now(), body jsonb, price numeric(10, 2), raw bytea, tags text[]
);
ALTER TABLE users DROP COLUMN dropped;
CREATE UNIQUE INDEX partial ON users (full_name) WHERE id > 10;
CREATE UNIQUE INDEX expression ON users (lower(full_name));
CREATE UNIQUE INDEX both_names ON users (full_name, email) INCLUDE (id);
CREATE TABLE app.orders (
  user_id bigint REFERENCES users (id) ON DELETE CASCADE, line int, note text,
  PRIMARY KEY (line, user_id), CONSTRAINT late UNIQUE (note) DEFERRABLE, CHECK (line > 0)
);
CREATE TABLE app.plain (id int PRIMARY KEY, body text);
CREATE TABLE app.triggered (id int);
CREATE FUNCTION app.noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t AFTER INSERT ON app.triggered FOR EACH ROW EXECUTE FUNCTION app.noop();
CREATE TABLE parted (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE parted_2025 PARTITION OF parted FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE VIEW active AS SELECT id, email FROM users;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM users;
CREATE TABLE "Weird ""Name" (id int PRIMARY KEY, "Mixed Case" text, "a.b" text, "emoji😀" text);
CREATE TABLE nothing ();
CREATE TABLE secret.hidden (id int);
INSERT INTO app.plain SELECT i, repeat('x', 100) FROM generate_series(1, 1000) i;
ANALYZE app.plain;
)sql";

TEST_F(SchemaLive, loads_columns) {
  must_run(connection_.get(), kTables);
  const auto schema = load();
  ASSERT_TRUE(schema);
  const auto* users = schema->find("public", "users", {});
  ASSERT_TRUE(users);
  const auto column = [&](std::string_view name) { return *users->find(name, {}); };
  EXPECT_FALSE(users->find("dropped", {}));
  EXPECT_EQ(column("id").type, TypeClass::integer);
  EXPECT_TRUE(column("id").generated);
  EXPECT_TRUE(column("id").has_default);
  EXPECT_FALSE(column("id").nullable);
  EXPECT_EQ(column("full_name").type_name, "character varying(20)");
  EXPECT_EQ(column("full_name").default_expression, "'nobody'::character varying");
  EXPECT_TRUE(column("full_name").has_default);
  EXPECT_FALSE(column("full_name").generated);
  EXPECT_TRUE(column("upper_name").generated);
  EXPECT_EQ(column("feeling").type, TypeClass::text);
  EXPECT_EQ(column("feelings").type, TypeClass::array);
  EXPECT_EQ(column("number").type, TypeClass::integer);
  EXPECT_EQ(column("number").type_name, "positive");
  EXPECT_EQ(column("number").type_oid, 23U);
  EXPECT_TRUE(column("number").nullable);
  EXPECT_EQ(column("small").type, TypeClass::integer) << "a domain over a domain";
  EXPECT_FALSE(column("small").nullable);
  EXPECT_TRUE(column("small").has_default);
  EXPECT_EQ(column("numbers").type, TypeClass::array);
  EXPECT_EQ(column("a_pair").type, TypeClass::other);
  EXPECT_EQ(column("external").type, TypeClass::uuid);
  EXPECT_EQ(column("made").type, TypeClass::timestamptz);
  EXPECT_EQ(column("made").type_name, "timestamp with time zone");
  EXPECT_EQ(column("body").type, TypeClass::json);
  EXPECT_EQ(column("price").type, TypeClass::decimal);
  EXPECT_EQ(column("raw").type, TypeClass::bytes);
  EXPECT_EQ(column("tags").type, TypeClass::array);
}

TEST_F(SchemaLive, loads_keys_sizes_and_kinds) {
  must_run(connection_.get(), kTables);
  must_run(connection_.get(), "SET search_path = app, public");
  const auto schema = load();
  ASSERT_TRUE(schema);
  EXPECT_THAT(schema->search_path(), ElementsAre("app", "public"));
  const auto* users = schema->find("public", "users", {});
  ASSERT_TRUE(users);
  EXPECT_THAT(users->primary_key, ElementsAre(0));
  ASSERT_THAT(users->unique_keys, SizeIs(2)) << "no partial and no expression index";
  EXPECT_EQ(users->unique_keys[0].name, "both_names");
  EXPECT_THAT(users->unique_keys[0].columns, ElementsAre(2, 1));
  EXPECT_EQ(users->unique_keys[1].name, "users_email_key");
  EXPECT_THAT(users->unique_keys[1].columns, ElementsAre(1));

  const auto* orders = schema->find("", "orders", {});
  ASSERT_TRUE(orders);
  EXPECT_THAT(orders->primary_key, ElementsAre(1, 0)) << "in the order of the key";
  EXPECT_TRUE(orders->unique_keys.empty()) << "a deferrable key is none for ON CONFLICT";

  const auto* plain = schema->find("app", "plain", {});
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->estimated_rows, 1000);
  EXPECT_GT(plain->average_row_bytes, 100U);
  EXPECT_LT(plain->average_row_bytes, 300U);
  EXPECT_EQ(orders->estimated_rows, -1);
  EXPECT_EQ(orders->average_row_bytes, 0U);

  EXPECT_FALSE(plain->has_triggers);
  EXPECT_FALSE(orders->has_triggers) << "its own foreign key changes nothing else";
  EXPECT_TRUE(users->has_triggers) << "orders go with their user";
  for (const char* name : {"triggered", "parted", "parted_2025", "active"}) {
    EXPECT_TRUE(schema->find("", name, {})->has_triggers) << name;
  }
  EXPECT_EQ(schema->find("", "active", {})->kind, query::TableKind::view);
  EXPECT_EQ(schema->find("", "counted", {})->kind, query::TableKind::view);
  EXPECT_EQ(schema->find("", "parted", {})->kind, query::TableKind::table);
  EXPECT_TRUE(schema->find("", "nothing", {})->columns.empty());
  const auto* weird = schema->find("", "Weird \"Name", {});
  ASSERT_TRUE(weird);
  EXPECT_TRUE(weird->find("emoji😀", {}));
  EXPECT_TRUE(weird->find("a.b", {}));
  EXPECT_FALSE(schema->find("pg_catalog", "pg_class", {}));
  EXPECT_FALSE(schema->find("information_schema", "tables", {}));
}

TEST_F(SchemaLive, shows_only_schemas_that_the_role_may_use) {
  must_run(connection_.get(), kTables);
  const std::string reader = name_ + "_reader";
  must_run(connection_.get(),
           "CREATE ROLE " + reader + "; GRANT USAGE ON SCHEMA app TO " + reader + "; SET ROLE " + reader);
  const auto schema = load();
  ASSERT_TRUE(schema);
  EXPECT_TRUE(schema->find("app", "orders", {}));
  EXPECT_FALSE(schema->find("secret", "hidden", {}));
  must_run(connection_.get(), "RESET ROLE; DROP OWNED BY " + reader + "; DROP ROLE " + reader);
}

TEST_F(SchemaLive, nothing_in_the_search_path_can_stand_in_for_the_catalog) {
  must_run(connection_.get(), kTables);
  must_run(connection_.get(),
           "CREATE TABLE app.pg_class (oid oid); CREATE TABLE app.pg_attribute (x int);"
           "CREATE FUNCTION app.format_type(oid, int) RETURNS text LANGUAGE sql AS 'SELECT 1/0'");
  must_run(connection_.get(), "SET search_path = app, pg_catalog, public");
  const auto schema = load();
  ASSERT_TRUE(schema);
  EXPECT_EQ(schema->find("public", "users", {})->columns[0].type_name, "bigint");
}

TEST_F(SchemaLive, lists_constraints) {
  must_run(connection_.get(), kTables);
  ConstraintsBuilder builder;
  const Answer rows = must_run(connection_.get(), std::string(constraints_query()));
  for_each_row(rows.get(), [&](CatalogRow row) { builder.add_row(row); });
  const auto constraints = builder.finish();
  const auto find = [&](std::string_view name) {
    const auto at = std::ranges::find(constraints, name, &ConstraintInfo::name);
    return at != constraints.end() ? *at : ConstraintInfo{};
  };
  EXPECT_EQ(find("orders_pkey").type, "PRIMARY KEY");
  EXPECT_THAT(find("orders_pkey").columns, ElementsAre("line", "user_id"));
  const auto reference = find("orders_user_id_fkey");
  EXPECT_EQ(reference.type, "FOREIGN KEY");
  EXPECT_EQ(reference.schema, "app");
  EXPECT_EQ(reference.table, "orders");
  EXPECT_THAT(reference.columns, ElementsAre("user_id"));
  EXPECT_EQ(reference.foreign_schema, "public");
  EXPECT_EQ(reference.foreign_table, "users");
  EXPECT_THAT(reference.foreign_columns, ElementsAre("id"));
  EXPECT_EQ(reference.definition, "FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE");
  EXPECT_EQ(find("users_email_key").type, "UNIQUE");
  EXPECT_EQ(find("orders_line_check").definition, "CHECK ((line > 0))");
}

TEST_F(SchemaLive, thousands_of_tables_load_in_seconds) {
  must_run(connection_.get(), R"sql(DO $$ BEGIN FOR i IN 1..2000 LOOP
    EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, a text UNIQUE, b numeric DEFAULT 1, c timestamptz)', i);
    IF i % 100 = 0 THEN COMMIT; END IF; END LOOP; END $$)sql");
  const auto before = std::chrono::steady_clock::now();
  const auto schema = load();
  const auto took = std::chrono::steady_clock::now() - before;
  ASSERT_TRUE(schema);
  EXPECT_THAT(schema->tables(), SizeIs(2000));
  EXPECT_LT(took, std::chrono::seconds(10));
  RecordProperty("load_ms", static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
}

/// Every type that has a JSON form of its own, written by PostgreSQL and read by the decoder.
TEST_F(SchemaLive, the_decoder_reads_what_the_server_writes) {
  const std::string sql =
      R"sql(SELECT true, 32767::int2, -2147483648, 9223372036854775807, 1.50::numeric, 'NaN'::numeric, 0.1::float8,
      1e20::float8, '-Infinity'::float8, 'a"b'::text, '{"a": [1]}'::jsonb, '{ "a" : 1 }'::json,
      '11111111-1111-4111-8111-111111111111'::uuid, '2025-01-31 13:00:00.12+00'::timestamptz,
      '2025-01-31T13:00'::timestamp, 'infinity'::timestamptz, '2025-01-31'::date, '13:00'::time, '\x00ff'::bytea,
      '{1,NULL,3}'::int[], '[0:1]={a,"b c"}'::text[], '{{1,2},{3,4}}'::int[], ARRAY['2025-01-31T13:00+00'::timestamptz],
      ARRAY['{"a":1}'::jsonb, NULL], '1 day'::interval, ARRAY['q"\,{}'::text],
      '0044-03-15 12:00 BC'::timestamptz, '12345-01-01'::timestamp, null::int, 5::oid, ARRAY[true, false],
      ARRAY[1.5, 'NaN']::numeric[], '{}'::text[])sql";
  const std::string expected =
      R"json([true,32767,-2147483648,9223372036854775807,1.50,"NaN",)json"
      R"json(0.1,1e+20,"-Infinity","a\"b",{"a": [1]},{ "a" : 1 },)json"
      R"json("11111111-1111-4111-8111-111111111111","2025-01-31T13:00:00.12+00:00","2025-01-31T13:00:00",)json"
      R"json("infinity","2025-01-31","13:00:00","\\x00ff",[1,null,3],["a","b c"],)json"
      R"json([[1,2],[3,4]],["2025-01-31T13:00:00+00:00"],[{"a": 1},null],"1 day",)json"
      R"json(["q\"\\,{}"],"0044-03-15 12:00:00+00 BC","12345-01-01T00:00:00",null,5,)json"
      R"json([true,false],[1.5,"NaN"],[]])json";
  const Answer answer = must_run(connection_.get(), sql);
  std::vector<ColumnFormat> columns;
  std::string body{static_cast<char>(PQnfields(answer.get()) >> 8), static_cast<char>(PQnfields(answer.get()))};
  for (int c = 0; c < PQnfields(answer.get()); ++c) {
    const std::uint32_t oid = PQftype(answer.get(), c);
    columns.push_back({oid, type_class_of(oid), "c", std::string(type_name_of(oid))});
    const auto length =
        PQgetisnull(answer.get(), 0, c) ? 0xffffffffU : static_cast<std::uint32_t>(PQgetlength(answer.get(), 0, c));
    for (int shift = 24; shift >= 0; shift -= 8) body += static_cast<char>(length >> shift);
    body += PQgetvalue(answer.get(), 0, c);
    // Our table of types says what the server says.
    const Answer name = must_run(connection_.get(), "SELECT pg_catalog.format_type(" + std::to_string(oid) + ", NULL)");
    EXPECT_EQ(type_name_of(oid), PQgetvalue(name.get(), 0, 0));
  }
  RowDecoder decoder;
  decoder.reset(columns);
  std::vector<Cell> cells;
  ScratchArena scratch;
  ASSERT_TRUE(decoder.decode_row(body, cells, scratch));
  Buffer json;
  for (const Cell& cell : cells) {
    json.push_back(json.empty() ? '[' : ',');
    if (cell.is_null()) {
      json.append("null");
    } else if (cell.kind() == CellKind::boolean) {
      json.append(cell.integer() ? "true" : "false");
    } else if (cell.kind() == CellKind::verbatim) {
      json.append(cell.view());
    } else {
      json::append_string(json, cell.view());
    }
  }
  json.push_back(']');
  EXPECT_EQ(json.view(), expected);
}

/// The list is written by hand, so the server's own word is held against it.
TEST_F(SchemaLive, harmless_functions_do_not_write) {
  static constexpr std::string_view kVolatileButHarmless[] = {"clock_timestamp",
                                                              "currval",
                                                              "gen_random_uuid",
                                                              "lastval",
                                                              "pg_current_wal_lsn",
                                                              "pg_database_size",
                                                              "pg_indexes_size",
                                                              "pg_is_in_recovery",
                                                              "pg_partition_ancestors",
                                                              "pg_partition_tree",
                                                              "pg_relation_size",
                                                              "pg_sleep",
                                                              "pg_table_size",
                                                              "pg_total_relation_size",
                                                              "random",
                                                              "timeofday"};
  const Answer volatile_ones = must_run(
      connection_.get(),
      "SELECT DISTINCT proname FROM pg_proc WHERE provolatile = 'v' AND pronamespace = 'pg_catalog'::regnamespace");
  for_each_row(volatile_ones.get(), [&](CatalogRow row) {
    if (std::ranges::find(kVolatileButHarmless, *row[0]) != std::end(kVolatileButHarmless)) return;
    EXPECT_FALSE(std::ranges::binary_search(harmless_functions(), *row[0])) << *row[0];
  });
  const Answer all = must_run(connection_.get(),
                              "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace");
  std::vector<std::string> names;
  for_each_row(all.get(), [&](CatalogRow row) { names.emplace_back(*row[0]); });
  // xmlexists and the like are syntax in newer servers and functions in older ones; a name that nobody has is a
  // misspelling.
  for (const std::string_view name : harmless_functions()) EXPECT_THAT(names, Contains(name));
}

/// What the server really says, so that the words of ours rest on its messages and not on memory.
TEST_F(SchemaLive, real_errors_become_ours) {
  must_run(connection_.get(), kTables);
  must_run(connection_.get(), "INSERT INTO users (email) VALUES ('a'); INSERT INTO app.orders VALUES (1, 1, 'n')");
  struct Case {
    const char* sql;
    Code code;
    const char* words;
  };
  const Case cases[] = {
      {"INSERT INTO users (email) VALUES ('a')", Code::unique_violation,
       "A record of table 'users' with the same value of 'email' already exists (constraint 'users_email_key')"},
      {"INSERT INTO app.orders VALUES (9, 1)", Code::foreign_key_violation,
       "The value of 'user_id' in table 'orders' refers to a record that does not exist (constraint "
       "'orders_user_id_fkey')"},
      {"INSERT INTO users (email) VALUES (NULL)", Code::not_null_violation,
       "Column 'email' of table 'users' must not be null"},
      {"INSERT INTO app.orders VALUES (1, -1)", Code::check_constraint_violation,
       "The values violate a rule of table 'orders' (constraint 'orders_line_check')"},
      {"SELECT (-1)::positive", Code::check_constraint_violation,
       "The values violate a rule of type 'positive' (constraint 'positive_check')"},
      {"SELECT 'abc'::int", Code::invalid_text_representation, "invalid input syntax for type integer: \"abc\""},
      {"SELECT 99999999999::int", Code::value_out_of_range, "integer out of range"},
      {"INSERT INTO users (nope) VALUES (1)", Code::undefined_column, "Column 'nope' does not exist in table 'users'"},
      {"SELECT 1 FROM nope", Code::undefined_table, "Table 'nope' does not exist"},
      {"INSERT INTO users (id, email) VALUES (1, 'x')", Code::invalid_parameter,
       "A generated column cannot be written"},
      {"SELECT id = 'x'::text FROM users", Code::undefined_function,
       "No operator or function takes values of these types"},
      {"SELECT raw || 1 FROM users WHERE", Code::syntax_error, "The database could not read the statement"},
      {"INSERT INTO users (email) VALUES ('z') ON CONFLICT (price) DO NOTHING", Code::invalid_parameter,
       "No unique key has exactly the columns of on_conflict"},
      {"DO $$ BEGIN RAISE EXCEPTION 'too late'; END $$", Code::check_constraint_violation, "too late"},
  };
  for (const auto& [sql, code, words] : cases) {
    const Answer answer = run(connection_.get(), sql);
    const auto get = [&](int field) {
      const char* value = PQresultErrorField(answer.get(), field);
      return std::string(value ? value : "");
    };
    const ServerError server{get(PG_DIAG_SEVERITY),        get(PG_DIAG_SQLSTATE),     get(PG_DIAG_MESSAGE_PRIMARY),
                             get(PG_DIAG_MESSAGE_DETAIL),  get(PG_DIAG_MESSAGE_HINT), get(PG_DIAG_STATEMENT_POSITION),
                             get(PG_DIAG_SCHEMA_NAME),     get(PG_DIAG_TABLE_NAME),   get(PG_DIAG_COLUMN_NAME),
                             get(PG_DIAG_CONSTRAINT_NAME), get(PG_DIAG_DATATYPE_NAME)};
    const Error error = error_from_server(server, {});
    EXPECT_EQ(error.code, code) << sql;
    EXPECT_EQ(error.error, words) << sql;
  }
}

}  // namespace
}  // namespace athena::driver::postgres
