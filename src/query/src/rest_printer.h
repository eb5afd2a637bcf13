#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <athena/query/print_rest.h>

#include "print_value.h"
#include "write_grid.h"

namespace athena::query {

/// A name as PostgREST reads one: bare where that is safe, else between double quotes.
void append_rest_name(std::string& to, std::string_view name);
/// A value within a list or a logical expression: bare where that is safe, else between double quotes.
void append_rest_value(std::string& to, std::string_view value);

/// Prints one statement as a request. The parts stand in print_rest.cpp, print_rest_where.cpp and print_rest_write.cpp.
class RestPrinter {
 public:
  RestPrinter(const Schema& schema, const RestOptions& options) : schema_(schema), options_(options) {}

  Result<RestRequest> print(const Select& select);
  Result<RestRequest> print(const Insert& insert);
  Result<RestRequest> print(const Update& update);
  Result<RestRequest> print(const Delete& del);
  Result<RestRequest> print_count(const Select& select, Count kind);

 private:
  /// A column or a path into one, as PostgREST writes it, and what it gives.
  struct Field {
    const ColumnDef* column = nullptr;
    TypeClass type = TypeClass::other;
    bool is_path = false;
    std::string text;
    ValueType value_type() const noexcept { return {type, column->name, is_path && type == TypeClass::json}; }
  };
  /// `eq.5`, of a field.
  struct Test {
    std::string op;  ///< "not.eq."
    std::string value;
    bool is_finished = false;  ///< a list or a word: nothing is to be quoted in it
  };
  /// What a predicate comes to: one test, or several that are joined.
  struct Tests {
    Filter::Join join = Filter::Join::all_of;
    bool negated = false;
    bool only_logic = false;  ///< see tests_of()
    std::vector<Test> tests;
  };

  // print_rest.cpp
  Result<> begin(const Table& table, std::string_view method);
  ColumnNames names() const noexcept { return {*table_, options_.names, id_column_}; }
  void add(std::string name, std::string value) { out_.query.emplace_back(std::move(name), std::move(value)); }
  Result<Field> field(const Column& column) const;
  Result<> add_select(const std::vector<Output>& outputs, bool is_read);
  Result<> append_output(std::string& list, const Output& output);
  void add_key(std::string key, TypeClass type);
  Result<> add_order(const std::vector<OrderBy>& order, bool by_key);

  // print_rest_where.cpp
  Result<> add_where(const Filter& where, const std::optional<Scalar>& resource_id);
  Result<> add_term(const Predicate& predicate);
  Result<> add_term(const Filter& filter);
  Result<> append_logic(std::string& text, const Predicate& predicate) const;
  Result<> append_logic(std::string& text, const Filter& filter) const;
  void append_constant(std::string& text, bool truth) const;
  void append_tests(std::string& text, const Field& column, const Tests& tests) const;
  Result<Tests> tests_of(const Predicate& predicate, const Field& column) const;
  Result<Tests> list_tests(const Predicate& predicate, const Field& column) const;
  Result<Test> test_of(const Predicate& predicate, const Field& column) const;
  Result<Test> pattern_test(const Predicate& predicate) const;

  // print_rest_write.cpp
  Result<> add_rows(const Insert& insert, const Grid& grid, std::string& prefer);
  Result<> add_conflict(const Conflict& conflict, const Grid& grid, std::string& prefer);
  void prefer(std::string text, std::optional<std::uint64_t> max_affected = std::nullopt);

  const Schema& schema_;
  const RestOptions& options_;
  const TableDef* table_ = nullptr;
  const ColumnDef* id_column_ = nullptr;
  RestRequest out_;
};

/// A value as JSON for a body. Errors: invalid_encoding, invalid_value (JSON that is none).
Result<> append_rest_json(std::string& body, const Scalar& value, const ColumnDef* column);

}  // namespace athena::query
