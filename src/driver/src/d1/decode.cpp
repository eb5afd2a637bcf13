#include "d1/decode.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

#include <athena/base/text.h>

#include "d1/errors.h"
#include "sqlite/decode.h"

namespace athena::driver::d1 {
namespace {

using query::TypeClass;

constexpr std::int64_t kLargestExact = 9'007'199'254'740'991;  // 2^53 - 1
/// The member by which the Worker marks bytes: no value of D1 is an object.
constexpr std::string_view kBlobMember = "__athena_blob_hex";

Error rounded(const ColumnInfo& column) {
  return Error(Code::value_out_of_range,
               "Column '" + column.name + "' holds an integer beyond 2^53, which d1 gives rounded",
               "Select it as text: CAST(… AS TEXT)")
      .with("column", column.name);
}

Result<Cell> number_cell(std::string_view digits, const ColumnInfo& column) {
  const bool whole = digits.find_first_of(".eE") == std::string_view::npos;
  if (whole && column.type != TypeClass::real) {
    const auto value = text::parse_i64(digits);
    if (!value || *value > kLargestExact || *value < -kLargestExact) return fail(rounded(column));
    if (column.type == TypeClass::boolean && (*value == 0 || *value == 1)) return Cell::boolean(*value == 1);
    return Cell::integer(*value);
  }
  double value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (read.ec == std::errc::result_out_of_range) value = std::strtod(std::string(digits).c_str(), nullptr);
  return Cell::real(value);
}

Cell text_cell(std::string_view value, const ColumnInfo& column) {
  // A column of integers keeps no text that is one: this is one that was too large for JavaScript.
  if (column.type == TypeClass::integer) {
    if (const auto integer = text::parse_i64(value)) return Cell::integer(*integer);
  }
  if (column.type == TypeClass::real && (value == "Inf" || value == "-Inf")) {
    const double infinity = std::numeric_limits<double>::infinity();
    return Cell::real(value[0] == '-' ? -infinity : infinity);
  }
  return sqlite::text_cell(value, sqlite::rule_for(column.type));
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

Result<Cell> blob_cell(std::string_view hex, sqlite::Batch& batch) {
  char* bytes = batch.allocate(hex.size() / 2 + 1);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = hex_digit(hex[i]), low = i + 1 < hex.size() ? hex_digit(hex[i + 1]) : -1;
    if (high < 0 || low < 0) return fail(invalid_json("bytes are not hex digits"));
    bytes[i / 2] = static_cast<char>(high << 4 | low);
  }
  return Cell::view(CellKind::bytes, {bytes, hex.size() / 2});
}

/// D1 itself gives bytes as an array of numbers. Only in a column of bytes is it taken for them.
Result<Cell> bytes_of_array(const json::Value& array, sqlite::Batch& batch) {
  char* bytes = batch.allocate(array.size() + 1);
  std::size_t size = 0;
  for (const json::Value element : array) {
    const auto byte = element.is_number() ? text::parse_u64(element.digits()) : std::nullopt;
    if (!byte || *byte > 255) return fail(invalid_json("bytes are not numbers up to 255"));
    bytes[size++] = static_cast<char>(*byte);
  }
  return Cell::view(CellKind::bytes, {bytes, size});
}

}  // namespace

Result<Cell> decode(const json::Value& value, const ColumnInfo& column, sqlite::Batch& batch) {
  switch (value.kind()) {
    case json::Kind::null:
      return Cell();
    case json::Kind::boolean:
      return Cell::boolean(value.as_bool());
    case json::Kind::number:
      return number_cell(value.digits(), column);
    case json::Kind::string:
      return text_cell(value.as_string(), column);
    case json::Kind::array:
      if (column.type == TypeClass::bytes) return bytes_of_array(value, batch);
      break;
    case json::Kind::object:
      if (const json::Value hex = value[kBlobMember]; value.size() == 1 && hex.is_string()) {
        return blob_cell(hex.as_string(), batch);
      }
      break;
  }
  return Cell::view(CellKind::verbatim, value.raw());
}

std::vector<ColumnInfo> native_columns(const ProxyReply& reply, std::span<const ColumnInfo> compiled) {
  std::vector<std::string> names = reply.columns;
  if (names.empty() && compiled.empty()) {
    const auto row = RowTexts(reply.rows).next();
    const auto document = row && *row ? json::Document::parse(**row) : fail(Code::malformed_json);
    if (document && document->root().is_object()) {
      for (auto at = document->root().begin(); at != document->root().end(); ++at) names.emplace_back(at.key());
    }
  }
  std::vector<ColumnInfo> columns;
  if (names.empty()) columns.assign(compiled.begin(), compiled.end());
  for (std::string& name : names) {
    ColumnInfo column;
    const auto known = std::ranges::find(compiled, name, &ColumnInfo::name);
    if (known != compiled.end()) column = *known;
    column.name = std::move(name);
    columns.push_back(std::move(column));
  }
  return columns;
}

ReplyStream::ReplyStream(std::unique_ptr<ProxyReply> reply, Options options)
    : reply_(std::move(reply)), options_(std::move(options)), texts_(reply_->rows) {
  names_.reserve(options_.columns.size());
  for (std::size_t i = 0; i < options_.columns.size(); ++i) {
    names_.push_back(options_.is_printed ? "c" + std::to_string(i) : options_.columns[i].name);
  }
}

/// Members come in the order of the columns, mostly: then none has to be searched.
json::Value ReplyStream::member(const json::Value& row, std::size_t column, json::Value::Iterator& at) const {
  if (at != row.end() && at.key() == names_[column]) {
    const json::Value value = *at;
    ++at;
    return value;
  }
  return row[names_[column]];
}

Result<> ReplyStream::append_row(std::string_view text) {
  constexpr json::Limits kLimits{.max_depth = 64, .max_nodes = 100'000};
  Result<json::Document> document = json::Document::parse(text, kLimits);
  if (!document) return fail(invalid_json(document.error().error));
  documents_.push_back(*std::move(document));
  const json::Value row = documents_.back().root();
  if (!row.is_object()) return fail(invalid_json("a row is not an object"));
  json::Value::Iterator at = row.begin();
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const json::Value value = member(row, i, at);
    if (!value.exists() && options_.is_printed) return fail(invalid_json("a row lacks a column"));
    ATHENA_TRY(const Cell cell, decode(value, options_.columns[i], batch_));
    batch_.add(cell);
  }
  batch_.end_row();
  return {};
}

Async<RowBatch> ReplyStream::next() {
  batch_.clear();
  documents_.clear();
  for (std::size_t bytes = 0; bytes < kBatchBytes;) {
    ATHENA_CO_TRY(const std::optional<std::string_view> text, texts_.next());
    if (!text) co_return batch_.view(true);
    ATHENA_CO_TRY_VOID(append_row(*text));
    bytes += text->size();
  }
  co_return batch_.view(false);
}

}  // namespace athena::driver::d1
