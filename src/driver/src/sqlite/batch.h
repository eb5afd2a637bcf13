#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <athena/driver/rows.h>

namespace athena::driver::sqlite {

/// Some rows and the bytes that their cells point to. SQLite's own column memory is gone with the next step, so texts
/// are copied into blocks that never move. clear() keeps one block and the room for cells: a batch that is used again
/// allocates nothing in its steady state.
class Batch {
 public:
  /// `n` bytes, uninitialised; they stay where they are until clear().
  char* allocate(std::size_t n) {
    if (n > room_) return allocate_slow(n);
    char* at = next_;
    next_ += n;
    room_ -= n;
    text_bytes_ += n;
    return at;
  }
  void add(Cell cell) { cells_.push_back(cell); }
  void end_row() noexcept { ++rows_; }

  std::size_t rows() const noexcept { return rows_; }
  bool empty() const noexcept { return rows_ == 0; }
  /// What the rows take, for budgets.
  std::size_t bytes() const noexcept { return text_bytes_ + cells_.size() * sizeof(Cell); }
  /// Valid until the batch is changed.
  RowBatch view(bool last) const noexcept { return {cells_, rows_, last}; }

  void clear() noexcept;

 private:
  static constexpr std::size_t kFirstBlock = 4 * 1024;
  static constexpr std::size_t kBlock = 64 * 1024;
  struct Block {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
  };
  char* allocate_slow(std::size_t n);

  std::vector<Cell> cells_;
  std::vector<Block> blocks_;  ///< the first one survives clear(), unless it is an odd size
  char* next_ = nullptr;
  std::size_t room_ = 0, rows_ = 0, text_bytes_ = 0;
};

/// Batches that wait to be used again. Belongs to one loop; bounded, and batches that grew large are not kept.
class BatchPool {
 public:
  Batch take() {
    if (batches_.empty()) return {};
    Batch batch = std::move(batches_.back());
    batches_.pop_back();
    return batch;
  }
  void give_back(Batch batch) {
    if (batches_.size() >= kBatches || batch.bytes() > kLargest) return;
    batch.clear();
    batches_.push_back(std::move(batch));
  }

 private:
  static constexpr std::size_t kBatches = 64;
  static constexpr std::size_t kLargest = 16 * 1024;
  std::vector<Batch> batches_;
};

}  // namespace athena::driver::sqlite
