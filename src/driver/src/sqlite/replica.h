#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/result.h>
#include <athena/driver/backend.h>
#include <athena/query/schema.h>

#include "sqlite/native.h"

namespace athena::driver::sqlite {

/// One row of sqlite_schema.
struct SchemaRow {
  std::string type, name, sql;
};

/// The tables of an SQLite that is elsewhere, made again in memory and left empty: so SQLite's own compiler tells what
/// they are and what a text would do with them, here as for a file. Thread-safe; immutable once it is built.
///
/// The other SQLite may be newer. What of it this one cannot read is left out of the replica and counted.
class Replica {
 public:
  /// Rows in any order. SQLite's own tables, and Cloudflare's (_cf_…), are left out. Errors: limit_exceeded,
  /// database_error.
  static Result<std::shared_ptr<Replica>> build(std::vector<SchemaRow> rows);

  const std::shared_ptr<const query::Schema>& schema() const noexcept { return schema_; }
  const std::vector<ConstraintInfo>& constraints() const noexcept { return constraints_; }
  /// Names of what could not be read.
  const std::vector<std::string>& left_out() const noexcept { return left_out_; }

  /// See describe_text().
  Result<Description> describe(const std::string& text, bool read_only) const;

 private:
  Replica() = default;
  void create(std::vector<SchemaRow> rows);

  mutable std::mutex mutex_;  ///< a connection is for one thread at a time
  std::unique_ptr<Connection> connection_;
  std::shared_ptr<const query::Schema> schema_;
  std::vector<ConstraintInfo> constraints_;
  std::vector<std::string> left_out_;
};

}  // namespace athena::driver::sqlite
