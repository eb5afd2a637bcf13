#include "scylla/encode.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include <boost/asio/ip/address.hpp>

#include <athena/base/json.h>
#include <athena/base/text.h>

#include "scylla/decode.h"
#include "scylla/digits.h"
#include "scylla/times.h"

namespace athena::driver::scylla {
namespace {

constexpr std::size_t kMaxElements = 1'000'000;

/// A value that is not composite, however it was written.
struct Leaf {
  enum class Kind : std::uint8_t { boolean, number, text } kind;
  std::string_view text;  ///< digits, text, or "true" and "false"
};

template <class T>
void append_big_endian(std::string& out, T value) {
  using Bits = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
  const auto bits = static_cast<Bits>(value);
  for (std::size_t i = sizeof(T); i-- > 0;) out.push_back(static_cast<char>(bits >> (8 * i)));
}

/// Writes one value of a column; errors speak of that column.
class ValueWriter {
 public:
  explicit ValueWriter(std::string_view column) : column_(column) {}

  Result<> write(std::string& out, const CqlType& type, const query::Scalar& value) const;

 private:
  Result<> write_leaf(std::string& out, const CqlType& type, Leaf leaf) const;
  Result<> write_number(std::string& out, const CqlType& type, Leaf leaf) const;
  Result<> write_real(std::string& out, const CqlType& type, Leaf leaf) const;
  Result<> write_moment(std::string& out, const CqlType& type, Leaf leaf) const;
  Result<> write_bytes(std::string& out, const CqlType& type, Leaf leaf) const;
  Result<> write_uuid_of(std::string& out, const CqlType& type, Leaf leaf) const;
  Result<> write_text(std::string& out, const CqlType& type, Leaf leaf) const;
  Result<> write_json(std::string& out, const CqlType& type, json::Value value) const;
  Result<> write_list(std::string& out, const CqlType& type, json::Value value) const;
  Result<> write_map(std::string& out, const CqlType& type, json::Value value) const;
  Result<> write_fields(std::string& out, const CqlType& type, json::Value value) const;
  Result<> write_vector(std::string& out, const CqlType& type, json::Value value) const;
  /// A length and the value; `null_allowed`: -1 for null.
  Result<> write_element(std::string& out, const CqlType& type, json::Value value, bool null_allowed) const;

  std::unexpected<Error> wrong(const CqlType& type, std::string_view why = {}) const {
    std::string text = "Column '" + std::string(column_) + "' takes a value of type " + to_string(type);
    if (!why.empty()) text.append(": ").append(why);
    return fail(Error(Code::invalid_text_representation, std::move(text)).with("column", std::string(column_)));
  }
  std::unexpected<Error> out_of_range(const CqlType& type) const {
    return fail(Error(Code::value_out_of_range,
                      "The value for column '" + std::string(column_) + "' is out of range for type " + to_string(type))
                    .with("column", std::string(column_)));
  }

