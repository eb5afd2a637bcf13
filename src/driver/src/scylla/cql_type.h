#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/result.h>
#include <athena/query/schema.h>

namespace athena::driver::scylla {

/// The types of CQL, numbered as the native protocol does; those that it writes as custom classes have numbers of ours.
enum class CqlKind : std::uint16_t {
  custom = 0x0000,  ///< a class that we do not know: its bytes are given as a blob
  ascii = 0x0001,
  bigint = 0x0002,
  blob = 0x0003,
  boolean = 0x0004,
  counter = 0x0005,
  decimal = 0x0006,
  double_ = 0x0007,
  float_ = 0x0008,
  int_ = 0x0009,
  timestamp = 0x000B,
  uuid = 0x000C,
  text = 0x000D,
  varint = 0x000E,
  timeuuid = 0x000F,
  inet = 0x0010,
  date = 0x0011,
  time = 0x0012,
  smallint = 0x0013,
  tinyint = 0x0014,
  duration = 0x0015,
  list = 0x0020,
  map = 0x0021,
  set = 0x0022,
  udt = 0x0030,
  tuple = 0x0031,
  vector = 0x8000,  ///< custom on the wire
};

/// A type with everything within it.
struct CqlType {
  CqlKind kind = CqlKind::custom;
  std::vector<CqlType> elements{};    ///< list, set, vector: one; map: key, value; tuple: each; udt: each field's
  std::vector<std::string> fields{};  ///< udt: their names
  std::string keyspace{}, name{};     ///< udt; custom: name is the class
  std::uint32_t dimension = 0;        ///< vector

  bool operator==(const CqlType&) const = default;
};

constexpr std::size_t kMaxTypeDepth = 32;        ///< of types within each other
constexpr std::size_t kMaxTypeNodes = 4'096;     ///< of one tree, user-defined types unfolded
constexpr std::uint32_t kMaxDimension = 65'536;  ///< of a vector

/// The definition of a user-defined type by its name, or null: unknown. Called while a name is parsed.
using UdtLookup = std::function<const CqlType*(std::string_view name)>;

/// `map<text, frozen<list<int>>>`, `vector<float, 3>`, `"MyType"`, as system_schema spells types; `frozen` is read
/// over. A name that `lookup` does not know becomes a custom type of that name. Errors: internal_error for a text that
/// is malformed or has no bounds.
Result<CqlType> parse_cql_type(std::string_view text, const UdtLookup& lookup);
/// The class names of the protocol: `org.apache.cassandra.db.marshal.VectorType(…FloatType , 3)`. A class that is not
/// known stays custom. Errors as above.
Result<CqlType> parse_class_name(std::string_view text);

/// As parse_cql_type reads it.
std::string to_string(const CqlType& type);
/// What it means to the encoder and the binder: collections, vectors, tuples and UDTs are json.
query::TypeClass type_class(const CqlType& type) noexcept;

}  // namespace athena::driver::scylla
