// What the driver alone reaches on any backend: reads by primary key in a closed loop, through the public interface,
// rows decoded and looked at. bench/run.py alternates it with `pgbench -M prepared` or other drivers, and makes the
// table.
//
//   bench_driver_reads URI [SECONDS] [LOOPS] [IN_FLIGHT]

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <time.h>

#include <boost/asio/co_spawn.hpp>

#include <athena/driver/backend.h>

namespace {

using namespace athena;

constexpr std::uint32_t kRows = 100'000;

struct Quiet final : driver::Observer {
  void observe(const driver::Event&) noexcept override {}
};

query::Select read_by_key(std::uint32_t id) {
  query::Select select;
  select.from.name = "bench_rows";
  for (const char* name : {"id", "name", "email", "score", "active", "created_at"}) {
    select.columns.emplace_back().column.name = name;
  }
  query::Predicate by_key;
  by_key.column.name = "id";
  by_key.operands.emplace_back(query::Number{std::to_string(id)});
  select.where.terms.emplace_back(std::move(by_key));
  select.limit = 100;
  return select;
}

/// One client that asks, reads, and asks again. Gives how often it did.
Async<std::uint64_t> ask_again_and_again(driver::Backend& backend, std::uint32_t seed, TimePoint end) {
  std::uint64_t asked = 0, bytes = 0;
  for (TimePoint now = Clock::now(); now < end; now = Clock::now()) {
    seed = seed * 1'664'525 + 1'013'904'223;
    driver::Call call;
    call.deadline = now + seconds(30);
    ATHENA_CO_TRY(const auto stream, co_await backend.execute(read_by_key(seed % kRows + 1), call));
    for (bool last = false; !last;) {
      ATHENA_CO_TRY(const driver::RowBatch batch, co_await stream->next());
      for (const driver::Cell& cell : batch.cells) bytes += static_cast<std::uint64_t>(cell.kind());
      last = batch.last;
    }
    ++asked;
  }
  if (bytes == 0) co_return fail(Code::internal_error, "no rows came");
  co_return asked;
}

/// One loop with its share of the clients, until all have ended.
std::uint64_t run_loop(const driver::BackendKind& kind, const driver::Target& target,
                       const std::shared_ptr<driver::SharedState>& shared, unsigned first_client, unsigned clients,
                       TimePoint end) {
  Loop loop;
  Quiet quiet;
  const auto backend = kind.open(target, shared, {loop, quiet});
  std::uint64_t total = 0;
  unsigned left = clients;
  for (unsigned i = 0; i < clients; ++i) {
    asio::co_spawn(loop.executor(), ask_again_and_again(*backend, (first_client + i) * 7'919, end),
                   [&](std::exception_ptr, Result<std::uint64_t> asked) {
                     if (!asked) std::cerr << asked.error().error << ' ' << asked.error().log_detail << '\n';
                     total += asked.value_or(0);
                     if (--left == 0)
                       asio::co_spawn(loop.executor(), backend->stop(), [&](std::exception_ptr) { loop.stop(); });
                   });
  }
  loop.run();
  return total;
}

double cpu_seconds() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int at, unsigned otherwise) {
    return argc > at ? static_cast<unsigned>(std::strtoul(argv[at], nullptr, 10)) : otherwise;
  };
  const auto target = driver::parse_uri(argc > 1 ? argv[1] : "");
  if (!target) {
    std::cerr << "usage: bench_driver_reads URI [SECONDS] [LOOPS] [IN_FLIGHT]\n" << target.error().error << '\n';
    return 2;
  }
  const unsigned duration = number(2, 5), loops = number(3, 2), in_flight = number(4, 64);
  const driver::BackendKind& kind = *driver::find_backend_kind(target->kind);
  const auto shared = kind.share(*target);
  const TimePoint end = Clock::now() + seconds(duration);
  std::vector<std::uint64_t> asked(loops);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < loops; ++i) {
    threads.emplace_back([&, i] { asked[i] = run_loop(kind, *target, shared, i * in_flight, in_flight / loops, end); });
  }
  for (std::thread& thread : threads) thread.join();
  std::uint64_t total = 0;
  for (const std::uint64_t count : asked) total += count;
  if (total == 0) return 1;
  std::cout << static_cast<double>(total) / duration << " requests/s, "
            << cpu_seconds() * 1e6 / static_cast<double>(total) << " us of CPU each, " << loops << " loops, "
            << in_flight << " in flight\n";
}
