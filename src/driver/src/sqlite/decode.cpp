#include "sqlite/decode.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <cstring>
#include <iterator>

#include <sqlite3.h>

#include <athena/base/text.h>

namespace athena::driver::sqlite {

void Batch::clear() noexcept {
  cells_.clear();
  rows_ = text_bytes_ = 0;
  if (!blocks_.empty() && blocks_.front().size > kBlock) blocks_.clear();
  if (blocks_.empty()) {
    next_ = nullptr;
    room_ = 0;
    return;
  }
  blocks_.erase(std::next(blocks_.begin()), blocks_.end());
  next_ = blocks_.front().bytes.get();
  room_ = blocks_.front().size;
}

char* Batch::allocate_slow(std::size_t n) {
  const std::size_t size = std::max(n, blocks_.empty() ? kFirstBlock : kBlock);
  blocks_.push_back({std::make_unique_for_overwrite<char[]>(size), size});
  next_ = blocks_.back().bytes.get();
  room_ = size;
  return allocate(n);
}

namespace {

struct TypeRow {
  std::string_view word;  ///< upper case
  bool at_start;          ///< only as the beginning of the declared type
  query::TypeClass type;
};
using enum query::TypeClass;
/// The first row that fits decides. Words stand before words that they contain: DECIMAL_TEXT is a decimal that is
/// stored as text, POINT is no INT.
constexpr TypeRow kTypes[] = {
    {"BOOL", false, boolean},
    {"JSON", false, json},
    {"UUID", false, uuid},
    {"TIMESTAMPTZ", false, timestamptz},
    {"TIMESTAMP WITH TIME ZONE", false, timestamptz},
    {"TIMESTAMP", false, timestamp},
    {"DATETIME", false, timestamp},
    {"DATE", true, date},
    {"INTERVAL", true, text},
    {"TIME", true, time},
    {"NUMERIC", false, decimal},
    {"DECIMAL", false, decimal},
    {"POINT", false, other},
    {"INT", false, integer},
    {"CHAR", false, text},
    {"CLOB", false, text},
    {"TEXT", false, text},
    {"STRING", true, text},
    {"BLOB", false, bytes},
    {"BYTEA", true, bytes},
    {"REAL", false, real},
    {"FLOA", false, real},
    {"DOUB", false, real},
};

/// Case-insensitive; `word` is upper case.
bool holds(std::string_view declared, std::string_view word, bool at_start) noexcept {
  const auto equal = [](char a, char b) { return (a >= 'a' && a <= 'z' ? a - 32 : a) == b; };
  const auto found = std::search(declared.begin(), declared.end(), word.begin(), word.end(), equal);
  return at_start ? found == declared.begin() && !declared.empty() : found != declared.end();
}

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

/// Reads JSON without keeping anything of it. Not recursive: hostile rows are as deep as they are long.
class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text) noexcept : at_(text.data()), end_(text.data() + text.size()) {}

  bool whole_value() noexcept {
    while (true) {
      blanks();
      if (at_ == end_) return false;
      if (*at_ == '{' || *at_ == '[') {
        if (!open()) return false;
        if (!closed_at_once_) {
          if (!name_if_object()) return false;
          continue;
        }
      } else if (!scalar()) {
        return false;
      }
      if (!after_value()) return false;
      if (depth_ == 0) return blanks(), at_ == end_;
    }
  }

  bool number() noexcept {
    if (at_ != end_ && *at_ == '-') ++at_;
    if (at_ == end_ || !is_digit(*at_)) return false;
    if (*at_ == '0') {
      ++at_;
    } else {
      digits();
    }
    if (at_ != end_ && *at_ == '.') {
      ++at_;
      if (!digits()) return false;
    }
    if (at_ != end_ && (*at_ | 32) == 'e') {
      ++at_;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (!digits()) return false;
    }
    return true;
  }
  bool at_end() const noexcept { return at_ == end_; }

 private:
  static constexpr std::size_t kMaxDepth = 512;

