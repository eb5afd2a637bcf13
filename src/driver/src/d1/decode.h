#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <athena/base/json.h>
#include <athena/driver/rows.h>

#include "d1/proxy.h"
#include "sqlite/batch.h"

namespace athena::driver::d1 {

/// A value of a reply as a cell, by the type of its column (contract 3.1, "SQLite and D1"). Views into `value` or
/// `batch`. Errors: value_out_of_range for an integer that JavaScript has rounded; database_error for bytes that are
/// none.
Result<Cell> decode(const json::Value& value, const ColumnInfo& column, sqlite::Batch& batch);

/// The columns of raw SQL: as the Worker names them, with the types that the compiler knows; without rows, the
/// compiler's. Without either, the names of the first row.
std::vector<ColumnInfo> native_columns(const ProxyReply& reply, std::span<const ColumnInfo> compiled);

/// The rows of a reply, read a batch at a time.
class ReplyStream final : public RowStream {
 public:
  struct Options {
    std::vector<ColumnInfo> columns;
    /// Members of a row are called c0, c1 …, in the order of the columns, and none may be missing.
    bool is_printed = false;
    std::uint64_t statements = 1;
  };
  ReplyStream(std::unique_ptr<ProxyReply> reply, Options options);

  std::span<const ColumnInfo> columns() const noexcept override { return options_.columns; }
  Async<RowBatch> next() override;
  std::uint64_t affected() const noexcept override { return reply_->affected; }
  std::uint64_t statement_count() const noexcept override { return options_.statements; }

 private:
  static constexpr std::size_t kBatchBytes = 64 * 1024;  ///< of text

  Result<> append_row(std::string_view text);
  json::Value member(const json::Value& row, std::size_t column, json::Value::Iterator& at) const;

  const std::unique_ptr<ProxyReply> reply_;
  const Options options_;
  std::vector<std::string> names_;  ///< of the members
  RowTexts texts_;
  sqlite::Batch batch_;
  std::deque<json::Document> documents_;  ///< of the batch: cells point into them
};

}  // namespace athena::driver::d1
