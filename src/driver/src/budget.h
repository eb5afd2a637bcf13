#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace athena::driver {

/// How many connections one client may have in this process, over all loops (contract 13). Thread-safe, and all of it
/// without locks: a loop that gets no place looks again at its next tick.
class Budget {
 public:
  explicit Budget(std::uint32_t most) noexcept : most_(most) {}

  /// The right to have one connection, given back when it goes.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(budget_, other.budget_);
      return *this;
    }
    ~Place() {
      if (budget_) budget_->used_.fetch_sub(1);
    }
    explicit operator bool() const noexcept { return budget_ != nullptr; }

   private:
    friend class Budget;
    explicit Place(Budget* budget) noexcept : budget_(budget) {}
    Budget* budget_ = nullptr;
  };

  /// Empty: all are taken.
  Place take() noexcept {
    std::uint32_t used = used_.load();
    while (used < most_) {
      if (used_.compare_exchange_weak(used, used + 1)) return Place(this);
    }
    return {};
  }

  /// Somebody waits for a place, on whichever loop: those who keep an idle connection close it.
  class Want {
   public:
    explicit Want(Budget& budget) noexcept : budget_(budget) { budget_.wanted_.fetch_add(1); }
    ~Want() { budget_.wanted_.fetch_sub(1); }
    Want(const Want&) = delete;
    Want& operator=(const Want&) = delete;

   private:
    Budget& budget_;
  };
  bool is_wanted() const noexcept { return wanted_.load() > 0 && used_.load() >= most_; }

  std::uint32_t most() const noexcept { return most_; }
  std::uint32_t used() const noexcept { return used_.load(); }

 private:
  const std::uint32_t most_;
  std::atomic<std::uint32_t> used_{0}, wanted_{0};
};

}  // namespace athena::driver
