#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <athena/query/statement.h>

/// Athena's SDK: one builder for every database, directly or through a gateway. Begin with client.h.
namespace athena::sdk {

/// JSON text: an array or object to be stored or compared as such.
struct Json {
  std::string text;
};

/// One value, as a program gives it or gets it. Numbers keep their digits: nothing is rounded unless asked for.
class Value {
 public:
  Value() = default;
  Value(std::nullptr_t) {}                                              // NOLINT: meant to be implicit, as all of them
  Value(std::same_as<bool> auto value) : scalar_(value) {}              // NOLINT
  Value(const char* text) : scalar_(std::string(text)) {}               // NOLINT
  Value(std::string text) : scalar_(std::move(text)) {}                 // NOLINT
  Value(std::string_view text) : scalar_(std::string(text)) {}          // NOLINT
  Value(Json json) : scalar_(query::JsonText{std::move(json.text)}) {}  // NOLINT
  Value(query::Scalar scalar) : scalar_(std::move(scalar)) {}           // NOLINT
  Value(double value);                                                  // NOLINT: NaN and infinities become text
  template <std::integral T>
    requires(!std::same_as<T, bool> && !std::same_as<T, char>)
  Value(T value) : scalar_(query::Number{std::to_string(value)}) {}  // NOLINT
  template <class T>
  Value(const std::optional<T>& value) : Value(value ? Value(*value) : Value()) {}  // NOLINT

  const query::Scalar& scalar() const noexcept { return scalar_; }
  bool is_null() const noexcept { return std::holds_alternative<std::monostate>(scalar_); }

  /// None, if it is of another kind or does not fit.
  std::optional<bool> as_bool() const noexcept;
  std::optional<std::int64_t> as_integer() const noexcept;
  std::optional<double> as_double() const noexcept;  ///< also "NaN", "Infinity", "-Infinity"
  /// A text, the digits of a number, or JSON text. Valid as long as the value.
  std::optional<std::string_view> as_text() const noexcept;
  /// What a human sees: as_text(), true, false, null.
  std::string to_string() const;

  bool operator==(const Value&) const = default;

 private:
  query::Scalar scalar_;
};

/// A row to write: column and value, in this order.
using Row = std::vector<std::pair<std::string, Value>>;

/// The answer to a statement.
struct QueryResult {
  /// Names of the columns. Through a gateway they are known from the rows: no rows, no names (but for SQL).
  std::vector<std::string> columns;
  std::vector<std::vector<Value>> rows;  ///< one value for each column
  std::uint64_t affected = 0;            ///< rows written
  std::optional<std::uint64_t> count;    ///< how many rows match, if the statement asked for it

  bool empty() const noexcept { return rows.empty(); }
  std::size_t size() const noexcept { return rows.size(); }
  /// The value of a column by its exact name; null, if there is no such row or column.
  const Value& at(std::size_t row, std::string_view column) const noexcept;
  /// The rows as a JSON array of objects.
  std::string to_json() const;
};

}  // namespace athena::sdk
