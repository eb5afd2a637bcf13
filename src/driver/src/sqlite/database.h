#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <athena/base/clock.h>
#include <athena/base/result.h>
#include <athena/driver/backend.h>
#include <athena/query/print.h>

#include "sqlite/authorizer.h"
#include "sqlite/decode.h"
#include "sqlite/errors.h"

struct sqlite3;
struct sqlite3_stmt;

namespace athena::driver::sqlite {

/// How long a connection may work on a statement. SQLite asks again and again while it runs one, and while it waits for
/// a lock.
struct Guard {
  TimePoint until = TimePoint::max();
  const std::atomic<bool>* stop = nullptr;  ///< borrowed; true: nobody waits for the answer
  bool may_wait = false;                    ///< for locks of other processes, until `until`
  /// So many looks pass whatever the clock says. A short `until` then measures work, and not only how busy the machine
  /// is with other things.
  std::uint32_t free_looks = 0;
  bool over(TimePoint now) const noexcept { return now >= until || (stop && stop->load(std::memory_order_relaxed)); }
};

/// The columns of an answer, and how their values come out.
struct Shape {
  std::vector<ColumnInfo> columns;
  std::vector<ColumnRule> rules;
};

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const noexcept;
};
using StatementHandle = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

/// A statement of ours, compiled once for each connection.
struct Prepared {
  std::string sql;
  StatementHandle handle;
  std::shared_ptr<const Shape> shape;  ///< of the last run; shared with the streams that still use it
  int recompiled = 0;                  ///< how often SQLite had compiled it again when `shape` was made
  std::uint32_t skip_inline = 0;       ///< runs that go to a reader thread at once: see InlineReader
};

/// One connection to the file. Not thread-safe, but not bound to a thread: whoever holds it may use it.
class Connection {
 public:
  enum class Role : std::uint8_t {
    reader,  ///< cannot write, whatever it is told
    writer,
  };

  /// Opens the file, in WAL mode if that can be had. Errors: database_unavailable and others of the result table.
  static Result<std::unique_ptr<Connection>> open(const Target& target, Role role, const Guard& guard);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  sqlite3* handle() const noexcept { return db_; }
  Authorizer& authorizer() noexcept { return *authorizer_; }
  void set_guard(const Guard& guard) noexcept { guard_ = guard; }
  const Guard& guard() const noexcept { return guard_; }

  /// An empty database of its own in memory.
  static Result<std::unique_ptr<Connection>> open_in_memory();

  /// From the cache of the last 128, or compiled. Valid until 128 others were prepared.
  Result<Prepared*> prepare(std::string_view sql);
  /// Runs a statement of ours that gives no rows.
  Result<> run(std::string_view sql);
  /// Counts changes of the tables by anyone. Cheap: reads the first page.
  Result<std::int64_t> schema_version();
  /// False: SQLite has rolled back everything and no transaction is open.
  bool in_transaction() const noexcept;

 private:
  static constexpr std::size_t kCachedStatements = 128;

  Connection() = default;
  void configure_limits();
  Result<> configure(const Target& target, Role role);

  sqlite3* db_ = nullptr;
  std::unique_ptr<Authorizer> authorizer_;
  Guard guard_;
  std::list<Prepared> statements_;  ///< the most recently used first
  std::unordered_map<std::string_view, std::list<Prepared>::iterator> by_sql_;
};

/// Binds the parameters of a printed statement. They must outlive the run: nothing is copied.
/// Errors: value_out_of_range for an integer beyond 64 bits.
Result<> bind_printed(sqlite3_stmt* statement, std::span<const query::Param> params);
/// Binds the parameters of a caller's statement by the numbers in its text, $1 or ?1, and marks the used ones.
/// Errors: invalid_parameter.
Result<> bind_native(sqlite3_stmt* statement, std::span<const query::Scalar> params, std::vector<bool>& used);

/// The number of each parameter in the order of the statement's own indexes: `$2 … $1` gives 2, 1.
/// Errors: invalid_parameter for one that has a name.
Result<std::vector<std::size_t>> parameter_numbers(sqlite3_stmt* statement);

/// The shape of a printed statement's answer; from the last run if it is still the same.
std::shared_ptr<const Shape> printed_shape(Prepared& prepared, const query::Printed& printed);
/// The shape of a caller's statement, by what SQLite says.
std::shared_ptr<const Shape> native_shape(sqlite3_stmt* statement);

/// Takes a statement back to its beginning and lets go of its parameters, at the end of the scope.
class ResetStatement {
 public:
  explicit ResetStatement(sqlite3_stmt* statement) noexcept : statement_(statement) {}
  ResetStatement(const ResetStatement&) = delete;
  ResetStatement& operator=(const ResetStatement&) = delete;
  ~ResetStatement();

 private:
  sqlite3_stmt* statement_;
};

}  // namespace athena::driver::sqlite
