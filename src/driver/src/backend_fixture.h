#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <athena/base/json_writer.h>
#include <athena/base/loop.h>
#include <athena/driver/backend.h>

namespace athena::driver {

/// What a drained stream held. A cell is written like this: null, true, 12, 1.5, 'text', "quoted", {verbatim}, \x00ff.
struct Answer {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  std::uint64_t affected = 0, statements = 0;
  std::size_t batches = 0;
};

/// What went wrong, for the message of a failed check.
template <class T>
std::string why(const Result<T>& result) {
  if (result) return "nothing went wrong";
  const Error& error = result.error();
  return std::string(error.row().wire_code) + ": " + error.error + " [" + error.log_detail + "]";
}

/// For tests of any backend: it is opened on a loop that the test's thread drives.
class BackendFixture : public ::testing::Test {
 protected:
  void close() {
    if (backend_) (void)wait_for(stop(*backend_));
    backend_.reset();
    shared_.reset();
  }

  static Call call(milliseconds time = seconds(30)) {
    Call call{};
    call.deadline = Clock::now() + time;
    return call;
  }

  /// Runs the loop until the coroutine has ended.
  template <class T>
  Result<T> wait_for(Async<T> work) {
    std::optional<Result<T>> result;
    asio::co_spawn(loop_.executor(), keep(std::move(work), result), asio::detached);
    while (!result) loop_.context().run_one();
    return *std::move(result);
  }

  Result<Answer> query(query::Statement statement, Call call = BackendFixture::call()) {
    return wait_for(execute_and_drain(*backend_, std::move(statement), call));
  }
  Result<Answer> sql(std::string text, std::vector<query::Scalar> params = {}, Call call = BackendFixture::call()) {
    return wait_for(execute_and_drain(*backend_, Native{std::move(text), std::move(params), ""}, call));
  }
  /// For what has to succeed.
  Answer must(std::string text) {
    Result<Answer> answer = sql(text);
    EXPECT_TRUE(answer) << text << ": " << why(answer);
    return answer ? *std::move(answer) : Answer{};
  }

  static Async<> stop(Backend& backend) {
    co_await backend.stop();
    co_return Result<>();
  }
  template <class Work>
  static Async<Answer> execute_and_drain(Backend& backend, Work work, Call call) {
    ATHENA_CO_TRY(std::unique_ptr<RowStream> stream, co_await backend.execute(std::move(work), call));
    co_return co_await drain(std::move(stream));
  }
  static Async<Answer> recall_and_drain(Backend& backend, query::Recurring recurring, Call call) {
    ATHENA_CO_TRY(std::unique_ptr<RowStream> stream, co_await backend.execute_recurring(std::move(recurring), call));
    co_return co_await drain(std::move(stream));
  }
  static Async<Answer> drain(std::unique_ptr<RowStream> stream) {
    Answer answer;
    for (const ColumnInfo& column : stream->columns()) answer.columns.push_back(column.name);
    while (true) {
      ATHENA_CO_TRY(const RowBatch batch, co_await stream->next());
      ++answer.batches;
      for (std::size_t row = 0; row < batch.rows; ++row) {
        auto& cells = answer.rows.emplace_back();
        for (std::size_t i = 0; i < answer.columns.size(); ++i) {
          cells.push_back(show(batch.cells[row * answer.columns.size() + i]));
        }
      }
      if (batch.last) break;
    }
    answer.affected = stream->affected();
    answer.statements = stream->statement_count();
    co_return answer;
  }

  static std::string show(const Cell& cell) {
    Buffer out;
    switch (cell.kind()) {
      case CellKind::null:
        return "null";
      case CellKind::boolean:
        return cell.integer() ? "true" : "false";
      case CellKind::integer:
        return std::to_string(cell.integer());
      case CellKind::real:
        json::append_double(out, cell.real());
        return std::string(out.view());
      case CellKind::text:
        return "'" + std::string(cell.view()) + "'";
      case CellKind::quoted:
        return "\"" + std::string(cell.view()) + "\"";
      case CellKind::verbatim:
        return "{" + std::string(cell.view()) + "}";
      case CellKind::bytes:
        json::append_bytes(out, cell.view());
        return std::string(out.view());
    }
    return "?";
  }

  struct Recorder final : Observer {
    void observe(const Event& event) noexcept override { kinds.push_back(event.kind); }
    std::vector<Event::Kind> kinds;
  };

  Target target_;
  Loop loop_;
  Recorder observer_;
  std::shared_ptr<SharedState> shared_;
  std::unique_ptr<Backend> backend_;

 private:
  template <class T>
  static Task<> keep(Async<T> work, std::optional<Result<T>>& result) {
    Result<T> done = co_await std::move(work);
    result = std::move(done);
  }
};

/// Short spellings for statements.
inline query::Predicate equals(std::string column, query::Scalar value) {
  return {.column = {.name = std::move(column), .path = {}}, .op = query::Op::eq, .operands = {std::move(value)}};
}
inline query::Number number(std::string digits) {
  return {std::move(digits)};
}
inline query::Select select_from(std::string table) {
  query::Select select;
  select.from.name = std::move(table);
  return select;
}
inline query::Select by_key(std::string table, std::string column, query::Scalar value) {
  query::Select select = select_from(std::move(table));
  select.where.terms.emplace_back(equals(std::move(column), std::move(value)));
  return select;
}

}  // namespace athena::driver
