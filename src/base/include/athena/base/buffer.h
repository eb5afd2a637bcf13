#pragma once

#include <cassert>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace athena {

/// A growing run of bytes that is filled at the back and emptied at the front, without zeroing what it grants.
/// Running out of memory ends the process: every buffer on a request's path is bounded by its user.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t capacity) { reserve(capacity); }
  Buffer(Buffer&& o) noexcept
      : data_(std::exchange(o.data_, nullptr)),
        begin_(std::exchange(o.begin_, 0)),
        end_(std::exchange(o.end_, 0)),
        capacity_(std::exchange(o.capacity_, 0)) {}
  /// What was moved from is empty, however it was moved.
  Buffer& operator=(Buffer&& o) noexcept {
    Buffer taken(std::move(o));
    std::swap(data_, taken.data_), std::swap(begin_, taken.begin_);
    std::swap(end_, taken.end_), std::swap(capacity_, taken.capacity_);
    return *this;
  }
  ~Buffer() { std::free(data_); }

  char* data() noexcept { return data_ + begin_; }
  const char* data() const noexcept { return data_ + begin_; }
  std::size_t size() const noexcept { return end_ - begin_; }
  bool empty() const noexcept { return begin_ == end_; }
  std::size_t capacity() const noexcept { return capacity_; }
  /// Valid until the next call that is not const.
  std::string_view view() const noexcept { return {data_ + begin_, size()}; }

  /// At least `n` writable bytes at the back; commit() what was written.
  char* grab(std::size_t n) {
    if (capacity_ - end_ < n) make_room(n);
    return data_ + end_;
  }
  /// How many bytes grab() can give without moving anything.
  std::size_t room() const noexcept { return capacity_ - end_; }
  void commit(std::size_t n) noexcept {
    assert(n <= room());
    end_ += n;
  }

  /// `bytes` must not be part of this buffer.
  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(grab(bytes.size()), bytes.data(), bytes.size());
    end_ += bytes.size();
  }
  void push_back(char c) {
    *grab(1) = c;
    ++end_;
  }
  /// Removes `n` bytes from the front; n ≤ size().
  void drop_front(std::size_t n) noexcept {
    assert(n <= size());
    begin_ += n;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  /// Keeps the first `n` bytes; n ≤ size().
  void truncate(std::size_t n) noexcept {
    assert(n <= size());
    end_ = begin_ + n;
  }
  void clear() noexcept { begin_ = end_ = 0; }
  /// Empties it, and gives memory beyond `keep` back to the system.
  void recycle(std::size_t keep) {
    clear();
    if (capacity_ > keep) *this = Buffer();
  }
  void reserve(std::size_t n) {
    if (capacity_ < n) make_room(n - size());
  }

 private:
  void make_room(std::size_t n);  // compacts first, then doubles

  char* data_ = nullptr;
  std::size_t begin_ = 0, end_ = 0, capacity_ = 0;
};

}  // namespace athena
