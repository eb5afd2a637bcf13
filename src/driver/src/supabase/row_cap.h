#pragma once

#include <atomic>
#include <cstdint>

namespace athena::driver::supabase {

/// PostgREST may cut every answer after so many rows (db-max-rows; 1 000 on Supabase) and says so nowhere. A page that
/// brought fewer rows than were asked for is the last one only if it is known not to be cut: an earlier page brought
/// more. Otherwise the next page is asked for; one that brings none was asked for in vain. Thread-safe.
class RowCap {
 public:
  /// Whether rows may follow a page that was to bring `asked` rows, and brought `got`.
  bool may_have_more(std::uint64_t asked, std::uint64_t got) noexcept {
    if (got == 0) return false;
    if (got >= asked) return true;
    std::uint64_t most = most_.load(std::memory_order_relaxed);
    while (got > most && !most_.compare_exchange_weak(most, got, std::memory_order_relaxed)) {
    }
    return got >= most;
  }
  /// The service may have been configured anew.
  void forget() noexcept { most_.store(0, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> most_{0};  ///< rows of the longest page that was shorter than asked for
};

}  // namespace athena::driver::supabase
