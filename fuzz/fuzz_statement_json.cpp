// A request's body → statement → SQL. The first byte says what kind of request it is; whatever the body holds, the SQL
// must be one statement made of our words and the schema's names only.
#include <cstddef>
#include <cstdint>
#include <iostream>

#include <athena/query/read_json.h>

#include "golden_schema.h"
#include "oracle.h"

namespace {

using namespace athena;
using namespace athena::query;

Result<Statement> read(std::uint8_t kind, const json::Value& body) {
  const ReadOptions options;
  switch (kind % 4) {
    case 0: {
      ATHENA_TRY(auto request, read_fetch(body, options));
      return Statement(std::move(request.select));
    }
    case 1: {
      ATHENA_TRY(auto request, read_update(body, options));
      return Statement(std::move(request.update));
    }
    case 2: {
      ATHENA_TRY(auto request, read_insert(body, options));
      return Statement(std::move(request.insert));
    }
    default: {
      ATHENA_TRY(auto request, read_delete(body, options));
      return Statement(std::move(request.del));
    }
  }
}

void print(const Statement& statement, Flavor flavor) {
  static const Schema kSchemas[] = {golden_schema(Flavor::postgres), golden_schema(Flavor::sqlite),
                                    golden_schema(Flavor::d1)};
  const Schema& schema = kSchemas[static_cast<std::size_t>(flavor)];
  const auto printed = to_sql(statement, schema, {.flavor = flavor, .names = {.camel_to_snake = true}});
  if (!printed) return;
  if (const auto wrong = complaint(*printed, schema, flavor, statement)) {
    std::cerr << *wrong << "\n" << printed->sql << "\n";
    __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto document = json::Document::parse(text);
  if (!document) return 0;
  static_cast<void>(read_query(document->root(), false));
  const auto statement = read(data[0], document->root());
  if (!statement) return 0;
  print(*statement, Flavor::postgres);
  print(*statement, Flavor::sqlite);
  print(*statement, Flavor::d1);
  return 0;
}
