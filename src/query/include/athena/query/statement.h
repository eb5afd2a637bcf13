#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <athena/query/operators.h>

namespace athena::query {

/// A number as the caller wrote it: digits are never rounded on the way.
struct Number {
  std::string digits;
  bool operator==(const Number&) const = default;
};
/// An array or object as the caller wrote it.
struct JsonText {
  std::string text;
  bool operator==(const JsonText&) const = default;
};
/// A value of the caller: always a parameter, never a part of a statement's text.
using Scalar = std::variant<std::monostate, bool, Number, std::string, JsonText>;

/// `column->a->>b`: a column and a path into its JSON.
struct Column {
  struct Step {
    std::string key;
    bool is_index = false;  ///< `->0`: an element of an array
    bool operator==(const Step&) const = default;
  };
  std::string name;
  std::vector<Step> path;
  bool path_as_text = false;  ///< the last arrow was `->>`
  bool operator==(const Column&) const = default;
};

/// One column of the answer. `alias` is the key in the row; empty: the name as the caller wrote it, or for a path its
/// last key that is not an index. A column named `*` stands for all of the table's.
struct Output {
  Column column;
  std::string alias;
  std::string cast;  ///< `column::type`; a type name from the printer's list, empty: none
  bool operator==(const Output&) const = default;
};

struct Table {
  std::string schema;  ///< empty: by the search path
  std::string name;
  bool operator==(const Table&) const = default;
};

/// `column op operands`. The operator table says how many operands there are.
struct Predicate {
  Column column;
  Op op = Op::eq;
  bool negated = false;
  std::vector<Scalar> operands;
  bool operator==(const Predicate&) const = default;
};

struct Filter {
  enum class Join : std::uint8_t { all_of, any_of };
  Join join = Join::all_of;
  bool negated = false;
  std::vector<std::variant<Predicate, Filter>> terms;  ///< none: all_of is true, any_of is false
  bool empty() const noexcept { return terms.empty(); }
  bool operator==(const Filter&) const = default;
};

struct OrderBy {
  Column column;
  bool descending = false;
  enum class Nulls : std::uint8_t { by_default, first, last } nulls = Nulls::by_default;
  bool operator==(const OrderBy&) const = default;
};

enum class Count : std::uint8_t { none, exact, planned, estimated };

struct Select {
  Table from;
  std::vector<Output> columns;  ///< empty: all, in the table's order
  Filter where;
  std::vector<OrderBy> order;
  std::optional<std::uint64_t> limit;
  std::uint64_t offset = 0;
  bool stable_pages = false;  ///< order by the primary key when no order is given
  /// CQL: the filter may read more rows than it gives. Elsewhere every filter may, and this changes nothing.
  bool allow_filtering = false;
  /// Pages by cursor (contract 3.6): empty asks for one, a text goes on where the `next_cursor` that it was ended.
  std::optional<std::string> cursor;
  bool operator==(const Select&) const = default;
};

/// A row to write: column and value, in the caller's order.
using Row = std::vector<std::pair<std::string, Scalar>>;

struct Conflict {
  std::vector<std::string> target;  ///< empty: to be found by the rules of contract 3.3
  bool do_nothing = false;
  std::optional<Row> set;  ///< none: all inserted columns
};

struct Insert {
  Table into;
  std::vector<Row> rows;         ///< at least one; keys may differ from row to row
  bool default_to_null = false;  ///< missing keys become null instead of the column's default
  std::optional<Conflict> on_conflict;
  std::vector<Output> returning;  ///< empty: all
};

struct Update {
  Table table;
  Row set;
  Filter where;
  std::optional<Scalar> resource_id;  ///< AND the table's id column equals it
  std::string id_column;              ///< from table_id_map.yaml; empty: the single-column primary key
  std::vector<Output> returning;
  std::vector<OrderBy> order;  ///< of the returned rows
  std::optional<std::uint64_t> max_affected;
  bool must_exist = false;  ///< CQL: the row is looked for first; elsewhere an update makes none
};

struct Delete {
  Table from;
  Filter where;
  std::optional<Scalar> resource_id;
  std::string id_column;  ///< from table_id_map.yaml; empty: the single-column primary key
  std::vector<Output> returning;
  std::optional<std::uint64_t> max_affected;
  bool must_exist = false;  ///< CQL: the row is looked for first; elsewhere a delete always does
};

using Statement = std::variant<Select, Insert, Update, Delete>;

/// What many requests have in common: a Select whose conditions must all hold, each of them the equality of a column
/// with one value. Which values is left open: those in `select` only say of what kind they are, Number or text.
struct SelectTemplate {
  Select select;
  /// The statement; `operands`: one for each condition.
  Select with(std::span<const Scalar> operands) const;
};
/// A Select that is asked often. `of` is the same object each time, so that what was made of it can be kept.
struct Recurring {
  std::shared_ptr<const SelectTemplate> of;
  std::vector<Scalar> operands;
};

/// The table that a statement is about.
const Table& target(const Statement& statement) noexcept;

}  // namespace athena::query
