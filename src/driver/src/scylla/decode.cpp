#include "scylla/decode.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

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

/// Appends the text of a value that is written between quotes without escapes; false: not one of these, or malformed.
bool append_quotable(std::string& out, const CqlType& type, std::string_view bytes) {
  switch (type.kind) {
    case CqlKind::uuid:
    case CqlKind::timeuuid: {
      if (bytes.size() != 16) return false;
      char text[36];
      write_uuid(bytes, text);
      out.append(text, sizeof text);
      return true;
    }
    case CqlKind::timestamp:
      if (bytes.size() != 8) return false;
      append_timestamp(out, big_endian<std::int64_t>(bytes));
      return true;
    case CqlKind::date:
      if (bytes.size() != 4) return false;
      append_date(out, big_endian<std::uint32_t>(bytes));
      return true;
    case CqlKind::time: {
      if (bytes.size() != 8) return false;
      const auto value = big_endian<std::int64_t>(bytes);
      if (value < 0 || value >= 86'400'000'000'000) return false;
      append_time(out, value);
      return true;
    }
    case CqlKind::duration: {
      const auto months = take_vint(bytes), days = take_vint(bytes), nanos = take_vint(bytes);
      if (!months || !days || !nanos || !bytes.empty()) return false;
      const auto unfold = [](std::uint64_t v) { return static_cast<std::int64_t>(v >> 1 ^ (0 - (v & 1))); };
      append_duration(
          out, {static_cast<std::int32_t>(unfold(*months)), static_cast<std::int32_t>(unfold(*days)), unfold(*nanos)});
      return true;
    }
    case CqlKind::inet: {
      const std::string text = address_text(bytes);
      out += text;
      return !text.empty();
    }
    default:
      return false;
  }
}

/// Appends digits that are JSON as they stand. False: not one of these, malformed, or longer than the bound.
bool append_digits(std::string& out, const CqlType& type, std::string_view bytes) {
  if (type.kind == CqlKind::varint) return append_varint(out, bytes);
  if (type.kind != CqlKind::decimal || bytes.size() < 4) return false;
  return append_decimal(out, big_endian<std::int32_t>(bytes.substr(0, 4)), bytes.substr(4));
}

std::optional<std::int64_t> integer_of(const CqlType& type, std::string_view bytes) noexcept {
  switch (type.kind) {
    case CqlKind::bigint:
    case CqlKind::counter:
      if (bytes.size() != 8) return std::nullopt;
      return big_endian<std::int64_t>(bytes);
    case CqlKind::int_:
      if (bytes.size() != 4) return std::nullopt;
      return big_endian<std::int32_t>(bytes);
    case CqlKind::smallint:
      if (bytes.size() != 2) return std::nullopt;
      return big_endian<std::int16_t>(bytes);
    case CqlKind::tinyint:
      if (bytes.size() != 1) return std::nullopt;
      return big_endian<std::int8_t>(bytes);
    default:
      return std::nullopt;
  }
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

bool append_composite(Buffer& json, const CqlType& type, std::string_view bytes) {
  switch (type.kind) {
    case CqlKind::list:
    case CqlKind::set:
      return append_list(json, type, bytes);
    case CqlKind::map:
      return append_map(json, type, bytes);
    case CqlKind::tuple:
    case CqlKind::udt:
      return append_fields(json, type, bytes);
    case CqlKind::vector:
      return append_vector(json, type, bytes);
    default:
      return false;
  }
}

bool is_exact_number(const CqlType& type) noexcept {
  return type.kind == CqlKind::varint || type.kind == CqlKind::decimal;
}
bool can_be_empty(const CqlType& type) noexcept {
  return type.kind == CqlKind::ascii || type.kind == CqlKind::text || type.kind == CqlKind::blob ||
         type.kind == CqlKind::custom;
}

}  // namespace

