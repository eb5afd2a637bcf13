#include "postgres/decode.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include <athena/base/json_writer.h>

namespace athena::driver::postgres {
namespace {

using query::TypeClass;

constexpr std::size_t kKeptBufferBytes = 64 * 1024;
/// PostgreSQL's arrays have at most six dimensions; what claims more is not an array.
constexpr std::size_t kMaxArrayDepth = 32;

/// A type that every PostgreSQL has. The name of the array ends in "[]", which is cut off for the type itself.
struct BuiltIn {
  std::uint16_t oid, array_oid;
  TypeClass type;
  std::string_view array_name;
};
constexpr BuiltIn kBuiltIns[] = {
    {16, 1000, TypeClass::boolean, "boolean[]"},
    {17, 1001, TypeClass::bytes, "bytea[]"},
    {18, 1002, TypeClass::text, "\"char\"[]"},
    {19, 1003, TypeClass::text, "name[]"},
    {20, 1016, TypeClass::integer, "bigint[]"},
    {21, 1005, TypeClass::integer, "smallint[]"},
    {23, 1007, TypeClass::integer, "integer[]"},
    {24, 1008, TypeClass::other, "regproc[]"},
    {25, 1009, TypeClass::text, "text[]"},
    {26, 1028, TypeClass::integer, "oid[]"},
    {27, 1010, TypeClass::other, "tid[]"},
    {28, 1011, TypeClass::other, "xid[]"},
    {29, 1012, TypeClass::other, "cid[]"},
    {114, 199, TypeClass::json, "json[]"},
    {142, 143, TypeClass::text, "xml[]"},
    {600, 1017, TypeClass::other, "point[]"},
    {601, 1018, TypeClass::other, "lseg[]"},
    {602, 1019, TypeClass::other, "path[]"},
    {603, 1020, TypeClass::other, "box[]"},
    {604, 1027, TypeClass::other, "polygon[]"},
    {628, 629, TypeClass::other, "line[]"},
    {650, 651, TypeClass::other, "cidr[]"},
    {700, 1021, TypeClass::real, "real[]"},
    {701, 1022, TypeClass::real, "double precision[]"},
    {718, 719, TypeClass::other, "circle[]"},
    {774, 775, TypeClass::other, "macaddr8[]"},
    {790, 791, TypeClass::other, "money[]"},
    {829, 1040, TypeClass::other, "macaddr[]"},
    {869, 1041, TypeClass::other, "inet[]"},
    {1033, 1034, TypeClass::other, "aclitem[]"},
    {1042, 1014, TypeClass::text, "character[]"},
    {1043, 1015, TypeClass::text, "character varying[]"},
    {1082, 1182, TypeClass::date, "date[]"},
    {1083, 1183, TypeClass::time, "time without time zone[]"},
    {1114, 1115, TypeClass::timestamp, "timestamp without time zone[]"},
    {1184, 1185, TypeClass::timestamptz, "timestamp with time zone[]"},
    {1186, 1187, TypeClass::other, "interval[]"},
    {1266, 1270, TypeClass::time, "time with time zone[]"},
    {1560, 1561, TypeClass::other, "bit[]"},
    {1562, 1563, TypeClass::other, "bit varying[]"},
    {1700, 1231, TypeClass::decimal, "numeric[]"},
    {2202, 2207, TypeClass::other, "regprocedure[]"},
    {2205, 2210, TypeClass::other, "regclass[]"},
    {2206, 2211, TypeClass::other, "regtype[]"},
    {2950, 2951, TypeClass::uuid, "uuid[]"},
    {3220, 3221, TypeClass::other, "pg_lsn[]"},
    {3614, 3643, TypeClass::other, "tsvector[]"},
    {3615, 3645, TypeClass::other, "tsquery[]"},
    {3802, 3807, TypeClass::json, "jsonb[]"},
    {3904, 3905, TypeClass::other, "int4range[]"},
    {3906, 3907, TypeClass::other, "numrange[]"},
    {3908, 3909, TypeClass::other, "tsrange[]"},
    {3910, 3911, TypeClass::other, "tstzrange[]"},
    {3912, 3913, TypeClass::other, "daterange[]"},
    {3926, 3927, TypeClass::other, "int8range[]"},
    {4072, 4073, TypeClass::other, "jsonpath[]"},
    {5069, 271, TypeClass::other, "xid8[]"},
};
constexpr std::uint16_t kBoxArray = 1020;  // the one built-in array whose elements are not separated by commas
constexpr std::size_t kMaxBuiltInOid = 5069;

/// oid → 0: not built in; 1 + 2 * row: the type; 2 + 2 * row: its array.
constexpr auto kByOid = [] {
  std::array<std::uint8_t, kMaxBuiltInOid + 1> index{};
  for (std::size_t row = 0; row < std::size(kBuiltIns); ++row) {
    index[kBuiltIns[row].oid] = static_cast<std::uint8_t>(1 + 2 * row);
    index[kBuiltIns[row].array_oid] = static_cast<std::uint8_t>(2 + 2 * row);
  }
  return index;
}();
static_assert(2 * std::size(kBuiltIns) < 255);

struct Found {
  const BuiltIn* row = nullptr;
  bool is_array = false;
};
Found find_built_in(std::uint32_t oid) noexcept {
  if (oid >= kByOid.size() || kByOid[oid] == 0) return {};
  const std::size_t at = kByOid[oid] - 1U;
  return {&kBuiltIns[at / 2], at % 2 == 1};
}

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

/// Digits that PostgreSQL wrote are a JSON number; NaN and Infinity, the only other values of number types, are not.
constexpr bool starts_like_a_number(std::string_view value) noexcept {
  if (value.empty()) return false;
  return is_digit(value[0]) || (value[0] == '-' && value.size() > 1 && is_digit(value[1]));
}

template <class Integer>
Integer read_big_endian(const char* at) noexcept {
  static_assert(std::endian::native == std::endian::little);
  Integer value;
  std::memcpy(&value, at, sizeof value);
  return sizeof value == 2 ? static_cast<Integer>(__builtin_bswap16(static_cast<std::uint16_t>(value)))
                           : static_cast<Integer>(__builtin_bswap32(static_cast<std::uint32_t>(value)));
}

std::unexpected<Error> malformed_row(std::string_view what) {
  return fail(Error(Code::internal_error, "The database's answer could not be read")
                  .logged("malformed DataRow: " + std::string(what)));
}

}  // namespace

TypeClass type_class_of(std::uint32_t oid) noexcept {
  const Found found = find_built_in(oid);
  if (!found.row) return TypeClass::other;
  return found.is_array ? TypeClass::array : found.row->type;
}

std::string_view type_name_of(std::uint32_t oid) noexcept {
  const Found found = find_built_in(oid);
  if (!found.row) return {};
  const std::string_view name = found.row->array_name;
  return found.is_array ? name : name.substr(0, name.size() - 2);
}

RowDecoder::Column RowDecoder::column_for(std::uint32_t oid, TypeClass type) noexcept {
  constexpr auto handler_for = [](TypeClass of) {
    switch (of) {
      case TypeClass::boolean:
        return Handler::boolean;
      case TypeClass::integer:
      case TypeClass::decimal:
      case TypeClass::real:
        return Handler::number;
      case TypeClass::uuid:
      case TypeClass::date:
      case TypeClass::time:
        return Handler::quoted;
      case TypeClass::json:
        return Handler::json;
      case TypeClass::timestamp:
        return Handler::timestamp;
      case TypeClass::timestamptz:
        return Handler::timestamptz;
      case TypeClass::array:
        return Handler::array;
      case TypeClass::text:
      case TypeClass::bytes:
      case TypeClass::other:
        return Handler::text;
    }
    return Handler::text;
  };
  const Found found = find_built_in(oid);
  if (!found.row) return {handler_for(type), Handler::text, ','};
  if (found.is_array) return {Handler::array, handler_for(found.row->type), oid == kBoxArray ? ';' : ','};
  return {handler_for(found.row->type), Handler::text, ','};
}

void RowDecoder::reset(std::span<const ColumnFormat> columns) {
  columns_.clear();
  for (const ColumnFormat& column : columns) columns_.push_back(column_for(column.oid, column.type));
  json_.recycle(kKeptBufferBytes);
  unescaped_.recycle(kKeptBufferBytes);
}

Result<> RowDecoder::decode_row(std::string_view body, std::vector<Cell>& cells, ScratchArena& scratch) {
  const char* at = body.data();
  const char* const end = at + body.size();
  if (body.size() < 2) return malformed_row("no column count");
  if (read_big_endian<std::uint16_t>(at) != columns_.size()) return malformed_row("another number of columns");
  at += 2;

  const std::size_t first = cells.size();
  cells.resize(first + columns_.size());
  Cell* cell = cells.data() + first;
  for (const Column& column : columns_) {
    if (end - at < 4) {
      cells.resize(first);
      return malformed_row("a length is missing");
    }
    const auto length = read_big_endian<std::int32_t>(at);
    at += 4;
    if (length >= 0 && length <= end - at) {
      const std::string_view value(at, static_cast<std::size_t>(length));
      *cell = decode(column, value, scratch);
      at += length;
    } else if (length != -1) {
      cells.resize(first);
      return malformed_row("a length beyond the end");
    }
    ++cell;
  }
  if (at != end) {
    cells.resize(first);
    return malformed_row("bytes after the last column");
  }
  return {};
}

Cell RowDecoder::decode(const Column& column, std::string_view value, ScratchArena& scratch) {
  switch (column.handler) {
    case Handler::text:
      return Cell::view(CellKind::text, value);
    case Handler::quoted:
      return Cell::view(CellKind::quoted, value);
    case Handler::number:
      return Cell::view(starts_like_a_number(value) ? CellKind::verbatim : CellKind::text, value);
    case Handler::boolean:
      if (value == "t" || value == "f") return Cell::boolean(value == "t");
      return Cell::view(CellKind::text, value);
    case Handler::json:
      return Cell::view(value.empty() ? CellKind::text : CellKind::verbatim, value);
    case Handler::timestamp:
      return decode_timestamp(value, false, scratch);
    case Handler::timestamptz:
      return decode_timestamp(value, true, scratch);
    case Handler::array:
      return decode_array(column, value, scratch);
  }
  return Cell::view(CellKind::text, value);
}

/// `2025-01-31 13:00:00.12+00` → `2025-01-31T13:00:00.12+00:00`. Infinity, years before Christ and other date styles
/// have no form in ISO 8601 that everybody reads, so they stay as they are.
Cell RowDecoder::decode_timestamp(std::string_view value, bool with_zone, ScratchArena& scratch) {
  const std::size_t blank = value.find(' ');
  if (blank == std::string_view::npos || blank < 10 || !is_digit(value[0]) || value[blank - 3] != '-' ||
      !is_digit(value.back())) {
    return Cell::view(CellKind::text, value);
  }
  char* copy = scratch.allocate(value.size() + 3);
  std::memcpy(copy, value.data(), value.size());
  copy[blank] = 'T';
  std::size_t size = value.size();
  if (with_zone && (copy[size - 3] == '+' || copy[size - 3] == '-')) {
    std::memcpy(copy + size, ":00", 3);
    size += 3;
  }
  return Cell::view(CellKind::quoted, {copy, size});
}

Cell RowDecoder::decode_array(const Column& column, std::string_view value, ScratchArena& scratch) {
  if (!write_array(column, value)) return Cell::view(CellKind::text, value);
  char* copy = scratch.allocate(json_.size());
  std::memcpy(copy, json_.data(), json_.size());
  return Cell::view(CellKind::verbatim, {copy, json_.size()});
}

/// Writes `{1,NULL,"a \"b\""}` as JSON into json_; false if the text is no array literal.
bool RowDecoder::write_array(const Column& column, std::string_view value) {
  enum class Expect : std::uint8_t { element, element_or_end, delimiter } expect = Expect::element;
  json_.clear();
  element_scratch_.clear();
  std::size_t at = 0, depth = 0;
  if (value.starts_with('[')) {  // lower bounds other than one: [0:1]={…}
    at = value.find('=');
    if (at == std::string_view::npos) return false;
    ++at;
  }
  while (at < value.size()) {
    const char c = value[at];
    if (expect == Expect::delimiter) {
      if (c == column.delimiter) {
        json_.push_back(',');
        expect = Expect::element;
        ++at;
        continue;
      }
      if (c != '}') return false;
    }
    if (c == '{') {
      if (++depth > kMaxArrayDepth) return false;
      json_.push_back('[');
      expect = Expect::element_or_end;
      ++at;
    } else if (c == '}') {
      if (depth == 0 || expect == Expect::element) return false;
      json_.push_back(']');
      expect = Expect::delimiter;
      ++at;
      if (--depth == 0) return at == value.size();
    } else if (depth == 0) {
      return false;
    } else if (c == '"') {
      if (!write_quoted_element(column.element, value, ++at)) return false;
      expect = Expect::delimiter;
    } else {
      std::size_t stop = at;
      while (stop < value.size() && value[stop] != column.delimiter && value[stop] != '}' && value[stop] != '{' &&
             value[stop] != '"') {
        ++stop;
      }
      if (stop == at) return false;
      const std::string_view element = value.substr(at, stop - at);
      if (element == "NULL") {
        json_.append("null");
      } else {
        write_element(column.element, element);
      }
      at = stop;
      expect = Expect::delimiter;
    }
  }
  return false;
}

/// `at` stands after the opening quote, and then after the closing one.
bool RowDecoder::write_quoted_element(Handler handler, std::string_view value, std::size_t& at) {
  const std::size_t begin = at;
  std::size_t stop = value.find_first_of("\"\\", begin);
  if (stop == std::string_view::npos) return false;
  if (value[stop] == '"') {  // nothing to unescape
    write_element(handler, value.substr(begin, stop - begin));
    at = stop + 1;
    return true;
  }
  unescaped_.clear();
  std::size_t from = begin;
  while (value[stop] == '\\') {
    if (stop + 1 >= value.size()) return false;
    unescaped_.append(value.substr(from, stop - from));
    from = stop + 1;  // the byte after the backslash stands for itself
    stop = value.find_first_of("\"\\", from + 1);
    if (stop == std::string_view::npos) return false;
  }
  unescaped_.append(value.substr(from, stop - from));
  write_element(handler, unescaped_.view());
  at = stop + 1;
  return true;
}

void RowDecoder::write_element(Handler handler, std::string_view value) {
  const Cell cell = decode({handler, Handler::text, ','}, value, element_scratch_);
  switch (cell.kind()) {
    case CellKind::boolean:
      return json_.append(cell.integer() ? "true" : "false");
    case CellKind::verbatim:
      return json_.append(cell.view());
    case CellKind::null:
    case CellKind::integer:
    case CellKind::real:
    case CellKind::bytes:  // none of these comes from text format
    case CellKind::quoted:
    case CellKind::text:
      return json::append_string(json_, cell.view());
  }
}

}  // namespace athena::driver::postgres
