// Reads and writes a database with the SDK. The same lines work on every backend: give another URL.
//   example_quickstart notes.db
//   example_quickstart postgres://app:secret@127.0.0.1:5432/app
#include <iostream>

#include <athena/sdk/client.h>

namespace sdk = athena::sdk;

namespace {

athena::Result<> keep_notes(const std::string& url) {
  sdk::AthenaClientBuilder builder;
  builder.url(url).max_connections(4).timeout(athena::seconds(5));
  if (url.find("://") == std::string::npos) builder.backend(sdk::BackendType::sqlite).create_if_missing();
  ATHENA_TRY(const sdk::AthenaClient client, builder.build());

  ATHENA_TRY_VOID(client.execute_sql("DROP TABLE IF EXISTS notes"));
  ATHENA_TRY_VOID(client.execute_sql("CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, stars INTEGER)"));
  ATHENA_TRY_VOID(
      client.insert("notes")
          .payloads({{{"id", 1}, {"body", "Buy milk"}, {"stars", 1}}, {{"id", 2}, {"body", "Call Ada"}, {"stars", 5}}})
          .execute());
  ATHENA_TRY_VOID(client.update("notes", 1).payload({{"stars", 3}}).execute());

  ATHENA_TRY(const sdk::QueryResult best, client.select("notes")
                                              .columns({"body", "stars"})
                                              .where_gte("stars", 3)
                                              .order_by("stars", sdk::OrderDirection::desc)
                                              .limit(10)
                                              .count()
                                              .execute());
  for (std::size_t row = 0; row < best.size(); ++row) {
    std::cout << best.at(row, "stars").to_string() << ' ' << best.at(row, "body").to_string() << '\n';
  }
  std::cout << *best.count << " in all\n";

  const auto refused = client.delete_("notes").execute();  // no filter: refused, nothing is sent
  if (!refused) std::cout << refused.error().error << '\n';
  return {};
}

}  // namespace

int main(int count, char** arguments) {
  const auto done = keep_notes(count > 1 ? arguments[1] : "notes.db");
  if (done) return 0;
  std::cerr << done.error().error << '\n' << done.error().hint << '\n';
  return 1;
}
