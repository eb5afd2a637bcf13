#include <athena/query/print.h>

#include <charconv>

#include <athena/base/text.h>

#include "outputs.h"
#include "printer.h"

namespace athena::query {
namespace {

constexpr std::size_t kMaxPostgresParams = 65'535;
constexpr std::size_t kMaxSqliteParams = 32'766;
constexpr std::size_t kMaxD1StatementBytes = 100'000;
constexpr std::size_t kMaxD1ValueBytes = 2'000'000;
constexpr std::size_t kStatementBytes = 160;  ///< beside the list of columns: enough for a fetch by key

std::size_t most_params(Flavor flavor) noexcept {
  switch (flavor) {
    case Flavor::postgres:
      return kMaxPostgresParams;
    case Flavor::sqlite:
      return kMaxSqliteParams;
    case Flavor::d1:
      return kMaxD1Params;
  }
  return kMaxD1Params;
}

/// What D1 would refuse with less to say about it.
Result<> check_d1_sizes(const Printed& printed) {
  if (printed.sql.size() > kMaxD1StatementBytes) {
    return fail(Code::limit_exceeded,
                "The statement is " + std::to_string(printed.sql.size()) + " bytes long, d1 takes " +
                    std::to_string(kMaxD1StatementBytes),
                "Send fewer rows or conditions at a time");
  }
  for (const Param& param : printed.params) {
    if (param.text.size() <= kMaxD1ValueBytes) continue;
    return fail(
        Code::limit_exceeded,
        "A value is " + std::to_string(param.text.size()) + " bytes long, d1 takes " + std::to_string(kMaxD1ValueBytes),
        "Rows that are inserted together are one value: send fewer rows at a time");
  }
  return {};
}

}  // namespace

std::string_view to_string(Flavor flavor) noexcept {
  switch (flavor) {
    case Flavor::postgres:
      return "postgresql";
    case Flavor::sqlite:
      return "sqlite";
    case Flavor::d1:
      return "d1";
  }
  return "";
}

void append_identifier(std::string& sql, std::string_view name) {
  sql += '"';
  for (std::size_t quote; (quote = name.find('"')) != std::string_view::npos; name.remove_prefix(quote + 1)) {
    sql += name.substr(0, quote + 1);
    sql += '"';
  }
  sql += name;
  sql += '"';
}

Result<Printed> to_sql(const Statement& statement, const Schema& schema, const PrintOptions& options) {
  Printer printer(schema, options);
  return std::visit([&printer](const auto& kind) { return printer.print(kind); }, statement);
}

Result<Printed> to_count_sql(const Select& select, const Schema& schema, const PrintOptions& options) {
  return Printer(schema, options).print_count(select);
}

Result<> Printer::begin(const Table& table) {
  table_ = schema_.find(table.schema, table.name, options_.names);
  if (!table_) return fail(schema_.undefined_table(table.schema, table.name));
  out_.table = table_;
  sql().reserve(kStatementBytes + table_->all_columns_sql.size());
  return {};
}

Result<Printed> Printer::finish() {
  const std::size_t most = most_params(options_.flavor);
  if (out_.params.size() > most) {
    return fail(
        Code::limit_exceeded,
        "The statement has " + std::to_string(out_.params.size()) + " values, the database takes " +
            std::to_string(most),
        is_d1() ? "Use fewer conditions, or `in` with a list: a list is one value" : "Send fewer rows at a time");
  }
  if (is_d1()) ATHENA_TRY_VOID(check_d1_sizes(out_));
  return std::move(out_);
}

void Printer::append_table() {
  sql() += table_->from_sql;
}

void Printer::append_number(std::uint64_t number) {
  char digits[20];
  sql().append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

void Printer::append_param(std::string& to, Param param) {
  out_.params.push_back(std::move(param));
  char digits[20];
  to += is_postgres() ? '$' : '?';
  to.append(digits, std::to_chars(digits, digits + sizeof digits, out_.params.size()).ptr);
}

void Printer::append_typed(Param param, TypeClass type) {
  const bool blob = !is_postgres() && type == TypeClass::bytes && param.kind == ParamKind::text;
  const bool integer = is_d1() && param.kind == ParamKind::integer;
  if (blob && is_d1()) {
    param.text = text::hex(param.text);
    sql() += "unhex(";
    append_param(std::move(param));
    sql() += ')';
    return;
  }
  if (blob || integer) sql() += "CAST(";
  append_param(std::move(param));
  if (blob) sql() += " AS BLOB)";
  if (integer) sql() += " AS INTEGER)";
}

void Printer::append_order_nulls(const OrderBy& by, bool nullable) {
  using Nulls = OrderBy::Nulls;
  Nulls nulls = by.nulls;
  // To SQLite a null is the least value, to PostgreSQL the greatest: the language has one meaning, PostgreSQL's.
  if (nulls == Nulls::by_default && !is_postgres() && nullable) nulls = by.descending ? Nulls::first : Nulls::last;
  switch (nulls) {
    case Nulls::by_default:
      break;
    case Nulls::first:
      sql() += " NULLS FIRST";
      break;
    case Nulls::last:
      sql() += " NULLS LAST";
      break;
  }
}

Result<> Printer::append_order(const std::vector<OrderBy>& order) {
  bool first = true;
  for (const OrderBy& by : order) {
    sql() += first ? " ORDER BY " : ", ";
    first = false;
    ATHENA_TRY(const Expression column, expression(by.column));
    append_compared(column);
    if (by.descending) sql() += " DESC";
    append_order_nulls(by, column.is_path || column.column->nullable);
  }
  return {};
}

void Printer::append_key_order() {
  const auto* key = &table_->primary_key;
  if (key->empty() && !table_->unique_keys.empty()) key = &table_->unique_keys.front().columns;
  bool first = true;
  for (const std::uint32_t index : *key) {
    sql() += first ? " ORDER BY t." : ", t.";
    first = false;
    append_identifier(sql(), table_->columns[index].name);
  }
}

Result<Printed> Printer::print(const Select& select) {
  ATHENA_TRY_VOID(check_no_cursor(select, is_postgres() ? "postgresql" : "sqlite"));
  ATHENA_TRY_VOID(begin(select.from));
  sql() += "SELECT ";
  ATHENA_TRY_VOID(append_outputs(select.columns));
  sql() += " FROM ";
  append_table();
  ATHENA_TRY_VOID(append_where(select.where, std::nullopt));
  out_.is_keyed = covers_unique_key(select.where, names());
  if (!select.order.empty()) {
    ATHENA_TRY_VOID(append_order(select.order));
  } else if (select.stable_pages && !out_.is_keyed) {
    append_key_order();
  }
  if (select.limit) {
    sql() += " LIMIT ";
    append_number(*select.limit);
  } else if (select.offset > 0 && !is_postgres()) {
    sql() += " LIMIT -1";  // SQLite knows OFFSET only behind a LIMIT
  }
  if (select.offset > 0) {
    sql() += " OFFSET ";
    append_number(select.offset);
  }
  return finish();
}

Result<Printed> Printer::print_count(const Select& select) {
  ATHENA_TRY_VOID(begin(select.from));
  sql() += is_d1() ? "SELECT count(*) AS c0 FROM " : "SELECT count(*) FROM ";
  append_table();
  ATHENA_TRY_VOID(append_where(select.where, std::nullopt));
  out_.is_keyed = true;
  out_.keys.emplace_back("count");
  out_.types.push_back(TypeClass::integer);
  return finish();
}

}  // namespace athena::query
