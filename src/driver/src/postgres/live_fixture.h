#pragma once

#include <atomic>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>

#include <athena/driver/backend.h>

#include "postgres/backend.h"

/// A real PostgreSQL for the tests that need one: ATHENA_TEST_POSTGRES says where.
namespace athena::driver::postgres {

/// Counts what the driver reports.
class Counter final : public Observer {
 public:
  void observe(const Event& event) noexcept override { counts_[static_cast<std::size_t>(event.kind)] += event.count; }
  std::uint64_t count(Event::Kind kind) const { return counts_[static_cast<std::size_t>(kind)]; }

 private:
  std::atomic<std::uint64_t> counts_[16] = {};
};

/// The answer to a statement, copied out.
struct Answer {
  std::vector<std::string> columns, types;
  std::vector<std::vector<std::optional<std::string>>> rows;
  std::uint64_t affected = 0, statements = 0;

  const std::optional<std::string>& at(std::size_t row, std::size_t column) const { return rows.at(row).at(column); }
};

inline std::optional<std::string> text_of(const Cell& cell) {
  switch (cell.kind()) {
    case CellKind::null:
      return std::nullopt;
    case CellKind::boolean:
      return cell.integer() != 0 ? "true" : "false";
    case CellKind::integer:
      return std::to_string(cell.integer());
    case CellKind::real:
      return std::to_string(cell.real());
    case CellKind::text:
    case CellKind::verbatim:
    case CellKind::quoted:
    case CellKind::bytes:
      return std::string(cell.view());
  }
  return std::nullopt;
}

inline Async<Answer> read_all(std::unique_ptr<RowStream> stream) {
  Answer answer;
  for (const ColumnInfo& column : stream->columns()) {
    answer.columns.push_back(column.name);
    answer.types.push_back(column.type_name);
  }
  for (bool last = false; !last;) {
    ATHENA_CO_TRY(const RowBatch batch, co_await stream->next());
    last = batch.last;
    for (std::size_t row = 0; row < batch.rows; ++row) {
      auto& copied = answer.rows.emplace_back();
      for (std::size_t i = 0; i < answer.columns.size(); ++i) {
        copied.push_back(text_of(batch.cells[row * answer.columns.size() + i]));
      }
    }
  }
  answer.affected = stream->affected();
  answer.statements = stream->statement_count();
  co_return answer;
}

inline std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// One loop and one backend on it. run() drives the loop on the test's own thread.
class LiveDatabase {
 public:
  explicit LiveDatabase(const std::string& uri, PoolConfig pool = {}, std::string_view database = {},
                        SecretSource secret = {}) {
    auto target = parse_uri(uri);
    if (!target)
      throw std::runtime_error("set ATHENA_TEST_POSTGRES and ATHENA_TEST_PGBOUNCER: " + target.error().error);
    target->pool = pool;
    target->secret = std::move(secret);
    if (!database.empty()) target->database = database;
    shared = share(*target);
    backend = open(*target, shared, Runtime{loop, counter});
  }
  ~LiveDatabase() {
    if (backend) run(backend->stop());
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

  static Call call(milliseconds patience = milliseconds(10'000), Cancellation* cancellation = nullptr) {
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
  Result<Answer> sql(std::string text, std::vector<query::Scalar> params = {}) {
    return run(ask(Native{std::move(text), std::move(params), {}}, call()));
  }
  Result<Answer> statement(query::Statement statement) { return run(ask(std::move(statement), call())); }

  Loop loop;
  Counter counter;
  std::shared_ptr<SharedState> shared;
  std::unique_ptr<Backend> backend;
};

inline query::Predicate compare(std::string column, query::Op op, std::string digits) {
  query::Predicate predicate;
  predicate.column.name = std::move(column);
  predicate.op = op;
  predicate.operands.emplace_back(query::Number{std::move(digits)});
  return predicate;
}

inline query::Output output(std::string column, std::string alias) {
  query::Output named;
  named.column.name = std::move(column);
  named.alias = std::move(alias);
  return named;
}

inline query::Select select_by(const std::string& table, const std::string& column, std::string digits,
                               std::optional<std::uint64_t> limit = 100) {
  query::Select select;
  select.from.name = table;
  select.where.terms.emplace_back(compare(column, query::Op::eq, std::move(digits)));
  select.limit = limit;
  return select;
}

}  // namespace athena::driver::postgres
