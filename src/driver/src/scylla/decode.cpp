#include "scylla/decode.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <utility>

#include <athena/base/json_writer.h>

#include "scylla/digits.h"
#include "scylla/times.h"

namespace athena::driver::scylla {
namespace {

constexpr std::size_t kKeptJson = 64 * 1024;

template <class T>
T big_endian(std::string_view bytes) noexcept {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<T>(value);
}

bool append_duration_of(std::string& out, std::string_view bytes) {
  const auto months = take_vint(bytes), days = take_vint(bytes), nanos = take_vint(bytes);
  if (!months || !days || !nanos || !bytes.empty()) return false;
  const auto unfold = [](std::uint64_t v) { return static_cast<std::int64_t>(v >> 1 ^ (0 - (v & 1))); };
  const std::int64_t parts[] = {unfold(*months), unfold(*days), unfold(*nanos)};
  const auto has_negative = std::ranges::any_of(parts, [](std::int64_t part) { return part < 0; });
  const auto has_positive = std::ranges::any_of(parts, [](std::int64_t part) { return part > 0; });
  if (!std::in_range<std::int32_t>(parts[0]) || !std::in_range<std::int32_t>(parts[1])) return false;
  if (has_negative && has_positive) return false;  // one sign stands for all
  append_duration(out, {static_cast<std::int32_t>(parts[0]), static_cast<std::int32_t>(parts[1]), parts[2]});
  return true;
}

/// Appends the text of a value that is written between quotes without escapes; false: malformed.
bool append_quotable(std::string& out, CqlKind kind, std::string_view bytes) {
  if (kind == CqlKind::uuid || kind == CqlKind::timeuuid) {
    if (bytes.size() != 16) return false;
    out.resize(out.size() + 36);
    write_uuid(bytes, out.data() + out.size() - 36);
    return true;
  }
  if (kind == CqlKind::timestamp) {
    if (bytes.size() != 8) return false;
    append_timestamp(out, big_endian<std::int64_t>(bytes));
    return true;
  }
  if (kind == CqlKind::date) {
    if (bytes.size() != 4) return false;
    append_date(out, big_endian<std::uint32_t>(bytes));
    return true;
  }
  if (kind == CqlKind::time) {
    const auto value = big_endian<std::int64_t>(bytes);
    if (bytes.size() != 8 || value < 0 || value >= 86'400'000'000'000) return false;
    append_time(out, value);
    return true;
  }
  if (kind == CqlKind::duration) return append_duration_of(out, bytes);
  const std::string address = address_text(bytes);
  out += address;
  return !address.empty();
}

/// Appends digits that are JSON as they stand. False: malformed, or longer than the bound.
bool append_exact(std::string& out, CqlKind kind, std::string_view bytes) {
  if (kind == CqlKind::varint) return append_varint(out, bytes);
  return bytes.size() >= 4 && append_decimal(out, big_endian<std::int32_t>(bytes.substr(0, 4)), bytes.substr(4));
}

std::optional<std::int64_t> integer_of(CqlKind kind, std::string_view bytes) noexcept {
  if (bytes.size() != integer_size(kind)) return std::nullopt;
  switch (bytes.size()) {
    case 8:
      return big_endian<std::int64_t>(bytes);
    case 4:
      return big_endian<std::int32_t>(bytes);
    case 2:
      return big_endian<std::int16_t>(bytes);
    default:
      return big_endian<std::int8_t>(bytes);
  }
}

/// A float or a double; none: malformed.
std::optional<double> real_of(CqlKind kind, std::string_view bytes) noexcept {
  if (bytes.size() != (kind == CqlKind::float_ ? 4 : 8)) return std::nullopt;
  if (kind == CqlKind::float_) return std::bit_cast<float>(big_endian<std::uint32_t>(bytes));
  return std::bit_cast<double>(big_endian<std::uint64_t>(bytes));
}

/// A finite float in its own shortest digits: as a double it would have more of them.
std::string_view float_digits(float value, char (&room)[32]) noexcept {
  return {room, static_cast<std::size_t>(std::to_chars(room, room + sizeof room, value).ptr - room)};
}

/// The key of a JSON object: text as it is, the others as they are printed.
bool append_key(Buffer& json, const CqlType& type, std::optional<std::string_view> bytes) {
  Buffer key;
  if (!append_json(key, type, bytes)) return false;
  if (key.view().starts_with('"')) {
    json.append(key.view());
  } else {
    json::append_string(json, key.view());
  }
  return true;
}

bool append_list(Buffer& json, const CqlType& type, std::string_view bytes) {
  MessageReader reader(bytes);
  const std::int32_t count = reader.i32();
  json.push_back('[');
  for (std::int32_t i = 0; i < count && reader.is_good(); ++i) {
    if (i > 0) json.push_back(',');
    if (!append_json(json, type.elements[0], reader.bytes())) return false;
  }
  json.push_back(']');
  return reader.is_good();
}

bool append_map(Buffer& json, const CqlType& type, std::string_view bytes) {
  MessageReader reader(bytes);
  const std::int32_t count = reader.i32();
  json.push_back('{');
  for (std::int32_t i = 0; i < count && reader.is_good(); ++i) {
    if (i > 0) json.push_back(',');
    if (!append_key(json, type.elements[0], reader.bytes())) return false;
    json.push_back(':');
    if (!append_json(json, type.elements[1], reader.bytes())) return false;
  }
  json.push_back('}');
  return reader.is_good();
}

/// A tuple, or a user-defined type: what a row of before an added field lacks is null.
bool append_fields(Buffer& json, const CqlType& type, std::string_view bytes) {
  const bool named = type.kind == CqlKind::udt;
  MessageReader reader(bytes);
  json.push_back(named ? '{' : '[');
  for (std::size_t i = 0; i < type.elements.size(); ++i) {
    if (i > 0) json.push_back(',');
    if (named) {
      json::append_string(json, type.fields[i]);
      json.push_back(':');
    }
    const auto value = reader.rest().empty() ? std::nullopt : reader.bytes();
    if (!reader.is_good() || !append_json(json, type.elements[i], value)) return false;
  }
  json.push_back(named ? '}' : ']');
  return true;
}

bool append_vector(Buffer& json, const CqlType& type, std::string_view bytes) {
  const std::size_t fixed = fixed_size(type.elements[0]);
  json.push_back('[');
  for (std::uint32_t i = 0; i < type.dimension; ++i) {
    if (i > 0) json.push_back(',');
    std::size_t size = fixed;
    if (fixed == 0) {
      const auto given = take_vint(bytes);
      if (!given) return false;
      size = *given;
    }
    if (size > bytes.size() || !append_json(json, type.elements[0], bytes.substr(0, size))) return false;
    bytes.remove_prefix(size);
  }
  json.push_back(']');
  return bytes.empty();
}

/// Only these have values of no bytes; for others that stands for nothing.
bool can_be_empty(Form form) noexcept {
  return form == Form::text || form == Form::bytes || form == Form::vector;
}

}  // namespace

Form form_of(CqlKind kind) noexcept {
  switch (kind) {
    case CqlKind::ascii:
    case CqlKind::text:
      return Form::text;
    case CqlKind::blob:
    case CqlKind::custom:
      return Form::bytes;
    case CqlKind::boolean:
      return Form::boolean;
    case CqlKind::bigint:
    case CqlKind::counter:
    case CqlKind::int_:
    case CqlKind::smallint:
    case CqlKind::tinyint:
      return Form::integer;
    case CqlKind::double_:
    case CqlKind::float_:
      return Form::real;
    case CqlKind::decimal:
    case CqlKind::varint:
      return Form::exact;
    case CqlKind::uuid:
    case CqlKind::timeuuid:
    case CqlKind::timestamp:
    case CqlKind::date:
    case CqlKind::time:
    case CqlKind::duration:
    case CqlKind::inet:
      return Form::quoted;
    case CqlKind::list:
    case CqlKind::set:
      return Form::list;
    case CqlKind::map:
      return Form::map;
    case CqlKind::tuple:
    case CqlKind::udt:
      return Form::fields;
    case CqlKind::vector:
      return Form::vector;
  }
  return Form::bytes;
}

std::size_t integer_size(CqlKind kind) noexcept {
  if (kind == CqlKind::bigint || kind == CqlKind::counter) return 8;
  if (kind == CqlKind::int_) return 4;
  if (kind == CqlKind::smallint) return 2;
  return kind == CqlKind::tinyint ? 1 : 0;
}

std::size_t fixed_size(const CqlType& type) noexcept {
  if (type.kind == CqlKind::boolean) return 1;
  if (type.kind == CqlKind::int_ || type.kind == CqlKind::float_) return 4;
  if (type.kind == CqlKind::bigint || type.kind == CqlKind::double_ || type.kind == CqlKind::timestamp) return 8;
  if (type.kind == CqlKind::uuid || type.kind == CqlKind::timeuuid) return 16;
  return type.kind == CqlKind::vector ? fixed_size(type.elements[0]) * type.dimension : 0;
}

std::optional<std::uint64_t> take_vint(std::string_view& bytes) noexcept {
  if (bytes.empty()) return std::nullopt;
  const auto first = static_cast<std::uint8_t>(bytes[0]);
  const auto extra = static_cast<std::size_t>(std::countl_one(first));
  if (bytes.size() <= extra) return std::nullopt;
  std::uint64_t value = extra >= 8 ? 0 : first & (0xFFu >> extra);
  for (std::size_t i = 1; i <= extra; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  bytes.remove_prefix(1 + extra);
  return value;
}

void append_vint(std::string& out, std::uint64_t value) {
  const auto bits = static_cast<std::size_t>(std::bit_width(value | 1));
  const std::size_t size = bits > 56 ? 9 : (bits + 6) / 7;
  const std::size_t extra = size - 1;
  std::uint8_t first = static_cast<std::uint8_t>(0xFF00u >> extra);  // as many ones as bytes follow
  if (extra < 8) first = static_cast<std::uint8_t>(first | value >> (8 * extra));
  out.push_back(static_cast<char>(first));
  for (std::size_t i = extra; i-- > 0;) out.push_back(static_cast<char>(value >> (8 * i)));
}

bool append_json(Buffer& json, const CqlType& type, std::optional<std::string_view> value) {
  const Form form = form_of(type.kind);
  if (!value || (value->empty() && !can_be_empty(form))) {
    json.append("null");
    return true;
  }
  const std::string_view bytes = *value;
  std::string text;
  switch (form) {
    case Form::text:
      json::append_string(json, bytes);
      return true;
    case Form::bytes:
      json::append_bytes(json, bytes);
      return true;
    case Form::boolean:
      json.append(bytes[0] != 0 ? "true" : "false");
      return bytes.size() == 1;
    case Form::integer: {
      const auto integer = integer_of(type.kind, bytes);
      json::append_integer(json, integer.value_or(0));
      return integer.has_value();
    }
    case Form::real: {
      const auto real = real_of(type.kind, bytes);
      char room[32];
      if (real && type.kind == CqlKind::float_ && std::isfinite(*real)) {
        json.append(float_digits(static_cast<float>(*real), room));
      } else {
        json::append_double(json, real.value_or(0));
      }
      return real.has_value();
    }
    case Form::exact:
      if (append_exact(text, type.kind, bytes)) {
        json.append(text);
      } else {
        json::append_bytes(json, bytes);
      }
      return true;
    case Form::quoted:
      if (!append_quotable(text, type.kind, bytes)) return false;
      json.push_back('"');
      json.append(text);
      json.push_back('"');
      return true;
    case Form::list:
      return append_list(json, type, bytes);
    case Form::map:
      return append_map(json, type, bytes);
    case Form::fields:
      return append_fields(json, type, bytes);
    case Form::vector:
      return append_vector(json, type, bytes);
  }
  return false;
}

Result<> RowDecoder::decode_row(std::string_view& rows, std::vector<Cell>& cells, ScratchArena& scratch) {
  MessageReader reader(rows);
  for (const ColumnSpec& column : columns_) {
    const auto bytes = reader.bytes();
    Cell cell;
    if (!reader.is_good() || (bytes && !decode(column.type, *bytes, cell, scratch))) {
      return fail(Error(Code::connection_error, "The database's answer could not be read")
                      .logged("malformed value of type " + to_string(column.type)));
    }
    cells.push_back(cell);
  }
  rows = reader.rest();
  return {};
}

bool RowDecoder::decode(const CqlType& type, std::string_view bytes, Cell& cell, ScratchArena& scratch) {
  const Form form = form_of(type.kind);
  if (bytes.empty() && !can_be_empty(form)) return true;
  const auto copied = [&scratch](CellKind kind, std::string_view text) {
    char* copy = scratch.allocate(text.size());
    std::memcpy(copy, text.data(), text.size());
    return Cell::view(kind, {copy, text.size()});
  };
  switch (form) {
    case Form::text:
      cell = Cell::view(CellKind::text, bytes);
      return true;
    case Form::bytes:
      cell = Cell::view(CellKind::bytes, bytes);
      return true;
    case Form::boolean:
      cell = Cell::boolean(bytes[0] != 0);
      return bytes.size() == 1;
    case Form::integer: {
      const auto integer = integer_of(type.kind, bytes);
      cell = Cell::integer(integer.value_or(0));
      return integer.has_value();
    }
    case Form::real: {
      const auto real = real_of(type.kind, bytes);
      if (!real) return false;
      char room[32];
      const bool is_narrow = type.kind == CqlKind::float_ && std::isfinite(*real);
      cell = is_narrow ? copied(CellKind::verbatim, float_digits(static_cast<float>(*real), room)) : Cell::real(*real);
      return true;
    }
    case Form::quoted:
    case Form::exact: {
      text_.clear();
      const bool is_quoted = form == Form::quoted;
      const bool is_good = is_quoted ? append_quotable(text_, type.kind, bytes) : append_exact(text_, type.kind, bytes);
      if (!is_good && is_quoted) return false;
      cell = is_good ? copied(is_quoted ? CellKind::quoted : CellKind::verbatim, text_)
                     : Cell::view(CellKind::bytes, bytes);
      return true;
    }
    case Form::list:
    case Form::map:
    case Form::fields:
    case Form::vector:
      json_.recycle(kKeptJson);
      if (!append_json(json_, type, bytes)) return false;
      cell = copied(CellKind::verbatim, json_.view());
      return true;
  }
  return false;
}

}  // namespace athena::driver::scylla
