// DataRow bodies from a server that lies: no read out of bounds (AddressSanitizer watches), no cell that points
// elsewhere, and arrays that come out as JSON. The first byte says how many columns, the next ones which types.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <athena/base/json.h>
#include <athena/base/text.h>

#include "postgres/decode.h"

namespace {

using namespace athena;
using namespace athena::driver;

constexpr std::uint32_t kOids[] = {16,   17,   20,   25,   114,  701,  1082, 1114, 1184, 1700,
                                   2950, 3802, 1000, 1007, 1009, 1020, 1185, 3807, 0};

bool lies_in(std::string_view view, std::string_view whole) {
  return view.empty() || (view.data() >= whole.data() && view.data() + view.size() <= whole.data() + whole.size());
}

/// An array of text is JSON if its bytes are UTF-8 without NUL: what the connection's encoding promises.
void check_text_array(const Cell& cell) {
  const std::string json(cell.view());
  if (!text::is_utf8(json) || json.find("\\u0000") != std::string::npos) return;
  const auto document = json::Document::parse(json);
  if (!document || !document->root().is_array()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::size_t count = data[0] % 8;
  if (size < 1 + count) return 0;
  std::vector<postgres::ColumnFormat> columns;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t oid = kOids[data[1 + i] % std::size(kOids)];
    columns.push_back({oid, oid == 0 ? query::TypeClass::array : postgres::type_class_of(oid), "c", ""});
  }
  // A copy of exactly this size, so that one byte too far is seen.
  const std::vector<char> bytes(data + 1 + count, data + size);
  const std::string_view body(bytes.data(), bytes.size());

  postgres::RowDecoder decoder;
  decoder.reset(columns);
  std::vector<Cell> cells;
  ScratchArena scratch;
  const auto done = decoder.decode_row(body, cells, scratch);
  if (cells.size() != (done ? count : 0)) std::abort();
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (cells[i].is_null() || cells[i].kind() == CellKind::boolean) continue;
    if (columns[i].oid == 1009 && cells[i].kind() == CellKind::verbatim) check_text_array(cells[i]);
    if (cells[i].kind() == CellKind::text && !lies_in(cells[i].view(), body)) std::abort();
    // Reading every byte is the check: AddressSanitizer knows which ones are ours.
    unsigned sum = 0;
    for (const char c : cells[i].view()) sum += static_cast<unsigned char>(c);
    if (sum == 0xffffffff) std::abort();
  }
  return 0;
}
