#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/buffer.h>
#include <athena/base/result.h>
#include <athena/driver/rows.h>
#include <athena/query/schema.h>

#include "scratch_arena.h"

namespace athena::driver::postgres {

/// What a column of a result is. `oid` is what RowDescription says; 0 if only the class is known.
struct ColumnFormat {
  std::uint32_t oid = 0;
  query::TypeClass type = query::TypeClass::other;
  std::string name;
  std::string type_name;
};

/// The class of a built-in type; `other` for one that is not built in (an enum, a domain, an extension's type).
query::TypeClass type_class_of(std::uint32_t oid) noexcept;
/// The name of a built-in type as format_type prints it ("timestamp with time zone", "integer[]"); empty if not built
/// in.
std::string_view type_name_of(std::uint32_t oid) noexcept;

/// Turns DataRow messages into cells without looking at a type twice: reset() picks one handler for each column, and a
/// cell then costs a switch and, for most types, no copy. All columns are in text format; the session's settings are
/// DateStyle=ISO, TimeZone=UTC, bytea_output=hex. Where a caller changed them, the value passes as text.
class RowDecoder {
 public:
  /// `columns` outlives the decoder's use.
  void reset(std::span<const ColumnFormat> columns);

  /// `body` is the message after its length: a count, then for each column a length (-1: null) and the bytes. Appends
  /// one cell for each column: views into `body` and `scratch`. A body that does not hold what it says is an
  /// internal_error, and `cells` is then as it was.
  Result<> decode_row(std::string_view body, std::vector<Cell>& cells, ScratchArena& scratch);

 private:
  enum class Handler : std::uint8_t { text, quoted, number, boolean, json, timestamp, timestamptz, array };
  struct Column {
    Handler handler;
    Handler element;  ///< arrays only
    char delimiter;   ///< arrays only: between elements
  };

  static Column column_for(std::uint32_t oid, query::TypeClass type) noexcept;
  static Cell decode_timestamp(std::string_view value, bool with_zone, ScratchArena& scratch);
  Cell decode(const Column& column, std::string_view value, ScratchArena& scratch);
  Cell decode_array(const Column& column, std::string_view value, ScratchArena& scratch);
  bool write_array(const Column& column, std::string_view value);
  bool write_quoted_element(Handler handler, std::string_view value, std::size_t& at);
  void write_element(Handler handler, std::string_view value);

  std::vector<Column> columns_;
  Buffer json_;       ///< the array that is being written
  Buffer unescaped_;  ///< one quoted element of it
  ScratchArena element_scratch_;
};

}  // namespace athena::driver::postgres
