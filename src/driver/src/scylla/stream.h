#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <athena/driver/rows.h>

#include "scylla/cluster.h"
#include "scylla/decode.h"

namespace athena::driver::scylla {

/// A statement as it is sent, page after page.
struct Source {
  std::string cql;       ///< as a caller wrote it, without parameters; empty: `prepared`
  std::string keyspace;  ///< for names without one
  PreparedPtr prepared;
  BoundValues values;
  std::optional<Token> token;
  bool is_idempotent = false, is_write = false, caller_cql = false;
  bool keeps_metadata = false;  ///< its result has other columns than were prepared: a condition
};

/// The rows of a statement. A page is asked for when the one before has been read: who reads slowly makes the database
/// wait.
class PagedStream final : public RowStream {
 public:
  /// Rows of a page, and of a batch.
  static constexpr std::int32_t kPageRows = 1'000;
  static constexpr std::uint32_t kBatchRows = 256;

  PagedStream(std::shared_ptr<Cluster> cluster, Source source, Call call)
      : cluster_(std::move(cluster)), source_(std::move(source)), call_(call) {}
  /// Asks for the first page. `keys`: names of the columns; empty: the database's.
  Async<> begin(const std::vector<std::string>& keys);

  std::span<const ColumnInfo> columns() const noexcept override { return infos_; }
  Async<RowBatch> next() override;
  std::uint64_t affected() const noexcept override { return affected_; }

  /// Of the page that is open.
  const Answered& answered() const noexcept { return page_; }
  /// The columns, if they are not those that were prepared.
  const ColumnsPtr& new_columns() const noexcept { return new_columns_; }

 private:
  Async<> ask();
  Result<> open_page();

  std::shared_ptr<Cluster> cluster_;  // with the backend, which may go first
  Source source_;
  Call call_;
  Answered page_;
  std::string_view rows_;     // of the page, not read yet
  std::uint32_t left_ = 0;    // so many
  std::string paging_state_;  // of the next page; empty: there is none
  ColumnsPtr columns_, new_columns_;
  std::vector<ColumnInfo> infos_;
  std::optional<RowDecoder> decoder_;
  std::vector<Cell> cells_;
  ScratchArena scratch_;
  std::uint64_t affected_ = 0;
};

/// Rows that are here already: what a write wrote, or none.
class HeldStream final : public RowStream {
 public:
  /// `rows`: as the wire has them.
  HeldStream(std::vector<ColumnSpec> specs, std::vector<ColumnInfo> infos, std::string rows, std::uint32_t count,
             std::uint64_t affected)
      : specs_(std::move(specs)),
        infos_(std::move(infos)),
        rows_(std::move(rows)),
        count_(count),
        affected_(affected),
        decoder_(specs_) {}
  std::span<const ColumnInfo> columns() const noexcept override { return infos_; }
  Async<RowBatch> next() override;
  std::uint64_t affected() const noexcept override { return affected_; }

 private:
  const std::vector<ColumnSpec> specs_;
  const std::vector<ColumnInfo> infos_;
  const std::string rows_;
  const std::uint32_t count_;
  const std::uint64_t affected_;
  RowDecoder decoder_;
  std::vector<Cell> cells_;
  ScratchArena scratch_;
};

}  // namespace athena::driver::scylla
