#pragma once

#include <athena/query/print.h>

namespace athena::query {

/// The tables that the golden files and the fuzzers ask: the same in both flavours but for what only PostgreSQL has.
Schema golden_schema(Flavor flavor);

}  // namespace athena::query
