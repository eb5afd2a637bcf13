// What the SDK's users do, once through. Prints a line for each answer, so that two ways to one database can be
// compared:
//   sdk_tour BACKEND URL [CLIENT SHAPE]
//   sdk_tour users BACKEND URL [KEY]     reads and writes the table `users` alone: for what takes no SQL
#include <iostream>
#include <string>

#include <athena/sdk/client.h>

namespace sdk = athena::sdk;

namespace {

void print(std::string_view label, const athena::Result<sdk::QueryResult>& answer) {
  if (!answer) {
    const athena::Error& error = answer.error();
    std::cout << label << " error " << error.row().wire_code << ": "
              << (error.error.empty() ? std::string(error.row().message) : error.error) << '\n';
    return;
  }
  std::cout << label << " rows " << answer->to_json() << '\n';
  std::cout << label << " affected " << answer->affected << '\n';
  if (answer->count) std::cout << label << " count " << *answer->count << '\n';
}

void write(const sdk::AthenaClient& client) {
  print("drop", client.execute_sql("DROP TABLE IF EXISTS sdk_tour"));
  print("create", client.execute_sql("CREATE TABLE sdk_tour (id INTEGER PRIMARY KEY, name TEXT UNIQUE, amount BIGINT, "
                                     "ratio DOUBLE PRECISION, is_new BOOLEAN DEFAULT true, doc JSON)"));
  print("insert one",
        client.insert("sdk_tour")
            .payload({{"id", 1}, {"name", "Ada \"A\" \\ é"}, {"amount", 9007199254740993}, {"ratio", 0.1}})
            .execute());
  print("insert more",
        client.insert("sdk_tour")
            .payload_json(R"([{"id":2,"name":"Bob","doc":{"k":[1, 2],"s":"x"}},{"id":3,"name":null,"is_new":false}])")
            .returning({"id", "label:name", "doc"})
            .execute());
  print("insert again", client.insert("sdk_tour").payload({{"id", 9}, {"name", "Bob"}}).execute());
  print("upsert", client.insert("sdk_tour")
                      .payload({{"id", 2}, {"name", "Bob"}, {"amount", 5}})
                      .on_conflict({"id"})
                      .returning({"id", "amount"})
                      .execute());
  print("ignore", client.insert("sdk_tour").payload({{"id", 2}, {"name", "x"}}).ignore_duplicates().execute());
  print("update id", client.update("sdk_tour", 3).payload({{"amount", -7}}).returning({"amount"}).execute());
  print("update where",
        client.update("sdk_tour").payload({{"ratio", 2.5}}).where_gt("amount", 0).returning({"ratio"}).execute());
  print("update all", client.update("sdk_tour").payload({{"ratio", 0}}).execute());
  print("update many", client.update("sdk_tour").payload({{"ratio", 0}}).where_gt("id", 0).max_affected(1).execute());
}

void read(const sdk::AthenaClient& client) {
  print("all", client.select("sdk_tour").order_by("id").execute());
  print("columns", client.select("sdk_tour").columns({"id", "n:name", "doc->>s"}).order_by("id").execute());
  print("eq", client.select("sdk_tour").where_eq("name", "Ada \"A\" \\ é").execute());
  print("null", client.select("sdk_tour").columns({"id"}).where_eq("name", nullptr).execute());
  print("in", client.select("sdk_tour").columns({"id"}).where_in("id", {1, 3, 99}).order_by("id").execute());
  print("in nothing", client.select("sdk_tour").columns({"id"}).where_in("id", {}).execute());
  print("tree", client.select("sdk_tour")
                    .columns({"id"})
                    .where(sdk::any_of({sdk::eq("id", 1), sdk::negated(sdk::is("amount", sdk::Is::not_null)),
                                        sdk::all_of({sdk::like("name", "B%"), sdk::between("id", 2, 3)})}))
                    .order_by("id", sdk::OrderDirection::desc)
                    .execute());
  print("page", client.select("sdk_tour").columns({"id"}).order_by("id").range(1, 1).count().execute());
  print("head", client.select("sdk_tour").head().execute());
  print("single", client.select("sdk_tour").columns({"id"}).where_eq("id", 2).single().execute());
  print("no single", client.select("sdk_tour").where_eq("id", 99).single().execute());
  print("no table", client.select("sdk_tuor").execute());
  print("no column", client.select("sdk_tour").where_eq("nmae", 1).execute());
  print("bad value", client.select("sdk_tour").where_eq("id", "x").execute());
  print("sql", client.execute_sql("SELECT id, name FROM sdk_tour WHERE id > $1 ORDER BY id", {1}));
  print("sql nothing", client.execute_sql("SELECT id FROM sdk_tour WHERE id > 99"));
  print("sql wrong", client.execute_sql("SELEC 1"));
  print("sql read only", client.sql("DELETE FROM sdk_tour").read_only().execute());
}

int visit_users(int count, char** arguments) {
  sdk::AthenaClientBuilder builder;
  builder.backend_name(arguments[2]).url(arguments[3]);
  if (count > 4) builder.key(arguments[4]);
  const auto client = builder.build();
  if (!client) {
    std::cerr << client.error().error << '\n';
    return 1;
  }
  const std::vector<std::string> columns{"id", "email"};
  print("users", client->select("users").columns(columns).where_in("id", {1, 2, 3}).order_by("id").execute());
  print("page", client->select("users").columns(columns).order_by("id").range(1, 2).count().execute());
  print("none", client->select("users").columns(columns).where_eq("id", 99).single().execute());
  print("insert", client->insert("users").payload({{"id", 99}, {"email", "sdk@x"}}).returning(columns).execute());
  print("update", client->update("users", 99).payload({{"email", "sdk2@x"}}).returning(columns).execute());
  print("update all", client->update("users").payload({{"email", "x"}}).execute());
  print("delete", client->delete_("users").where_eq("id", 99).returning(columns).execute());
  std::cout << "healthy " << client->health_check().is_healthy << '\n';
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return 2;
  if (count > 3 && std::string_view(arguments[1]) == "users") return visit_users(count, arguments);
  sdk::AthenaClientBuilder builder;
  builder.backend_name(arguments[1]).url(arguments[2]);
  if (count > 3) builder.client(arguments[3]);
  if (count > 4) builder.header("X-Athena-Shape", arguments[4]);
  const auto client = builder.build();
  if (!client) {
    std::cerr << client.error().error << '\n';
    return 1;
  }
  write(*client);
  read(*client);
  print("delete", client->delete_("sdk_tour").where_gte("id", 2).returning({"id"}).execute());
  print("delete all", client->delete_("sdk_tour").execute());
  print("delete all, told", client->delete_("sdk_tour").allow_unfiltered().returning({"id"}).execute());
  std::cout << "healthy " << client->health_check().is_healthy << '\n';
  return 0;
}
