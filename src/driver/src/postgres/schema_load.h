#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <athena/base/result.h>
#include <athena/driver/backend.h>
#include <athena/query/schema.h>

namespace athena::driver::postgres {

/// One row of a catalog query, in text format; no value: null.
using CatalogRow = std::span<const std::optional<std::string_view>>;

/// The queries whose rows make a Schema, to be run in this order, best in one read-only REPEATABLE READ transaction:
/// the search path, the tables, their columns, their keys, the types. They take no parameters.
std::span<const std::string_view> schema_queries() noexcept;

/// Makes a Schema of the rows of schema_queries(). Linear in their number, so it copes with ten thousand tables.
class SchemaBuilder {
 public:
  /// `query` is the index of the query that gave the row. A row that does not fit its query is reported by finish().
  void add_row(std::size_t query, CatalogRow row);
  /// Errors: internal_error for rows that do not fit; limit_exceeded for a catalog beyond any reason.
  Result<std::shared_ptr<const query::Schema>> finish();

 private:
  struct Place {
    std::uint32_t table;
    std::vector<std::int16_t> attnums;  ///< of the table's columns: dropped columns leave gaps
  };
  bool add_path(CatalogRow row);
  bool add_table(CatalogRow row);
  bool add_column(CatalogRow row);
  bool add_key(CatalogRow row);
  bool add_type(CatalogRow row);

  std::vector<std::string> search_path_;
  std::vector<query::TableDef> tables_;
  std::vector<query::TypeDef> types_;
  std::unordered_map<std::uint32_t, Place> by_oid_;
  std::size_t columns_ = 0;
  bool malformed_ = false;
};

/// The query whose rows make the list of constraints.
std::string_view constraints_query() noexcept;

/// Makes ConstraintInfos of the rows of constraints_query().
class ConstraintsBuilder {
 public:
  /// A row of another shape is passed over.
  void add_row(CatalogRow row);
  std::vector<ConstraintInfo> finish();

 private:
  std::vector<ConstraintInfo> constraints_;
  std::string last_oid_;
};

}  // namespace athena::driver::postgres
