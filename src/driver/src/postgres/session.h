#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <athena/base/event.h>
#include <athena/driver/backend.h>
#include <athena/query/print.h>

#include "postgres/exclusive.h"
#include "postgres/kept_template.h"
#include "postgres/lanes.h"
#include "postgres/listener.h"
#include "postgres/route.h"
#include "postgres/shared.h"
#include "template_cache.h"

namespace athena::driver::postgres {

/// The PostgreSQL backend of one loop: knows the schema, prints, chooses a connection, and tries once more when a stale
/// schema or a lost connection explains an error and nothing ran.
class PostgresBackend final : public Backend {
 public:
  PostgresBackend(Target target, std::shared_ptr<Shared> shared, Runtime runtime);
  ~PostgresBackend() override;

  Async<std::unique_ptr<RowStream>> execute(query::Statement statement, Call call) override;
  Async<std::unique_ptr<RowStream>> execute_recurring(query::Recurring recurring, Call call) override;
  Async<std::unique_ptr<RowStream>> execute(Native native, Call call) override;
  Async<std::uint64_t> count(query::Select select, query::Count kind, Call call) override;
  Async<std::shared_ptr<const query::Schema>> schema(Call call, bool refresh) override;
  Async<std::vector<ConstraintInfo>> constraints(Call call) override;
  Result<SqlFacts> analyze(std::string_view text) const override;
  Health health() const override;
  Task<> stop() override;

 private:
  using SchemaPtr = std::shared_ptr<const query::Schema>;
  struct SchemaWaiter {
    athena::Event ready;
    std::uint64_t load;
    TimePoint deadline;
    std::optional<Error> error;
  };

  /// Looks whether another loop has swapped the schema; true: there is one.
  bool has_schema();
  /// The load that names have to wait for: the first, or the one after DDL that ran through Athena.
  std::optional<std::uint64_t> load_to_wait_for();
  Async<> wait_for_schema(std::uint64_t load, Call call);
  /// Whether the error may come from a stale schema, and a newer one is there now.
  Task<bool> refreshed_after(const Error& error, Call call);
  void begin_loads();
  Task<> load();
  Async<SchemaPtr> load_schema();
  void wake_schema_waiters(TimePoint now);

  Async<std::unique_ptr<RowStream>> run_exclusive(const query::Printed& printed, bool is_write, Call call);
  Async<std::uint64_t> count_exactly(const query::Select& select, Call call);
  Async<std::uint64_t> count_planned(query::Select select, Call call);
  /// The first value of the first row.
  Async<std::string> value_of(query::Printed printed, Route route, Call call);

  void mark_used();
  void tick(TimePoint now);

  const Target target_;
  const std::shared_ptr<Shared> shared_;  // with the backends of the other loops; the last one to go frees it
  Runtime runtime_;
  Lanes lanes_;
  TemplateCache<KeptTemplate> templates_;
  ExclusivePool pool_;
  Listener listener_;
  SchemaPtr schema_;
  std::uint64_t schema_version_ = 0;
  std::list<SchemaWaiter*> schema_waiters_;
  std::size_t loading_ = 0;
  athena::Event loaded_;
  bool was_used_ = false, is_warm_ = false, stopping_ = false;
  Loop::Handle ticks_;
};

}  // namespace athena::driver::postgres
