#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <athena/base/result.h>

#include "scylla/token.h"

namespace athena::driver::scylla {

/// One node of the cluster, as system.local and system.peers(_v2) tell.
struct Node {
  std::string address;     ///< where clients reach it: rpc_address or native_address
  std::string name = {};   ///< what the client calls it, if it does: its certificate is for that
  std::uint16_t port = 0;  ///< 0: as the contact point
  std::string data_center;
  std::string rack;
  std::string host_id;
  std::vector<Token> tokens;
  bool operator==(const Node&) const = default;
};
using NodeIndex = std::uint32_t;  ///< in Ring::nodes()

/// How a keyspace keeps its copies; of another strategy nothing is known, and any node will do.
struct Replication {
  enum class Strategy : std::uint8_t { unknown, simple, network } strategy = Strategy::unknown;
  std::uint32_t factor = 0;                                            ///< simple
  std::vector<std::pair<std::string, std::uint32_t>> per_data_center;  ///< network
  bool operator==(const Replication&) const = default;
};
/// The map of system_schema.keyspaces.replication: `class` and its options. What cannot be read is `unknown`.
Replication read_replication(const std::vector<std::pair<std::string, std::string>>& options);

/// Tokens as the column `tokens` holds them: decimal texts. Errors: internal_error.
Result<std::vector<Token>> read_tokens(const std::vector<std::string>& texts);

/// An immutable picture of who keeps what: built when topology or keyspaces change, shared by all loops.
class Ring {
 public:
  /// `local_data_center`: nodes there come first; empty: that of the first node.
  Ring(std::vector<Node> nodes, std::map<std::string, Replication, std::less<>> keyspaces,
       std::string local_data_center);

  const std::vector<Node>& nodes() const noexcept { return nodes_; }
  std::string_view local_data_center() const noexcept { return local_data_center_; }
  bool is_local(NodeIndex node) const noexcept { return nodes_[node].data_center == local_data_center_; }

  /// The nodes that keep a token's rows, in ring order (the primary first). Empty: not known. Valid as long as the
  /// ring. Computed once for each keyspace and range, when the ring is built.
  const std::vector<NodeIndex>& replicas(std::string_view keyspace, Token token) const noexcept;

 private:
  using Table = std::vector<std::vector<NodeIndex>>;  ///< for each range of the ring
  struct Center;
  Table simple(const Replication& replication) const;
  Table network(const Replication& replication) const;
  std::vector<NodeIndex> network_range(std::size_t start, std::vector<Center> centers) const;

  std::vector<Node> nodes_;
  std::string local_data_center_;
  std::vector<std::pair<Token, NodeIndex>> ring_;                               ///< by token
  std::map<std::string, std::shared_ptr<const Table>, std::less<>> keyspaces_;  ///< equal strategies share a table
  std::vector<NodeIndex> none_;
};

}  // namespace athena::driver::scylla
