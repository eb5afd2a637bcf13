#pragma once

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "postgres/live_fixture.h"
#include "scylla/backend.h"
#include "scylla/connection.h"

/// A real Cassandra for the tests that need one: ATHENA_TEST_CASSANDRA says where (`scylla://127.0.0.1:9042`).
namespace athena::driver::scylla {

using postgres::Answer;
using postgres::compare;
using postgres::Counter;
using postgres::environment;
using postgres::output;
using postgres::read_all;
using postgres::select_by;

/// Where the tests find their database: in ATHENA_TEST_CASSANDRA, or in the variable that ATHENA_TEST_CQL names. If it
/// wants TLS, the authority of its certificate becomes the one that this process trusts.
inline std::string live_uri() {
  const std::string other = environment("ATHENA_TEST_CQL");
  const std::string name = other.empty() ? "ATHENA_TEST_CASSANDRA" : other;
  if (const std::string authority = environment((name + "_CA").c_str()); !authority.empty()) {
    ::setenv("SSL_CERT_FILE", authority.c_str(), 1);
  }
  return environment(name.c_str());
}

inline Target target_of(const std::string& uri, std::string keyspace) {
  auto target = parse_uri(uri);
  if (!target) throw std::runtime_error("set ATHENA_TEST_CASSANDRA: " + target.error().error);
  target->database = std::move(keyspace);
  return *std::move(target);
}

/// A connection to one node, as the cluster would make it.
inline ConnectOptions connect_options(const Target& target, std::string address) {
  ConnectOptions options;
  options.destination.address = std::move(address);
  options.destination.port = target.port;
  options.destination.host = target.host;
  if (target.sslmode == "verify-full") options.destination.tls = Destination::Tls::verified;
  options.user = target.user;
  options.secret = [password = target.password] { return Result<std::string>(password); };
  options.keyspace = target.database;
  return options;
}

/// One loop and one backend on it. run() drives the loop on the test's own thread.
class LiveCluster {
 public:
  /// `observer` hears what the driver says, instead of `counter`.
  explicit LiveCluster(Target target, std::shared_ptr<HostHealth> health = nullptr, Observer* observer = nullptr) {
    shared = share(target);
    backend = open(std::move(target), shared, Runtime{loop, observer ? *observer : counter, std::move(health)});
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
