// What a REST service may answer: rows, errors, Content-Range, the description of its tables. No read out of bounds
// (AddressSanitizer watches), what is passed on is JSON or text that it claims to be, and a key never reaches the log.
// The first byte says what the rest is.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <athena/base/json.h>
#include <athena/base/json_scan.h>
#include <athena/base/text.h>

#include "supabase/decode.h"
#include "supabase/errors.h"
#include "supabase/schema_load.h"

namespace {

using namespace athena;
using namespace athena::driver;

void check(bool holds) {
  if (!holds) std::abort();
}

/// Whatever the cell says, it can stand in a reply.
void check_cell(const Cell& cell) {
  if (cell.is_null() || cell.kind() == CellKind::boolean) return;
  json::Scanner scanner(cell.view());
  json::Scanner::Value value;
  if (cell.kind() == CellKind::verbatim) check(scanner.value(value) && scanner.at_end());
  if (cell.kind() == CellKind::quoted) {
    const std::string text = "\"" + std::string(cell.view()) + "\"";
    json::Scanner whole(text);
    check(whole.value(value) && whole.at_end() && !value.has_escapes);
  }
  if (cell.kind() == CellKind::text) check(text::is_utf8(cell.view()));
}

void read_rows(std::string body, bool is_open) {
  const std::vector<ColumnInfo> expected{{.name = "a", .type_name = {}}, {.name = "b", .type_name = {}}};
  supabase::RowsReader reader(std::move(body), expected, is_open);
  if (!reader.begin()) return;
  const std::size_t width = reader.columns().size();
  for (bool last = false; !last;) {
    const auto batch = reader.next();
    if (!batch) return;
    check(batch->cells.size() == batch->rows * width);
    for (const Cell& cell : batch->cells) check_cell(cell);
    last = batch->last;
  }
}

void read_error(std::string body, int status) {
  const std::string_view key = "fuzzed-s3cret-key";
  const http::ClientResponse response{.status = status, .headers = {{"retry-after", body.substr(0, 8)}}, .body = body};
  const supabase::Failure failure = supabase::failure_from(response, {"users", key});
  check(!failure.error.error.empty());
  check(text::is_utf8(failure.error.error) && text::is_utf8(failure.error.log_detail));
  check(body.find(key) == std::string::npos || failure.error.log_detail.find(key) == std::string::npos);
  for (const auto& [name, value] : failure.error.fields) check(text::is_utf8(value));
}

void read_tables(std::string_view body) {
  const auto description = supabase::read_description(body, "public");
  if (!description) return;
  for (const query::TableDef& table : description->tables) {
    for (const std::uint32_t index : table.primary_key) check(index < table.columns.size());
  }
  const query::Schema schema(description->tables, {"public"});
  for (const query::TableDef& table : schema.tables()) schema.find("public", table.name, {});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string body(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      read_rows(body, false);
      break;
    case 1:
      read_rows(body, true);
      break;
    case 2:
      read_error(body, 400 + data[0]);
      break;
    case 3:
      read_tables(body);
      break;
    case 4:
      (void)supabase::total_of(body);
      break;
    default: {
      // What a scanner takes, a document takes, but for halves of surrogate pairs and NULs, which only text can hold.
      json::Scanner scanner(body);
      json::Scanner::Value value;
      const bool is_one = scanner.value(value) && scanner.at_end() && text::is_utf8(body);
      if (!is_one) check(!json::Document::parse(body).has_value());
    }
  }
  return 0;
}
