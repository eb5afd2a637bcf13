// The dotted filter language, columns and outputs → SQL.
#include <cstddef>
#include <cstdint>
#include <iostream>

#include <athena/query/read_json.h>

#include "golden_schema.h"
#include "oracle.h"

namespace {

using namespace athena;
using namespace athena::query;

void print(const Select& select, Flavor flavor) {
  static const Schema kSchemas[] = {golden_schema(Flavor::postgres), golden_schema(Flavor::sqlite),
                                    golden_schema(Flavor::d1)};
  const Schema& schema = kSchemas[static_cast<std::size_t>(flavor)];
  const auto printed = to_sql(select, schema, {.flavor = flavor, .names = {}});
  if (!printed) return;
  if (const auto wrong = complaint(*printed, schema, flavor, select)) {
    std::cerr << *wrong << "\n" << printed->sql << "\n";
    __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  Select select;
  select.from.name = "users";
  // Columns are text of the caller too; most inputs are no column, and then all of them are asked for.
  if (auto output = read_output(text)) select.columns.push_back(*std::move(output));
  if (auto filter = read_filter_text(text, Filter::Join::any_of, ReadOptions())) select.where = *std::move(filter);
  print(select, Flavor::postgres);
  print(select, Flavor::sqlite);
  print(select, Flavor::d1);
  return 0;
}
