#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/json_scan.h>
#include <athena/base/result.h>
#include <athena/driver/rows.h>

#include "scratch_arena.h"

namespace athena::driver::supabase {

/// Reads `[{"a":1,…},…]`, the rows of an answer, a batch at a time: numbers and nested values as they stand, texts as
/// views into the body unless they hold escapes.
class RowsReader {
 public:
  /// `expected`: the columns that were asked for. `is_open`: the table's columns may have changed since; the first row
  /// says which there are.
  RowsReader(std::string body, std::vector<ColumnInfo> expected, bool is_open);
  RowsReader(const RowsReader&) = delete;  // cells and the scanner point into `body_`
  RowsReader& operator=(const RowsReader&) = delete;

  /// Before everything else. Error: database_error, the body is no array of objects.
  Result<> begin();
  std::span<const ColumnInfo> columns() const noexcept { return columns_; }
  /// Error: database_error, the body is not what it should be.
  Result<RowBatch> next();
  std::uint64_t rows() const noexcept { return rows_; }

 private:
  static constexpr std::size_t kBatchRows = 256;

  Result<> settle_columns();
  Result<bool> read_row();  // false: there are no more
  std::size_t place_of(const json::Scanner::Value& name, std::size_t guess);
  Cell cell_of(const json::Scanner::Value& value);

  const std::string body_;
  std::vector<ColumnInfo> columns_;
  const bool is_open_;
  json::Scanner scanner_;
  std::vector<Cell> cells_;
  std::vector<bool> is_set_;  ///< of the row that is being read
  ScratchArena texts_;        ///< of the batch: those that had escapes
  std::string scratch_;
  std::uint64_t rows_ = 0;
  bool has_ended_ = false;
};

}  // namespace athena::driver::supabase
