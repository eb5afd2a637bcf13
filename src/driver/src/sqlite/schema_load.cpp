#include "sqlite/schema_load.h"

#include <algorithm>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <sqlite3.h>

#include <athena/base/text.h>

#include "sqlite/tokens.h"

namespace athena::driver::sqlite {
namespace {

constexpr std::string_view kSchema = "main";

/// Shadow tables hold the inside of virtual ones; the names of SQLite's own tables begin with sqlite_.
constexpr std::string_view kTables =
    "SELECT l.name, l.type, l.wr, m.sql FROM pragma_table_list l LEFT JOIN sqlite_schema m ON m.name = l.name "
    "AND m.type IN ('table', 'view') WHERE l.schema = 'main' AND l.type IN ('table', 'view', 'virtual') "
    "AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY l.name";
constexpr std::string_view kColumns =
    "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1, 'main') ORDER BY cid";
constexpr std::string_view kIndexes =
    "SELECT name, origin FROM pragma_index_list(?1, 'main') WHERE \"unique\" AND NOT partial ORDER BY seq DESC";
constexpr std::string_view kIndexColumns = "SELECT name FROM pragma_index_xinfo(?1, 'main') WHERE key ORDER BY seqno";
constexpr std::string_view kForeignKeys =
    "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1, 'main') ORDER BY id, seq";
constexpr std::string_view kTriggers = "SELECT DISTINCT tbl_name FROM sqlite_schema WHERE type = 'trigger'";
constexpr std::string_view kHasStatistics = "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'";
constexpr std::string_view kStatistics =
    "SELECT tbl, max(CAST(stat AS INTEGER)) FROM sqlite_stat1 WHERE stat IS NOT NULL GROUP BY tbl";

/// Walks the rows of one of the queries above.
class Rows {
 public:
  static Result<Rows> of(Connection& connection, std::string_view sql, std::string_view argument = {}) {
    ATHENA_TRY(Prepared * prepared, connection.prepare(sql));
    Rows rows(connection, prepared->handle.get());
    if (sqlite3_bind_parameter_count(rows.statement_) > 0) {
      sqlite3_bind_text64(rows.statement_, 1, argument.data(), argument.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    }
    return rows;
  }
  Rows(Rows&& o) noexcept : connection_(o.connection_), statement_(std::exchange(o.statement_, nullptr)) {}
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  ~Rows() {
    if (!statement_) return;
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }

  Result<bool> next() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return fail(last_error(connection_->handle(), code));
  }
  std::string text(int column) const {
    const unsigned char* value = sqlite3_column_text(statement_, column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return value ? std::string(reinterpret_cast<const char*>(value), size) : std::string();
  }
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  bool is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

 private:
  Rows(Connection& connection, sqlite3_stmt* statement) : connection_(&connection), statement_(statement) {}
  Connection* connection_;
  sqlite3_stmt* statement_;
};

/// What is read has to belong together.
class ReadTransaction {
 public:
  explicit ReadTransaction(Connection& connection) : connection_(connection), begun_(connection.run("BEGIN")) {}
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;
  ~ReadTransaction() {
    if (begun_) (void)connection_.run("ROLLBACK");
  }
  const Result<>& begun() const noexcept { return begun_; }

