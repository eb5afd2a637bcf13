#include <athena/driver/backend.h>

#include <algorithm>

#include <athena/base/text.h>

#include "d1/backend.h"
#include "postgres/backend.h"
#include "scylla/backend.h"
#include "sqlite/backend.h"
#include "supabase/backend.h"

namespace athena::driver {
namespace {

constexpr std::string_view kPostgresAliases[] = {"postgres", "neon", "pg"};
constexpr std::string_view kSqliteAliases[] = {"sqlite3"};
constexpr std::string_view kD1Aliases[] = {"cloudflare-d1", "cloudflare_d1"};
constexpr std::string_view kScyllaAliases[] = {"cassandra", "scylladb", "athena", "cql"};
constexpr std::string_view kSupabaseAliases[] = {"postgrest"};

constexpr Capabilities kPostgres{.raw_sql = true,
                                 .transactions = true,
                                 .schemas = true,
                                 .regex = true,
                                 .full_text = true,
                                 .arrays = true,
                                 .returning = true,
                                 .estimates = true};

constexpr BackendKind kKinds[] = {
    {"postgresql", kPostgresAliases, kPostgres, query::Language::postgres, &postgres::share, &postgres::open},
    {"sqlite", kSqliteAliases, sqlite::kCapabilities, query::Language::sqlite, &sqlite::share, &sqlite::open},
    {"d1", kD1Aliases, d1::kCapabilities, query::Language::sqlite, &d1::share, &d1::open},
    {"scylla", kScyllaAliases, scylla::kCapabilities, query::Language::cql, &scylla::share, &scylla::open},
    {"supabase", kSupabaseAliases, supabase::kCapabilities, query::Language::rest, &supabase::share, &supabase::open},
};

bool can_write(StatementKind kind) noexcept {
  switch (kind) {
    case StatementKind::select:
    case StatementKind::utility:
      return false;  // EXPLAIN, SHOW, PRAGMA; what may write besides is volatile
    case StatementKind::insert:
    case StatementKind::update:
    case StatementKind::del:
    case StatementKind::merge:
    case StatementKind::ddl:
    case StatementKind::transaction_control:
    case StatementKind::copy:
      return true;
  }
  return true;
}

}  // namespace

bool SqlFacts::writes_anything() const noexcept {
  return is_volatile || !writes.empty() || std::ranges::any_of(statements, &can_write);
}

Async<std::unique_ptr<RowStream>> Backend::execute_recurring(query::Recurring recurring, Call call) {
  return execute(recurring.of->with(recurring.operands), call);
}

std::span<const BackendKind> backend_kinds() noexcept {
  return kKinds;
}

const BackendKind* find_backend_kind(std::string_view name) noexcept {
  const auto is = [name](std::string_view other) { return text::iequals(name, other); };
  for (const BackendKind& kind : kKinds) {
    if (is(kind.name) || std::ranges::any_of(kind.aliases, is)) return &kind;
  }
  return nullptr;
}

}  // namespace athena::driver
