// Reads the rows 0 … COUNT - 1 of a table by their key "id", many at a time, and prints each as it came: the key and
// the cells, or "none", between tabs. test_second_client.py compares that with what another driver reads.
//
//   keyed_reads URI TABLE COUNT IN_FLIGHT

#include <charconv>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>

#include <boost/asio/co_spawn.hpp>

#include <athena/driver/backend.h>

namespace {

using namespace athena;

struct Quiet final : driver::Observer {
  void observe(const driver::Event&) noexcept override {}
};

struct Run {
  driver::Backend& backend;
  const std::string table;
  const unsigned count;
  unsigned next = 0, failed = 0;
  std::string out = {};
};

query::Select read_by_key(const std::string& table, unsigned key) {
  query::Select select;
  select.from.name = table;
  query::Predicate by_key;
  by_key.column.name = "id";
  by_key.operands.emplace_back(query::Number{std::to_string(key)});
  select.where.terms.emplace_back(std::move(by_key));
  return select;
}

void append_cell(std::string& out, const driver::Cell& cell) {
  char digits[64];
  switch (cell.kind()) {
    case driver::CellKind::null:
      out += "null";
      break;
    case driver::CellKind::boolean:
      out += cell.integer() != 0 ? "true" : "false";
      break;
    case driver::CellKind::integer:
      out += std::to_string(cell.integer());
      break;
    case driver::CellKind::real:
      out.append(digits, std::to_chars(digits, digits + sizeof digits, cell.real()).ptr);
      break;
    case driver::CellKind::bytes:
      for (const char c : cell.view()) {
        constexpr std::string_view kHex = "0123456789abcdef";
        const auto byte = static_cast<unsigned char>(c);
        out += {kHex[byte >> 4], kHex[byte & 15]};
      }
      break;
    case driver::CellKind::text:
    case driver::CellKind::verbatim:
    case driver::CellKind::quoted:
      out += cell.view();
      break;
  }
}

Async<> read_one(Run& run, unsigned key) {
  driver::Call call;
  call.deadline = Clock::now() + seconds(30);
  ATHENA_CO_TRY(const auto stream, co_await run.backend.execute(read_by_key(run.table, key), call));
  std::string line = std::to_string(key);
  std::size_t rows = 0;
  for (bool last = false; !last;) {
    ATHENA_CO_TRY(const driver::RowBatch batch, co_await stream->next());
    for (std::size_t i = 0; i < batch.cells.size(); ++i) {
      line += '\t' + stream->columns()[i % stream->columns().size()].name + '=';
      append_cell(line, batch.cells[i]);
    }
    rows += batch.rows;
    last = batch.last;
  }
  run.out += line + (rows == 0 ? "\tnone\n" : "\n");
  co_return Result<>();
}

Task<> read_on(Run& run) {
  while (run.next < run.count) {
    const auto done = co_await read_one(run, run.next++);
    if (done) continue;
    ++run.failed;
    std::cerr << done.error().error << " | " << done.error().log_detail << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto target = driver::parse_uri(argc == 5 ? argv[1] : "");
  if (!target) {
    std::cerr << "usage: keyed_reads URI TABLE COUNT IN_FLIGHT\n" << target.error().error << '\n';
    return 2;
  }
  const driver::BackendKind& kind = *driver::find_backend_kind(target->kind);
  Loop loop;
  Quiet quiet;
  const auto backend = kind.open(*target, kind.share(*target), {loop, quiet});
  Run run{*backend, argv[2], static_cast<unsigned>(std::strtoul(argv[3], nullptr, 10))};
  unsigned left = static_cast<unsigned>(std::strtoul(argv[4], nullptr, 10));
  for (unsigned i = left; i > 0; --i) {
    asio::co_spawn(loop.executor(), read_on(run), [&](std::exception_ptr) {
      if (--left > 0) return;
      asio::co_spawn(loop.executor(), backend->stop(), [&](std::exception_ptr) { loop.stop(); });
    });
  }
  loop.run();
  std::cout << run.out;
  return run.failed == 0 ? 0 : 1;
}
