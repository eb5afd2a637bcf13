// What a program needs to query a database with athena_driver alone: a loop, an observer, a target.
#include <athena/driver/backend.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <iostream>

using namespace athena;

struct Silent final : driver::Observer {
  void observe(const driver::Event&) noexcept override {}
};

Async<> print_people(driver::Backend& backend) {
  driver::Call call;
  call.deadline = Clock::now() + seconds(10);
  driver::Native script;
  script.text =
      "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO people VALUES (1, 'Ada'), (2, 'Grace')";
  {
    ATHENA_CO_TRY(const auto made, co_await backend.execute(std::move(script), call));
    ATHENA_CO_TRY_VOID(co_await made->next());
  }
  query::Select select;
  select.from.name = "people";
  select.where.terms.push_back(query::Predicate{{"id", {}, false}, query::Op::gt, false, {query::Number{"1"}}});
  ATHENA_CO_TRY(const auto stream, co_await backend.execute(query::Statement(std::move(select)), call));
  bool is_last = false;
  while (!is_last) {
    ATHENA_CO_TRY(const auto batch, co_await stream->next());
    for (std::size_t row = 0; row < batch.rows; ++row) {
      std::cout << batch.cells[2 * row].integer() << ' ' << batch.cells[2 * row + 1].view() << '\n';
    }
    is_last = batch.last;
  }
  co_return Result<>();
}

Task<> run(driver::Backend& backend, Loop& loop, int& code) {
  const auto result = co_await print_people(backend);
  if (!result) std::cerr << result.error().error << '\n';
  code = result ? 0 : 1;
  co_await backend.stop();
  loop.stop();
}

int main(int, char** arguments) {
  driver::Target target;
  target.kind = "sqlite";
  target.database = arguments[1];
  target.create = true;
  const driver::BackendKind* kind = driver::find_backend_kind(target.kind);
  Loop loop;
  Silent observer;
  const auto backend = kind->open(target, kind->share(target), driver::Runtime{loop, observer});
  int code = 1;
  asio::co_spawn(loop.executor(), run(*backend, loop, code), asio::detached);
  loop.run();
  return code;
}
