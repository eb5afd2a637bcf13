#include "schema_cell.h"

#include <algorithm>
#include <utility>

namespace athena::driver {

std::shared_ptr<const query::Schema> SchemaCell::get() const {
  const std::lock_guard lock(mutex_);
  return schema_;
}

std::uint64_t SchemaCell::request() {
  const std::lock_guard lock(mutex_);
  wanted_ = std::max(wanted_, begun_ + 1);  // one that runs may have looked already
  return wanted_;
}

void SchemaCell::require() {
  const std::lock_guard lock(mutex_);
  wanted_ = std::max(wanted_, begun_ + 1);
  required_.store(wanted_, std::memory_order_release);
}

std::optional<std::uint64_t> SchemaCell::request_after_error(TimePoint now) {
  {
    const std::lock_guard lock(mutex_);
    if (now - last_error_request_ < kErrorInterval) return std::nullopt;
    last_error_request_ = now;
  }
  return request();
}

void SchemaCell::request_if_old(TimePoint now) {
  if (!used_.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(mutex_);
  if (begun_ != ended_ || wanted_ > begun_ || now - last_end_ < kRefreshInterval) return;
  used_.store(false, std::memory_order_relaxed);
  wanted_ = begun_ + 1;
}

std::uint64_t SchemaCell::join() {
  const std::lock_guard lock(mutex_);
  if (begun_ == ended_) wanted_ = std::max(wanted_, begun_ + 1);
  return std::max(begun_, wanted_);
}

std::optional<std::uint64_t> SchemaCell::begin(TimePoint now) {
  const std::lock_guard lock(mutex_);
  if (begun_ != ended_ || wanted_ <= begun_) return std::nullopt;
  if (begun_ > 0 && now - last_end_ < kPause) return std::nullopt;
  return ++begun_;
}

void SchemaCell::end(TimePoint now, Result<std::shared_ptr<const query::Schema>> outcome) {
  const std::lock_guard lock(mutex_);
  ended_ = begun_;
  last_end_ = now;
  error_.reset();
  if (outcome) {
    schema_ = *std::move(outcome);
    version_.fetch_add(1, std::memory_order_release);
  } else {
    error_ = std::move(outcome).error();
  }
  settled_.store(ended_, std::memory_order_release);
}

SchemaCell::Progress SchemaCell::progress(std::uint64_t number) const {
  const std::lock_guard lock(mutex_);
  if (ended_ < number) return {};
  return {.ended = true, .error = error_};
}

}  // namespace athena::driver
