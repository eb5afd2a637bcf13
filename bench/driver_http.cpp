// What a backend that speaks HTTP costs beside the calls that it makes: CPU time of this process for reads through the
// backend, and for the same requests by the HTTP client alone (libcurl's multi interface), taken in turns. Another
// process answers, with bytes that never change.
//
//   bench_driver_http supabase|d1 [REQUESTS] [ROUNDS]

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>

#include <athena/driver/backend.h>
#include <athena/http/client.h>

namespace {

using namespace athena;

constexpr unsigned kInFlight = 16;
constexpr std::string_view kRow =
    R"([{"id":4711,"name":"name 4711","email":"user4711@example.org","score":711,"active":true,)"
    R"("created_at":"2025-01-01T01:18:31+00:00"}])";
constexpr std::string_view kTables =
    R"({"paths":{"/bench_rows":{"get":{},"post":{}}},"definitions":{"bench_rows":{"required":["id"],"properties":{)"
    R"("id":{"format":"bigint","description":"Note:\nThis is a Primary Key.<pk/>"},"name":{"format":"text"},)"
    R"("email":{"format":"text"},"score":{"format":"integer"},"active":{"format":"boolean"},)"
    R"("created_at":{"format":"timestamp with time zone"}}}}})";
constexpr std::string_view kD1Row =
    R"({"rows":[{"c0":4711,"c1":"name 4711","c2":"user4711@example.org","c3":711,"c4":1,)"
    R"("c5":"2025-01-01T01:18:31+00:00"}],"columns":["c0","c1","c2","c3","c4","c5"],"durationMs":1,"count":0,)"
    R"("bookmark":"00000001-00000002-00004e2f-1","meta":{"changes":0,"rows_read":1}})";
constexpr std::string_view kD1Tables =
    R"-({"rows":[{"type":"table","name":"bench_rows","sql":"CREATE TABLE bench_rows (id INTEGER PRIMARY KEY, )-"
    R"-(name TEXT, email TEXT, score INTEGER, active BOOLEAN, created_at TIMESTAMPTZ)"}],)-"
    R"-("columns":["type","name","sql"],"meta":{}})-";

/// One service: how it is reached, the request of a read by key as the backend sends it, and what is answered.
struct Service {
  std::string_view kind, scheme, suffix;  ///< the target's URI is scheme, key and address, suffix
  std::string_view path, body;            ///< no body: GET
  std::vector<std::pair<std::string, std::string>> headers;
  std::string_view asks_for_tables;  ///< in a request
  std::string_view tables, row;
};
const Service kServices[] = {
    {.kind = "supabase",
     .scheme = "postgrest+http",
     .suffix = "",
     .path = "/bench_rows?select=id%2Cname%2Cemail%2Cscore%2Cactive%2Ccreated_at&id=eq.4711&limit=100",
     .body = "",
     .headers = {{"Accept", "application/json"}, {"apikey", "key"}, {"Authorization", "Bearer key"}},
     .asks_for_tables = "GET / ",
     .tables = kTables,
     .row = kRow},
    {.kind = "d1",
     .scheme = "d1+http",
     .suffix = "/?binding=DB",
     .path = "/query",
     .body = R"({"query":"SELECT iif(typeof(t.\"id\") = 'integer' AND t.\"id\" NOT BETWEEN -9007199254740991 AND )"
             R"(9007199254740991, CAST(t.\"id\" AS TEXT), t.\"id\") AS c0, t.\"name\" AS c1, t.\"email\" AS c2, )"
             R"(t.\"score\" AS c3, t.\"active\" AS c4, t.\"created_at\" AS c5 FROM \"main\".\"bench_rows\" AS t )"
             R"(WHERE t.\"id\" = CAST(?1 AS INTEGER) LIMIT 100","params":["4711"],"databaseBinding":"DB",)"
             R"("sessionMode":null,"bookmark":null})",
     .headers = {{"Authorization", "Bearer key"}, {"Content-Type", "application/json"}},
     .asks_for_tables = "sqlite_schema",
     .tables = kD1Tables,
     .row = kD1Row},
};

/// How long the body of the request is that begins in `received`.
std::size_t body_size(std::string_view head) {
  const std::size_t at = head.find("Content-Length: ");
  return at == std::string_view::npos ? 0 : std::strtoul(head.data() + at + 16, nullptr, 10);
}

/// Answers every request of one connection: the question for the tables, and all else with a row.
void answer(int socket, const Service& service) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  std::string received;
  char buffer[16 * 1024];
  for (ssize_t n; (n = ::read(socket, buffer, sizeof buffer)) > 0;) {
    received.append(buffer, static_cast<std::size_t>(n));
    for (std::size_t end; (end = received.find("\r\n\r\n")) != std::string::npos;) {
      const std::size_t size = end + 4 + body_size(std::string_view(received).substr(0, end));
      if (received.size() < size) break;
      const bool for_tables = std::string_view(received).substr(0, size).contains(service.asks_for_tables);
      const std::string body(for_tables ? service.tables : service.row);
      received.erase(0, size);
      const std::string reply =
          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
          "\r\n\r\n" + body;
      if (::write(socket, reply.data(), reply.size()) < 0) return;
    }
  }
  ::close(socket);
}

