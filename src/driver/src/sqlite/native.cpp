#include "sqlite/native.h"

#include <algorithm>
#include <utility>

#include <sqlite3.h>

#include <athena/base/text.h>

#include "sqlite/tokens.h"

namespace athena::driver::sqlite {
namespace {

/// A table or a view: what is not a name of WITH, which the authorizer reports too.
bool is_relation(Connection& connection, std::string_view name) {
  constexpr std::string_view kFind =
      "SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE";
  const Result<Prepared*> prepared = connection.prepare(kFind);
  if (!prepared) return true;
  sqlite3_stmt* statement = (*prepared)->handle.get();
  const ResetStatement reset(statement);
  sqlite3_bind_text64(statement, 1, name.data(), name.size(), SQLITE_STATIC, SQLITE_UTF8);
  return sqlite3_step(statement) == SQLITE_ROW;
}

void add_tables(std::vector<query::Table>& tables, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (std::ranges::find(tables, name, &query::Table::name) == tables.end()) tables.push_back({"", name});
  }
}

void collect(SqlFacts& facts, Connection& connection, const NativeStatement& statement) {
  const StatementKind kind = statement.facts.kind.value_or(StatementKind::utility);
  facts.statements.push_back(kind);
  for (const std::string& name : statement.facts.reads) {
    if (is_relation(connection, name)) add_tables(facts.reads, {name});
  }
  add_tables(facts.writes, statement.facts.writes);
}

}  // namespace

NativeText::NativeText(Connection& connection, const std::string& text, bool read_only)
    : connection_(connection), text_(text), read_only_(read_only) {
  connection_.authorizer().set_mode(Authorizer::Mode::caller);
}

NativeText::~NativeText() {
  connection_.authorizer().set_mode(Authorizer::Mode::trusted);
}

Result<std::optional<NativeStatement>> NativeText::next() {
  if (text_.size() > kMaxSqlBytes) return fail(Code::limit_exceeded, "The query is longer than 1 MiB");
  // SQLite would stop at a NUL and ignore what follows.
  if (text_.find('\0') != std::string::npos) return fail(Code::syntax_error, "The query holds a NUL character");
  while (at_ < text_.size()) {
    const std::size_t begin = at_;
    connection_.authorizer().begin_statement();
    sqlite3_stmt* compiled = nullptr;
    const char* tail = nullptr;
    const int code = sqlite3_prepare_v3(connection_.handle(), text_.c_str() + begin, -1, 0, &compiled, &tail);
    StatementHandle handle(compiled);
    if (code != SQLITE_OK) {
      // The reason of the authorizer is worth more than SQLite's "not authorized".
      if (const auto& refusal = connection_.authorizer().refusal()) return fail(*refusal);
      return fail(last_error(connection_.handle(), code, {true, text_, begin, 0, count_ + 1}));
    }
    at_ = static_cast<std::size_t>(tail - text_.data());
    if (!handle) continue;  // a comment, or nothing between two semicolons
    if (++count_ > kMaxStatements) {
      return fail(Code::limit_exceeded, "The query has more than " + std::to_string(kMaxStatements) + " statements");
    }
    ATHENA_TRY(NativeStatement statement, judge(std::move(handle), begin));
    statement.end = at_;
    statement.index = count_;
    return std::optional(std::move(statement));
  }
  return std::optional<NativeStatement>();
}

Result<NativeStatement> NativeText::judge(StatementHandle handle, std::size_t begin) {
  NativeStatement statement{.handle = std::move(handle), .facts = connection_.authorizer().facts(), .begin = begin};
  StatementFacts& facts = statement.facts;
  statement.writes = sqlite3_stmt_readonly(statement.handle.get()) == 0;
  if (sqlite3_stmt_isexplain(statement.handle.get())) {
    // It is compiled like what it explains, and changes nothing.
    facts.reads.insert(facts.reads.end(), facts.writes.begin(), facts.writes.end());
    facts.writes.clear();
    facts.kind = StatementKind::utility;
    statement.writes = false;
    return statement;
  }
  const bool is_internal_work = facts.kind == StatementKind::ddl || facts.kind == StatementKind::utility;
  if (facts.writes_internal && !is_internal_work) {
    return fail(Code::insufficient_privilege, "Tables of SQLite itself cannot be written");
  }
  if (statement.writes && !facts.kind) {
    // Two things are not told to the authorizer: VACUUM, and DDL that finds nothing to do (IF NOT EXISTS).
    if (text::iequals(Tokens(text_.c_str() + begin).next(), "VACUUM")) {
      return fail(Code::unsupported_statement, "VACUUM cannot be run here", "It cannot run inside a transaction");
    }
    facts.kind = StatementKind::ddl;
  }
  if (statement.writes && read_only_) return fail(Code::read_only_violation, "The statement would write");
  return statement;
}

Result<Description> describe_text(Connection& connection, const std::string& text, bool read_only) {
  Description described;
  SqlFacts& facts = described.facts;
  NativeText statements(connection, text, read_only);
  bool has_ddl = false;
  while (true) {
    Result<std::optional<NativeStatement>> next = statements.next();
    if (!next && has_ddl && next.error().code != Code::limit_exceeded &&
        next.error().code != Code::unsupported_statement && next.error().code != Code::insufficient_privilege) {
      facts.statements.push_back(StatementKind::utility);
      facts.is_volatile = true;
      described.columns.clear();
      return described;
    }
    if (!next) return fail(std::move(next).error());
    if (!*next) return described;
    sqlite3_stmt* compiled = (*next)->handle.get();
    described.columns = native_shape(compiled)->columns;
    if (statements.count() == 1) {
      ATHENA_TRY(described.parameters, parameter_numbers(compiled));
    }
    has_ddl = has_ddl || (*next)->facts.kind == StatementKind::ddl;
    collect(facts, connection, **next);
  }
}

Result<SqlFacts> analyze_text(Connection& connection, const std::string& text) {
  ATHENA_TRY(Description described, describe_text(connection, text, false));
  return std::move(described.facts);
}

Result<> check_all_used(const std::vector<bool>& used) {
  const auto unused = std::ranges::find(used, false);
  if (unused == used.end()) return {};
  return fail(Code::invalid_parameter,
              "Parameter " + std::to_string(unused - used.begin() + 1) + " has a value, but the query does not use it");
}

}  // namespace athena::driver::sqlite
