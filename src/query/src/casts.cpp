#include "casts.h"

#include <algorithm>
#include <iterator>

namespace athena::query {
namespace {

using enum TypeClass;

constexpr std::string_view kText = "CAST({c} AS TEXT)";
constexpr std::string_view kInteger = "CAST({c} AS INTEGER)";
constexpr std::string_view kReal = "CAST({c} AS REAL)";
constexpr std::string_view kNumeric = "CAST({c} AS NUMERIC)";
constexpr std::string_view kBoolean = "(CAST({c} AS INTEGER) <> 0)";

constexpr CastRow kRows[] = {
    {"text", text, "{c}::text", kText},
    {"varchar", text, "{c}::varchar", kText},
    {"char", text, "{c}::char", ""},
    {"name", text, "{c}::name", ""},
    {"int", integer, "{c}::integer", kInteger},
    {"integer", integer, "{c}::integer", kInteger},
    {"int2", integer, "{c}::smallint", kInteger},
    {"int4", integer, "{c}::integer", kInteger},
    {"int8", integer, "{c}::bigint", kInteger},
    {"smallint", integer, "{c}::smallint", kInteger},
    {"bigint", integer, "{c}::bigint", kInteger},
    {"oid", other, "{c}::oid", ""},
    {"numeric", decimal, "{c}::numeric", kNumeric},
    {"decimal", decimal, "{c}::numeric", kNumeric},
    {"money", other, "{c}::money", ""},
    {"real", real, "{c}::real", kReal},
    {"float", real, "{c}::double precision", kReal},
    {"float4", real, "{c}::real", kReal},
    {"float8", real, "{c}::double precision", kReal},
    {"double", real, "{c}::double precision", kReal},
    {"double precision", real, "{c}::double precision", kReal},
    {"bool", boolean, "{c}::boolean", kBoolean},
    {"boolean", boolean, "{c}::boolean", kBoolean},
    {"date", date, "{c}::date", "date({c})"},
    {"time", time, "{c}::time", "time({c})"},
    {"timetz", other, "{c}::timetz", ""},
    {"timestamp", timestamp, "{c}::timestamp", "strftime('%Y-%m-%dT%H:%M:%S', {c})"},
    {"timestamp without time zone", timestamp, "{c}::timestamp", "strftime('%Y-%m-%dT%H:%M:%S', {c})"},
    {"timestamptz", timestamptz, "{c}::timestamptz", "strftime('%Y-%m-%dT%H:%M:%S+00:00', {c})"},
    {"timestamp with time zone", timestamptz, "{c}::timestamptz", "strftime('%Y-%m-%dT%H:%M:%S+00:00', {c})"},
    {"interval", other, "{c}::interval", ""},
    {"uuid", uuid, "{c}::uuid", kText},
    {"json", json, "{c}::json", "json({c})"},
    {"jsonb", json, "{c}::jsonb", "json({c})"},
    {"bytea", bytes, "{c}::bytea", "CAST({c} AS BLOB)"},
    {"inet", other, "{c}::inet", ""},
    {"cidr", other, "{c}::cidr", ""},
    {"xml", other, "{c}::xml", ""},
    {"tsvector", other, "{c}::tsvector", ""},
    {"text[]", array, "{c}::text[]", ""},
    {"int[]", array, "{c}::integer[]", ""},
    {"integer[]", array, "{c}::integer[]", ""},
    {"bigint[]", array, "{c}::bigint[]", ""},
    {"numeric[]", array, "{c}::numeric[]", ""},
    {"uuid[]", array, "{c}::uuid[]", ""},
};

}  // namespace

const CastRow* find_cast(std::string_view name) noexcept {
  const auto* found = std::ranges::find(kRows, name, &CastRow::name);
  return found == std::end(kRows) ? nullptr : found;
}

std::string known_casts(Flavor flavor) {
  std::string names;
  for (const CastRow& row : kRows) {
    if ((flavor == Flavor::postgres ? row.postgres : row.sqlite).empty()) continue;
    if (!names.empty()) names += ", ";
    names += row.name;
  }
  return names;
}

}  // namespace athena::query
