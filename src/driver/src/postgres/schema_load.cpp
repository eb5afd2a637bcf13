#include "postgres/schema_load.h"

#include <algorithm>
#include <array>
#include <utility>

#include <athena/base/text.h>

#include "postgres/decode.h"

namespace athena::driver::postgres {
namespace {

using query::ColumnDef;
using query::TableDef;
using query::TypeClass;

/// Beyond these a catalog is not loaded: a Schema is held in memory, once for each client.
constexpr std::size_t kMaxTables = 200'000;
constexpr std::size_t kMaxColumns = 4'000'000;
constexpr std::size_t kMaxTypes = 100'000;  // of more, some have no name in answers

// Everything is spelt with pg_catalog., so that nothing in the search path can stand in for it. information_schema
// would be the portable way, and takes seconds where these take milliseconds.

constexpr std::string_view kPathQuery =
    "SELECT s.name FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS s(name, place)"
    " ORDER BY s.place";

/// Tables c in schemas n that the role may use.
constexpr std::string_view kOurTables =
    " c.relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_catalog.substr(n.nspname::pg_catalog.text, 1, 3) <> 'pg_'"
    " AND n.nspname <> 'information_schema' AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')";

/// has_triggers says that a write may change other tables than the one it names. Triggers and rules do, and so do
/// foreign keys that cascade, partitions and their parents, which share rows, and views. The last column says that a
/// read touches this table and no other: it has no policies, partitions or heirs.
constexpr std::string_view kTablesQuery =
    "SELECT c.oid, n.nspname, c.relname, c.relkind,"
    " CASE WHEN c.reltuples > 0 OR c.relpages > 0 THEN c.reltuples::pg_catalog.int8 ELSE -1 END,"
    " CASE WHEN c.reltuples > 0 AND c.relpages > 0 THEN ((c.relpages::pg_catalog.int8 +"
    " COALESCE(t.relpages, 0)) * pg_catalog.current_setting('block_size')::pg_catalog.int8 /"
    " c.reltuples)::pg_catalog.int8 ELSE 0 END,"
    " c.relkind = 'v' OR (c.relhasrules AND c.relkind IN ('r', 'p')) OR g.oid IS NOT NULL OR f.oid IS NOT NULL"
    " OR h.oid IS NOT NULL, c.relkind = 'r' AND NOT c.relrowsecurity AND h.oid IS NULL"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid"
    " LEFT JOIN (SELECT DISTINCT tgrelid AS oid FROM pg_catalog.pg_trigger WHERE NOT tgisinternal) g ON g.oid = c.oid"
    " LEFT JOIN (SELECT DISTINCT confrelid AS oid FROM pg_catalog.pg_constraint WHERE contype = 'f'"
    " AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd'))) f ON f.oid = c.oid"
    " LEFT JOIN (SELECT inhrelid AS oid FROM pg_catalog.pg_inherits UNION"
    " SELECT inhparent FROM pg_catalog.pg_inherits) h ON h.oid = c.oid WHERE";
constexpr std::string_view kTablesOrder = " ORDER BY n.nspname, c.relname";

/// A domain stands for the type at the end of its chain: that is what the wire says, too.
constexpr std::string_view kColumnsQuery =
    "WITH RECURSIVE chain(oid, base, required, has_default) AS ("
    "SELECT d.oid, d.typbasetype, d.typnotnull, d.typdefault IS NOT NULL FROM pg_catalog.pg_type d WHERE d.typtype = "
    "'d'"
    " UNION ALL SELECT chain.oid, d.typbasetype, chain.required OR d.typnotnull,"
    " chain.has_default OR d.typdefault IS NOT NULL"
    " FROM chain JOIN pg_catalog.pg_type d ON d.oid = chain.base WHERE d.typtype = 'd')"
    " SELECT a.attrelid, a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), b.oid, b.typtype,"
    " b.typcategory, a.attnotnull OR COALESCE(chain.required, false),"
    " a.atthasdef OR a.attidentity <> '' OR COALESCE(chain.has_default, false),"
    " a.attgenerated <> '' OR a.attidentity = 'a', pg_catalog.pg_get_expr(e.adbin, e.adrelid)"
    " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN chain ON chain.oid = a.atttypid AND"
    " NOT EXISTS (SELECT FROM pg_catalog.pg_type d WHERE d.oid = chain.base AND d.typtype = 'd')"
    " JOIN pg_catalog.pg_type b ON b.oid = COALESCE(chain.base, a.atttypid)"
    " LEFT JOIN pg_catalog.pg_attrdef e ON a.atthasdef AND e.adrelid = a.attrelid AND e.adnum = a.attnum"
    " WHERE a.attnum > 0 AND NOT a.attisdropped AND";
constexpr std::string_view kColumnsOrder = " ORDER BY a.attrelid, a.attnum";

/// Keys that name a row whatever else it holds: no partial, no expression, no invalid ones; no deferrable ones but the
/// primary key, since ON CONFLICT cannot use them.
constexpr std::string_view kKeysQuery =
    "SELECT i.indrelid, k.relname, i.indisprimary, i.indnkeyatts, i.indkey::pg_catalog.text"
    " FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class k ON k.oid = i.indexrelid"
    " JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL"
    " AND (i.indisprimary OR i.indimmediate) AND";
constexpr std::string_view kKeysOrder = " ORDER BY i.indrelid, k.relname";

/// What stands for itself on the wire and is not built in: enums, ranges, composite types, and the arrays of all these
/// and of domains. Not the rows of tables.
constexpr std::string_view kTypesQuery =
    "SELECT t.oid, pg_catalog.format_type(t.oid, NULL), t.typtype, t.typcategory FROM pg_catalog.pg_type t"
    " LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'"
    " LEFT JOIN pg_catalog.pg_class c ON c.oid IN (t.typrelid, e.typrelid) AND c.oid <> 0"
    " WHERE t.oid >= 16384 AND t.typtype <> 'd' AND (c.relkind IS NULL OR c.relkind = 'c')"
    " AND pg_catalog.has_schema_privilege(t.typnamespace, 'USAGE')";

/// One row for each column of a constraint, in its order; the definition comes with the first.
constexpr std::string_view kConstraintsQuery =
    "SELECT k.oid, n.nspname, c.relname, k.conname, k.contype, a.attname, fn.nspname, fc.relname, fa.attname,"
    " CASE WHEN p.place IS NULL OR p.place = 1 THEN pg_catalog.pg_get_constraintdef(k.oid) END"
    " FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN LATERAL ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey))"
    " WITH ORDINALITY AS p(attnum, fattnum, place) ON true"
    " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.attnum"
    " LEFT JOIN pg_catalog.pg_class fc ON fc.oid = k.confrelid"
    " LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = fc.relnamespace"
    " LEFT JOIN pg_catalog.pg_attribute fa ON fa.attrelid = k.confrelid AND fa.attnum = p.fattnum"
    " WHERE k.contype IN ('p', 'u', 'f', 'c') AND";
constexpr std::string_view kConstraintsOrder = " ORDER BY n.nspname, c.relname, k.conname, k.oid, p.place";

std::string joined(std::string_view query, std::string_view order) {
  return std::string(query).append(kOurTables).append(order);
}

/// The fields of a row; a null where none is expected makes the row malformed.
class Reader {
 public:
  Reader(CatalogRow row, std::size_t columns) : row_(row), good_(row.size() == columns) {}

