#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <athena/query/print.h>

#include "print_value.h"
#include "write_grid.h"

namespace athena::query {

inline constexpr std::size_t kMaxD1Params = 100;

/// Prints one statement. SQL and parameters grow side by side; placeholders are numbered, so that an expression can be
/// written twice with one parameter. The parts stand in print_sql.cpp, print_columns.cpp, print_where.cpp and
/// print_write.cpp.
class Printer {
 public:
  Printer(const Schema& schema, const PrintOptions& options) : schema_(schema), options_(options) {}

  Result<Printed> print(const Select& select);
  Result<Printed> print(const Insert& insert);
  Result<Printed> print(const Update& update);
  Result<Printed> print(const Delete& del);
  Result<Printed> print_count(const Select& select);

 private:
  /// A column or a path into one, as SQL, and what it gives.
  struct Expression {
    const ColumnDef* column = nullptr;
    TypeClass type = TypeClass::other;
    bool is_path = false;
    std::string_view plain;  ///< what the schema has ready for a column; empty: `made` is the expression
    std::string made;
    std::string_view sql() const noexcept { return plain.empty() ? std::string_view(made) : plain; }
    ValueType value_type() const noexcept { return {type, column->name, is_path && type == TypeClass::json}; }
  };

  enum class Place : std::uint8_t { comparison, answer };

  bool is_postgres() const noexcept { return options_.flavor == Flavor::postgres; }
  bool is_d1() const noexcept { return options_.flavor == Flavor::d1; }
  std::string& sql() noexcept { return out_.sql; }

  // print_sql.cpp
  Result<> begin(const Table& table);
  Result<Printed> finish();
  void append_table();
  void append_number(std::uint64_t number);
  void append_param(std::string& to, Param param);
  void append_param(Param param) { append_param(out_.sql, std::move(param)); }
  /// The placeholder, made a blob where SQLite would compare or keep text, and an integer where D1 would make a double.
  void append_typed(Param param, TypeClass type);
  void append_order_nulls(const OrderBy& by, bool nullable);
  Result<> append_order(const std::vector<OrderBy>& order);
  void append_key_order();

  // print_columns.cpp
  ColumnNames names() const noexcept { return {*table_, options_.names, id_column_}; }
  void append_column(std::string& to, const ColumnDef& column) const;
  Result<Expression> expression(const Column& column, Place place = Place::comparison);
  Result<std::string> postgres_path(const Column& column, const ColumnDef& def);
  Result<std::string> sqlite_path(const Column& column, const ColumnDef& def, Place place);
  void append_compared(const Expression& column);
  void append_as_text(const Expression& column);
  /// RETURNING and its list.
  Result<> append_returning(const std::vector<Output>& outputs);
  Result<> append_outputs(const std::vector<Output>& outputs);
  Result<> append_output(const Output& output);
  /// One column of the answer, once its key is known. D1: as a value that JavaScript does not round, with a name of
  /// ours.
  void append_answer(std::string_view expression, TypeClass type);
  void append_all_columns();

  // print_where.cpp
  Result<> append_where(const Filter& where, const std::optional<Scalar>& resource_id);
  Result<> append_filter(const Filter& filter);
  Result<> append_term(const std::variant<Predicate, Filter>& term);
  Result<> append_predicate(const Predicate& predicate);
  Result<> append_list_predicate(const Predicate& predicate, const Expression& column);
  Result<std::string_view> word_of(const Predicate& predicate, const Expression& column) const;
  Result<> append_null_predicate(const Predicate& predicate, const Expression& column);
  Result<Param> operand(const Predicate& predicate, std::size_t index, const Expression& column) const;
  Result<std::string_view> spelling(const OpRow& row) const;
  Result<> append_template(const Predicate& predicate, const Expression& column);

  // print_write.cpp
  Result<> append_stored(const ColumnDef& column, const Scalar& value);
  void append_column_list(const Grid& grid);
  Result<> append_values(const Grid& grid, bool default_to_null);
  Result<> append_rows_as_json(const Grid& grid, bool default_to_null);
  Result<> append_missing(const ColumnDef& column, bool default_to_null);
  Result<> append_conflict(const Conflict& conflict, const Grid& grid);
  Result<> append_assignments(const Assignments& assignments);
  void append_at_most(std::size_t where_begin, const std::optional<std::uint64_t>& max_affected);

  const Schema& schema_;
  const PrintOptions& options_;
  const TableDef* table_ = nullptr;
  std::string qualifier_ = "t.";
  const ColumnDef* id_column_ = nullptr;  ///< set when the statement has a resource_id
  Printed out_;
};

}  // namespace athena::query
