#include "sqlite/replica.h"

#include <algorithm>

#include <sqlite3.h>

#include <athena/base/text.h>

#include "sqlite/schema_load.h"
#include "sqlite/tokens.h"

namespace athena::driver::sqlite {
namespace {

constexpr std::size_t kMaxRows = 20'000;
constexpr seconds kBuildTime{5};

/// Functions that a newer SQLite has, and that indexes, checks and generated columns may call. They are only ever
/// compiled, never run: nothing is in the tables.
constexpr const char* kNewerFunctions[] = {
    "concat",
    "concat_ws",
    "if",
    "json_error_position",
    "json_array_insert",
    "json_pretty",
    "jsonb",
    "jsonb_array",
    "jsonb_extract",
    "jsonb_insert",
    "jsonb_object",
    "jsonb_patch",
    "jsonb_remove",
    "jsonb_replace",
    "jsonb_set",
    "octet_length",
    "timediff",
    "unhex",
    "unistr",
    "unistr_quote",
};
constexpr const char* kNewerAggregates[] = {"jsonb_group_array", "jsonb_group_object", "median",    "percentile",
                                            "percentile_cont",   "percentile_disc",    "string_agg"};

void never_called(sqlite3_context* context, int, sqlite3_value**) {
  sqlite3_result_error(context, "this function is only known by name", -1);
}
void never_finished(sqlite3_context* context) {
  never_called(context, 0, nullptr);
}

void register_newer_functions(sqlite3* db) {
  constexpr int kFlags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  for (const char* name : kNewerFunctions) {
    sqlite3_create_function_v2(db, name, -1, kFlags, nullptr, &never_called, nullptr, nullptr, nullptr);
  }
  for (const char* name : kNewerAggregates) {
    sqlite3_create_function_v2(db, name, -1, kFlags, nullptr, nullptr, &never_called, &never_finished, nullptr);
  }
}

bool is_hidden(const SchemaRow& row) {
  const auto begins = [&row](std::string_view prefix) {
    return text::iequals(std::string_view(row.name).substr(0, prefix.size()), prefix);
  };
  return row.sql.empty() || begins("sqlite_") || begins("_cf_");
}

/// A virtual table makes its shadow tables itself, so it comes before them; a view or a trigger needs what it names.
constexpr int kRanks = 5;
int rank_of(const SchemaRow& row) {
  if (row.type == "table") {
    Tokens tokens(row.sql);
    tokens.next();
    return text::iequals(tokens.next(), "VIRTUAL") ? 0 : 1;
  }
  if (row.type == "index") return 2;
  return row.type == "view" ? 3 : 4;
}

/// The first statement of the text; what is no definition is never run.
bool run_definition(Connection& connection, const std::string& sql) {
  connection.authorizer().begin_statement();
  sqlite3_stmt* compiled = nullptr;
  const int code = sqlite3_prepare_v3(connection.handle(), sql.c_str(), -1, 0, &compiled, nullptr);
  const StatementHandle handle(compiled);
  if (code != SQLITE_OK || !handle) return false;
  // CREATE INDEX is told as a REINDEX, too, which is a utility.
  const StatementKind kind = connection.authorizer().facts().kind.value_or(StatementKind::ddl);
  if (kind != StatementKind::ddl && kind != StatementKind::utility) return false;
  return sqlite3_step(handle.get()) == SQLITE_DONE;
}

}  // namespace

Result<std::shared_ptr<Replica>> Replica::build(std::vector<SchemaRow> rows) {
  if (rows.size() > kMaxRows) return fail(Code::limit_exceeded, "The database has too many tables and indexes");
  const std::shared_ptr<Replica> replica(new Replica);
  ATHENA_TRY(replica->connection_, Connection::open_in_memory());
  replica->connection_->set_guard({.until = Clock::now() + kBuildTime, .stop = nullptr});
  register_newer_functions(replica->connection_->handle());
  // A trigger may use a virtual table there; here nothing of it ever runs.
  sqlite3_db_config(replica->connection_->handle(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1, nullptr);
  replica->create(std::move(rows));
  ATHENA_TRY(Snapshot snapshot, load_schema(*replica->connection_));
  replica->schema_ = std::move(snapshot.schema);
  ATHENA_TRY(replica->constraints_, load_constraints(*replica->connection_));
  replica->connection_->set_guard({});
  return replica;
}

void Replica::create(std::vector<SchemaRow> rows) {
  std::erase_if(rows, is_hidden);
  connection_->authorizer().set_mode(Authorizer::Mode::caller);
  for (int rank = 0; rank < kRanks; ++rank) {
    for (const SchemaRow& row : rows) {
      if (rank_of(row) != rank || run_definition(*connection_, row.sql)) continue;
      // A shadow table is there already.
      const std::string_view message = sqlite3_errmsg(connection_->handle());
      const bool is_shadow = message.ends_with("already exists") || message.starts_with("object name reserved");
      if (!is_shadow) left_out_.push_back(row.name);
    }
  }
  connection_->authorizer().set_mode(Authorizer::Mode::trusted);
}

Result<Description> Replica::describe(const std::string& text, bool read_only) const {
  const std::lock_guard lock(mutex_);
  return describe_text(*connection_, text, read_only);
}

}  // namespace athena::driver::sqlite
