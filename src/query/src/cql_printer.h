#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <athena/query/operators.h>
#include <athena/query/print_cql.h>

#include "write_grid.h"

namespace athena::query {

/// One condition on one column. CQL knows no other joint than AND, so a filter is a list of them.
struct Restriction {
  const ColumnDef* column = nullptr;
  Predicate predicate;  ///< never negated, without a path
  bool used = false;    ///< by the key
};
using Restrictions = std::vector<Restriction>;

/// What the restrictions are to the primary key.
struct KeyUse {
  bool whole_partition = false;   ///< each column of the partition key by eq or in
  bool one_partition = false;     ///< by eq alone
  std::size_t equal_columns = 0;  ///< clustering columns by eq or in, from the first
  bool has_range = false;         ///< and a range on the next
  bool has_in = false;
  bool one_row = false;  ///< each column of the primary key by eq
};

/// Prints one statement. The parts stand in print_cql.cpp, print_cql_where.cpp and print_cql_write.cpp.
class CqlPrinter {
 public:
  CqlPrinter(const Schema& schema, const CqlOptions& options) : schema_(schema), options_(options) {}

  Result<CqlPrinted> print(const Select& select);
  Result<CqlPrinted> print(const Insert& insert);
  Result<CqlPrinted> print(const Update& update);
  Result<CqlPrinted> print(const Delete& del);
  Result<CqlPrinted> print_count(const Select& select);

 private:
  std::string& cql() noexcept { return statement_.cql; }
  ColumnNames names() const noexcept { return {*table_, options_.names, id_column_}; }
  std::size_t clustering_columns() const noexcept { return table_->primary_key.size() - table_->partition_columns; }
  const ColumnDef& key_column(std::size_t index) const noexcept { return table_->columns[table_->primary_key[index]]; }
  bool is_key(const ColumnDef& column) const noexcept;

  // print_cql.cpp
  Result<> begin(const Table& table);
  CqlPrinted finish();
  void append_table();
  void append_param(Scalar value, const ColumnDef& column);
  Result<const ColumnDef*> output_column(const Output& output) const;
  Result<> append_outputs(const std::vector<Output>& outputs);
  Result<> append_filter(const Select& select, KeyUse& use);
  Result<> append_order(const Select& select, const KeyUse& use, const Restrictions& restrictions);
  Result<> append_limit(const Select& select);

  // print_cql_where.cpp
  Result<Restrictions> restrictions_of(const Filter& where, const std::optional<Scalar>& resource_id);
  Result<> collect(const Filter& filter, Restrictions& into);
  Result<> collect(const Predicate& predicate, Restrictions& into);
  Result<> check_pairs(const Restrictions& restrictions) const;
  /// Marks as used what the key serves.
  KeyUse use_key(Restrictions& restrictions) const;
  const Restriction* find(const Restrictions& restrictions, const ColumnDef& column, bool by_equality) const noexcept;
  /// Whether the restrictions that the key does not serve are served by indexes; if not, why.
  Result<> check_indexes(const Restrictions& restrictions, const KeyUse& use) const;
  Error unindexed(const Restriction& restriction) const;
  std::string what_works() const;
  Result<> append_restriction(const Restriction& restriction);
  Result<> append_contains(const Restriction& restriction);
  Result<> append_like(const Restriction& restriction);
  Result<> append_template(std::string_view text, const Restriction& restriction);
  Result<> append_where(const Restrictions& restrictions, bool used_only);

  // print_cql_write.cpp
  Result<> begin_write(const Table& table);
  Result<> check_writable(const ColumnDef& column) const;
  Result<> append_insert(const Grid& grid, std::size_t row, bool default_to_null);
  Result<> check_row_key(const Grid& grid, std::size_t row) const;
  Result<> check_conflict(const Conflict& conflict, const Grid& grid, std::size_t rows) const;
  Result<> append_conditions(const Restrictions& restrictions, const KeyUse& use, bool must_exist);
  std::string key_names(std::size_t from, std::size_t to) const;
  /// Of a write: which columns the answer has. `written`: those whose values are known.
  Result<> find_returned(const std::vector<Output>& returning, const std::vector<const ColumnDef*>& written);
  void note_written(const ColumnDef& column);
  void finish_statement(bool gives_row);

  const Schema& schema_;
  const CqlOptions& options_;
  const TableDef* table_ = nullptr;
  const ColumnDef* id_column_ = nullptr;  ///< set when the statement has a resource_id
  bool matches_nothing_ = false;          ///< `in` with nothing in it
  CqlStatement statement_;
  std::vector<std::pair<const ColumnDef*, std::int32_t>> written_;  ///< column and parameter of the statement
  std::vector<const ColumnDef*> returned_;                          ///< of each key of a write's answer
  CqlPrinted out_;
};

}  // namespace athena::query
