#pragma once

#include <cstdint>
#include <optional>

#include <athena/query/print.h>
#include <athena/query/statement.h>

namespace athena::driver::postgres {

/// Which kind of connection a statement gets.
enum class Route : std::uint8_t {
  lane,       ///< shared: short, with an answer of bounded size
  exclusive,  ///< its own: whatever could keep others waiting
  guarded     ///< its own, in a transaction that may be rolled back
};

/// A lane answers its statements in order: one that is long, or whose answer is large, is kept away from them.
inline constexpr std::uint64_t kMaxLaneAnswerBytes = 256 * 1024;
/// Of a row whose table was never analysed.
inline constexpr std::uint64_t kAssumedRowBytes = 512;
/// A table up to this size is counted within a lane's patience; what is larger is estimated if the caller allows.
inline constexpr double kSmallTableRows = 10'000;

Route choose_route(const query::Statement& statement, const query::Printed& printed) noexcept;
/// Whether it may stand in one transaction with others of the same text: a read of one row by nothing but its key,
/// which takes no longer than they do, and neither runs anyone's code nor waits for a second table while it holds the
/// first.
bool may_share_sync(const query::Statement& statement, const query::Printed& printed) noexcept;
/// How many rows an update or delete may touch.
std::optional<std::uint64_t> most_affected(const query::Statement& statement) noexcept;

}  // namespace athena::driver::postgres
