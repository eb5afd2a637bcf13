// The same lines on every database: SQLite, PostgreSQL, Cassandra.
#include <iostream>

#include <athena/sdk/client.h>

using namespace athena::sdk;

athena::Result<> run(AthenaClientBuilder builder, bool is_cql) {
  ATHENA_TRY(const AthenaClient client, builder.build());
  const auto define = [&](std::string_view text) {
    return is_cql ? client.execute_cql(text) : client.execute_sql(text);
  };
  ATHENA_TRY_VOID(define("DROP TABLE IF EXISTS shop"));
  ATHENA_TRY_VOID(define("CREATE TABLE shop (id INT PRIMARY KEY, name TEXT)"));
  int id = 0;
  for (const char* name : {"kettle", "lamp", "seat"}) {
    ATHENA_TRY_VOID(client.insert("shop").payload({{"id", ++id}, {"name", name}}).execute());
  }
  ATHENA_TRY_VOID(client.update("shop").payload({{"name", "chair"}}).where_eq("id", 3).execute());
  ATHENA_TRY_VOID(client.delete_("shop").where_eq("id", 1).execute());
  for (const int wanted : {1, 2, 3}) {
    ATHENA_TRY(const QueryResult rows, client.select("shop").columns({"id", "name"}).where_eq("id", wanted).execute());
    if (!rows.empty()) std::cout << rows.at(0, "id").to_string() << ' ' << rows.at(0, "name").to_string() << '\n';
  }
  return {};
}

athena::Result<> prepare(AthenaClientBuilder builder, std::string_view text) {
  ATHENA_TRY(const AthenaClient client, builder.build());
  ATHENA_TRY_VOID(client.execute_cql(text));
  return {};
}

/// With a second argument that text of CQL is run, and nothing else: a keyspace to work in.
int main(int count, char** arguments) {
  const std::string url = arguments[1];
  AthenaClientBuilder builder;
  builder.url(url).max_connections(4).health_tracking(true);
  if (url.starts_with("sqlite:")) builder.create_if_missing();
  const auto done = count > 2 ? prepare(builder, arguments[2]) : run(builder, url.starts_with("scylla:"));
  if (!done) std::cerr << done.error().error << '\n';
  return done ? 0 : 1;
}
