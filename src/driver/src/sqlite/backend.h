#pragma once

#include <memory>

#include <athena/driver/backend.h>

namespace athena::driver::sqlite {

/// What the loops of one client share: the writer, the threads for long reads, the schema. Opens nothing yet.
std::shared_ptr<SharedState> share(const Target& target);
/// One client's database as one loop sees it.
std::unique_ptr<Backend> open(Target target, std::shared_ptr<SharedState> shared, Runtime runtime);

/// lower(), upper(), like and NOCASE know the letters of ASCII only: SQLite has no others, and functions of ours would
/// make indexes that other programs cannot read.
inline constexpr Capabilities kCapabilities{.raw_sql = true, .transactions = true, .returning = true};

}  // namespace athena::driver::sqlite
