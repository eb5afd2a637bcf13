#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/async.h>
#include <athena/query/schema.h>

namespace athena::driver {

enum class CellKind : std::uint8_t {
  null,
  boolean,  ///< integer() is 0 or 1
  integer,
  real,      ///< NaN and infinities allowed
  text,      ///< UTF-8, to be quoted and escaped
  verbatim,  ///< digits or JSON that the server already wrote: copied, not parsed
  quoted,    ///< text that is known to need no escapes (a timestamp, a uuid): quoted and copied
  bytes,     ///< written as "\x…"
};

/// One value of a row: 16 bytes, a view for everything that is not a number.
class Cell {
 public:
  constexpr Cell() noexcept = default;
  static constexpr Cell boolean(bool v) noexcept { return Cell(CellKind::boolean, v ? 1 : 0); }
  static constexpr Cell integer(std::int64_t v) noexcept { return Cell(CellKind::integer, v); }
  static constexpr Cell real(double v) noexcept {
    Cell c;
    c.kind_ = CellKind::real;
    c.real_ = v;
    return c;
  }
  static constexpr Cell view(CellKind kind, std::string_view v) noexcept {
    Cell c;
    c.kind_ = kind;
    c.size_ = static_cast<std::uint32_t>(v.size());
    c.data_ = v.data();
    return c;
  }

  constexpr CellKind kind() const noexcept { return kind_; }
  constexpr bool is_null() const noexcept { return kind_ == CellKind::null; }
  constexpr std::int64_t integer() const noexcept { return integer_; }
  constexpr double real() const noexcept { return real_; }
  constexpr std::string_view view() const noexcept { return {data_, size_}; }

 private:
  constexpr Cell(CellKind kind, std::int64_t v) noexcept : kind_(kind), integer_(v) {}
  CellKind kind_ = CellKind::null;
  std::uint32_t size_ = 0;
  union {
    std::int64_t integer_ = 0;
    double real_;
    const char* data_;
  };
};

struct ColumnInfo {
  std::string name;       ///< key in the row
  std::string type_name;  ///< as the database spells it; may be empty for generated statements
  query::TypeClass type = query::TypeClass::other;
};

/// Some rows. Views: valid until the stream's next call or its end.
struct RowBatch {
  std::span<const Cell> cells;  ///< row after row
  std::size_t rows = 0;
  bool last = false;  ///< nothing follows: next() need not be called again
};

/// The answer to a statement, pulled a batch at a time: one suspension for each network read, not each row.
/// Destroying an unfinished stream cancels the query and gives the connection back, fenced: a cancel never hits another
/// request's statement.
class RowStream {
 public:
  virtual ~RowStream() = default;
  /// Known from the start (before the first next()); empty if the statement gives no rows.
  virtual std::span<const ColumnInfo> columns() const noexcept = 0;
  /// Errors may come late: rows that were given out before may have left already.
  virtual Async<RowBatch> next() = 0;
  /// Rows written, valid after the last batch.
  virtual std::uint64_t affected() const noexcept = 0;
  /// How many statements the text had, see Native.
  virtual std::uint64_t statement_count() const noexcept { return 1; }
  /// After the last batch of a text of several statements: the result of each in the order of the text, null in the
  /// place of the one whose rows this stream gave. Nothing for a single statement, and for databases that tell nothing
  /// of the others.
  virtual std::vector<std::unique_ptr<RowStream>> take_results() { return {}; }
};

}  // namespace athena::driver
