// Bodies of fetches, divided by zero bytes, as they come one after another: what is recognised by its text must be what
// reading gives, and nothing that reading refuses may be recognised.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include <athena/base/json.h>
#include <athena/query/read_json.h>

#include "fetch_templates.h"

namespace {

using namespace athena;
using namespace athena::gateway;

const query::ReadOptions kOptions;

Result<query::FetchRequest> read(std::string_view body) {
  ATHENA_TRY(const auto document, json::Document::parse(body));
  if (!document.root().is_object()) return fail(Code::invalid_request);
  return query::read_fetch(document.root(), kOptions);
}

[[noreturn]] void differ(std::string_view body, const char* what) {
  std::cerr << what << ": " << body << '\n';
  std::abort();
}

void ask(FetchTemplates& templates, std::string_view body) {
  const auto recalled = templates.find(body);
  auto fetch = read(body);
  if (!recalled) {
    if (fetch) templates.learn(*fetch, kOptions);
    return;
  }
  if (!fetch) differ(body, "recognised, and cannot be read");
  if (limit_and_one_more(*fetch) != recalled->fetch->limit) differ(body, "another limit");
  if (!(recalled->fetch->statement->with(recalled->operands) == fetch->select)) differ(body, "another statement");
  const bool is_plain = fetch->count == query::Count::none && !fetch->head && !fetch->grouping;
  if (!is_plain || fetch->strip_nulls != recalled->fetch->strip_nulls ||
      fetch->has_strip_nulls_field != recalled->fetch->has_strip_nulls_field) {
    differ(body, "more than a statement");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  FetchTemplates templates;
  for (int round = 0; round < 3; ++round) {
    for (std::string_view rest = all; !rest.empty();) {
      const std::size_t end = std::min(rest.find('\0'), rest.size());
      ask(templates, rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return 0;
}
