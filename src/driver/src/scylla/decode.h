#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/buffer.h>
#include <athena/base/result.h>
#include <athena/driver/rows.h>

#include "scratch_arena.h"
#include "scylla/message.h"

namespace athena::driver::scylla {

/// Turns the cells of a result into ours. Integers and texts cost no copy; exact numbers keep their digits; moments are
/// ISO 8601; collections, tuples, user-defined types and vectors are JSON. A value of no bytes is null but for texts
/// and blobs, which can be empty. A varint or decimal beyond kMaxVarintBytes comes as its bytes.
class RowDecoder {
 public:
  explicit RowDecoder(std::span<const ColumnSpec> columns) : columns_(columns) {}

  /// Takes one row off `rows` and appends its cells, views into `rows` and `scratch`. Error: connection_error for bytes
  /// that are not what the columns say.
  Result<> decode_row(std::string_view& rows, std::vector<Cell>& cells, ScratchArena& scratch);

 private:
  bool decode(const CqlType& type, std::string_view bytes, Cell& cell, ScratchArena& scratch);

  std::span<const ColumnSpec> columns_;
  Buffer json_;
  std::string text_;
};

/// How the values of a type are written: what the many types have in common.
enum class Form : std::uint8_t { text, bytes, boolean, integer, real, exact, quoted, list, map, fields, vector };
Form form_of(CqlKind kind) noexcept;
/// Bytes of an integer type; 0: not one.
std::size_t integer_size(CqlKind kind) noexcept;

/// A value as JSON, appended. False: its bytes are not of the type.
bool append_json(Buffer& json, const CqlType& type, std::optional<std::string_view> bytes);

/// Bytes of each element of a vector of this type; 0: they vary, and each has its length in front. As Cassandra has it,
/// where the small integers, dates and times count as varying.
std::size_t fixed_size(const CqlType& type) noexcept;
/// An unsigned integer of one to nine bytes: as many as the first byte has leading ones, besides itself.
std::optional<std::uint64_t> take_vint(std::string_view& bytes) noexcept;
void append_vint(std::string& out, std::uint64_t value);

}  // namespace athena::driver::scylla
