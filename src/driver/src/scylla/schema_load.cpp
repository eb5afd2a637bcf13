#include "scylla/schema_load.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include <athena/base/json.h>
#include <athena/base/text.h>

namespace athena::driver::scylla {
namespace {

enum Query : std::size_t { kKeyspaces, kTypes, kTables, kViews, kColumns, kIndexes };

constexpr std::string_view kQueries[] = {
    "SELECT keyspace_name, replication FROM system_schema.keyspaces",
    "SELECT keyspace_name, type_name, field_names, field_types FROM system_schema.types",
    "SELECT keyspace_name, table_name FROM system_schema.tables",
    "SELECT keyspace_name, view_name FROM system_schema.views",
    "SELECT keyspace_name, table_name, column_name, kind, position, type, clustering_order FROM system_schema.columns",
    "SELECT keyspace_name, table_name, kind, options FROM system_schema.indexes",
};
constexpr std::size_t kCells[] = {2, 4, 2, 2, 7, 4};

constexpr std::size_t kMaxRows = 2'000'000;
constexpr std::size_t kMaxTypesWithinTypes = kMaxTypeDepth;

using Pairs = std::vector<std::pair<std::string, std::string>>;

bool is_system(std::string_view keyspace) noexcept {
  return keyspace == "system" || keyspace.starts_with("system_") || keyspace == "dse_system";
}

/// A map of texts, or none if it is something else.
std::optional<Pairs> read_map(std::string_view json) {
  const auto document = json::Document::parse(json);
  if (!document || !document->root().is_object()) return std::nullopt;
  Pairs pairs;
  const json::Value root = document->root();
  for (auto member = root.begin(), end = root.end(); member != end; ++member) {
    const json::Value value = *member;
    if (!value.is_string()) return std::nullopt;
    pairs.emplace_back(std::string(member.key()), std::string(value.as_string()));
  }
  return pairs;
}

std::optional<std::vector<std::string>> read_list(std::string_view json) {
  const auto document = json::Document::parse(json);
  if (!document || !document->root().is_array()) return std::nullopt;
  std::vector<std::string> texts;
  for (const json::Value value : document->root()) {
    if (!value.is_string()) return std::nullopt;
    texts.emplace_back(value.as_string());
  }
  return texts;
}

std::string_view option(const Pairs& options, std::string_view name) noexcept {
  const auto found = std::ranges::find(options, name, &Pairs::value_type::first);
  return found == options.end() ? std::string_view() : std::string_view(found->second);
}

struct Column {
  std::string name, kind, type, order;
  std::uint64_t position = 0;
  /// The order in which CQL itself shows a table's columns.
  std::tuple<int, std::uint64_t, std::string_view> rank() const noexcept {
    const int group = kind == "partition_key" ? 0 : kind == "clustering" ? 1 : kind == "static" ? 2 : 3;
    return {group, group < 2 ? position : 0, name};
  }
};

/// What an index is on: `name`, `"Name"`, `values(name)`, `keys(name)`, `entries(name)`, `full(name)`.
struct IndexTarget {
  std::string form, column;
};
IndexTarget read_target(std::string_view target) {
  IndexTarget read;
  for (const std::string_view form : {"values", "keys", "entries", "full"}) {
    if (target.size() < form.size() + 2 || !target.starts_with(form) || target[form.size()] != '(') continue;
    if (!target.ends_with(')')) continue;
    read.form = form;
    target = target.substr(form.size() + 1, target.size() - form.size() - 2);
    break;
  }
  if (target.size() < 2 || !target.starts_with('"') || !target.ends_with('"')) {
    read.column = target;
    return read;
  }
  target = target.substr(1, target.size() - 2);
  for (std::size_t i = 0; i < target.size(); ++i) {
    read.column += target[i];
    if (target[i] == '"') ++i;  // doubled
  }
  return read;
}

/// An index that folds case or cuts words would find more than was asked for.
bool compares_as_written(const Pairs& options) noexcept {
  const auto is_on = [&](std::string_view name) { return text::iequals(option(options, name), "true"); };
  const std::string_view analyzer = option(options, "analyzer_class");
  const bool cuts_words = !analyzer.empty() && !analyzer.ends_with("NonTokenizingAnalyzer");
  return !cuts_words && (!is_on("analyzed") || !analyzer.empty()) &&
         !text::iequals(option(options, "case_sensitive"), "false") && !is_on("normalize") && !is_on("ascii") &&
         !is_on("normalize_lowercase") && !is_on("normalize_uppercase") && option(options, "index_analyzer").empty();
}

bool is_ordered(query::TypeClass type) noexcept {
  using enum query::TypeClass;
  return type == integer || type == real || type == decimal || type == timestamptz || type == date || type == time;
}

query::IndexUses uses_of(const Pairs& options, const IndexTarget& target, const query::ColumnDef& column) {
  const std::string_view class_name = option(options, "class_name");
  const bool sasi = class_name.ends_with("SASIIndex");
  const bool sai = class_name.ends_with("StorageAttachedIndex") || text::iequals(class_name, "sai");
  query::IndexUses uses;
  if (!class_name.empty() && !sasi && !sai) return uses;  // some other custom index: nothing is known about it
  if (!compares_as_written(options)) return uses;
  uses.combines = sai;
  uses.values = target.form == "values";
  uses.keys = target.form == "keys";
  uses.entries = target.form == "entries";
  const bool is_vector = column.type_name.starts_with("vector<");
  uses.equal = (target.form.empty() || target.form == "full") && !is_vector;
  const std::string mode = text::to_lower(option(options, "mode"));
  const bool contains = mode == "contains";
  uses.range = uses.equal && ((sai && is_ordered(column.type)) || (sasi && !contains));
  const bool is_text = column.type == query::TypeClass::text;
  uses.prefix = sasi && is_text && mode != "sparse";
  uses.like = sasi && is_text && contains;
  return uses;
}

/// Several indexes on one column: what any of them can do.
void merge(query::IndexUses& into, const query::IndexUses& more) noexcept {
  const bool had_one = into != query::IndexUses();
  into.combines = had_one ? into.combines && more.combines : more.combines;
  into.equal |= more.equal;
  into.range |= more.range;
  into.prefix |= more.prefix;
  into.like |= more.like;
  into.values |= more.values;
  into.keys |= more.keys;
  into.entries |= more.entries;
}

}  // namespace

struct PictureBuilder::Rows {
  using Name = std::pair<std::string, std::string>;  ///< keyspace and table or type
  struct Type {
    std::vector<std::string> names, types;
  };
  struct Index {
    Name table;
    Pairs options;
  };