 private:
  Connection& connection_;
  Result<> begun_;
};

struct Relation {
  query::TableDef table;
  std::string sql;
  bool without_rowid = false;
};

Result<std::vector<Relation>> load_relations(Connection& connection) {
  std::vector<Relation> relations;
  ATHENA_TRY(Rows rows, Rows::of(connection, kTables));
  while (true) {
    ATHENA_TRY(const bool more, rows.next());
    if (!more) return relations;
    Relation& relation = relations.emplace_back();
    relation.table.schema = kSchema;
    relation.table.name = rows.text(0);
    relation.table.kind = rows.text(1) == "view" ? query::TableKind::view : query::TableKind::table;
    relation.without_rowid = rows.integer(2) != 0;
    relation.sql = rows.text(3);
  }
}

Result<> load_columns(Connection& connection, Relation& relation) {
  query::TableDef& table = relation.table;
  std::map<std::int64_t, std::uint32_t> key;  // place in the key → column
  ATHENA_TRY(Rows rows, Rows::of(connection, kColumns, table.name));
  while (true) {
    ATHENA_TRY(const bool more, rows.next());
    if (!more) break;
    constexpr std::int64_t kHiddenInVirtualTable = 1;
    const std::int64_t hidden = rows.integer(5);
    if (hidden == kHiddenInVirtualTable) continue;
    if (const std::int64_t place = rows.integer(4); place > 0) {
      key.emplace(place, static_cast<std::uint32_t>(table.columns.size()));
    }
    query::ColumnDef& column = table.columns.emplace_back();
    column.name = rows.text(0);
    column.type_name = rows.text(1);
    column.type = type_class(column.type_name);
    column.nullable = rows.integer(2) == 0;
    column.generated = hidden != 0;
    column.has_default = column.generated || !rows.is_null(3);
    column.default_expression = rows.text(3);
  }
  for (const auto& [place, column] : key) table.primary_key.push_back(column);
  if (key.size() == 1 && !relation.without_rowid) {
    // INTEGER PRIMARY KEY, spelt just so, is the rowid: SQLite gives it a value and never stores null in it.
    query::ColumnDef& column = table.columns[table.primary_key.front()];
    if (text::iequals(column.type_name, "INTEGER")) {
      column.has_default = true;
      column.nullable = false;
    }
  }
  return {};
}

Result<> load_unique_keys(Connection& connection, query::TableDef& table) {
  std::vector<std::string> indexes;
  {
    ATHENA_TRY(Rows rows, Rows::of(connection, kIndexes, table.name));
    while (true) {
      ATHENA_TRY(const bool more, rows.next());
      if (!more) break;
      if (rows.text(1) != "pk") indexes.push_back(rows.text(0));
    }
  }
  for (std::string& index : indexes) {
    query::UniqueKey key{.name = std::move(index), .columns = {}};
    ATHENA_TRY(Rows rows, Rows::of(connection, kIndexColumns, key.name));
    bool all_columns = true;
    while (true) {
      ATHENA_TRY(const bool more, rows.next());
      if (!more) break;
      // An expression has no name; the conflict target of an upsert is made of names.
      const auto column = std::ranges::find(table.columns, rows.text(0), &query::ColumnDef::name);
      all_columns = all_columns && !rows.is_null(0) && column != table.columns.end();
      if (all_columns) key.columns.push_back(static_cast<std::uint32_t>(column - table.columns.begin()));
    }
    if (all_columns && !key.columns.empty()) table.unique_keys.push_back(std::move(key));
  }
  return {};
}

Result<> load_marks(Connection& connection, std::vector<Relation>& relations) {
  std::unordered_map<std::string, query::TableDef*> by_name;
  for (Relation& relation : relations) by_name.emplace(relation.table.name, &relation.table);
  ATHENA_TRY(Rows triggers, Rows::of(connection, kTriggers));
  while (true) {
    ATHENA_TRY(const bool more, triggers.next());
    if (!more) break;
    if (const auto at = by_name.find(triggers.text(0)); at != by_name.end()) at->second->has_triggers = true;
  }
  ATHENA_TRY(Rows exists, Rows::of(connection, kHasStatistics));
  ATHENA_TRY(const bool analyzed, exists.next());
  if (!analyzed) return {};
  ATHENA_TRY(Rows statistics, Rows::of(connection, kStatistics));
  while (true) {
    ATHENA_TRY(const bool more, statistics.next());
    if (!more) return {};
    const auto at = by_name.find(statistics.text(0));
    if (at != by_name.end()) at->second->estimated_rows = static_cast<double>(statistics.integer(1));
  }
}

/// Tables with their columns; a view whose tables are gone is left out.
Result<std::vector<Relation>> load_described(Connection& connection) {
  ATHENA_TRY(std::vector<Relation> relations, load_relations(connection));
  for (Relation& relation : relations) {
    const Result<> loaded = load_columns(connection, relation);
    if (!loaded && connection.guard().over(Clock::now())) return fail(loaded.error());
    if (!loaded) relation.table.columns.clear();
  }
  std::erase_if(relations, [](const Relation& relation) { return relation.table.columns.empty(); });
  return relations;
}

void add_foreign_key(std::vector<ConstraintInfo>& all, const query::TableDef& table, const Rows& rows, bool first) {
  if (first) {
    ConstraintInfo& info = all.emplace_back();
    info.schema = info.foreign_schema = kSchema;
    info.table = table.name;
    info.type = "FOREIGN KEY";
    info.foreign_table = rows.text(1);
  }
  all.back().columns.push_back(rows.text(2));
  if (!rows.is_null(3)) all.back().foreign_columns.push_back(rows.text(3));
}

std::string join(const std::vector<std::string>& names, std::string_view separator) {
  std::string joined;
  for (const std::string& name : names) {
    if (!joined.empty()) joined += separator;
    joined += name;
  }
  return joined;
}

Result<> load_foreign_keys(Connection& connection, const query::TableDef& table, const query::Schema& schema,
                           std::vector<ConstraintInfo>& all) {
  const std::size_t begin = all.size();
  ATHENA_TRY(Rows rows, Rows::of(connection, kForeignKeys, table.name));
  std::int64_t last = -1;
  while (true) {
    ATHENA_TRY(const bool more, rows.next());
    if (!more) break;
    add_foreign_key(all, table, rows, rows.integer(0) != last);
    last = rows.integer(0);
  }
  for (std::size_t i = begin; i < all.size(); ++i) {
    ConstraintInfo& info = all[i];
    if (const auto* parent = schema.find(kSchema, info.foreign_table, {}); parent && info.foreign_columns.empty()) {
      for (const std::uint32_t column : parent->primary_key)
        info.foreign_columns.push_back(parent->columns[column].name);
    }
    info.name = table.name + "_" + join(info.columns, "_") + "_fkey";
    info.definition = "FOREIGN KEY (" + join(info.columns, ", ") + ") REFERENCES " + info.foreign_table + "(" +
                      join(info.foreign_columns, ", ") + ")";
  }
  return {};
}

ConstraintInfo key_constraint(const query::TableDef& table, const std::vector<std::uint32_t>& columns,
                              std::string_view type, std::string_view suffix) {
  ConstraintInfo info;
  info.schema = kSchema;
  info.table = table.name;
  info.type = type;
  for (const std::uint32_t column : columns) info.columns.push_back(table.columns[column].name);
  const bool is_primary = type == "PRIMARY KEY";
  info.name = table.name + (is_primary ? "" : "_" + join(info.columns, "_")) + std::string(suffix);
  info.definition = std::string(type) + " (" + join(info.columns, ", ") + ")";
  return info;
}

void add_checks(const Relation& relation, std::vector<ConstraintInfo>& all) {
  std::size_t unnamed = 0;
  for (CheckClause& check : find_checks(relation.sql)) {
    ConstraintInfo& info = all.emplace_back();
    info.schema = kSchema;
    info.table = relation.table.name;
    info.type = "CHECK";
    info.name = std::move(check.name);
    if (info.name.empty()) {
      info.name = relation.table.name + "_check";
      if (unnamed > 0) info.name += std::to_string(unnamed);
      ++unnamed;
    }
    info.definition = "CHECK " + check.expression;
  }
}

std::string unquoted(std::string_view name) {
  if (name.size() < 2 || !std::string_view("\"`['").contains(name.front())) return std::string(name);
  const char quote = name.back();
  std::string plain;
  for (std::size_t i = 1; i + 1 < name.size(); ++i) {
    plain += name[i];
    if (name[i] == quote && quote != ']') ++i;
  }
  return plain;
}

}  // namespace

Result<Snapshot> load_schema(Connection& connection) {
  const ReadTransaction transaction(connection);
  if (!transaction.begun()) return fail(transaction.begun().error());
  Snapshot snapshot;
  ATHENA_TRY(snapshot.version, connection.schema_version());
  ATHENA_TRY(std::vector<Relation> relations, load_described(connection));
  for (Relation& relation : relations) {
    if (relation.table.kind == query::TableKind::view) continue;
    ATHENA_TRY_VOID(load_unique_keys(connection, relation.table));
  }
  ATHENA_TRY_VOID(load_marks(connection, relations));
  std::vector<query::TableDef> tables;
  for (Relation& relation : relations) tables.push_back(std::move(relation.table));
  snapshot.schema =
      std::make_shared<const query::Schema>(std::move(tables), std::vector<std::string>{std::string(kSchema)});
  return snapshot;
}

Result<std::vector<ConstraintInfo>> load_constraints(Connection& connection) {
  const ReadTransaction transaction(connection);
  if (!transaction.begun()) return fail(transaction.begun().error());
  ATHENA_TRY(std::vector<Relation> relations, load_described(connection));
  std::vector<query::TableDef> tables;
  for (const Relation& relation : relations) tables.push_back(relation.table);
  const query::Schema schema(std::move(tables), {std::string(kSchema)});
  std::vector<ConstraintInfo> all;
  for (Relation& relation : relations) {
    query::TableDef& table = relation.table;
    if (table.kind == query::TableKind::view) continue;
    if (!table.primary_key.empty()) all.push_back(key_constraint(table, table.primary_key, "PRIMARY KEY", "_pkey"));
    ATHENA_TRY_VOID(load_unique_keys(connection, table));
    for (const query::UniqueKey& key : table.unique_keys) {
      all.push_back(key_constraint(table, key.columns, "UNIQUE", "_key"));
      if (!key.name.starts_with("sqlite_")) all.back().name = key.name;
    }
    ATHENA_TRY_VOID(load_foreign_keys(connection, table, schema, all));
    add_checks(relation, all);
  }
  return all;
}

std::vector<CheckClause> find_checks(std::string_view create_table) {
  std::vector<CheckClause> checks;
  Tokens tokens(create_table);
  std::string_view before, two_before;  // CONSTRAINT name CHECK (…)
  std::string_view three_before;
  for (std::string_view token = tokens.next(); !token.empty(); token = tokens.next()) {
    const bool opens = token == "(" && text::iequals(before, "CHECK");
    if (opens) {
      const std::size_t begin = tokens.at() - 1;
      int depth = 1;
      while (depth > 0 && !(token = tokens.next()).empty()) depth += token == "(" ? 1 : token == ")" ? -1 : 0;
      const bool named = text::iequals(three_before, "CONSTRAINT");
      checks.push_back(
          {named ? unquoted(two_before) : "", std::string(create_table.substr(begin, tokens.at() - begin))});
      if (token.empty()) break;
    }
    three_before = two_before;
    two_before = before;
    before = token;
  }
  return checks;
}

}  // namespace athena::driver::sqlite
