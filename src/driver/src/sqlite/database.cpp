#include "sqlite/database.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <mutex>
#include <thread>

#include <sqlite3.h>

#include <athena/base/text.h>

#include "sqlite/tokens.h"

namespace athena::driver::sqlite {
namespace {

/// Virtual machine steps between two looks at the guard: 10 to 50 µs of work.
constexpr int kStepsPerLook = 1'000;
constexpr milliseconds kLockPoll{1};

/// What a statement may be and hold. Lengths bound what one step can take that no guard interrupts.
struct LimitRow {
  int id, value;
};
constexpr LimitRow kLimits[] = {
    {SQLITE_LIMIT_LENGTH, 64 * 1024 * 1024}, {SQLITE_LIMIT_SQL_LENGTH, 1024 * 1024},
    {SQLITE_LIMIT_EXPR_DEPTH, 1'000},        {SQLITE_LIMIT_COMPOUND_SELECT, 500},
    {SQLITE_LIMIT_VARIABLE_NUMBER, 32'766},  {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50'000},
    {SQLITE_LIMIT_TRIGGER_DEPTH, 100},       {SQLITE_LIMIT_ATTACHED, 0},
    {SQLITE_LIMIT_WORKER_THREADS, 0},
};

struct ConfigRow {
  int option, value;
};
constexpr ConfigRow kConfig[] = {
    {SQLITE_DBCONFIG_DEFENSIVE, 1},
    {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
    {SQLITE_DBCONFIG_ENABLE_FKEY, 1},
    {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
    {SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0},
    // A misspelt column between double quotes is an error, not a string.
    {SQLITE_DBCONFIG_DQS_DML, 0},
    {SQLITE_DBCONFIG_DQS_DDL, 0},
};

/// SQLite's own counting of memory takes a lock of the whole process for each allocation. The first one decides: a host
/// that has used SQLite before keeps its setting.
void configure_process() {
  static std::once_flag once;
  std::call_once(once, [] { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); });
}

int on_progress(void* context) noexcept {
  auto& guard = *static_cast<Guard*>(context);
  if (guard.free_looks > 0) {
    --guard.free_looks;
    return 0;
  }
  return guard.over(Clock::now());
}

int on_busy(void* context, int) noexcept {
  const auto& guard = *static_cast<const Guard*>(context);
  if (!guard.may_wait || guard.over(Clock::now())) return 0;
  std::this_thread::sleep_for(kLockPoll);
  return 1;
}

/// `$12` or `?12` → 12; 0: a parameter that has a name, or none.
std::size_t parameter_number(const char* name) {
  if (!name || (*name != '$' && *name != '?')) return 0;
  return static_cast<std::size_t>(text::parse_u64(name + 1).value_or(0));
}

bool has_question_mark(sqlite3_stmt* statement) {
  Tokens tokens(sqlite3_sql(statement));
  for (std::string_view token = tokens.next(); !token.empty(); token = tokens.next()) {
    if (token == "?") return true;
  }
  return false;
}

int bind_text(sqlite3_stmt* statement, int index, std::string_view value) {
  return sqlite3_bind_text64(statement, index, value.data() ? value.data() : "", value.size(), SQLITE_STATIC,
                             SQLITE_UTF8);
}

Error out_of_range(std::string_view digits) {
  return Error(Code::value_out_of_range, "The number " + std::string(digits.substr(0, 40)) + " is out of range");
}

Result<int> bind_real(sqlite3_stmt* statement, int index, std::string_view digits) {
  double value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (read.ptr != digits.data() + digits.size()) return fail(out_of_range(digits));
  // Out of range is two things: too small is as good as zero, too large is no number that SQLite could hold.
  if (read.ec == std::errc::result_out_of_range) value = std::strtod(std::string(digits).c_str(), nullptr);
  if (std::isinf(value)) return fail(out_of_range(digits));
  return sqlite3_bind_double(statement, index, value);
}

Result<int> bind_one(sqlite3_stmt* statement, int index, const query::Param& param) {
  switch (param.kind) {
    case query::ParamKind::null:
      return sqlite3_bind_null(statement, index);
    case query::ParamKind::text:
      return bind_text(statement, index, param.text);
    case query::ParamKind::boolean:
      return sqlite3_bind_int(statement, index, param.text == "true" || param.text == "1" || param.text == "t");
    case query::ParamKind::real:
      return bind_real(statement, index, param.text);
    case query::ParamKind::integer:
      if (const auto value = text::parse_i64(param.text)) return sqlite3_bind_int64(statement, index, *value);
      return fail(out_of_range(param.text));
  }
  return SQLITE_MISUSE;
}

/// Numbers of a caller's raw SQL have no column whose type decides. Those that a 64-bit integer or a double keeps
/// exactly are bound as numbers; others as text, so that no digit is lost on the way.
int bind_number(sqlite3_stmt* statement, int index, std::string_view digits) {
  constexpr std::ptrdiff_t kExactDigits = 15;
  if (const auto value = text::parse_i64(digits)) return sqlite3_bind_int64(statement, index, *value);
  const bool is_whole = digits.find_first_of(".eE") == std::string_view::npos;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!is_whole && std::ranges::count_if(digits, is_digit) <= kExactDigits) {
    if (const auto bound = bind_real(statement, index, digits)) return *bound;
  }
  return bind_text(statement, index, digits);
}

int bind_scalar(sqlite3_stmt* statement, int index, const query::Scalar& scalar) {
  struct Binder {
    sqlite3_stmt* statement;
    int index;
    int operator()(std::monostate) const { return sqlite3_bind_null(statement, index); }
    int operator()(bool value) const { return sqlite3_bind_int(statement, index, value); }
    int operator()(const query::Number& value) const { return bind_number(statement, index, value.digits); }
    int operator()(const std::string& value) const { return bind_text(statement, index, value); }
    int operator()(const query::JsonText& value) const { return bind_text(statement, index, value.text); }
  };
  return std::visit(Binder{statement, index}, scalar);
}

std::string_view declared_type(sqlite3_stmt* statement, int column) {
  const char* declared = sqlite3_column_decltype(statement, column);
  return declared ? declared : "";
}

}  // namespace

void FinalizeStatement::operator()(sqlite3_stmt* statement) const noexcept {
  sqlite3_finalize(statement);
}

ResetStatement::~ResetStatement() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Result<std::unique_ptr<Connection>> Connection::open(const Target& target, Role role, const Guard& guard) {
  configure_process();
  std::unique_ptr<Connection> connection(new Connection);
  connection->guard_ = guard;
  // A reader opens the file for writing too, because WAL needs its shared memory; query_only keeps it from writing.
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |= target.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (target.create && !target.read_only) flags |= SQLITE_OPEN_CREATE;
  // The name is a path and nothing else. SQLite would read file: as a URI where the distribution's default says so, and
  // an empty name or :memory: as a database of its own.
  std::string path = target.database;
  if (path.empty() || path == ":memory:") {
    return fail(Code::configuration_error, "An SQLite target needs the path of a file");
  }
  if (!path.starts_with('/')) path.insert(0, "./");
  const int opened = sqlite3_open_v2(path.c_str(), &connection->db_, flags, nullptr);
  if (opened != SQLITE_OK) {
    Error error = last_error(connection->db_, opened);
    error.log_detail += " (" + target.database + ")";
    return fail(std::move(error));
  }
  ATHENA_TRY_VOID(connection->configure(target, role));
  return connection;
}

Result<std::unique_ptr<Connection>> Connection::open_in_memory() {
  configure_process();
  std::unique_ptr<Connection> connection(new Connection);
  constexpr int kFlags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY;
  const int opened = sqlite3_open_v2(":memory:", &connection->db_, kFlags, nullptr);
  if (opened != SQLITE_OK) return fail(last_error(connection->db_, opened));
  connection->configure_limits();
  return connection;
}

void Connection::configure_limits() {
  for (const LimitRow& row : kLimits) sqlite3_limit(db_, row.id, row.value);
  for (const ConfigRow& row : kConfig) sqlite3_db_config(db_, row.option, row.value, nullptr);
  sqlite3_progress_handler(db_, kStepsPerLook, &on_progress, &guard_);
  sqlite3_busy_handler(db_, &on_busy, &guard_);
  authorizer_ = std::make_unique<Authorizer>(db_);
}

Result<> Connection::configure(const Target& target, Role role) {
  configure_limits();
  constexpr const char* kSettings =
      "PRAGMA synchronous=NORMAL; PRAGMA case_sensitive_like=ON; PRAGMA cell_size_check=ON;"
      "PRAGMA journal_size_limit=67108864;";
  int code = sqlite3_exec(db_, kSettings, nullptr, nullptr, nullptr);
  if (code == SQLITE_OK && !target.read_only)
    code = sqlite3_exec(db_, "PRAGMA journal_mode=WAL", nullptr, nullptr, nullptr);
  if (code == SQLITE_OK && role == Role::reader)
    code = sqlite3_exec(db_, "PRAGMA query_only=ON", nullptr, nullptr, nullptr);
  // Reads the file for the first time, so that one that is no database is found here.
  if (code == SQLITE_OK) code = sqlite3_exec(db_, "PRAGMA schema_version", nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail(last_error(db_, code));
  return {};
}

Connection::~Connection() {
  by_sql_.clear();
  statements_.clear();
  sqlite3_close_v2(db_);
}

Result<Prepared*> Connection::prepare(std::string_view sql) {
  if (const auto known = by_sql_.find(sql); known != by_sql_.end()) {
    statements_.splice(statements_.begin(), statements_, known->second);
    return &*known->second;
  }
  sqlite3_stmt* compiled = nullptr;
  const int code =
      sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &compiled, nullptr);
  if (code != SQLITE_OK) return fail(last_error(db_, code));
  if (statements_.size() >= kCachedStatements) {
    by_sql_.erase(statements_.back().sql);
    statements_.pop_back();
  }
  statements_.emplace_front();
  statements_.front().sql = sql;
  statements_.front().handle.reset(compiled);
  by_sql_.emplace(statements_.front().sql, statements_.begin());
  return &statements_.front();
}

Result<> Connection::run(std::string_view sql) {
  ATHENA_TRY(Prepared * prepared, prepare(sql));
  const ResetStatement reset(prepared->handle.get());
  const int code = sqlite3_step(prepared->handle.get());
  if (code != SQLITE_DONE && code != SQLITE_ROW) return fail(last_error(db_, code));
  return {};
}

Result<std::int64_t> Connection::schema_version() {
  ATHENA_TRY(Prepared * prepared, prepare("PRAGMA schema_version"));
  const ResetStatement reset(prepared->handle.get());
  const int code = sqlite3_step(prepared->handle.get());
  if (code != SQLITE_ROW) return fail(last_error(db_, code));
  return sqlite3_column_int64(prepared->handle.get(), 0);
}

bool Connection::in_transaction() const noexcept {
  return sqlite3_get_autocommit(db_) == 0;
}

Result<> bind_printed(sqlite3_stmt* statement, std::span<const query::Param> params) {
  if (sqlite3_bind_parameter_count(statement) != static_cast<int>(params.size())) {
    return fail(Error(Code::internal_error).logged("a printed statement does not have as many parameters as it says"));
  }
  for (std::size_t i = 0; i < params.size(); ++i) {
    ATHENA_TRY(const int code, bind_one(statement, static_cast<int>(i) + 1, params[i]));
    if (code != SQLITE_OK) return fail(last_error(sqlite3_db_handle(statement), code));
  }
  return {};
}

Result<std::vector<std::size_t>> parameter_numbers(sqlite3_stmt* statement) {
  std::vector<std::size_t> numbers;
  const int count = sqlite3_bind_parameter_count(statement);
  for (int index = 1; index <= count; ++index) {
    const char* name = sqlite3_bind_parameter_name(statement, index);
    // A plain ? has no name; nor have the four that ?5 brings along and that stand nowhere.
    const std::size_t number = name ? parameter_number(name) : static_cast<std::size_t>(index);
    if (number == 0) {
      return fail(Code::invalid_parameter, "Parameter '" + std::string(name) + "' has a name",
                  "Write $1, $2 … or ?1, ?2 …");
    }
    // ?1 and a $2 that comes first are one parameter to SQLite, which numbers what begins with $ as it meets it.
    if (name && *name == '$' && number != static_cast<std::size_t>(index) && has_question_mark(statement)) {
      return fail(Code::invalid_parameter, "The query uses parameters of two kinds", "Write all as $1, or all as ?1");
    }
    numbers.push_back(number);
  }
  return numbers;
}

Result<> bind_native(sqlite3_stmt* statement, std::span<const query::Scalar> params, std::vector<bool>& used) {
  ATHENA_TRY(const std::vector<std::size_t> numbers, parameter_numbers(statement));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::size_t number = numbers[i];
    if (number > params.size()) {
      return fail(Code::invalid_parameter, "The query uses parameter " + std::to_string(number) + ", but there are " +
                                               std::to_string(params.size()));
    }
    used[number - 1] = true;
    const int code = bind_scalar(statement, static_cast<int>(i) + 1, params[number - 1]);
    if (code != SQLITE_OK) return fail(last_error(sqlite3_db_handle(statement), code));
  }
  return {};
}

std::shared_ptr<const Shape> printed_shape(Prepared& prepared, const query::Printed& printed) {
  sqlite3_stmt* statement = prepared.handle.get();
  const int recompiled = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_REPREPARE, 0);
  const auto count = static_cast<std::size_t>(sqlite3_column_count(statement));
  if (prepared.shape && prepared.recompiled == recompiled &&
      std::ranges::equal(prepared.shape->columns, printed.keys, {}, &ColumnInfo::name)) {
    return prepared.shape;
  }
  auto shape = std::make_shared<Shape>();
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view declared = declared_type(statement, static_cast<int>(i));
    query::TypeClass type = i < printed.types.size() ? printed.types[i] : query::TypeClass::other;
    if (type == query::TypeClass::other) type = type_class(declared);
    std::string name = i < printed.keys.size() ? printed.keys[i] : sqlite3_column_name(statement, static_cast<int>(i));
    shape->columns.push_back({std::move(name), std::string(declared), type});
    shape->rules.push_back(rule_for(type));
  }
  prepared.recompiled = recompiled;
  prepared.shape = shape;
  return shape;
}

std::shared_ptr<const Shape> native_shape(sqlite3_stmt* statement) {
  auto shape = std::make_shared<Shape>();
  for (int i = 0; i < sqlite3_column_count(statement); ++i) {
    const std::string_view declared = declared_type(statement, i);
    const char* name = sqlite3_column_name(statement, i);
    shape->columns.push_back({name ? name : "", std::string(declared), type_class(declared)});
    shape->rules.push_back(rule_for(type_class(declared)));
  }
  return shape;
}

}  // namespace athena::driver::sqlite
