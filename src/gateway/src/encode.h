#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <athena/base/buffer.h>
#include <athena/driver/rows.h>

namespace athena::gateway {

/// One cell as JSON.
void append_cell(Buffer& out, const driver::Cell& cell);

/// Turns rows into JSON objects, separated by commas. The keys are escaped once for a whole result.
class RowEncoder {
 public:
  /// `hidden` columns at the end are read by the caller, but not written.
  RowEncoder(std::span<const driver::ColumnInfo> columns, bool strip_nulls, std::size_t hidden = 0);

  /// Appends one object; `cells` has one cell for each column.
  void append_row(Buffer& out, std::span<const driver::Cell> cells);
  /// Appends up to `limit` rows of the batch; returns how many. Rows after the first ever are preceded by a comma.
  std::uint64_t append_rows(Buffer& out, const driver::RowBatch& batch, std::uint64_t limit);

  std::uint64_t rows() const noexcept { return rows_; }
  std::size_t width() const noexcept { return width_; }

 private:
  std::string_view key(std::size_t column) const noexcept {
    const std::size_t begin = column ? key_ends_[column - 1] : 0;
    return keys_.view().substr(begin, key_ends_[column] - begin);
  }

  Buffer keys_;  ///< `"id":"name":…`
  std::vector<std::uint32_t> key_ends_;
  std::size_t width_;  ///< columns of a row of cells, hidden ones too
  std::size_t visible_;
  bool strip_nulls_;
  std::uint64_t rows_ = 0;
};

}  // namespace athena::gateway
