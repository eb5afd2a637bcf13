#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace athena {

/// Many producers, one consumer that takes everything at once. Beyond the bound an item is refused and counted:
/// what feeds it must never wait for, or grow with, a slow consumer.
template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}

  /// False when full; the item is dropped and counted.
  bool push(T item) {
    const std::lock_guard lock(mutex_);
    if (items_.size() >= capacity_) {
      ++dropped_;
      return false;
    }
    items_.push_back(std::move(item));
    return true;
  }
  /// Everything that waits, oldest first.
  std::vector<T> take_all() {
    const std::lock_guard lock(mutex_);
    return std::exchange(items_, {});
  }
  std::uint64_t dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<T> items_;
  const std::size_t capacity_;
  std::uint64_t dropped_ = 0;
};

}  // namespace athena