[[noreturn]] void serve(int listener, const Service& service) {
  for (;;) {
    const int socket = ::accept(listener, nullptr, nullptr);
    if (socket >= 0) std::thread(answer, socket, std::cref(service)).detach();
  }
}

struct Quiet final : driver::Observer {
  void observe(const driver::Event&) noexcept override {}
};

query::Select read_by_key() {
  query::Select select;
  select.from.name = "bench_rows";
  for (const char* name : {"id", "name", "email", "score", "active", "created_at"}) {
    select.columns.emplace_back().column.name = name;
  }
  query::Predicate by_key;
  by_key.column.name = "id";
  by_key.operands.emplace_back(query::Number{"4711"});
  select.where.terms.emplace_back(std::move(by_key));
  select.limit = 100;
  return select;
}

Async<> through_backend(driver::Backend& backend, unsigned requests) {
  for (unsigned i = 0; i < requests; ++i) {
    driver::Call call;
    call.deadline = Clock::now() + seconds(30);
    ATHENA_CO_TRY(const auto stream, co_await backend.execute(read_by_key(), call));
    std::size_t rows = 0;
    for (bool last = false; !last;) {
      ATHENA_CO_TRY(const driver::RowBatch batch, co_await stream->next());
      rows += batch.rows;
      last = batch.last;
    }
    if (rows != 1) co_return fail(Code::internal_error, "no row came");
  }
  co_return Result<>{};
}

Async<> by_client(http::Client& client, const std::string& url, const Service& service, unsigned requests) {
  for (unsigned i = 0; i < requests; ++i) {
    http::ClientRequest request;
    request.method = service.body.empty() ? "GET" : "POST";
    request.url = url + std::string(service.path);
    request.headers = service.headers;
    request.body = service.body;
    ATHENA_CO_TRY(const auto response, co_await client.send(std::move(request), nullptr));
    if (response.status != 200) co_return fail(Code::internal_error, "no answer came");
  }
  co_return Result<>{};
}

double cpu_seconds() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

/// Microseconds of CPU for each request, with several at once.
template <class Work>
double measure(Loop& loop, unsigned requests, Work work) {
  const double before = cpu_seconds();
  unsigned left = kInFlight;
  for (unsigned i = 0; i < kInFlight; ++i) {
    asio::co_spawn(loop.executor(), work(requests / kInFlight), [&left](std::exception_ptr, Result<> done) {
      if (!done) {
        std::cerr << done.error().error << ' ' << done.error().log_detail << '\n';
        std::exit(1);
      }
      --left;
    });
  }
  while (left > 0) loop.context().run_one();
  return (cpu_seconds() - before) * 1e6 / requests;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int at, unsigned otherwise) {
    return argc > at ? static_cast<unsigned>(std::strtoul(argv[at], nullptr, 10)) : otherwise;
  };
  const std::string_view name = argc > 1 ? argv[1] : "";
  const auto* service = std::ranges::find(kServices, name, &Service::kind);
  if (service == std::end(kServices)) {
    std::cerr << "bench_driver_http supabase|d1 [REQUESTS] [ROUNDS]\n";
    return 2;
  }
  const unsigned requests = number(2, 20'000), rounds = number(3, 5);
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener, 64) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::cerr << "no socket to listen on\n";
    return 1;
  }
  const pid_t server = ::fork();
  if (server == 0) serve(listener, *service);
  ::close(listener);

  const std::string host = "127.0.0.1:" + std::to_string(ntohs(address.sin_port)), url = "http://" + host;
  Loop loop;
  Quiet quiet;
  const std::string uri = std::string(service->scheme) + "://key@" + host + std::string(service->suffix);
  const auto target = driver::parse_uri(uri);
  const driver::BackendKind& kind = *driver::find_backend_kind(service->kind);
  const auto backend = kind.open(*target, kind.share(*target), {loop, quiet});
  auto client = http::Client::create(loop);
  std::vector<double> with, without;
  for (unsigned round = 0; round <= rounds; ++round) {
    const double backend_us = measure(loop, requests, [&](unsigned n) { return through_backend(*backend, n); });
    const double client_us = measure(loop, requests, [&](unsigned n) { return by_client(*client, url, *service, n); });
    if (round == 0) continue;  // warms up
    with.push_back(backend_us);
    without.push_back(client_us);
  }
  std::cout << median(with) - median(without) << " us of CPU more: " << median(with) << " through the backend, "
            << median(without) << " by the HTTP client alone, " << kInFlight << " in flight\n";
  bool stopped = false;
  asio::co_spawn(loop.executor(), backend->stop(), [&stopped](std::exception_ptr) { stopped = true; });
  while (!stopped) loop.context().run_one();
  client.reset();
  ::kill(server, SIGTERM);
  ::waitpid(server, nullptr, 0);
}
