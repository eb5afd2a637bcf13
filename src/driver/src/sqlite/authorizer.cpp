#include "sqlite/authorizer.h"

#include <algorithm>
#include <array>

#include <sqlite3.h>

#include <athena/base/text.h>

namespace athena::driver::sqlite {
namespace {

/// PRAGMAs that only tell something. `argument`: it says what about, and sets nothing. Everything that is not listed is
/// refused: most others change the connection for whoever uses it next, or the file for everyone. FTS and R*Tree tables
/// ask for data_version and page_size themselves while they run.
struct PragmaRow {
  std::string_view name;
  bool argument;
};
constexpr PragmaRow kPragmas[] = {
    {"application_id", false},   {"auto_vacuum", false},      {"collation_list", false}, {"compile_options", false},
    {"data_version", false},     {"database_list", false},    {"encoding", false},       {"foreign_key_check", true},
    {"foreign_key_list", true},  {"foreign_keys", false},     {"freelist_count", false}, {"function_list", false},
    {"index_info", true},        {"index_list", true},        {"index_xinfo", true},     {"integrity_check", true},
    {"journal_mode", false},     {"module_list", false},      {"page_count", false},     {"page_size", false},
    {"pragma_list", false},      {"query_only", false},       {"quick_check", true},     {"schema_version", false},
    {"table_info", true},        {"table_list", true},        {"table_xinfo", true},     {"user_version", false},
};

/// Modules whose virtual tables live wholly in the database file.
constexpr std::string_view kModules[] = {"fts4", "fts5", "geopoly", "rtree", "rtree_i32"};

/// Functions that reach beyond the database, or take pointers as values.
constexpr std::string_view kForbiddenFunctions[] = {"fts3_tokenizer", "load_extension"};

/// Tables of SQLite's own that show the text of other callers' statements.
constexpr std::string_view kForbiddenTables[] = {"sqlite_stmt"};

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::any_of(names, [name](std::string_view known) { return text::iequals(known, name); });
}

bool is_internal(std::string_view table) { return text::iequals(table.substr(0, 7), "sqlite_"); }

/// sqlite_schema under any of its names. DDL writes it; SQLite itself refuses every other write to it.
bool is_schema_table(std::string_view table) {
  constexpr std::string_view kNames[] = {"sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema"};
  return contains(kNames, table);
}

void add(std::vector<std::string>& names, std::string_view name) {
  if (name.empty() || is_internal(name)) return;
  if (std::ranges::find(names, name) == names.end()) names.emplace_back(name);
}

std::string_view view(const char* text) noexcept { return text ? std::string_view(text) : std::string_view(); }

}  // namespace

Authorizer::Authorizer(sqlite3* db) noexcept { sqlite3_set_authorizer(db, &Authorizer::callback, this); }

void Authorizer::begin_statement() {
  facts_ = {};
  refusal_.reset();
}

int Authorizer::callback(void* self, int action, const char* third, const char* fourth, const char* schema,
                         const char* trigger) noexcept {
  auto& authorizer = *static_cast<Authorizer*>(self);
  if (authorizer.mode_ == Mode::trusted) return SQLITE_OK;
  return authorizer.decide(action, view(third), view(fourth), view(schema), trigger != nullptr);
}

int Authorizer::decide(int action, std::string_view third, std::string_view fourth, std::string_view schema,
                       bool in_trigger) {
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
      if (!facts_.kind) facts_.kind = StatementKind::select;
      return SQLITE_OK;
    case SQLITE_READ:
      if (contains(kForbiddenTables, third)) {
        return refuse(Code::insufficient_privilege, "Table '" + std::string(third) + "' cannot be read");
      }
      add(facts_.reads, third);
      return SQLITE_OK;
    case SQLITE_FUNCTION:
      if (contains(kForbiddenFunctions, fourth)) {
        return refuse(Code::insufficient_privilege, "Function '" + std::string(fourth) + "' is not allowed here");
      }
      return SQLITE_OK;
    case SQLITE_INSERT: return write(StatementKind::insert, third, schema, in_trigger);
    case SQLITE_UPDATE: return write(StatementKind::update, third, schema, in_trigger);
    case SQLITE_DELETE: return write(StatementKind::del, third, schema, in_trigger);
    case SQLITE_CREATE_TABLE:
    case SQLITE_DROP_TABLE:
    case SQLITE_CREATE_VIEW:
    case SQLITE_DROP_VIEW: return define(third, schema);
    case SQLITE_CREATE_INDEX:
    case SQLITE_DROP_INDEX:
    case SQLITE_CREATE_TRIGGER:
    case SQLITE_DROP_TRIGGER: return define(fourth, schema);
    case SQLITE_ALTER_TABLE: return define(fourth, third);
    case SQLITE_CREATE_VTABLE:
    case SQLITE_DROP_VTABLE:
      if (!contains(kModules, fourth)) {
        return refuse(Code::insufficient_privilege, "Module '" + std::string(fourth) + "' is not allowed here");
      }
      return define(third, schema);
    case SQLITE_ANALYZE:
    case SQLITE_REINDEX:
      set_kind(StatementKind::utility);
      return SQLITE_OK;
    case SQLITE_PRAGMA: return pragma(third, fourth);
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
      set_kind(StatementKind::transaction_control);
      return refuse(Code::unsupported_statement, "Transactions cannot be controlled by statements here",
                    "The statements of one request are one transaction");
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
      return refuse(Code::unsupported_statement, "Other database files cannot be attached or detached here");
    default: return refuse_temporary();  // the CREATE_TEMP and DROP_TEMP family, and what later versions may add
  }
}

int Authorizer::write(StatementKind kind, std::string_view table, std::string_view schema, bool in_trigger) {
  // The schema table is written as a consequence of DDL alone, and then a call of its own says of what.
  if (is_schema_table(table)) return SQLITE_OK;
  if (text::iequals(schema, "temp")) return refuse_temporary();
  if (is_internal(table)) {
    facts_.writes_internal = true;
    return SQLITE_OK;
  }
  if (!in_trigger && (!facts_.kind || facts_.kind == StatementKind::select)) facts_.kind = kind;
  add(facts_.writes, table);
  return SQLITE_OK;
}

int Authorizer::define(std::string_view table, std::string_view schema) {
  if (text::iequals(schema, "temp")) return refuse_temporary();
  set_kind(StatementKind::ddl);
  add(facts_.writes, table);
  return SQLITE_OK;
}

int Authorizer::pragma(std::string_view name, std::string_view argument) {
  const auto* row = std::ranges::find_if(kPragmas, [name](const PragmaRow& p) { return text::iequals(p.name, name); });
  if (row == std::end(kPragmas) || (!argument.empty() && !row->argument)) {
    return refuse(Code::unsupported_statement, "PRAGMA " + std::string(name) + " cannot be used here",
                  "PRAGMAs that only tell about tables and the database can");
  }
  if (!facts_.kind) facts_.kind = StatementKind::utility;
  return SQLITE_OK;
}

int Authorizer::refuse_temporary() {
  return refuse(Code::unsupported_statement, "Temporary tables, views, indexes and triggers are not supported here",
                "They would be seen by whoever uses the connection next");
}

int Authorizer::refuse(Code code, std::string text, std::string hint) {
  if (!refusal_) refusal_ = Error(code, std::move(text), std::move(hint));
  return SQLITE_DENY;
}

void Authorizer::set_kind(StatementKind kind) { facts_.kind = kind; }

}  // namespace athena::driver::sqlite
