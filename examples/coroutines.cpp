// The SDK on a loop of the program: many statements at the same time, no threads.
//   example_coroutines numbers.db
#include <iostream>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <athena/base/event.h>
#include <athena/sdk/client.h>

namespace sdk = athena::sdk;

namespace {

constexpr int kNumbers = 100;

athena::Async<> fill(const sdk::AthenaClient& client) {
  ATHENA_CO_TRY_VOID(co_await client.sql("DROP TABLE IF EXISTS numbers").co_execute());
  ATHENA_CO_TRY_VOID(co_await client.sql("CREATE TABLE numbers (n INTEGER PRIMARY KEY, square INTEGER)").co_execute());
  sdk::InsertBuilder insert = client.insert("numbers");
  for (int n = 0; n < kNumbers; ++n) insert.payload({{"n", n}, {"square", n * n}});
  ATHENA_CO_TRY_VOID(co_await insert.co_execute());
  co_return athena::Result<>();
}

athena::Task<> look_up(const sdk::AthenaClient& client, int n, int& right, int& left, athena::Event& done) {
  const auto row = co_await client.select("numbers").where_eq("n", n).single().co_execute();
  right += row && row->at(0, "square") == sdk::Value(n * n);
  if (--left == 0) done.set();
}

athena::Task<> run(const sdk::AthenaClient& client, athena::Loop& loop, int& code) {
  const auto filled = co_await fill(client);
  if (!filled) std::cerr << filled.error().error << '\n';
  int right = 0, left = kNumbers;
  athena::Event done;
  for (int n = 0; n < kNumbers; ++n) {
    athena::asio::co_spawn(loop.executor(), look_up(client, n, right, left, done), athena::asio::detached);
  }
  co_await done.wait();
  std::cout << right << " of " << kNumbers << " squares are right\n";
  code = right == kNumbers ? 0 : 1;
  co_await client.stop();
  loop.stop();
}

}  // namespace

int main(int count, char** arguments) {
  athena::Loop loop;
  sdk::AthenaClientBuilder builder;
  const auto client = builder.backend(sdk::BackendType::sqlite)
                          .url(count > 1 ? arguments[1] : "numbers.db")
                          .create_if_missing()
                          .loop(loop)
                          .build();
  if (!client) {
    std::cerr << client.error().error << '\n';
    return 1;
  }
  int code = 1;
  athena::asio::co_spawn(loop.executor(), run(*client, loop, code), athena::asio::detached);
  loop.run();
  return code;
}