std::size_t fixed_size(const CqlType& type) noexcept {
  switch (type.kind) {
    case CqlKind::boolean:
      return 1;
    case CqlKind::int_:
    case CqlKind::float_:
      return 4;
    case CqlKind::bigint:
    case CqlKind::double_:
    case CqlKind::timestamp:
      return 8;
    case CqlKind::uuid:
    case CqlKind::timeuuid:
      return 16;
    case CqlKind::vector:
      return fixed_size(type.elements[0]) * type.dimension;
    default:
      return 0;
  }
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
  if (!value || (value->empty() && !can_be_empty(type) && type.kind != CqlKind::vector)) {
    json.append("null");
    return true;
  }
  const std::string_view bytes = *value;
  if (const auto integer = integer_of(type, bytes)) {
    json::append_integer(json, *integer);
    return true;
  }
  std::string text;
  switch (type.kind) {
    case CqlKind::ascii:
    case CqlKind::text:
      json::append_string(json, bytes);
      return true;
    case CqlKind::blob:
    case CqlKind::custom:
      json::append_bytes(json, bytes);
      return true;
    case CqlKind::boolean:
      if (bytes.size() != 1) return false;
      json.append(bytes[0] != 0 ? "true" : "false");
      return true;
    case CqlKind::double_:
      if (bytes.size() != 8) return false;
      json::append_double(json, std::bit_cast<double>(big_endian<std::uint64_t>(bytes)));
      return true;
    case CqlKind::float_: {
      if (bytes.size() != 4) return false;
      const auto number = std::bit_cast<float>(big_endian<std::uint32_t>(bytes));
      char room[32];
      if (std::isfinite(number)) {
        json.append(float_digits(number, room));
      } else {
        json::append_double(json, static_cast<double>(number));
      }
      return true;
    }
    case CqlKind::varint:
    case CqlKind::decimal:
      if (append_digits(text, type, bytes)) {
        json.append(text);
      } else {
        json::append_bytes(json, bytes);
      }
      return true;
    default:
      break;
  }
  if (append_quotable(text, type, bytes)) {
    json.push_back('"');
    json.append(text);
    json.push_back('"');
    return true;
  }
  return append_composite(json, type, bytes);
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
  if (bytes.empty() && !can_be_empty(type) && type.kind != CqlKind::vector) return true;
  switch (type.kind) {
    case CqlKind::ascii:
    case CqlKind::text:
      cell = Cell::view(CellKind::text, bytes);
      return true;
    case CqlKind::blob:
    case CqlKind::custom:
      cell = Cell::view(CellKind::bytes, bytes);
      return true;
    case CqlKind::boolean:
      if (bytes.size() != 1) return false;
      cell = Cell::boolean(bytes[0] != 0);
      return true;
    case CqlKind::double_:
      if (bytes.size() != 8) return false;
      cell = Cell::real(std::bit_cast<double>(big_endian<std::uint64_t>(bytes)));
      return true;
    default:
      break;
  }
  if (const auto integer = integer_of(type, bytes)) {
    cell = Cell::integer(*integer);
    return true;
  }
  if (type.kind == CqlKind::float_ && bytes.size() == 4) {
    const auto number = std::bit_cast<float>(big_endian<std::uint32_t>(bytes));
    if (!std::isfinite(number)) {
      cell = Cell::real(static_cast<double>(number));
      return true;
    }
  }
  text_.clear();
  if (append_quotable(text_, type, bytes)) {
    char* copy = scratch.allocate(text_.size());
    std::memcpy(copy, text_.data(), text_.size());
    cell = Cell::view(CellKind::quoted, {copy, text_.size()});
    return true;
  }
  if (is_exact_number(type) && bytes.size() > kMaxVarintBytes) {
    cell = Cell::view(CellKind::bytes, bytes);
    return true;
  }
  json_.recycle(kKeptJson);
  if (!append_json(json_, type, bytes)) return false;
  char* copy = scratch.allocate(json_.size());
  std::memcpy(copy, json_.data(), json_.size());
  cell = Cell::view(CellKind::verbatim, {copy, json_.size()});
  return true;
}

}  // namespace athena::driver::scylla
