#include "print_value.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include <athena/base/buffer.h>
#include <athena/base/json.h>
#include <athena/base/json_writer.h>
#include <athena/base/text.h>

#include "words.h"

namespace athena::query {
namespace {

std::string json_string(std::string_view text) {
  Buffer buffer;
  json::append_string(buffer, text);
  return std::string(buffer.view());
}

/// Whether a text is a JSON array or object as a whole.
bool is_json_container(std::string_view text, json::Kind wanted) {
  const std::string_view trimmed = text::trim(text);
  const char first = wanted == json::Kind::array ? '[' : '{';
  if (!trimmed.starts_with(first)) return false;
  const auto document = json::Document::parse(trimmed);
  return document.has_value();
}

bool is_json_container(std::string_view text) {
  return is_json_container(text, json::Kind::array) || is_json_container(text, json::Kind::object);
}

/// A value for a json column. A text that is itself an array or an object is taken for it, because forms and URLs
/// cannot say it otherwise; every other text is a JSON string.
std::string to_json(const Scalar& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (!text || is_json_container(*text)) return to_text(value);
  return json_string(*text);
}

void append_element(std::string& literal, std::string_view text) {
  literal += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') literal += '\\';
    literal += c;
  }
  literal += '"';
}

void append_array(std::string& literal, const json::Value& array) {
  literal += '{';
  bool first = true;
  for (const json::Value element : array) {
    if (!first) literal += ',';
    first = false;
    switch (element.kind()) {
      case json::Kind::null:
        literal += "NULL";
        break;
      case json::Kind::array:
        append_array(literal, element);
        break;  // as deep as the JSON reader allows
      case json::Kind::string:
        append_element(literal, element.as_string());
        break;
      case json::Kind::boolean:
      case json::Kind::number:
        literal += element.raw();
        break;
      case json::Kind::object:
        append_element(literal, element.raw());
        break;
    }
  }
  literal += '}';
}

/// `["a","b"]` → `{"a","b"}`; what is no JSON array is left for PostgreSQL to read.
std::string to_array_literal(std::string_view text) {
  const std::string_view trimmed = text::trim(text);
  if (trimmed.starts_with('[')) {
    if (const auto document = json::Document::parse(trimmed)) {
      std::string literal;
      literal.reserve(trimmed.size() + 8);
      append_array(literal, document->root());
      return literal;
    }
  }
  return std::string(text);
}

Param postgres_param(const Scalar& value, TypeClass type) {
  if (type == TypeClass::json) return {ParamKind::text, to_json(value)};
  const bool may_be_array = type == TypeClass::array && !std::holds_alternative<Number>(value);
  return {ParamKind::text, may_be_array ? to_array_literal(to_text(value)) : to_text(value)};
}

// From here on SQLite and D1.

std::unexpected<Error> not_a(std::string_view what, const Scalar& value, const ValueType& type) {
  return fail(Error(Code::invalid_text_representation,
                    quoted(to_text(value)) + " is not " + std::string(what) + " (column " + quoted(type.column) + ")")
                  .with("column", std::string(type.column)));
}

bool is_integer(std::string_view digits) noexcept {
  if (digits.starts_with('-')) digits.remove_prefix(1);
  return !digits.empty() && std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
}

/// [-]digits[.digits][e[+-]digits]
bool is_decimal(std::string_view text) noexcept {
  const auto digits = [&text] {
    std::size_t count = 0;
    while (!text.empty() && text[0] >= '0' && text[0] <= '9') text.remove_prefix(1), ++count;
    return count;
  };
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  std::size_t count = digits();
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    count += digits();
  }
  if (count == 0) return false;
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  return text.empty();
}

Result<Param> integer_param(const Scalar& value, const ValueType& type, Use use) {
  const auto* text = std::get_if<std::string>(&value);
  const auto* number = std::get_if<Number>(&value);
  if (!text && !number) return not_a("an integer", value, type);
  std::string_view digits = text::trim(text ? std::string_view(*text) : std::string_view(number->digits));
  if (digits.starts_with('+') && is_integer(digits.substr(1)) && digits[1] != '-') digits.remove_prefix(1);
  if (is_integer(digits)) {
    // Without leading zeros, which JSON lists do not have.
    if (const auto integer = text::parse_i64(digits)) return Param{ParamKind::integer, std::to_string(*integer)};
    return fail(Error(Code::value_out_of_range, quoted(digits) + " is out of range for column " + quoted(type.column))
                    .with("column", std::string(type.column)));
  }
  // A comparison with 5.5 has an answer; a column of integers cannot keep it.
  if (use == Use::compare && number && is_decimal(digits)) return Param{ParamKind::real, number->digits};
  return not_a("an integer", value, type);
}

