// What a CQL server sends that lies: envelopes in checked frames or plain, compressed or not, cut into pieces of any
// size, and every kind of answer in them. No read out of bounds (AddressSanitizer watches), no loop without an end, no
// memory but for bytes that came, and JSON in the cells that are JSON. The first byte says how the bytes arrive.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include <athena/base/json.h>
#include <athena/base/text.h>

#include "scylla/decode.h"
#include "scylla/frame.h"
#include "scylla/message.h"
#include "scylla/topology.h"

namespace {

using namespace athena;
using namespace athena::driver;
using namespace athena::driver::scylla;

/// Reading every byte is the check: AddressSanitizer knows which ones are ours.
void touch(std::string_view bytes) {
  unsigned sum = 0;
  for (const char c : bytes) sum += static_cast<unsigned char>(c);
  if (sum == 0xffffffff) std::abort();
}

void check_cell(const ColumnSpec& column, const Cell& cell) {
  if (cell.is_null() || cell.kind() == CellKind::boolean || cell.kind() == CellKind::integer ||
      cell.kind() == CellKind::real) {
    return;
  }
  touch(cell.view());
  const Form form = form_of(column.type.kind);
  const bool is_document = form == Form::list || form == Form::map || form == Form::fields || form == Form::vector;
  if (cell.kind() != CellKind::verbatim || !is_document || !text::is_utf8(cell.view())) return;
  // Texts in collections are the server's: what is no UTF-8, holds NUL or is nested deeper than we read is its affair.
  const auto document = json::Document::parse(cell.view(), {.max_depth = 1'000});
  if (!document && document.error().code == Code::malformed_json) std::abort();
}

void read_rows(const ResultView& result) {
  (void)read_texts(result);
  const auto columns = read_columns(result.metadata.columns);
  if (!columns) return;
  RowDecoder decoder(*columns);
  std::vector<Cell> cells;
  ScratchArena scratch;
  std::string_view rows = result.rows;
  for (std::uint32_t i = 0; i < result.row_count; ++i) {
    cells.clear();
    scratch.clear();
    if (!decoder.decode_row(rows, cells, scratch)) return;
    if (cells.size() != columns->size()) std::abort();
    for (std::size_t c = 0; c < cells.size(); ++c) check_cell((*columns)[c], cells[c]);
  }
}

void read_answer(const EnvelopeView& envelope) {
  std::string_view body = envelope.body;
  AnswerExtras extras;
  if (!take_extras(envelope.flags, body, extras)) return;
  (void)read_error(body);
  (void)read_event(body);
  (void)read_schema_change(body);
  (void)read_prepared(body, 4);
  (void)read_prepared(body, 5);
  MessageReader(body).string_multimap();
  if (const auto result = read_result(body); result && result->kind == ResultView::Kind::rows) read_rows(*result);
}

void append_little_endian(Buffer& out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) {
    const char byte = static_cast<char>(value >> 8 * i);
    out.append({&byte, 1});
  }
}

/// A frame of version 5 whose sums are right, around a payload that may lie.
void append_sealed(Buffer& out, std::string_view payload, bool self_contained, bool lz4) {
  const std::size_t head_bytes = lz4 ? 5 : 3;  // with LZ4 a length of 0 before compressing says: as it is
  const std::uint64_t head = payload.size() | std::uint64_t{self_contained} << (lz4 ? 34 : 17);
  append_little_endian(out, head, head_bytes);
  append_little_endian(out, crc24(head, head_bytes), 3);
  out.append(payload);
  append_little_endian(out, crc32_of(payload), 4);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const bool framed = (data[0] & 1) != 0, lz4 = (data[0] & 2) != 0, sealed = (data[0] & 4) != 0;
  const std::size_t piece = 1 + std::size_t{data[1]} * 16;
  const bool self_contained = (data[0] & 8) != 0;
  const std::string_view given{reinterpret_cast<const char*>(data + 2), size - 2};
  // Sealed: the frames around the bytes are right; else hardly any would get past their sums.
  Buffer bytes;
  if (!framed || !sealed) bytes.append(given);
  for (std::string_view rest = given; framed && sealed && !rest.empty();) {
    const std::string_view payload = rest.substr(0, std::min(rest.size(), kMaxFramePayload));
    append_sealed(bytes, payload, self_contained, lz4);
    rest.remove_prefix(payload.size());
  }
  EnvelopeReader reader;
  if (framed) {
    reader.expect_frames(lz4);
  } else if (lz4) {
    reader.expect_lz4_bodies();
  }
  for (std::string_view rest = bytes.view(); !rest.empty();) {
    const std::size_t n = std::min(piece, rest.size());
    std::memcpy(reader.grab(n), rest.data(), n);
    reader.commit(n);
    rest.remove_prefix(n);
    for (;;) {
      const EnvelopeReader::Next next = reader.next();
      if (next.state == EnvelopeReader::Next::State::broken) return 0;
      if (next.state == EnvelopeReader::Next::State::incomplete) break;
      if (next.state == EnvelopeReader::Next::State::complete) read_answer(next.envelope);
    }
  }
  // The body alone, which spares the fuzzer the nine bytes before it.
  read_answer({.version = 4, .flags = 0, .stream = 1, .opcode = Opcode::result, .body = bytes.view()});
  return 0;
}
