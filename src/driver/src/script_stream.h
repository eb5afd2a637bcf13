#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include <athena/driver/rows.h>

namespace athena::driver {

/// The answer to a text of several statements: the rows of its last result set, and the results of the others, which
/// are all there.
class ScriptStream final : public RowStream {
 public:
  using Results = std::vector<std::unique_ptr<RowStream>>;

  /// `results`: of all statements in the order of the text. The rows of the last one that has columns are this
  /// stream's; those of the last one if none has.
  explicit ScriptStream(Results results) : count_(results.size()), results_(std::move(results)) {
    std::size_t at = results_.size() - 1;
    while (at > 0 && results_[at]->columns().empty()) --at;
    if (results_[at]->columns().empty()) at = results_.size() - 1;
    last_ = std::move(results_[at]);
    for (const auto& result : results_) affected_ += result ? result->affected() : 0;
  }

  std::span<const ColumnInfo> columns() const noexcept override { return last_->columns(); }
  Async<RowBatch> next() override { return last_->next(); }
  std::uint64_t affected() const noexcept override { return affected_ + last_->affected(); }
  std::uint64_t statement_count() const noexcept override { return count_; }
  Results take_results() override { return std::move(results_); }

 private:
  std::uint64_t count_, affected_ = 0;
  Results results_;
  std::unique_ptr<RowStream> last_;
};

}  // namespace athena::driver
