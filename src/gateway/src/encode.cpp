#include "encode.h"

#include <algorithm>

#include <athena/base/json_writer.h>

namespace athena::gateway {

void append_cell(Buffer& out, const driver::Cell& cell) {
  switch (cell.kind()) {
    case driver::CellKind::null:
      return out.append("null");
    case driver::CellKind::boolean:
      return out.append(cell.integer() ? "true" : "false");
    case driver::CellKind::integer:
      return json::append_integer(out, cell.integer());
    case driver::CellKind::real:
      return json::append_double(out, cell.real());
    case driver::CellKind::text:
      return json::append_string(out, cell.view());
    case driver::CellKind::verbatim:
      return out.append(cell.view());
    case driver::CellKind::quoted: {
      out.push_back('"');
      out.append(cell.view());
      return out.push_back('"');
    }
    case driver::CellKind::bytes:
      return json::append_bytes(out, cell.view());
  }
}

RowEncoder::RowEncoder(std::span<const driver::ColumnInfo> columns, bool strip_nulls, std::size_t hidden)
    : width_(columns.size()), visible_(columns.size() - std::min(hidden, columns.size())), strip_nulls_(strip_nulls) {
  key_ends_.reserve(visible_);
  for (const driver::ColumnInfo& column : columns.first(visible_)) {
    json::append_string(keys_, column.name);
    keys_.push_back(':');
    key_ends_.push_back(static_cast<std::uint32_t>(keys_.size()));
  }
}

void RowEncoder::append_row(Buffer& out, std::span<const driver::Cell> cells) {
  out.push_back('{');
  bool first = true;
  for (std::size_t i = 0; i < visible_; ++i) {
    if (strip_nulls_ && cells[i].is_null()) continue;
    if (!first) out.push_back(',');
    first = false;
    out.append(key(i));
    append_cell(out, cells[i]);
  }
  out.push_back('}');
}

std::uint64_t RowEncoder::append_rows(Buffer& out, const driver::RowBatch& batch, std::uint64_t limit) {
  const std::uint64_t count = std::min<std::uint64_t>(batch.rows, limit);
  for (std::uint64_t row = 0; row < count; ++row) {
    if (rows_++) out.push_back(',');
    append_row(out, batch.cells.subspan(row * width_, width_));
  }
  return count;
}

}  // namespace athena::gateway
