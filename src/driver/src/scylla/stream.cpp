#include "scylla/stream.h"

#include <algorithm>
#include <utility>

namespace athena::driver::scylla {
namespace {

std::unexpected<Error> malformed(std::string detail) {
  return fail(Error(Code::connection_error, "The database's answer could not be read").logged(std::move(detail)));
}

/// A lightweight transaction says first whether it did anything.
bool is_verdict(const ResultColumns& columns) noexcept {
  return !columns.specs.empty() && columns.specs.front().name == "[applied]";
}

}  // namespace

Async<> PagedStream::begin(const std::vector<std::string>& keys) {
  ATHENA_CO_TRY_VOID(co_await ask());
  if (!columns_) co_return Result<>();
  infos_ = columns_->infos;
  for (std::size_t i = 0; i < std::min(keys.size(), infos_.size()); ++i) infos_[i].name = keys[i];
  co_return Result<>();
}

Async<> PagedStream::ask() {
  QueryOptions options;
  options.page_size = source_.is_write ? 0 : kPageRows;
  if (source_.page_rows > 0) {
    options.page_size = static_cast<std::int32_t>(std::min<std::uint64_t>(source_.page_rows - given_, kPageRows));
  }
  options.paging_state = paging_state_;
  options.keyspace = source_.keyspace;
  Asked asked;
  asked.token = source_.token;
  asked.keyspace = source_.keyspace;
  asked.is_idempotent = source_.is_idempotent;
  asked.is_write = source_.is_write;
  asked.caller_cql = source_.caller_cql;
  if (source_.prepared) {
    const Prepared& prepared = *source_.prepared;
    options.keyspace = {};
    options.skip_metadata = !source_.keeps_metadata && prepared.columns && !prepared.columns->specs.empty();
    asked.question = ExecuteQuestion{prepared.id, prepared.result_metadata_id, &source_.values, options};
    asked.prepared = {&source_.prepared, 1};
    if (!prepared.binds.empty()) asked.token_keyspace = prepared.binds.front().keyspace;
  } else {
    asked.question = QueryQuestion{source_.cql, options};
  }
  ATHENA_CO_TRY(page_, co_await cluster_->run(asked, call_));
  co_return open_page();
}

/// Finds the page's columns, and where its rows are.
Result<> PagedStream::open_page() {
  const ResultView& result = page_.result;
  paging_state_.clear();
  left_ = 0;
  if (result.kind != ResultView::Kind::rows) {
    const bool has_columns = columns_ || (source_.prepared && source_.prepared->columns && !source_.keeps_metadata);
    return has_columns ? malformed("no rows") : Result<>();
  }
  ColumnsPtr columns = columns_ || !source_.prepared ? columns_ : source_.prepared->columns;
  if (result.metadata.has_columns && (!columns || columns->text() != result.metadata.columns)) {
    columns = make_columns(result.metadata.columns);
    new_columns_ = columns;
  }
  if (!columns || columns->specs.size() != result.metadata.columns.count) return malformed("columns");
  if (columns_ && columns_->specs.size() != columns->specs.size()) {
    return fail(Error(Code::serialization_failure, "The table was changed while it was read"));
  }
  columns_ = std::move(columns);
  decoder_.emplace(columns_->specs);
  paging_state_ = result.metadata.has_more ? result.metadata.paging_state : std::string_view();
  if (source_.page_rows > 0 && paging_state_.size() > CursorSeal::kMaxStateBytes) return malformed("paging state");
  rows_ = result.rows;
  left_ = result.row_count;
  if (is_verdict(*columns_) && left_ > 0) {
    MessageReader reader(rows_);
    const auto applied = reader.bytes();
    affected_ = applied && *applied == "\1" ? 1 : 0;
  }
  return {};
}

Async<RowBatch> PagedStream::next() {
  cells_.clear();
  scratch_.clear();
  while (left_ == 0 && !paging_state_.empty() && !is_full()) {  // a page may be empty, and not the last
    const std::string state = paging_state_;
    ATHENA_CO_TRY_VOID(co_await ask());
    if (left_ == 0 && paging_state_ == state) co_return malformed("pages that do not end");
  }
  RowBatch batch;
  batch.rows = std::min(left_, kBatchRows);
  for (std::size_t i = 0; i < batch.rows; ++i) ATHENA_CO_TRY_VOID(decoder_->decode_row(rows_, cells_, scratch_));
  left_ -= static_cast<std::uint32_t>(batch.rows);
  given_ += batch.rows;
  batch.cells = cells_;
  batch.last = left_ == 0 && (paging_state_.empty() || is_full());
  co_return batch;
}

Async<RowBatch> HeldStream::next() {
  cells_.clear();
  scratch_.clear();
  std::string_view rows = rows_;
  for (std::uint32_t i = 0; i < count_; ++i) ATHENA_CO_TRY_VOID(decoder_.decode_row(rows, cells_, scratch_));
  co_return RowBatch{.cells = cells_, .rows = count_, .last = true};
}

}  // namespace athena::driver::scylla
