#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/async.h>
#include <athena/base/cancellation.h>
#include <athena/base/clock.h>
#include <athena/base/loop.h>
#include <athena/driver/rows.h>
#include <athena/driver/target.h>
#include <athena/query/operators.h>
#include <athena/query/schema.h>
#include <athena/query/statement.h>

namespace athena::driver {

/// Where a caller's reads have got to, for databases with replicas (D1 sessions). Belongs to one request.
struct ReadSession {
  std::string mode;      ///< as the caller asked; empty: the target's
  std::string bookmark;  ///< as the caller sent it; empty: none
  std::string reached;   ///< set by the backend: the bookmark to send with the next request; empty: none
};

/// How a statement is to be run.
struct Call {
  TimePoint deadline;                    ///< the answer must be there by then; statement_timeout afterwards
  Cancellation* cancellation = nullptr;  ///< borrowed; outlives the stream. Null: nobody goes away
  query::NameRules names;
  bool read_only = false;          ///< the database must refuse writes
  bool idempotent = false;         ///< a write that may be sent again when its outcome is unknown
  ReadSession* session = nullptr;  ///< borrowed, as `cancellation`; null: none
};

/// SQL as a caller wrote it.
struct Native {
  std::string text;
  std::vector<query::Scalar> params;  ///< $1 …; sqlite also takes ?1
  std::string schema_name;            ///< first in the search path while it runs; empty: the client's own
};

enum class StatementKind : std::uint8_t { select, insert, update, del, merge, ddl, utility, transaction_control, copy };
/// What a text of SQL does: for rights, cache invalidation, and refusing transaction control.
struct SqlFacts {
  std::vector<StatementKind> statements;
  std::vector<query::Table> reads, writes;  ///< as written: schema may be empty
  bool is_volatile = false;                 ///< calls a function that may write
  bool writes_anything() const noexcept;
};

/// One table's row of GET /schema/constraints.
struct ConstraintInfo {
  std::string schema, table, name, type;  ///< type: PRIMARY KEY, UNIQUE, FOREIGN KEY, CHECK
  std::vector<std::string> columns;
  std::string foreign_schema, foreign_table;
  std::vector<std::string> foreign_columns;
  std::string definition;
};

struct Health {
  bool usable = false;  ///< a statement would be tried now
  std::uint32_t connections = 0, busy = 0;
  std::string last_error;  ///< for operators: no credentials
};

/// Something that the driver did or met. The gateway makes log lines and metrics of it.
struct Event {
  enum class Kind : std::uint8_t {
    connected,
    connect_failed,
    connection_lost,
    statement_cancelled,
    cancel_absorbed,
    retried,
    schema_loaded,
    schema_load_failed,
    prepared_again,
    server_warning,  ///< what a database said beside an answer
    pool_exhausted,
    host_opened,
    host_on_trial,
    host_closed
  } kind;
  std::string_view target;  ///< masked
  std::string detail;
  std::uint64_t count = 1;
};
class Observer {
 public:
  virtual ~Observer() = default;
  /// Called on any loop; must not block.
  virtual void observe(const Event& event) noexcept = 0;
};

class HostHealth;  // health.h

/// What a backend may use. One for each loop.
struct Runtime {
  Loop& loop;
  Observer& observer;
  std::shared_ptr<HostHealth> health = nullptr;  ///< the process's; null: no host is ever left alone
};

/// A client's database as one loop sees it. Not thread-safe: it belongs to its loop, so nothing in it is locked.
class Backend {
 public:
  virtual ~Backend() = default;

  /// Runs a statement of the common language. Errors: see query::to_sql, and 4xx.
  virtual Async<std::unique_ptr<RowStream>> execute(query::Statement statement, Call call) = 0;
  /// The same for a Select that is asked often: a backend may keep what it made of the template.
  virtual Async<std::unique_ptr<RowStream>> execute_recurring(query::Recurring recurring, Call call);
  /// Runs SQL as written, on a connection of its own that is reset before anyone else gets it. Several statements are
  /// one transaction; next() gives the last result set, take_results() the others (kept in memory: beyond 16 MiB it is
  /// result_too_large). Errors carry `position` in characters of the caller's text, `line` and `line_column`, and of
  /// several statements which one it was.
  virtual Async<std::unique_ptr<RowStream>> execute(Native native, Call call) = 0;
  /// How many rows the filter matches. `kind` is not none.
  virtual Async<std::uint64_t> count(query::Select select, query::Count kind, Call call) = 0;

  /// The tables, waiting for the first load within the deadline. `refresh`: newer than now.
  virtual Async<std::shared_ptr<const query::Schema>> schema(Call call, bool refresh = false) = 0;
  virtual Async<std::vector<ConstraintInfo>> constraints(Call call) = 0;
  /// What the text would do. Errors: syntax_error with position, limit_exceeded.
  virtual Result<SqlFacts> analyze(std::string_view text) const = 0;

  virtual Health health() const = 0;
  /// Closes everything; statements that run are cancelled. Waits for background work.
  virtual Task<> stop() = 0;
};

/// What a kind of database can do: used by errors and by the capability list of GET /.
struct Capabilities {
  bool raw_sql = false, transactions = false, schemas = false, regex = false, full_text = false, arrays = false,
       returning = false, estimates = false, sessions = false;  ///< sessions: Call::session is in effect
};

/// State that all loops of one client share: connection budget, schema snapshot. Thread-safe.
class SharedState {
 public:
  virtual ~SharedState() = default;
};

struct BackendKind {
  std::string_view name;
  std::span<const std::string_view> aliases;
  Capabilities can;
  query::Language language;  ///< that statements are printed in: says which operators there are
  /// Once for each client. Opens nothing yet.
  std::shared_ptr<SharedState> (*share)(const Target& target);
  /// Once for each client and loop; connections open when they are first needed.
  std::unique_ptr<Backend> (*open)(Target target, std::shared_ptr<SharedState> shared, Runtime runtime);
};

/// The one list: driver/src/backends.cpp.
std::span<const BackendKind> backend_kinds() noexcept;
/// By name or alias, case-insensitive; null: unknown.
const BackendKind* find_backend_kind(std::string_view name) noexcept;

}  // namespace athena::driver
