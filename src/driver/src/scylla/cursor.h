#pragma once

#include <string>
#include <string_view>

#include <athena/base/result.h>

namespace athena::driver::scylla {

/// Gives a page's end to a caller as a text, and takes it back: the database's paging state, sealed. A paging state
/// says where to go on reading, and the database believes it; so a caller must not be able to make one, or to send one
/// along with another statement. All processes that know the client's secret make and take the same.
class CursorSeal {
 public:
  /// Of paging states and cursors: beyond it they are refused.
  static constexpr std::size_t kMaxStateBytes = 16 * 1024;

  CursorSeal() = default;
  /// `secret`: the client's; without one a cursor is checked, but whoever knows how can make it. The others are what
  /// the cursor belongs to; `values` as they are bound.
  CursorSeal(std::string_view secret, std::string_view keyspace, std::string_view cql, std::string_view values);

  std::string close(std::string_view paging_state) const;
  /// Error: invalid_value for what close() of the same seal did not give.
  Result<std::string> open(std::string_view cursor) const;

 private:
  std::string sum(std::string_view paging_state) const;

  std::string key_;
};

/// For whoever has a cursor that the database itself does not take any more.
Error bad_cursor();

}  // namespace athena::driver::scylla