/// A decimal as PostgreSQL would keep it, and as JSON writes it: neither plus sign nor exponent, digits on both sides
/// of the point. Beyond kMostZeros the exponent stays.
std::string plain_decimal(std::string_view text) {
  constexpr std::int64_t kMostZeros = 1'000;
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  const std::size_t e = std::min(text.find_first_of("eE"), text.size());
  std::string_view power = text.substr(std::min(e + 1, text.size()));
  if (power.starts_with('+')) power.remove_prefix(1);
  const std::int64_t exponent = power.empty() ? 0 : text::parse_i64(power).value_or(kMostZeros + 1);
  const std::string_view mantissa = text.substr(0, e);
  const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
  std::string digits(mantissa.substr(0, point)), fraction(mantissa.substr(std::min(point + 1, mantissa.size())));
  std::string tail;
  if (std::abs(exponent) > kMostZeros) {
    tail = "e" + std::string(power);
  } else if (exponent > 0) {
    const auto shift = static_cast<std::size_t>(exponent);
    if (fraction.size() < shift) fraction.resize(shift, '0');
    digits += fraction.substr(0, shift);
    fraction.erase(0, shift);
  } else {
    const auto shift = static_cast<std::size_t>(-exponent);
    if (digits.size() < shift) digits.insert(0, shift - digits.size(), '0');
    fraction.insert(0, digits.substr(digits.size() - shift));
    digits.resize(digits.size() - shift);
  }
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.empty()) digits = "0";
  if (!fraction.empty()) digits += '.' + fraction;
  const bool is_zero = digits.find_first_of("123456789") == std::string::npos;
  return (is_negative && !is_zero ? "-" : "") + digits + tail;
}

Result<Param> number_param(const Scalar& value, const ValueType& type) {
  const bool scalar = std::holds_alternative<Number>(value) || std::holds_alternative<std::string>(value);
  std::string digits = scalar ? std::string(text::trim(to_text(value))) : std::string();
  if (!is_decimal(digits)) return not_a("a number", value, type);
  // Decimals stay digits: where they are kept as text nothing is rounded, elsewhere the column's affinity reads them.
  if (type.type == TypeClass::decimal) return Param{ParamKind::text, plain_decimal(digits)};
  return Param{ParamKind::real, std::move(digits)};
}

Result<Param> boolean_param(const Scalar& value, const ValueType& type) {
  static constexpr std::string_view kTrue[] = {"true", "t", "yes", "y", "on", "1"};
  static constexpr std::string_view kFalse[] = {"false", "f", "no", "n", "off", "0"};
  const std::string word = text::to_lower(text::trim(to_text(value)));
  if (std::ranges::find(kTrue, word) != std::end(kTrue)) return Param{ParamKind::boolean, "true"};
  if (std::ranges::find(kFalse, word) != std::end(kFalse)) return Param{ParamKind::boolean, "false"};
  return not_a("a boolean", value, type);
}

/// Lower case, with hyphens: as uuids are kept. PostgreSQL reads the same forms.
Result<Param> uuid_param(const Scalar& value, const ValueType& type) {
  std::string digits;
  std::string_view text;
  if (const auto* string = std::get_if<std::string>(&value)) text = *string;
  if (text.starts_with('{') && text.ends_with('}')) text = text.substr(1, text.size() - 2);
  for (const char c : text) {
    if (c == '-') continue;
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (!hex || digits.size() == 32) return not_a("a uuid", value, type);
    digits += c;
  }
  if (digits.size() != 32) return not_a("a uuid", value, type);
  for (const std::size_t at : {8, 13, 18, 23}) digits.insert(at, 1, '-');
  return Param{ParamKind::text, text::to_lower(digits)};
}

/// `\x00ff` → its bytes; other texts are their own bytes. The printer makes a blob of them.
Result<Param> bytes_param(const Scalar& value, const ValueType& type) {
  std::string text = to_text(value);
  if (!text.starts_with("\\x")) return Param{ParamKind::text, std::move(text)};
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  std::string bytes;
  for (std::size_t i = 2; i < text.size(); i += 2) {
    const int high = digit(text[i]), low = i + 1 < text.size() ? digit(text[i + 1]) : -1;
    if (high < 0 || low < 0) return not_a("a text of bytes like \\x00ff", value, type);
    bytes += static_cast<char>(high << 4 | low);
  }
  return Param{ParamKind::text, std::move(bytes)};
}

/// Where no type says what the value should be, it is what it looks like.
Param natural_param(const Scalar& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return {ParamKind::boolean, *flag ? "true" : "false"};
  if (const auto* number = std::get_if<Number>(&value)) {
    const bool integer = is_integer(number->digits) && text::parse_i64(number->digits);
    return {integer ? ParamKind::integer : ParamKind::real, number->digits};
  }
  return {ParamKind::text, to_text(value)};
}

Result<Param> sqlite_param(const Scalar& value, const ValueType& type, Use use) {
  if (type.in_json) return natural_param(value);
  switch (type.type) {
    case TypeClass::integer:
      return integer_param(value, type, use);
    case TypeClass::boolean:
      return boolean_param(value, type);
    case TypeClass::real:
    case TypeClass::decimal:
      return number_param(value, type);
    case TypeClass::uuid:
      return uuid_param(value, type);
    case TypeClass::json:
      return Param{ParamKind::text, to_json(value)};
    case TypeClass::bytes:
      return bytes_param(value, type);
    case TypeClass::text:
    case TypeClass::timestamp:
    case TypeClass::timestamptz:
    case TypeClass::date:
    case TypeClass::time:
      return Param{ParamKind::text, to_text(value)};
    case TypeClass::array:
    case TypeClass::other:
      return natural_param(value);
  }
  return natural_param(value);
}

}  // namespace

