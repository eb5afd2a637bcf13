#pragma once

#include <athena/query/print.h>

namespace athena::query {

/// The tables that the golden files and the fuzzers ask: the same in both flavours but for what only PostgreSQL has.
Schema golden_schema(Flavor flavor);

/// Tables as CQL has them: with partition keys, clustering columns and indexes. In keyspace "ks".
Schema golden_cql_schema();

}  // namespace athena::query
