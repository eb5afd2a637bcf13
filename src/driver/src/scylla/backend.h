#pragma once

#include <memory>

#include <athena/driver/backend.h>

namespace athena::driver::scylla {

/// What the loops of one client share: the budget of connections, the tables, where keyspaces keep their copies.
std::shared_ptr<SharedState> share(const Target& target);
/// ScyllaDB and Apache Cassandra over the CQL native protocol, version 5 or 4. Target::host, Target::more_hosts and
/// Target::port are contact points; from them on the cluster tells of its nodes (unless Target::address pins one).
/// Target::database is the keyspace for names without one. Reads and writes are LOCAL_QUORUM, conditions LOCAL_SERIAL.
std::unique_ptr<Backend> open(Target target, std::shared_ptr<SharedState> shared, Runtime runtime);

inline constexpr Capabilities kCapabilities{.raw_sql = true, .schemas = true};

}  // namespace athena::driver::scylla
