#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scylla/connection.h"
#include "scylla/ring.h"

/// What a node says about the cluster in its system tables.
namespace athena::driver::scylla {

/// The cells of a result as texts; null is none. Collections are JSON. Error: connection_error for a malformed result.
Result<std::vector<std::vector<std::optional<std::string>>>> read_texts(const ResultView& result);

/// The nodes of the cluster, the one at the other end first. `self`: where it is reached. `alone`: the others are not
/// asked for. Without Murmur3Partitioner nodes have no tokens. Errors: connection_error.
Async<std::vector<Node>> read_topology(Connection& connection, Node self, bool alone, TimePoint deadline);

/// Whether this node and those at `addresses` have the same schema, as this one sees it. Others may be down.
Async<bool> has_one_schema(Connection& connection, std::vector<std::string> addresses, TimePoint deadline);

}  // namespace athena::driver::scylla
