#include "scratch_arena.h"

#include <algorithm>

namespace athena::driver {
namespace {

constexpr std::size_t kBlockBytes = 16 * 1024;
constexpr std::size_t kKeptBlockBytes = 64 * 1024;

}  // namespace

char* ScratchArena::allocate_slow(std::size_t n) {
  const std::size_t size = std::max(n, kBlockBytes);
  blocks_.push_back({std::make_unique_for_overwrite<char[]>(size), size});
  char* at = blocks_.back().bytes.get();
  // What is left of the block before is given up, unless a large value got a block of its own.
  if (size - n >= room_) {
    next_ = at + n;
    room_ = size - n;
  }
  return at;
}

void ScratchArena::clear() noexcept {
  if (blocks_.empty()) return;
  blocks_.resize(1);
  if (blocks_[0].size > kKeptBlockBytes) blocks_.clear();
  next_ = blocks_.empty() ? nullptr : blocks_[0].bytes.get();
  room_ = blocks_.empty() ? 0 : blocks_[0].size;
}

std::size_t ScratchArena::capacity() const noexcept {
  std::size_t bytes = 0;
  for (const Block& block : blocks_) bytes += block.size;
  return bytes;
}

}  // namespace athena::driver
