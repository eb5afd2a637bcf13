#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace athena::driver {

/// Where values live that had to be rewritten on their way to the encoder. Handed out memory stays where it is until
/// clear(), which keeps one block, so that a stream in its steady state allocates nothing.
class ScratchArena {
 public:
  /// `n` bytes, uninitialised.
  char* allocate(std::size_t n) {
    if (n > room_) return allocate_slow(n);
    char* at = next_;
    next_ += n;
    room_ -= n;
    return at;
  }
  void clear() noexcept;
  /// Bytes held from the system.
  std::size_t capacity() const noexcept;

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    std::size_t size;
  };
  char* allocate_slow(std::size_t n);

  std::vector<Block> blocks_;  ///< the first one survives clear()
  char* next_ = nullptr;
  std::size_t room_ = 0;
};

}  // namespace athena::driver