  bool good() const noexcept { return good_; }
  std::string_view text(std::size_t column) {
    if (!good_ || !row_[column]) return good_ = false, std::string_view();
    return *row_[column];
  }
  std::string_view text_or_empty(std::size_t column) const {
    return good_ && row_[column] ? *row_[column] : std::string_view();
  }
  bool truth(std::size_t column) { return text(column) == "t"; }
  char letter(std::size_t column) {
    const std::string_view value = text(column);
    return value.empty() ? '\0' : value[0];
  }
  template <class Integer>
  Integer number(std::size_t column) {
    const auto value = text::parse_i64(text(column));
    if (!value || !std::in_range<Integer>(*value)) return good_ = false, Integer{};
    return static_cast<Integer>(*value);
  }

 private:
  CatalogRow row_;
  bool good_;
};

/// The class of a type that is not built in, by what the catalog says about it.
TypeClass class_of(std::uint32_t oid, char kind, char category) noexcept {
  const TypeClass built_in = type_class_of(oid);
  if (built_in != TypeClass::other) return built_in;
  if (kind == 'e' || category == 'S') return TypeClass::text;
  if (category == 'A') return TypeClass::array;
  return TypeClass::other;
}

}  // namespace

std::span<const std::string_view> schema_queries() noexcept {
  static const std::string tables = joined(kTablesQuery, kTablesOrder), columns = joined(kColumnsQuery, kColumnsOrder),
                           keys = joined(kKeysQuery, kKeysOrder);
  static const std::array<std::string_view, 5> queries{kPathQuery, tables, columns, keys, kTypesQuery};
  return queries;
}

void SchemaBuilder::add_row(std::size_t query, CatalogRow row) {
  static constexpr std::array kReaders{&SchemaBuilder::add_path, &SchemaBuilder::add_table, &SchemaBuilder::add_column,
                                       &SchemaBuilder::add_key, &SchemaBuilder::add_type};
  if (query >= kReaders.size() || !(this->*kReaders[query])(row)) malformed_ = true;
}

bool SchemaBuilder::add_path(CatalogRow row) {
  Reader read(row, 1);
  search_path_.emplace_back(read.text(0));
  return read.good();
}

bool SchemaBuilder::add_table(CatalogRow row) {
  Reader read(row, 8);
  const auto oid = read.number<std::uint32_t>(0);
  TableDef table;
  table.schema = read.text(1);
  table.name = read.text(2);
  const char kind = read.letter(3);
  table.kind = kind == 'v' || kind == 'm' ? query::TableKind::view : query::TableKind::table;
  table.estimated_rows = static_cast<double>(read.number<std::int64_t>(4));
  table.average_row_bytes = read.number<std::uint32_t>(5);
  table.has_triggers = read.truth(6);
  table.reads_alone = read.truth(7);
  if (!read.good()) return false;
  if (tables_.size() > kMaxTables) return true;  // finish() says so
  if (!by_oid_.emplace(oid, Place{static_cast<std::uint32_t>(tables_.size()), {}}).second) return false;
  tables_.push_back(std::move(table));
  return true;
}

bool SchemaBuilder::add_column(CatalogRow row) {
  Reader read(row, 11);
  const auto oid = read.number<std::uint32_t>(0);
  const auto attnum = read.number<std::int16_t>(1);
  ColumnDef column;
  column.name = read.text(2);
  column.type_name = read.text(3);
  column.type_oid = read.number<std::uint32_t>(4);
  const char kind = read.letter(5), category = read.letter(6);
  column.type = class_of(column.type_oid, kind, category);
  column.nullable = !read.truth(7);
  column.has_default = read.truth(8);
  column.generated = read.truth(9);
  column.default_expression = read.text_or_empty(10);
  if (!read.good()) return false;
  const auto place = by_oid_.find(oid);
  // A table that was made between the two queries comes with the next load.
  if (place == by_oid_.end() || columns_ > kMaxColumns) return true;
  if (!place->second.attnums.empty() && place->second.attnums.back() >= attnum) return false;
  ++columns_;
  place->second.attnums.push_back(attnum);
  tables_[place->second.table].columns.push_back(std::move(column));
  return true;
}

bool SchemaBuilder::add_key(CatalogRow row) {
  Reader read(row, 5);
  const auto oid = read.number<std::uint32_t>(0);
  query::UniqueKey key;
  key.name = read.text(1);
  const bool is_primary = read.truth(2);
  const auto count = read.number<std::uint16_t>(3);
  const auto numbers = text::split(read.text(4), ' ');
  if (!read.good() || count == 0 || numbers.size() < count) return false;
  const auto place = by_oid_.find(oid);
  if (place == by_oid_.end()) return true;
  for (std::size_t i = 0; i < count; ++i) {  // what follows is INCLUDEd
    const auto attnum = text::parse_i64(numbers[i]);
    if (!attnum) return false;
    const auto& attnums = place->second.attnums;
    const auto at = std::ranges::lower_bound(attnums, *attnum);
    if (at == attnums.end() || *at != *attnum) return true;  // a column made between the queries
    key.columns.push_back(static_cast<std::uint32_t>(at - attnums.begin()));
  }
  TableDef& table = tables_[place->second.table];
  if (is_primary) {
    table.primary_key = std::move(key.columns);
  } else {
    table.unique_keys.push_back(std::move(key));
  }
  return true;
}

bool SchemaBuilder::add_type(CatalogRow row) {
  Reader read(row, 4);
  query::TypeDef type;
  type.oid = read.number<std::uint32_t>(0);
  type.name = read.text(1);
  const char kind = read.letter(2), category = read.letter(3);
  type.type = class_of(type.oid, kind, category);
  if (read.good() && types_.size() < kMaxTypes) types_.push_back(std::move(type));
  return read.good();
}

Result<std::shared_ptr<const query::Schema>> SchemaBuilder::finish() {
  if (malformed_) {
    return fail(
        Error(Code::internal_error, "The database's catalog could not be read").logged("malformed catalog row"));
  }
  if (tables_.size() > kMaxTables || columns_ > kMaxColumns) {
    return fail(Code::limit_exceeded, "The database has more tables or columns than can be served");
  }
  by_oid_.clear();
  return std::make_shared<const query::Schema>(std::move(tables_), std::move(search_path_), std::move(types_));
}

std::string_view constraints_query() noexcept {
  static const std::string query = joined(kConstraintsQuery, kConstraintsOrder);
  return query;
}

void ConstraintsBuilder::add_row(CatalogRow row) {
  Reader read(row, 10);
  const std::string_view oid = read.text(0), schema = read.text(1), table = read.text(2), name = read.text(3);
  const char type = read.letter(4);
  if (!read.good()) return;
  if (constraints_.empty() || last_oid_ != oid) {
    ConstraintInfo constraint;
    constraint.schema = schema;
    constraint.table = table;
    constraint.name = name;
    constraint.type = type == 'p' ? "PRIMARY KEY" : type == 'u' ? "UNIQUE" : type == 'f' ? "FOREIGN KEY" : "CHECK";
    constraint.foreign_schema = read.text_or_empty(6);
    constraint.foreign_table = read.text_or_empty(7);
    constraint.definition = read.text_or_empty(9);
    constraints_.push_back(std::move(constraint));
    last_oid_ = oid;
  }
  ConstraintInfo& constraint = constraints_.back();
  if (const auto column = read.text_or_empty(5); !column.empty()) constraint.columns.emplace_back(column);
  if (const auto column = read.text_or_empty(8); !column.empty()) constraint.foreign_columns.emplace_back(column);
}

std::vector<ConstraintInfo> ConstraintsBuilder::finish() {
  return std::move(constraints_);
}

}  // namespace athena::driver::postgres