  void blanks() noexcept {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }
  bool take(char c) noexcept {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  bool digits() noexcept {
    const char* begin = at_;
    while (at_ != end_ && is_digit(*at_)) ++at_;
    return at_ != begin;
  }
  bool word(std::string_view expected) noexcept {
    if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }
  bool open() noexcept {
    if (depth_ == kMaxDepth) return false;
    const bool object = *at_++ == '{';
    is_object_[depth_++] = object;
    blanks();
    closed_at_once_ = take(object ? '}' : ']');
    if (closed_at_once_) --depth_;
    return true;
  }
  /// Inside an object: a name and a colon, then the value follows.
  bool name_if_object() noexcept {
    if (!is_object_[depth_ - 1]) return true;
    blanks();
    if (!string()) return false;
    blanks();
    return take(':');
  }
  /// Closes what ends here, up to the next value or the end of the outermost one.
  bool after_value() noexcept {
    while (depth_ > 0) {
      blanks();
      if (take(',')) return name_if_object();
      if (!take(is_object_[depth_ - 1] ? '}' : ']')) return false;
      --depth_;
    }
    return true;
  }
  bool scalar() noexcept {
    switch (*at_) {
      case '"':
        return string();
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }
  bool string() noexcept {
    if (!take('"')) return false;
    while (at_ != end_) {
      const char c = *at_++;
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c == '\\' && !escape()) return false;
    }
    return false;
  }
  bool escape() noexcept {
    if (at_ == end_) return false;
    const char c = *at_++;
    if (c != 'u') return std::string_view("\"\\/bfnrt").contains(c);
    for (int i = 0; i < 4; ++i, ++at_) {
      if (at_ == end_ || !(is_digit(*at_) || ((*at_ | 32) >= 'a' && (*at_ | 32) <= 'f'))) return false;
    }
    return true;
  }

  const char* at_;
  const char* end_;
  std::size_t depth_ = 0;
  bool closed_at_once_ = false;
  std::bitset<kMaxDepth> is_object_;
};

/// Timestamps and uuids: what needs no escapes, told by a set of characters.
constexpr auto kPlain = [] {
  std::array<bool, 256> plain{};
  for (const char c : std::string_view("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:.,+- _/")) {
    plain[static_cast<unsigned char>(c)] = true;
  }
  return plain;
}();
bool is_plain(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return kPlain[static_cast<unsigned char>(c)]; });
}

std::string_view copy(const void* data, int size, Batch& batch) {
  if (size <= 0 || !data) return {};
  char* to = batch.allocate(static_cast<std::size_t>(size));
  std::memcpy(to, data, static_cast<std::size_t>(size));
  return {to, static_cast<std::size_t>(size)};
}

Cell decode(sqlite3_stmt* statement, int column, ColumnRule rule, Batch& batch) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: {
      const sqlite3_int64 value = sqlite3_column_int64(statement, column);
      if (rule == ColumnRule::boolean && (value == 0 || value == 1)) return Cell::boolean(value == 1);
      return Cell::integer(value);
    }
    case SQLITE_FLOAT:
      return Cell::real(sqlite3_column_double(statement, column));
    case SQLITE_TEXT: {
      const unsigned char* data = sqlite3_column_text(statement, column);
      return text_cell(copy(data, sqlite3_column_bytes(statement, column), batch), rule);
    }
    case SQLITE_BLOB: {
      const void* data = sqlite3_column_blob(statement, column);
      return Cell::view(CellKind::bytes, copy(data, sqlite3_column_bytes(statement, column), batch));
    }
    default:
      return {};  // SQLITE_NULL is all that is left
  }
}

}  // namespace

Cell text_cell(std::string_view value, ColumnRule rule) {
  switch (rule) {
    case ColumnRule::plain:
      if (is_plain(value)) return Cell::view(CellKind::quoted, value);
      break;
    case ColumnRule::decimal:
      if (is_json_number(value)) return Cell::view(CellKind::verbatim, value);
      break;
    case ColumnRule::json:
      if (is_json(value) && text::is_utf8(value)) return Cell::view(CellKind::verbatim, value);
      break;
    case ColumnRule::boolean:
      if (text::iequals(value, "true") || text::iequals(value, "t")) return Cell::boolean(true);
      if (text::iequals(value, "false") || text::iequals(value, "f")) return Cell::boolean(false);
      break;
    case ColumnRule::by_value:
      break;
  }
  return Cell::view(text::is_utf8(value) ? CellKind::text : CellKind::bytes, value);
}

query::TypeClass type_class(std::string_view declared) noexcept {
  for (const TypeRow& row : kTypes) {
    if (holds(declared, row.word, row.at_start)) return row.type;
  }
  return other;
}

ColumnRule rule_for(query::TypeClass type) noexcept {
  switch (type) {
    case boolean:
      return ColumnRule::boolean;
    case json:
    case array:
      return ColumnRule::json;
    case decimal:
      return ColumnRule::decimal;
    case uuid:
    case timestamp:
    case timestamptz:
    case date:
    case time:
      return ColumnRule::plain;
    case integer:
    case real:
    case text:
    case bytes:
    case other:
      return ColumnRule::by_value;
  }
  return ColumnRule::by_value;
}

void append_row(sqlite3_stmt* statement, std::span<const ColumnRule> rules, Batch& batch) {
  for (std::size_t column = 0; column < rules.size(); ++column) {
    batch.add(decode(statement, static_cast<int>(column), rules[column], batch));
  }
  batch.end_row();
}

bool is_json(std::string_view text) noexcept {
  return JsonScanner(text).whole_value();
}

bool is_json_number(std::string_view text) noexcept {
  JsonScanner scanner(text);
  return scanner.number() && scanner.at_end();
}

}  // namespace athena::driver::sqlite
