#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/result.h>
#include <athena/query/schema.h>

namespace athena::driver::scylla {

/// The numbers are those of the protocol's [option]s; `vector` has none and travels as `custom`.
enum class CqlKind : std::uint16_t {
  custom = 0x00,
  ascii = 0x01,
  bigint = 0x02,
  blob = 0x03,
  boolean = 0x04,
  counter = 0x05,
  decimal = 0x06,
  double_ = 0x07,
  float_ = 0x08,
  int_ = 0x09,
  timestamp = 0x0b,
  uuid = 0x0c,
  text = 0x0d,
  varint = 0x0e,
  timeuuid = 0x0f,
  inet = 0x10,
  date = 0x11,
  time = 0x12,
  smallint = 0x13,
  tinyint = 0x14,
  duration = 0x15,
  list = 0x20,
  map = 0x21,
  set = 0x22,
  udt = 0x30,
  tuple = 0x31,
  vector = 0x8000,
};

/// A type of CQL as a tree.
struct CqlType {
  CqlKind kind = CqlKind::custom;
  bool is_frozen = false;
  std::vector<CqlType> children{};       ///< list, set, vector: the element; map: key, value; tuple, udt: fields
  std::vector<std::string> field_names{};  ///< udt
  std::string keyspace{};                ///< udt
  std::string name{};                    ///< udt; custom: the class
  std::uint32_t dimension = 0;           ///< vector
  bool operator==(const CqlType&) const = default;
};

constexpr std::size_t kMaxTypeDepth = 32;         ///< of types within each other
constexpr std::size_t kMaxTypeNodes = 4'096;      ///< of one tree, user-defined types unfolded
constexpr std::uint32_t kMaxDimension = 65'536;   ///< of a vector

/// The definition of a user-defined type by its name, or null: unknown. Called while a name is parsed.
using UdtLookup = std::function<const CqlType*(std::string_view name)>;

/// `map<text, frozen<list<int>>>`, `vector<float, 3>`, `"MyType"`, as system_schema spells types. A name that `lookup`
/// does not know becomes a custom type of that name. Errors: internal_error for a malformed or boundless text.
Result<CqlType> parse_cql_type(std::string_view text, const UdtLookup& lookup);
/// The class names of the protocol: `org.apache.cassandra.db.marshal.VectorType(…FloatType , 3)`. A class that is not
/// known stays custom. Errors as above.
Result<CqlType> parse_class_name(std::string_view text);

/// As parse_cql_type reads it.
std::string to_string(const CqlType& type);
/// What it means to the encoder and the binder: collections, tuples and UDTs are json, vector too.
query::TypeClass type_class(const CqlType& type) noexcept;

}  // namespace athena::driver::scylla