  std::string_view column_;
};

bool is_composite(const CqlType& type) noexcept {
  const Form form = form_of(type.kind);
  return form == Form::list || form == Form::map || form == Form::fields || form == Form::vector;
}

/// Without the plus that a numeral may have in front, which std::from_chars does not take.
std::string_view without_plus(std::string_view numeral) noexcept {
  return numeral.starts_with('+') && !numeral.starts_with("+-") ? numeral.substr(1) : numeral;
}

/// The length in front of what was appended since `begin`, where four bytes were left for it.
void put_length(std::string& out, std::size_t begin) noexcept {
  const auto size = static_cast<std::uint32_t>(out.size() - begin - 4);
  for (std::size_t i = 0; i < 4; ++i) out[begin + i] = static_cast<char>(size >> (8 * (3 - i)));
}

Result<> ValueWriter::write(std::string& out, const CqlType& type, const query::Scalar& value) const {
  if (is_composite(type)) {
    const auto* json = std::get_if<query::JsonText>(&value);
    const auto* text = std::get_if<std::string>(&value);
    if (!json && !text) return wrong(type);
    const auto document = json::Document::parse(json ? json->text : *text);
    if (!document) return wrong(type, "write it as JSON");
    return write_json(out, type, document->root());
  }
  if (const auto* text = std::get_if<std::string>(&value)) return write_leaf(out, type, {Leaf::Kind::text, *text});
  if (const auto* number = std::get_if<query::Number>(&value)) {
    return write_leaf(out, type, {Leaf::Kind::number, number->digits});
  }
  if (const bool* truth = std::get_if<bool>(&value)) {
    return write_leaf(out, type, {Leaf::Kind::boolean, *truth ? "true" : "false"});
  }
  if (const auto* json = std::get_if<query::JsonText>(&value)) {
    if (type.kind == CqlKind::text || type.kind == CqlKind::ascii) {
      return write_leaf(out, type, {Leaf::Kind::text, json->text});
    }
  }
  return wrong(type);
}

Result<> ValueWriter::write_leaf(std::string& out, const CqlType& type, Leaf leaf) const {
  switch (form_of(type.kind)) {
    case Form::text:
      return write_text(out, type, leaf);
    case Form::integer:
    case Form::exact:
      return write_number(out, type, leaf);
    case Form::real:
      return write_real(out, type, leaf);
    case Form::boolean:
      if (leaf.text != "true" && leaf.text != "false") return wrong(type);
      out.push_back(leaf.text == "true" ? '\1' : '\0');
      return {};
    case Form::bytes:
      return write_bytes(out, type, leaf);
    case Form::quoted:
      if (type.kind == CqlKind::uuid || type.kind == CqlKind::timeuuid) return write_uuid_of(out, type, leaf);
      return type.kind == CqlKind::inet ? write_bytes(out, type, leaf) : write_moment(out, type, leaf);
    case Form::list:
    case Form::map:
    case Form::fields:
    case Form::vector:
      break;
  }
  return wrong(type);
}

Result<> ValueWriter::write_text(std::string& out, const CqlType& type, Leaf leaf) const {
  if (type.kind == CqlKind::ascii && std::ranges::any_of(leaf.text, [](char c) { return (c & 0x80) != 0; })) {
    return wrong(type, "only ASCII characters");
  }
  out.append(leaf.text);
  return {};
}

Result<> ValueWriter::write_number(std::string& out, const CqlType& type, Leaf leaf) const {
  if (leaf.kind == Leaf::Kind::boolean) return wrong(type);
  if (type.kind == CqlKind::varint || type.kind == CqlKind::decimal) {
    const auto bytes = type.kind == CqlKind::varint ? varint_of(leaf.text) : decimal_of(leaf.text);
    if (!bytes) return wrong(type);
    out.append(*bytes);
    return {};
  }
  const std::string_view digits = without_plus(leaf.text);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (end != digits.data() + digits.size()) return wrong(type);
  if (error == std::errc::result_out_of_range) return out_of_range(type);
  if (error != std::errc()) return wrong(type);
  const std::size_t size = integer_size(type.kind);
  const std::int64_t most = std::numeric_limits<std::int64_t>::max() >> (64 - 8 * size);
  if (value > most || value < -most - 1) return out_of_range(type);
  for (std::size_t i = size; i-- > 0;) out.push_back(static_cast<char>(value >> (8 * i)));
  return {};
}

Result<> ValueWriter::write_real(std::string& out, const CqlType& type, Leaf leaf) const {
  if (leaf.kind == Leaf::Kind::boolean) return wrong(type);
  const std::string_view digits = without_plus(leaf.text);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (end != digits.data() + digits.size() || digits.empty()) return wrong(type);
  if (error == std::errc::result_out_of_range) return out_of_range(type);
  if (error != std::errc()) return wrong(type);
  if (type.kind == CqlKind::double_) {
    append_big_endian(out, std::bit_cast<std::int64_t>(value));
    return {};
  }
  float narrow = 0;  // from the digits, not from the double: rounded once
  const auto narrowed = std::from_chars(digits.data(), digits.data() + digits.size(), narrow);
  if (narrowed.ec == std::errc::result_out_of_range) return out_of_range(type);
  append_big_endian(out, std::bit_cast<std::int32_t>(narrow));
  return {};
}

Result<> ValueWriter::write_moment(std::string& out, const CqlType& type, Leaf leaf) const {
  if (leaf.kind == Leaf::Kind::boolean) return wrong(type);
  if (type.kind == CqlKind::date) {
    const auto days = date_of(leaf.text);
    if (!days) return wrong(type, "a date as 2024-01-31");
    append_big_endian(out, *days);
    return {};
  }
  if (type.kind == CqlKind::duration) {
    const auto duration = duration_of(leaf.text);
    if (!duration) return wrong(type, "as 1y2mo3d4h5m6s or P1Y2M3DT4H5M6S");
    const auto fold = [](std::int64_t v) {
      return static_cast<std::uint64_t>(v) << 1 ^ static_cast<std::uint64_t>(v >> 63);
    };
    append_vint(out, fold(duration->months));
    append_vint(out, fold(duration->days));
    append_vint(out, fold(duration->nanoseconds));
    return {};
  }
  std::optional<std::int64_t> value = text::parse_i64(leaf.text);  // milliseconds, or nanoseconds, as CQL has it
  if (leaf.kind == Leaf::Kind::text) {
    value = type.kind == CqlKind::timestamp ? timestamp_of(leaf.text) : time_of(leaf.text);
  }
  if (!value) {
    return wrong(type, type.kind == CqlKind::timestamp ? "ISO 8601, at most milliseconds" : "a time as 13:05:00.123");
  }
  if (type.kind == CqlKind::time && (*value < 0 || *value >= 86'400'000'000'000)) return out_of_range(type);
  append_big_endian(out, *value);
  return {};
}

Result<> ValueWriter::write_bytes(std::string& out, const CqlType& type, Leaf leaf) const {
  if (leaf.kind != Leaf::Kind::text) return wrong(type);
  if (type.kind == CqlKind::inet) {
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(std::string(leaf.text), error);
    if (error || (address.is_v6() && address.to_v6().scope_id() != 0)) return wrong(type, "an IPv4 or IPv6 address");
    if (address.is_v4()) {
      const auto bytes = address.to_v4().to_bytes();
      out.append(bytes.begin(), bytes.end());
    } else {
      const auto bytes = address.to_v6().to_bytes();
      out.append(bytes.begin(), bytes.end());
    }
    return {};
  }
  const bool has_prefix = leaf.text.starts_with("\\x") || leaf.text.starts_with("0x");
  const auto bytes = has_prefix ? text::bytes_of_hex(leaf.text.substr(2)) : std::nullopt;
  if (!bytes) return wrong(type, "hex digits behind \\x");
  out.append(*bytes);
  return {};
}

Result<> ValueWriter::write_uuid_of(std::string& out, const CqlType& type, Leaf leaf) const {
  std::string digits(leaf.text);
  if (digits.size() != 36 || digits[8] != '-' || digits[13] != '-' || digits[18] != '-' || digits[23] != '-') {
    return wrong(type);
  }
  std::erase(digits, '-');
  const auto bytes = digits.size() == 32 ? text::bytes_of_hex(digits) : std::nullopt;
  if (!bytes) return wrong(type);
  if (type.kind == CqlKind::timeuuid && ((*bytes)[6] & 0xF0) != 0x10) return wrong(type, "a UUID of version 1");
  out.append(*bytes);
  return {};
}

Result<> ValueWriter::write_json(std::string& out, const CqlType& type, json::Value value) const {
  const Form form = form_of(type.kind);
  if (form == Form::list) return write_list(out, type, value);
  if (form == Form::map) return write_map(out, type, value);
  if (form == Form::fields) return write_fields(out, type, value);
  if (form == Form::vector) return write_vector(out, type, value);
  switch (value.kind()) {
    case json::Kind::boolean:
      return write_leaf(out, type, {Leaf::Kind::boolean, value.as_bool() ? "true" : "false"});
    case json::Kind::number:
      return write_leaf(out, type, {Leaf::Kind::number, value.digits()});
    case json::Kind::string:
      return write_leaf(out, type, {Leaf::Kind::text, value.as_string()});
    case json::Kind::array:
    case json::Kind::object:
      if (type.kind == CqlKind::text) return write_leaf(out, type, {Leaf::Kind::text, value.raw()});
      return wrong(type);
    case json::Kind::null:
      break;
  }
  return wrong(type, "null cannot stand here");
}

Result<> ValueWriter::write_element(std::string& out, const CqlType& type, json::Value value, bool null_allowed) const {
  if (value.is_null() && null_allowed) {
    append_big_endian(out, std::int32_t{-1});
    return {};
  }
  const std::size_t begin = out.size();
  out.append(4, '\0');
  ATHENA_TRY_VOID(write_json(out, type, value));
  put_length(out, begin);
  return {};
}

Result<> ValueWriter::write_list(std::string& out, const CqlType& type, json::Value value) const {
  if (!value.is_array()) return wrong(type, "an array");
  if (value.size() > kMaxElements) return out_of_range(type);
  append_big_endian(out, static_cast<std::int32_t>(value.size()));
  for (const json::Value element : value) ATHENA_TRY_VOID(write_element(out, type.elements[0], element, false));
  return {};
}

/// An object, whose keys are read as values of the key's type; or, for keys that are no text, an array of pairs.
Result<> ValueWriter::write_map(std::string& out, const CqlType& type, json::Value value) const {
  if (!value.is_object() && !value.is_array()) return wrong(type, "an object, or an array of pairs");
  if (value.size() > kMaxElements) return out_of_range(type);
  append_big_endian(out, static_cast<std::int32_t>(value.size()));
  if (value.is_array()) {
    for (const json::Value pair : value) {
      if (!pair.is_array() || pair.size() != 2) return wrong(type, "an object, or an array of pairs");
      auto part = pair.begin();
      ATHENA_TRY_VOID(write_element(out, type.elements[0], *part, false));
      ATHENA_TRY_VOID(write_element(out, type.elements[1], *++part, false));
    }
    return {};
  }
  for (auto member = value.begin(); member != value.end(); ++member) {
    const std::size_t begin = out.size();
    out.append(4, '\0');
    ATHENA_TRY_VOID(write(out, type.elements[0], query::Scalar(std::string(member.key()))));
    put_length(out, begin);
    ATHENA_TRY_VOID(write_element(out, type.elements[1], *member, false));
  }
  return {};
}

Result<> ValueWriter::write_fields(std::string& out, const CqlType& type, json::Value value) const {
  if (type.kind == CqlKind::tuple) {
    if (!value.is_array() || value.size() != type.elements.size()) {
      return wrong(type, "an array of as many values");
    }
    std::size_t at = 0;
    for (const json::Value element : value) ATHENA_TRY_VOID(write_element(out, type.elements[at++], element, true));
    return {};
  }
  if (!value.is_object()) return wrong(type, "an object");
  for (auto member = value.begin(); member != value.end(); ++member) {
    if (std::ranges::find(type.fields, member.key()) == type.fields.end()) {
      return wrong(type, "it has no field '" + std::string(member.key()) + "'");
    }
  }
  for (std::size_t i = 0; i < type.elements.size(); ++i) {
    ATHENA_TRY_VOID(write_element(out, type.elements[i], value[type.fields[i]], true));
  }
  return {};
}

Result<> ValueWriter::write_vector(std::string& out, const CqlType& type, json::Value value) const {
  if (!value.is_array() || value.size() != type.dimension) {
    return wrong(type, "an array of " + std::to_string(type.dimension) + " values");
  }
  const bool is_fixed = fixed_size(type.elements[0]) > 0;
  for (const json::Value element : value) {
    std::string bytes;
    ATHENA_TRY_VOID(write_json(bytes, type.elements[0], element));
    if (!is_fixed) append_vint(out, bytes.size());
    out.append(bytes);
  }
  return {};
}

}  // namespace

Result<> bind_value(BoundValues& values, const query::Scalar& value, std::string_view column, const CqlType& type) {
  if (std::holds_alternative<std::monostate>(value)) {
    values.add_null();
    return {};
  }
  const std::size_t begin = values.bytes.size();
  values.bytes.append(4, '\0');
  if (auto written = ValueWriter(column).write(values.bytes, type, value); !written) {
    values.bytes.resize(begin);
    return written;
  }
  put_length(values.bytes, begin);
  ++values.count;
  return {};
}

}  // namespace athena::driver::scylla