Result<Param> to_param(const Scalar& value, const ValueType& type, Flavor flavor, Use use) {
  if (std::holds_alternative<std::monostate>(value)) return Param{};
  if (flavor == Flavor::postgres) return postgres_param(value, type.type);
  return sqlite_param(value, type, use);
}

Result<Param> to_list_param(std::span<const Scalar> values, const ValueType& type, Flavor flavor) {
  const bool postgres = flavor == Flavor::postgres;
  if (!postgres && type.type == TypeClass::bytes) {
    return fail(Error(Code::invalid_value,
                      "Column " + quoted(type.column) + " holds bytes: a list of them cannot be told",
                      "Use eq, joined by or")
                    .with("column", std::string(type.column)));
  }
  std::string list(1, postgres ? '{' : '[');
  for (const Scalar& value : values) {
    if (std::holds_alternative<std::monostate>(value)) continue;
    ATHENA_TRY(const Param param, to_param(value, type, flavor, Use::compare));
    if (list.size() > 1) list += ',';
    if (postgres) {
      append_element(list, param.text);
    } else {
      ATHENA_TRY_VOID(append_json_element(list, param, type.column));
    }
  }
  list += postgres ? '}' : ']';
  return Param{ParamKind::text, std::move(list)};
}

Result<Param> to_set_param(const Scalar& value, const ValueType& type) {
  const bool is_set = type.type == TypeClass::array || type.type == TypeClass::json || type.type == TypeClass::other;
  if (!is_set) {
    return fail(Error(Code::invalid_value, "Column " + quoted(type.column) + " is no array, range or JSON document",
                      "Use eq, in or like with this column")
                    .with("column", std::string(type.column)));
  }
  // A range or a type of an extension may be written as a JSON array or as its own text; arrays of them are rare.
  return postgres_param(value, type.type);
}

std::string to_text(const Scalar& value) {
  struct Text {
    std::string operator()(std::monostate) const { return {}; }
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(const Number& number) const { return number.digits; }
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(const JsonText& json) const { return json.text; }
  };
  return std::visit(Text{}, value);
}

Result<> append_json_element(std::string& array, const Param& param, std::string_view column) {
  switch (param.kind) {
    case ParamKind::null:
      array += "null";
      return {};
    case ParamKind::boolean:
      array += param.text == "true" ? '1' : '0';
      return {};
    case ParamKind::integer:
      array += param.text;
      return {};
    case ParamKind::text:
      array += json_string(param.text);
      return {};
    case ParamKind::real:
      break;
  }
  if (std::isinf(std::strtod(param.text.c_str(), nullptr))) {
    return fail(Error(Code::value_out_of_range, quoted(param.text) + " is out of range for column " + quoted(column))
                    .with("column", std::string(column)));
  }
  // "+1", ".5" and "1." are numbers to SQLite, but not to JSON: as texts they meet the column's own reading.
  const auto document = json::Document::parse(param.text);
  const bool is_json_number = document && document->root().is_number();
  array += is_json_number ? param.text : json_string(param.text);
  return {};
}

namespace {

void append_literally(std::string& glob, char c) {
  const bool special = c == '*' || c == '?' || c == '[';
  if (special) glob += '[';
  glob += c;
  if (special) glob += ']';
}

}  // namespace

std::string like_of_text(std::string_view text) {
  std::string pattern;
  pattern.reserve(text.size() + 1);
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern;
}

std::string glob_of_text(std::string_view text) {
  std::string pattern;
  pattern.reserve(text.size() + 1);
  for (const char c : text) append_literally(pattern, c);
  return pattern;
}

Result<Param> to_glob(std::string_view like_pattern) {
  Param param{ParamKind::text, {}};
  param.text.reserve(like_pattern.size());
  for (std::size_t i = 0; i < like_pattern.size(); ++i) {
    const char c = like_pattern[i];
    if (c == '%' || c == '_') {
      param.text += c == '%' ? '*' : '?';
    } else if (c != '\\') {
      append_literally(param.text, c);
    } else if (++i < like_pattern.size()) {
      append_literally(param.text, like_pattern[i]);
    } else {
      return fail(Code::invalid_value, "A pattern must not end with a backslash", "Write a backslash as two");
    }
  }
  return param;
}

bool append_json_label(std::string& path, std::string_view key) {
  // SQLite compares with the label as it stands in the document, and reads a quoted label up to the next quote, so a
  // key with quotes must be written bare, where a dot or a bracket would end it.
  path += '.';
  if (!key.contains('"') && !key.contains('\\')) {
    path += '"';
    path += key;
    path += '"';
    return true;
  }
  if (key.contains('.') || key.contains('[')) return false;
  std::string label = json_string(key);
  path += std::string_view(label).substr(1, label.size() - 2);
  return true;
}

}  // namespace athena::query
