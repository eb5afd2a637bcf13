// A caller's SQL, before PostgreSQL sees it: its own parser and the walk over its tree. Nothing is read out of bounds;
// an error says something; the statements stand in the text, in order, and each is one when it is read alone.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "postgres/classify.h"

namespace {

using namespace athena;
using namespace athena::driver;

void check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto facts = postgres::analyze_sql(text);
  const auto statements = postgres::split_statements(text);
  if (!facts) {
    check(!facts.error().error.empty() || facts.error().code != Code::syntax_error);
    return 0;
  }
  if (!statements) return 0;
  check(facts->statements.size() >= statements->size());
  const char* from = text.data();
  for (const std::string_view statement : *statements) {
    check(!statement.empty() && statement.data() >= from && statement.data() + statement.size() <= text.data() + size);
    from = statement.data() + statement.size();
    const auto alone = postgres::split_statements(statement);
    check(!alone || alone->size() == 1);
  }
  // Whoever writes a table is seen to write.
  check(facts->writes.empty() || facts->writes_anything());
  return 0;
}
