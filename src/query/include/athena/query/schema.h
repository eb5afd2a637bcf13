#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <athena/base/result.h>

namespace athena::query {

/// What a column's type means to the encoder and to the binder, across databases.
enum class TypeClass : std::uint8_t {
  boolean,
  integer,
  decimal,
  real,
  text,
  uuid,
  json,
  timestamp,
  timestamptz,
  date,
  time,
  bytes,
  array,
  other
};

/// What an index lets a column be asked for, beside the keys (CQL only).
struct IndexUses {
  bool equal = false;     ///< `=` (a secondary index, SAI, SASI)
  bool range = false;     ///< `<`, `<=`, `>`, `>=`
  bool prefix = false;    ///< LIKE 'x%', case-sensitive
  bool like = false;      ///< LIKE '%x', '%x%', 'x' besides
  bool values = false;    ///< CONTAINS: values of a collection
  bool keys = false;      ///< CONTAINS KEY
  bool entries = false;   ///< m[k] = v
  bool combines = false;  ///< with other indexes in one statement (SAI)
  bool operator==(const IndexUses&) const = default;
};

struct ColumnDef {
  std::string name;
  std::string type_name;  ///< as the database spells it: "timestamp with time zone", "VARCHAR(20)"
  TypeClass type = TypeClass::other;
  bool nullable = true;
  bool has_default = false;  ///< a default, an identity or a generated value
  bool generated = false;    ///< cannot be written
  std::string default_expression;
  std::uint32_t type_oid = 0;              ///< PostgreSQL only
  std::uint32_t sql_at = 0, sql_size = 0;  ///< where `t."name"` stands in TableDef::all_columns_sql: made by Schema
  bool is_static = false;                  ///< CQL: one value for the whole partition
  bool descending = false;                 ///< CQL: a clustering column that is kept from high to low
  IndexUses index;                         ///< CQL
};

struct UniqueKey {
  std::string name;
  std::vector<std::uint32_t> columns;  ///< indexes into TableDef::columns
};

/// How names of the caller may differ from the database's (contract 3.1): exact, then case-insensitive, then, if
/// switched on, snake_case of camelCase. Never by prefix or guess.
struct NameRules {
  bool camel_to_snake = false;
  bool operator==(const NameRules&) const = default;
};

enum class TableKind : std::uint8_t { table, view };

struct TableDef {
  std::string schema;
  std::string name;
  TableKind kind = TableKind::table;
  std::vector<ColumnDef> columns;          ///< in the table's order
  std::vector<std::uint32_t> primary_key;  ///< indexes into columns; empty: none
  std::vector<UniqueKey> unique_keys;      ///< without the primary key
  std::uint32_t partition_columns = 0;     ///< CQL: so many at the front of primary_key choose the partition
  double estimated_rows = -1;              ///< -1: unknown
  std::uint32_t average_row_bytes = 0;     ///< 0: unknown
  bool has_triggers = false;
  bool reads_alone = false;     ///< PostgreSQL: to read it locks no other table and runs none of its owner's code
  std::string all_columns_sql;  ///< `t."a", t."b"`: made by Schema, so that `*` costs one append
  std::string from_sql;         ///< `"schema"."name" AS t`: the same

  /// `t."name"` of one of the columns; empty in a table that is in no Schema.
  std::string_view column_sql(const ColumnDef& column) const noexcept {
    return std::string_view(all_columns_sql).substr(column.sql_at, column.sql_size);
  }

  /// The column by the rules, or null. A name that matches two columns but for case, and neither exactly, matches none.
  const ColumnDef* find(std::string_view column, NameRules rules) const;
  /// The columns by the rules, in the order of the names; pointers into this table. Error: undefined_column.
  Result<std::vector<const ColumnDef*>> resolve(std::span<const std::string> names, NameRules rules) const;
  /// undefined_column, with "did you mean".
  Error undefined_column(std::string_view column) const;
};

/// A type that somebody made in the database (PostgreSQL only).
struct TypeDef {
  std::uint32_t oid = 0;
  std::string name;  ///< as ColumnDef::type_name
  TypeClass type = TypeClass::other;
};

/// An immutable picture of a database's tables. Built in the background, swapped whole, shared by all loops.
class Schema {
 public:
  /// `search_path`: schemas in which unqualified names are looked up, in order.
  Schema(std::vector<TableDef> tables, std::vector<std::string> search_path, std::vector<TypeDef> types = {});

  /// `schema` empty: along the search path. Exact first, then case-insensitive, then snake_case by the rules.
  const TableDef* find(std::string_view schema, std::string_view table, NameRules rules) const;
  /// undefined_table, with "did you mean".
  Error undefined_table(std::string_view schema, std::string_view table) const;

  /// Null: it is built in, or unknown.
  const TypeDef* find_type(std::uint32_t oid) const noexcept;

  const std::vector<TableDef>& tables() const noexcept { return tables_; }
  const std::vector<std::string>& search_path() const noexcept { return search_path_; }
  bool is_default_schema(std::string_view schema) const noexcept;

 private:
  const TableDef* find_exact(std::string_view schema, std::string_view table) const;

  std::vector<TableDef> tables_;
  std::vector<std::string> search_path_;
  std::vector<TypeDef> types_;                                    ///< by oid
  std::unordered_map<std::string, std::uint32_t> by_name_;        ///< "schema\0table"
  std::unordered_map<std::string, std::int64_t> by_folded_name_;  ///< lower-cased; -1: ambiguous
};

}  // namespace athena::query