  std::string keyspace;
  std::map<std::string, Replication, std::less<>> replication;
  std::map<Name, Type> types;
  std::map<Name, query::TableKind> tables;
  std::map<Name, std::vector<Column>> columns;
  std::vector<Index> indexes;
  std::size_t count = 0;
  bool malformed = false;

  bool add(std::size_t query, SystemRow row);
  bool add_column(SystemRow row);
  const CqlType* build_type(Picture& picture, const Name& name, std::size_t depth) const;
  query::TableDef table(const Picture& picture, const Name& name, query::TableKind kind) const;
};

bool PictureBuilder::Rows::add(std::size_t query, SystemRow row) {
  if (query >= std::size(kCells) || row.size() != kCells[query] || !row[0] || !row[1]) return false;
  Name name{*row[0], *row[1]};
  switch (query) {
    case kKeyspaces: {
      const auto options = read_map(*row[1]);
      if (options) replication.insert_or_assign(std::move(name.first), read_replication(*options));
      return options.has_value();
    }
    case kTypes: {
      auto names = row[2] ? read_list(*row[2]) : std::nullopt;
      auto field_types = row[3] ? read_list(*row[3]) : std::nullopt;
      if (!names || !field_types || names->size() != field_types->size()) return false;
      types.insert_or_assign(std::move(name), Type{*std::move(names), *std::move(field_types)});
      return true;
    }
    case kTables:
    case kViews:
      if (!is_system(name.first))
        tables.insert_or_assign(std::move(name), query == kViews ? query::TableKind::view : query::TableKind::table);
      return true;
    case kColumns:
      return add_column(row);
    default: {
      auto options = row[3] ? read_map(*row[3]) : Pairs();
      if (options) indexes.push_back({std::move(name), *std::move(options)});
      return options.has_value();
    }
  }
}

bool PictureBuilder::Rows::add_column(SystemRow row) {
  if (std::ranges::any_of(row, [](const SystemCell& cell) { return !cell; })) return false;
  if (is_system(*row[0])) return true;
  Column column{.name = std::string(*row[2]),
                .kind = std::string(*row[3]),
                .type = std::string(*row[5]),
                .order = text::to_lower(*row[6])};
  const auto position = text::parse_i64(*row[4]);  // -1 for columns that are not of the key
  if (!position) return false;
  column.position = *position < 0 ? 0 : static_cast<std::uint64_t>(*position);
  columns[{std::string(*row[0]), std::string(*row[1])}].push_back(std::move(column));
  return true;
}

/// A type's fields may be of types that come later, so they are built when they are first met.
const CqlType* PictureBuilder::Rows::build_type(Picture& picture, const Name& name, std::size_t depth) const {
  if (const auto found = picture.types.find(name); found != picture.types.end()) return &found->second;
  const auto rows = types.find(name);
  if (rows == types.end() || depth > kMaxTypesWithinTypes) return nullptr;
  CqlType type{.kind = CqlKind::udt, .keyspace = name.first, .name = name.second};
  type.fields = rows->second.names;
  const UdtLookup lookup = [&](std::string_view inner) {
    return build_type(picture, {name.first, std::string(inner)}, depth + 1);
  };
  for (const std::string& field : rows->second.types) {
    auto parsed = parse_cql_type(field, lookup);
    if (!parsed) return nullptr;
    type.elements.push_back(*std::move(parsed));
  }
  return &picture.types.try_emplace(name, std::move(type)).first->second;
}

query::TableDef PictureBuilder::Rows::table(const Picture& picture, const Name& name, query::TableKind kind) const {
  query::TableDef table;
  table.schema = name.first;
  table.name = name.second;
  table.kind = kind;
  const auto found = columns.find(name);
  if (found == columns.end()) return table;
  std::vector<const Column*> ordered;
  for (const Column& column : found->second) ordered.push_back(&column);
  std::ranges::sort(ordered, {}, &Column::rank);
  for (const Column* column : ordered) {
    query::ColumnDef& def = table.columns.emplace_back();
    def.name = column->name;
    def.type_name = column->type;
    const auto type = picture.type(name.first, column->type);
    def.type = type ? type_class(*type) : query::TypeClass::other;
    def.is_static = column->kind == "static";
    def.descending = column->order == "desc";
    const bool partition = column->kind == "partition_key";
    if (!partition && column->kind != "clustering") continue;
    def.nullable = false;
    table.primary_key.push_back(static_cast<std::uint32_t>(table.columns.size() - 1));
    if (partition) ++table.partition_columns;
  }
  return table;
}

std::span<const std::string_view> schema_queries() noexcept {
  return kQueries;
}

Result<CqlType> Picture::type(std::string_view keyspace, std::string_view type_name) const {
  return parse_cql_type(type_name, [&](std::string_view name) -> const CqlType* {
    const auto found = types.find(std::pair(std::string(keyspace), std::string(name)));
    return found == types.end() ? nullptr : &found->second;
  });
}

PictureBuilder::PictureBuilder(std::string keyspace) : rows_(std::make_unique<Rows>()) {
  rows_->keyspace = std::move(keyspace);
}
PictureBuilder::~PictureBuilder() = default;

void PictureBuilder::add_row(std::size_t query, SystemRow row) {
  if (++rows_->count > kMaxRows) return;
  if (!rows_->add(query, row)) rows_->malformed = true;
}

Result<Picture> PictureBuilder::finish() {
  if (rows_->count > kMaxRows) {
    return fail(Code::limit_exceeded, "The database has more than " + std::to_string(kMaxRows) + " tables and columns");
  }
  if (rows_->malformed) {
    return fail(Error(Code::internal_error, "The database describes its tables in a way that cannot be read")
                    .logged("a row of system_schema does not fit its query"));
  }
  Picture picture;
  picture.replication = std::move(rows_->replication);
  for (const auto& [name, type] : rows_->types) rows_->build_type(picture, name, 0);
  std::map<Rows::Name, std::size_t> places;
  std::vector<query::TableDef> tables;
  for (const auto& [name, kind] : rows_->tables) {
    places.emplace(name, tables.size());
    tables.push_back(rows_->table(picture, name, kind));
  }
  for (const Rows::Index& index : rows_->indexes) {
    const auto place = places.find(index.table);
    if (place == places.end()) continue;
    const IndexTarget target = read_target(option(index.options, "target"));
    auto& columns = tables[place->second].columns;
    const auto column = std::ranges::find(columns, target.column, &query::ColumnDef::name);
    if (column != columns.end()) merge(column->index, uses_of(index.options, target, *column));
  }
  std::vector<std::string> search_path;
  if (!rows_->keyspace.empty()) search_path.push_back(rows_->keyspace);
  picture.schema = std::make_shared<const query::Schema>(std::move(tables), std::move(search_path));
  return picture;
}

std::vector<ConstraintInfo> constraints_of(const query::Schema& schema) {
  std::vector<ConstraintInfo> constraints;
  for (const query::TableDef& table : schema.tables()) {
    if (table.primary_key.empty()) continue;
    ConstraintInfo& key = constraints.emplace_back();
    key.schema = table.schema;
    key.table = table.name;
    key.name = table.name + "_pkey";
    key.type = "PRIMARY KEY";
    // As CREATE TABLE spells it: the partition key in brackets of its own.
    key.definition = "PRIMARY KEY ((";
    for (std::size_t i = 0; i < table.primary_key.size(); ++i) {
      const std::string& name = table.columns[table.primary_key[i]].name;
      key.columns.push_back(name);
      if (i > 0) key.definition += ", ";
      key.definition += name;
      if (i + 1 == table.partition_columns) key.definition += ')';
    }
    key.definition += ')';
  }
  return constraints;
}

}  // namespace athena::driver::scylla
