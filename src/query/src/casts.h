#pragma once

#include <string>
#include <string_view>

#include <athena/query/print.h>

namespace athena::query {

/// A type that `column::type` may name. The SQL is ours: the caller's word only finds the row.
struct CastRow {
  std::string_view name;
  TypeClass type;
  std::string_view postgres;  ///< `{c}` is the column; empty: not there
  std::string_view sqlite;
};

/// By lower-cased name; null: unknown.
const CastRow* find_cast(std::string_view name) noexcept;
/// The names that the flavour knows, with commas.
std::string known_casts(Flavor flavor);

}  // namespace athena::query
