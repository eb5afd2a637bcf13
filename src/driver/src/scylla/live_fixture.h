#pragma once

#include <charconv>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "postgres/live_fixture.h"
#include "scylla/backend.h"

/// A real Cassandra for the tests that need one: ATHENA_TEST_CASSANDRA says where (`scylla://127.0.0.1:9042`).
namespace athena::driver::scylla {

using postgres::Answer;
using postgres::compare;
using postgres::Counter;
using postgres::environment;
using postgres::output;
using postgres::read_all;
using postgres::select_by;

inline Target target_of(std::string_view uri, std::string keyspace) {
  constexpr std::string_view kScheme = "scylla://";
  if (!uri.starts_with(kScheme)) throw std::runtime_error("set ATHENA_TEST_CASSANDRA");
  uri.remove_prefix(kScheme.size());
  Target target;
  target.kind = "scylla";
  target.database = std::move(keyspace);
  const std::size_t colon = uri.rfind(':');
  target.host = uri.substr(0, colon);
  std::from_chars(uri.data() + colon + 1, uri.data() + uri.size(), target.port);
  return target;
}

/// One loop and one backend on it. run() drives the loop on the test's own thread.
class LiveCluster {
 public:
  explicit LiveCluster(Target target, std::shared_ptr<HostHealth> health = nullptr) {
    shared = share(target);
    backend = open(std::move(target), shared, Runtime{loop, counter, std::move(health)});
  }
  ~LiveCluster() {
    run(backend->stop());
    backend.reset();
    loop.stop();
  }

  template <class T>
  T run(Task<T> task) {
    std::optional<T> value;
    asio::co_spawn(loop.executor(), std::move(task), [&value](std::exception_ptr error, T result) {
      if (error) std::rethrow_exception(error);
      value = std::move(result);
    });
    while (!value) loop.context().run_one();
    return *std::move(value);
  }
  void run(Task<> task) {
    bool done = false;
    asio::co_spawn(loop.executor(), std::move(task), [&done](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
      done = true;
    });
    while (!done) loop.context().run_one();
  }

  static Call call(milliseconds patience = milliseconds(20'000), Cancellation* cancellation = nullptr) {
    Call call;
    call.deadline = Clock::now() + patience;
    call.cancellation = cancellation;
    return call;
  }
  Async<Answer> ask(query::Statement statement, Call how) {
    ATHENA_CO_TRY(auto stream, co_await backend->execute(std::move(statement), how));
    co_return co_await read_all(std::move(stream));
  }
  Async<Answer> ask(Native native, Call how) {
    ATHENA_CO_TRY(auto stream, co_await backend->execute(std::move(native), how));
    co_return co_await read_all(std::move(stream));
  }
  Result<Answer> cql(std::string text, std::vector<query::Scalar> params = {}) {
    return run(ask(Native{std::move(text), std::move(params), {}}, call()));
  }
  Result<Answer> statement(query::Statement statement) { return run(ask(std::move(statement), call())); }

  Loop loop;
  Counter counter;
  std::shared_ptr<SharedState> shared;
  std::unique_ptr<Backend> backend;
};

}  // namespace athena::driver::scylla
