// A database may call its tables and columns anything: lines of the input become a table with columns, and every kind
// of statement about it must still be one statement.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iostream>

#include <athena/base/text.h>
#include <athena/query/read_json.h>

#include "oracle.h"

namespace {

using namespace athena;
using namespace athena::query;

constexpr std::size_t kMaxColumns = 8;

/// Names as a database gives them: UTF-8, not empty, no NUL, each once.
std::vector<std::string> names_of(std::string_view text) {
  std::vector<std::string> names;
  for (const std::string_view line : text::split(text, '\n')) {
    if (line.empty() || line.contains('\0') || !text::is_utf8(line) || names.size() > kMaxColumns) continue;
    if (std::find(names.begin(), names.end(), line) == names.end()) names.emplace_back(line);
  }
  return names;
}

Schema schema_of(const std::vector<std::string>& names) {
  TableDef table;
  table.schema = names.front();
  table.name = names.front();
  for (std::size_t i = 1; i < names.size(); ++i) {
    ColumnDef& column = table.columns.emplace_back();
    column.name = names[i];
    column.type = i % 3 == 0 ? TypeClass::json : TypeClass::text;
  }
  table.primary_key = {0};
  return Schema({std::move(table)}, {names.front()});
}

std::vector<Statement> statements_of(const std::vector<std::string>& names) {
  const auto equal = [&](const std::string& name) {
    Predicate predicate;
    predicate.column.name = name;
    predicate.operands.emplace_back(name);
    return predicate;
  };
  Select select;
  select.from.name = names.front();
  Row row;
  for (std::size_t i = 1; i < names.size(); ++i) {
    select.where.terms.emplace_back(equal(names[i]));
    row.emplace_back(names[i], names[i]);
    OrderBy& by = select.order.emplace_back();
    by.column.name = names[i];
  }
  Insert insert;
  insert.into = select.from;
  insert.rows = {row};
  insert.on_conflict.emplace().target = {names[1]};
  Update update;
  update.table = select.from;
  update.set = row;
  update.where = select.where;
  Delete del;
  del.from = select.from;
  del.resource_id = names[1];
  return {std::move(select), std::move(insert), std::move(update), std::move(del)};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto names = names_of({reinterpret_cast<const char*>(data), size});
  if (names.size() < 2) return 0;
  const Schema schema = schema_of(names);
  for (const Statement& statement : statements_of(names)) {
    for (const Flavor flavor : {Flavor::postgres, Flavor::sqlite, Flavor::d1}) {
      const auto printed = to_sql(statement, schema, {.flavor = flavor, .names = {}});
      const auto wrong = printed ? complaint(*printed, schema, flavor, statement) : printed.error().error;
      if (!wrong) continue;
      std::cerr << *wrong << "\n" << (printed ? printed->sql : "") << "\n";
      __builtin_trap();
    }
  }
  return 0;
}
