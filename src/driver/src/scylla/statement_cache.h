#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <athena/driver/rows.h>

#include "scylla/message.h"
#include "scylla/token.h"

namespace athena::driver::scylla {

/// The columns of a result, and the text by which they are known again.
struct ResultColumns {
  std::vector<ColumnSpec> specs;
  std::vector<ColumnInfo> infos;
  std::string bytes;
  bool global_table = false;

  ColumnsText text() const noexcept { return {bytes, static_cast<std::uint32_t>(specs.size()), global_table}; }
};
using ColumnsPtr = std::shared_ptr<const ResultColumns>;  // streams keep what a newer description has replaced
/// Null: malformed.
ColumnsPtr make_columns(const ColumnsText& text);

/// A statement that the cluster knows by its id. The id is made of the text, so it is the same on all nodes.
struct Prepared {
  std::string cql, keyspace;
  std::string id, result_metadata_id;
  std::vector<ColumnSpec> binds;
  std::vector<std::uint16_t> partition_key;  ///< indexes of the binds; empty: not all are bound
  ColumnsPtr columns;
  /// A node has another id for it by now, as after an upgrade: it is to be prepared anew. Belongs to one loop.
  mutable bool is_outdated = false;
};
using PreparedPtr = std::shared_ptr<const Prepared>;

/// The token of the partition that bound values name; none if they do not name one.
std::optional<Token> token_of(const Prepared& prepared, const BoundValues& values);

/// Which statements one loop has prepared: least recently used go when it is full, and outdated ones
/// when they are looked for.
class StatementCache {
 public:
  static constexpr std::size_t kCapacity = 512;
  explicit StatementCache(std::size_t capacity = kCapacity) : capacity_(capacity) {}

  /// Null: to be prepared.
  PreparedPtr find(std::string_view keyspace, std::string_view cql);
  void put(PreparedPtr statement);
  void forget(const Prepared& statement);
  std::size_t size() const noexcept { return by_text_.size(); }

 private:
  using Order = std::list<std::pair<std::string, PreparedPtr>>;  // most recently used first; the key is keyspace\0cql
  static std::string key_of(std::string_view keyspace, std::string_view cql);

  const std::size_t capacity_;
  Order order_;
  std::unordered_map<std::string_view, Order::iterator> by_text_;  // keys are views into the order's
};

}  // namespace athena::driver::scylla
