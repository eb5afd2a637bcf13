#include <athena/sdk/value.h>

#include <algorithm>
#include <limits>

#include <athena/base/json_writer.h>
#include <athena/base/text.h>

namespace athena::sdk {
namespace {

void append(json::Writer& w, const Value& value) {
  struct Visitor {
    json::Writer& w;
    void operator()(std::monostate) const { w.null(); }
    void operator()(bool truth) const { w.boolean(truth); }
    void operator()(const query::Number& number) const { w.raw(number.digits); }
    void operator()(const std::string& text) const { w.string(text); }
    void operator()(const query::JsonText& json) const { w.raw(json.text); }
  };
  std::visit(Visitor{w}, value.scalar());
}

}  // namespace

Value::Value(double value) {
  if (std::isnan(value)) {
    scalar_ = std::string("NaN");
  } else if (std::isinf(value)) {
    scalar_ = std::string(value > 0 ? "Infinity" : "-Infinity");
  } else {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    scalar_ = query::Number{std::string(digits, end)};
  }
}

std::optional<bool> Value::as_bool() const noexcept {
  const bool* truth = std::get_if<bool>(&scalar_);
  return truth ? std::optional(*truth) : std::nullopt;
}

std::optional<std::int64_t> Value::as_integer() const noexcept {
  const auto* number = std::get_if<query::Number>(&scalar_);
  return number ? text::parse_i64(number->digits) : std::nullopt;
}

std::optional<double> Value::as_double() const noexcept {
  if (const auto* word = std::get_if<std::string>(&scalar_)) {
    if (*word == "NaN") return std::numeric_limits<double>::quiet_NaN();
    if (*word == "Infinity") return std::numeric_limits<double>::infinity();
    if (*word == "-Infinity") return -std::numeric_limits<double>::infinity();
  }
  const auto* number = std::get_if<query::Number>(&scalar_);
  if (!number) return std::nullopt;
  double value = 0;
  const std::string& digits = number->digits;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::optional<std::string_view> Value::as_text() const noexcept {
  if (const auto* text = std::get_if<std::string>(&scalar_)) return *text;
  if (const auto* number = std::get_if<query::Number>(&scalar_)) return number->digits;
  if (const auto* json = std::get_if<query::JsonText>(&scalar_)) return json->text;
  return std::nullopt;
}

std::string Value::to_string() const {
  if (const auto text = as_text()) return std::string(*text);
  if (const auto truth = as_bool()) return *truth ? "true" : "false";
  return "null";
}

const Value& QueryResult::at(std::size_t row, std::string_view column) const noexcept {
  static const Value kNull;
  const auto name = std::ranges::find(columns, column);
  const auto index = static_cast<std::size_t>(name - columns.begin());
  if (row >= rows.size() || index >= rows[row].size()) return kNull;
  return rows[row][index];
}

std::string QueryResult::to_json() const {
  Buffer out;
  json::Writer w(out);
  w.begin_array();
  for (const auto& row : rows) {
    w.begin_object();
    for (std::size_t i = 0; i < row.size(); ++i) {
      w.key(columns[i]);
      append(w, row[i]);
    }
    w.end_object();
  }
  w.end_array();
  return std::string(out.view());
}

}  // namespace athena::sdk
