// What the Worker before a D1 database may answer: rows, failures, definitions of tables, whatever else calls itself an
// answer. No read out of bounds (AddressSanitizer watches), cells are what they claim to be, the caller is told nothing
// that is not UTF-8, and what is not known after a failure is not called known. The first byte says what the rest is.
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <athena/base/json.h>
#include <athena/base/json_scan.h>
#include <athena/base/text.h>

#include "d1/decode.h"
#include "d1/errors.h"
#include "d1/proxy.h"
#include "sqlite/replica.h"

namespace {

using namespace athena;
using namespace athena::driver;

void check(bool holds) {
  if (!holds) std::abort();
}

/// Whatever the cell says, it can stand in a reply.
void check_cell(const Cell& cell) {
  json::Scanner scanner(cell.view());
  json::Scanner::Value value;
  switch (cell.kind()) {
    case CellKind::null:
    case CellKind::integer:
    case CellKind::real:
    case CellKind::bytes:
      return;
    case CellKind::boolean:
      return check(cell.integer() == 0 || cell.integer() == 1);
    case CellKind::text:
      return check(text::is_utf8(cell.view()));
    case CellKind::verbatim:
      return check(scanner.value(value) && scanner.at_end());
    case CellKind::quoted: {
      const std::string quoted = "\"" + std::string(cell.view()) + "\"";
      json::Scanner whole(quoted);
      check(whole.value(value) && whole.at_end() && !value.has_escapes);
    }
  }
}

/// A stream over a reply never waits: its work is done when the loop has nothing to do.
std::optional<Result<RowBatch>> next(asio::io_context& context, RowStream& stream) {
  std::optional<Result<RowBatch>> batch;
  asio::co_spawn(Executor(context.get_executor()), stream.next(),
                 [&batch](std::exception_ptr failed, Result<RowBatch> given) {
                   check(!failed);
                   batch.emplace(std::move(given));
                 });
  context.restart();
  context.run();
  return batch;
}

void read_rows(http::ClientResponse response, bool is_printed) {
  using enum query::TypeClass;
  auto reply = d1::read_reply(std::move(response));
  if (!reply) {
    check(text::is_utf8(reply.error().error) && !reply.error().error.empty());
    return;
  }
  std::vector<ColumnInfo> columns;
  for (const query::TypeClass type : {integer, text, json, boolean, bytes, real, decimal, timestamp, other}) {
    columns.push_back({"c" + std::to_string(columns.size()), {}, type});
  }
  if (!is_printed) columns = d1::native_columns(**reply, columns);
  const std::size_t width = columns.size();
  d1::ReplyStream stream(*std::move(reply), {.columns = std::move(columns), .is_printed = is_printed});
  asio::io_context context;
  for (bool last = false; !last;) {
    const auto batch = next(context, stream);
    check(batch.has_value());
    if (!*batch) {
      check(text::is_utf8((*batch).error().error));
      return;
    }
    check((*batch)->cells.size() == (*batch)->rows * width);
    for (const Cell& cell : (*batch)->cells) check_cell(cell);
    last = (*batch)->last;
  }
}

void read_failure(const http::ClientResponse& response) {
  for (const bool is_caller_sql : {false, true}) {
    const d1::Failure failure =
        d1::failure_of(response, {.is_caller_sql = is_caller_sql, .sql = "select \xc3\xa9 from t"});
    check(text::is_utf8(failure.error.error) && text::is_utf8(failure.error.hint));
    for (const auto& [name, value] : failure.error.fields) check(text::is_utf8(value));
  }
  const auto wait = d1::retry_after(response);
  check(!wait || *wait <= 3'600);
  check(d1::header_bookmark(response).size() <= response.headers[0].second.size());
}

/// The rows of sqlite_schema, each on a line: what a Worker says that the tables are.
void read_tables(std::string_view body) {
  std::vector<sqlite::SchemaRow> rows;
  for (const std::string_view line : text::split(body, '\n')) {
    const std::size_t blank = line.find(' ');
    if (blank == std::string_view::npos || rows.size() == 32) break;
    constexpr std::string_view kTypes[] = {"table", "index", "view", "trigger"};
    rows.push_back({std::string(kTypes[line.size() % 4]), std::string(line.substr(0, blank)),
                    std::string(line.substr(blank + 1))});
  }
  const auto replica = sqlite::Replica::build(std::move(rows));
  if (!replica) return;
  for (const query::TableDef& table : (*replica)->schema()->tables()) {
    for (const std::uint32_t index : table.primary_key) check(index < table.columns.size());
  }
  (void)(*replica)->describe("SELECT * FROM t", true);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const http::ClientResponse response{
      .status = data[0] % 4 < 2 ? 200 : 300 + 2 * data[0],
      .headers = {{"x-athena-d1-bookmark", body.substr(0, 8)}, {"retry-after", body.substr(0, 4)}},
      .body = body};
  switch (data[0] % 4) {
    case 0:
      read_rows(response, true);
      break;
    case 1:
      read_rows(response, false);
      break;
    case 2:
      read_failure(response);
      break;
    default:
      read_tables(body);
  }
  return 0;
}
