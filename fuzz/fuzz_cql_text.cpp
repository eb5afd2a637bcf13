// A caller's CQL: the tokenizer ends, an error says where, and what is found stands in the text.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <athena/base/text.h>

#include "scylla/classify.h"
#include "scylla/cql_type.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace athena;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto facts = driver::scylla::analyze_cql(text)) {
    if (facts->statements.empty()) std::abort();
  } else if (facts.error().error.empty() && facts.error().code != Code::syntax_error) {
    std::abort();
  }
  return 0;
}
