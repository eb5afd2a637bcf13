#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <athena/driver/rows.h>

#include "postgres/decode.h"
#include "postgres/errors.h"

namespace athena::driver::postgres {

/// A statement as one connection knows it. Streams keep it while they decode, so it may outlive its place in the cache.
/// shared_ptr: whoever is last.
struct Prepared {
  std::string sql;
  std::string name;                   ///< on the server; empty: unnamed
  std::vector<ColumnFormat> formats;  ///< valid once is_described
  RowDecoder decoder;                 ///< looks at `formats`
  std::vector<ColumnInfo> columns;    ///< what a caller sees, with the keys of whoever came first
  bool is_described = false;
  std::optional<ServerError> parse_error;  ///< those who were sent behind the Parse failed for the same reason
};
using PreparedPtr = std::shared_ptr<Prepared>;

/// Which statements a connection has prepared: least recently used go when it is full. Knows nothing of the wire; what
/// it says must then be done there. Heals by forget(): whatever the server has lost or changed is prepared again.
class StatementCache {
 public:
  static constexpr std::size_t kCapacity = 256;

  explicit StatementCache(std::size_t capacity = kCapacity) : capacity_(capacity) {}

  /// Null: to be prepared, see add().
  PreparedPtr find(std::string_view sql);

  struct Added {
    PreparedPtr statement;  ///< with a name that was never used on this connection
    std::string evicted;    ///< name of the statement to close; empty: none
  };
  Added add(std::string_view sql);

  /// The server does not have it, or has it otherwise. No effect if it was replaced already.
  void forget(const Prepared& statement);

  std::size_t size() const noexcept { return by_sql_.size(); }

 private:
  using Order = std::list<PreparedPtr>;  // most recently used first

  const std::size_t capacity_;
  std::uint64_t last_name_ = 0;
  Order order_;
  std::unordered_map<std::string_view, Order::iterator> by_sql_;  // keys are views into Prepared::sql
};

}  // namespace athena::driver::postgres
