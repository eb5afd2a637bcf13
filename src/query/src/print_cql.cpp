#include <athena/query/print_cql.h>

#include <algorithm>
#include <limits>

#include <athena/query/print.h>

#include "cql_printer.h"
#include "outputs.h"
#include "words.h"

namespace athena::query {
namespace {

constexpr std::uint64_t kMaxLimit = std::numeric_limits<std::int32_t>::max();  // LIMIT is an int

}  // namespace

Result<CqlPrinted> to_cql(const Statement& statement, const Schema& schema, const CqlOptions& options) {
  CqlPrinter printer(schema, options);
  return std::visit([&printer](const auto& kind) { return printer.print(kind); }, statement);
}

Result<CqlPrinted> to_count_cql(const Select& select, const Schema& schema, const CqlOptions& options) {
  return CqlPrinter(schema, options).print_count(select);
}

bool CqlPrinter::is_key(const ColumnDef& column) const noexcept {
  return std::ranges::find(table_->primary_key, names().index_of(column)) != table_->primary_key.end();
}

Result<> CqlPrinter::begin(const Table& table) {
  table_ = schema_.find(table.schema, table.name, options_.names);
  if (!table_) return fail(schema_.undefined_table(table.schema, table.name));
  out_.table = table_;
  return {};
}

CqlPrinted CqlPrinter::finish() {
  if (matches_nothing_) out_.statements.clear();
  return std::move(out_);
}

void CqlPrinter::append_table() {
  append_identifier(cql(), table_->schema);
  cql() += '.';
  append_identifier(cql(), table_->name);
}

void CqlPrinter::append_param(Scalar value, const ColumnDef& column) {
  statement_.params.push_back({std::move(value), column.name});
}

/// A column as it is: CQL's casts and elements of collections are not those of the statement language.
Result<const ColumnDef*> CqlPrinter::output_column(const Output& output) const {
  ATHENA_TRY(const ColumnDef* column, names().find(output.column.name));
  if (!output.column.path.empty()) {
    return fail(Error(Code::feature_not_supported, "On scylla no path leads into column " + quoted(column->name),
                      "Ask for the whole column")
                    .with("column", column->name));
  }
  if (output.cast.empty()) return column;
  return fail(Code::feature_not_supported, "There is no cast to " + quoted(output.cast) + " on scylla",
              "Ask for the column as it is");
}

Result<> CqlPrinter::append_outputs(const std::vector<Output>& outputs) {
  bool first = true;
  const auto append = [&](const ColumnDef& column, std::string key) {
    if (!first) cql() += ", ";
    first = false;
    append_identifier(cql(), column.name);
    out_.keys.push_back(std::move(key));
    out_.types.push_back(column.type);
  };
  const auto append_all = [&] {
    for (const ColumnDef& column : table_->columns) append(column, column.name);
  };
  if (outputs.empty()) append_all();
  for (const Output& output : outputs) {
    if (is_star(output, *table_, options_.names)) {
      append_all();
    } else {
      ATHENA_TRY(const ColumnDef* column, output_column(output));
      append(*column, key_of(output));
    }
  }
  return check_keys(out_.keys, *table_);
}

/// WHERE, ORDER BY, LIMIT and ALLOW FILTERING, as far as they are served.
Result<> CqlPrinter::append_filter(const Select& select, KeyUse& use) {
  ATHENA_TRY(Restrictions restrictions, restrictions_of(select.where, std::nullopt));
  use = use_key(restrictions);
  const auto served = check_indexes(restrictions, use);
  if (!served && (!select.allow_filtering || std::ranges::any_of(restrictions, [](const Restriction& r) {
        return is_pattern(operator_row(r.predicate.op).form);
      }))) {
    return served;
  }
  ATHENA_TRY_VOID(append_where(restrictions, false));
  ATHENA_TRY_VOID(append_order(select, use, restrictions));
  ATHENA_TRY_VOID(append_limit(select));
  if (!served) cql() += " ALLOW FILTERING";
  return {};
}

/// Rows of one partition come by their clustering columns, as these were declared or the other way round. Columns that
/// the filter makes constant stand in no one's way.
Result<> CqlPrinter::append_order(const Select& select, const KeyUse& use, const Restrictions& restrictions) {
  const auto is_constant = [&](const ColumnDef& column) {
    const Restriction* found = find(restrictions, column, true);
    return found && found->predicate.op == Op::eq;
  };
  std::size_t next = table_->partition_columns;
  std::optional<bool> reversed;
  for (const OrderBy& by : select.order) {
    ATHENA_TRY(const ColumnDef* column, output_column({.column = by.column, .alias = {}, .cast = {}}));
    if (use.one_row || is_constant(*column)) continue;
    if (!use.one_partition) {
      return fail(Code::feature_not_supported,
                  "On scylla rows are in an order only within one partition of table " + quoted(table_->name),
                  "Add conditions by eq on " + key_names(0, table_->partition_columns) + ", or leave the sort out");
    }
    if (std::ranges::any_of(restrictions,
                            [](const Restriction& r) { return !r.used && r.column->index != IndexUses(); }))
      return fail(Code::feature_not_supported, "On scylla rows that an index finds come in no order",
                  "Leave the sort out");
    const std::size_t end = table_->primary_key.size();
    if (next == end) break;  // what follows a whole key decides nothing
    while (next < end && &key_column(next) != column && is_constant(key_column(next))) ++next;
    const bool in_turn = next < end && &key_column(next) == column;
    const bool turned = by.descending != column->descending;
    if (!in_turn || reversed.value_or(turned) != turned) {
      return fail(Error(Code::feature_not_supported,
                        in_turn ? "On scylla a sort turns all clustering columns round, or none"
                                : "On scylla rows cannot be sorted by column " + quoted(column->name) + " here",
                        "Sort by " + key_names(table_->partition_columns, end) + ", in this order")
                      .with("column", column->name));
    }
    reversed = turned;
    ++next;
  }
  if (!reversed) return {};
  for (std::size_t i = table_->partition_columns; i < next; ++i) {
    cql() += i == table_->partition_columns ? " ORDER BY " : ", ";
    append_identifier(cql(), key_column(i).name);
    if (key_column(i).descending != *reversed) cql() += " DESC";
  }
  return {};
}

Result<> CqlPrinter::append_limit(const Select& select) {
  if (select.offset > 0) {
    return fail(Code::feature_not_supported, "On scylla rows cannot be passed over: there is no offset",
                "Ask for the rows behind the last one you have, by 'gt' on a clustering column");
  }
  if (!select.limit) return {};
  if (*select.limit == 0) {
    matches_nothing_ = true;
  } else if (select.cursor) {
    out_.page_rows = static_cast<std::uint32_t>(std::min(*select.limit, kMaxLimit));
  } else if (*select.limit <= kMaxLimit) {
    cql() += " LIMIT " + std::to_string(*select.limit);
  }
  return {};
}

Result<CqlPrinted> CqlPrinter::print(const Select& select) {
  ATHENA_TRY_VOID(begin(select.from));
  cql() += "SELECT ";
  ATHENA_TRY_VOID(append_outputs(select.columns));
  cql() += " FROM ";
  append_table();
  KeyUse use;
  ATHENA_TRY_VOID(append_filter(select, use));
  out_.is_keyed = use.one_row;
  out_.is_idempotent = true;
  out_.statements.push_back(std::move(statement_));
  return finish();
}

Result<CqlPrinted> CqlPrinter::print_count(const Select& select) {
  ATHENA_TRY_VOID(begin(select.from));
  cql() += "SELECT count(*) FROM ";
  append_table();
  Select counted;
  counted.where = select.where;
  counted.allow_filtering = select.allow_filtering;
  KeyUse use;
  ATHENA_TRY_VOID(append_filter(counted, use));
  out_.keys.emplace_back("count");
  out_.types.push_back(TypeClass::integer);
  out_.is_keyed = out_.is_idempotent = true;
  out_.statements.push_back(std::move(statement_));
  return finish();
}

}  // namespace athena::query
