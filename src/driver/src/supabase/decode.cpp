#include "supabase/decode.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <athena/base/text.h>

namespace athena::driver::supabase {
namespace {

std::unexpected<Error> strange(const std::string& what) {
  return fail(Error(Code::database_error, "The REST service did not answer as PostgREST does").logged(what));
}

}  // namespace

RowsReader::RowsReader(std::string body, std::vector<ColumnInfo> expected, bool is_open)
    : body_(text::trim(body).empty() ? "[]" : std::move(body)),
      columns_(std::move(expected)),
      is_open_(is_open),
      scanner_(body_) {}

Result<> RowsReader::begin() {
  if (!text::is_utf8(body_)) return strange("the body is not UTF-8");
  if (is_open_) ATHENA_TRY_VOID(settle_columns());
  if (!scanner_.enter(json::Kind::array)) return strange("the body is no JSON array");
  return {};
}

/// The columns of the first row, with the types of those that were expected; without a row, what was expected.
Result<> RowsReader::settle_columns() {
  json::Scanner scanner(body_);
  if (!scanner.enter(json::Kind::array)) return strange("the body is no JSON array");
  if (!scanner.next_element()) return {};
  if (!scanner.enter(json::Kind::object)) return strange("a row is no JSON object");
  std::vector<ColumnInfo> columns;
  json::Scanner::Value name, value;
  while (scanner.next_member(name) && scanner.value(value)) {
    ColumnInfo column;
    json::unescape(name.text, column.name);
    const auto expected = std::ranges::find(columns_, column.name, &ColumnInfo::name);
    if (expected != columns_.end()) column = *expected;
    columns.push_back(std::move(column));
  }
  if (scanner.failed()) return strange("the first row is no JSON");
  columns_ = std::move(columns);
  return {};
}

/// Where the column of that name stands: mostly where the one before says. columns_.size(): nowhere.
std::size_t RowsReader::place_of(const json::Scanner::Value& name, std::size_t guess) {
  std::string_view text = name.text;
  if (name.has_escapes) {
    scratch_.clear();
    json::unescape(text, scratch_);
    text = scratch_;
  }
  if (guess < columns_.size() && columns_[guess].name == text) return guess;
  const auto found = std::ranges::find(columns_, text, &ColumnInfo::name);
  return static_cast<std::size_t>(found - columns_.begin());
}

Cell RowsReader::cell_of(const json::Scanner::Value& value) {
  switch (value.kind) {
    case json::Kind::null:
      return {};
    case json::Kind::boolean:
      return Cell::boolean(value.text == "true");
    case json::Kind::number:
    case json::Kind::array:
    case json::Kind::object:
      return Cell::view(CellKind::verbatim, value.text);
    case json::Kind::string:
      break;
  }
  if (!value.has_escapes) return Cell::view(CellKind::quoted, value.text);
  scratch_.clear();
  json::unescape(value.text, scratch_);
  char* kept = texts_.allocate(scratch_.size());
  std::memcpy(kept, scratch_.data(), scratch_.size());
  return Cell::view(CellKind::text, {kept, scratch_.size()});
}

Result<bool> RowsReader::read_row() {
  if (!scanner_.next_element()) {
    if (scanner_.failed() || !scanner_.at_end()) return strange("the body ends in the middle");
    return false;
  }
  if (!scanner_.enter(json::Kind::object)) return strange("a row is no JSON object");
  const std::size_t start = cells_.size();
  cells_.resize(start + columns_.size());
  is_set_.assign(columns_.size(), false);
  std::size_t count = 0;
  json::Scanner::Value name, value;
  for (std::size_t place = 0; scanner_.next_member(name); ++place) {
    place = place_of(name, place);
    if (place == columns_.size() || is_set_[place])
      return strange("a row has a member that was not asked for, or twice");
    if (!scanner_.value(value)) break;
    is_set_[place] = true;
    cells_[start + place] = cell_of(value);
    ++count;
  }
  if (scanner_.failed()) return strange("the rows are no JSON at byte " + std::to_string(scanner_.offset()));
  if (count != columns_.size()) return strange("a row lacks a member that was asked for");
  ++rows_;
  return true;
}

Result<RowBatch> RowsReader::next() {
  cells_.clear();
  texts_.clear();
  RowBatch batch;
  while (!has_ended_ && batch.rows < kBatchRows) {
    ATHENA_TRY(const bool is_row, read_row());
    has_ended_ = !is_row;
    if (is_row) ++batch.rows;
  }
  batch.cells = cells_;
  batch.last = has_ended_;
  return batch;
}

}  // namespace athena::driver::supabase
