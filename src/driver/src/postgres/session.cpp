#include "postgres/session.h"

#include <algorithm>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <athena/base/json.h>
#include <athena/base/text.h>

#include "postgres/classify.h"
#include "postgres/native.h"
#include "postgres/schema_load.h"
#include "postgres/stream.h"

namespace athena::driver::postgres {
namespace {

constexpr milliseconds kLoadTimeout{30'000};

Lanes::Limits lane_limits(const Target& target) {
  const std::size_t most = target.pool.max_connections;
  const std::size_t base = most >= 16 ? 2 : 1;
  return {.base = base, .most = std::clamp<std::size_t>(most / 4, base, 8)};
}

query::PrintOptions print_options(const Call& call) {
  return {query::Flavor::postgres, call.names};
}

bool is_write(const query::Statement& statement) noexcept {
  return !std::holds_alternative<query::Select>(statement);
}

bool has_ddl(const SqlFacts& facts) noexcept {
  return std::ranges::find(facts.statements, StatementKind::ddl) != facts.statements.end();
}

bool may_be_stale(const Error& error) noexcept {
  return error.code == Code::undefined_table || error.code == Code::undefined_column ||
         error.code == Code::undefined_object;
}

std::unexpected<Error> unexpected_answer() {
  return fail(
      Error(Code::internal_error).logged("the database's answer has another form than its statement asked for"));
}

}  // namespace

PostgresBackend::PostgresBackend(Target target, std::shared_ptr<Shared> shared, Runtime runtime)
    : target_(std::move(target)),
      shared_(std::move(shared)),
      runtime_(runtime),
      lanes_(runtime, target_, shared_->masked_target, shared_->gate, shared_->budget, shared_->helper,
             lane_limits(target_)),
      pool_(runtime, target_, shared_->masked_target, shared_->gate, shared_->budget, shared_->helper),
      listener_(runtime, target_, *shared_,
                [this] {
                  shared_->schema.request();
                  begin_loads();
                }),
      ticks_(runtime.loop.watch([this](TimePoint now) { tick(now); })) {}

PostgresBackend::~PostgresBackend() = default;

Async<std::unique_ptr<RowStream>> PostgresBackend::execute(query::Statement statement, Call call) {
  mark_used();
  const bool writes = is_write(statement);
  if (writes && (call.read_only || target_.read_only)) {
    co_return fail(Code::read_only_violation, "This client, or this request, may only read");
  }
  for (bool again = false;; again = true) {
    if (const auto load = load_to_wait_for()) ATHENA_CO_TRY_VOID(co_await wait_for_schema(*load, call));
    const SchemaPtr schema = schema_;  // `printed` points into it
    Error error;
    if (auto printed = query::to_sql(statement, *schema, print_options(call)); !printed) {
      error = std::move(printed).error();
    } else if (const Route route = choose_route(statement, *printed); route == Route::lane) {
      const bool may_share = may_share_sync(statement, *printed);
      auto request =
          co_await lanes_.run({printed->sql, printed->params, writes, call.deadline, may_share}, call.cancellation);
      if (request) {
        co_return std::make_unique<LaneStream>(*std::move(request), printed->keys, call.cancellation);
      }
      error = std::move(request).error();
    } else {
      Result<std::unique_ptr<RowStream>> stream;
      if (route == Route::guarded) {
        ATHENA_CO_TRY(Lease lease, co_await pool_.acquire(call.deadline, call.cancellation));
        stream = co_await run_guarded(std::move(lease), *printed, most_affected(statement).value_or(0));
      } else {
        stream = co_await run_exclusive(*printed, writes, call);
      }
      if (stream) co_return stream;
      error = std::move(stream).error();
    }
    const bool may_retry = !again && co_await refreshed_after(error, call);
    if (!may_retry) co_return fail(std::move(error));
  }
}

Async<std::unique_ptr<RowStream>> PostgresBackend::execute_recurring(query::Recurring recurring, Call call) {
  mark_used();
  if (!load_to_wait_for()) {
    const auto kept = templates_.get(recurring.of, schema_, call.names, KeptTemplate::make);
    if (kept->goes_on_lane) {
      const auto params = KeptTemplate::bind(recurring.operands);
      auto request =
          co_await lanes_.run({kept->printed.sql, params, false, call.deadline, kept->may_share}, call.cancellation);
      if (request) co_return std::make_unique<LaneStream>(*std::move(request), kept->printed.keys, call.cancellation);
      if (!may_be_stale(request.error())) co_return fail(std::move(request).error());
    }
  }
  co_return co_await execute(recurring.of->with(recurring.operands), call);
}

Async<std::unique_ptr<RowStream>> PostgresBackend::run_exclusive(const query::Printed& printed, bool writes,
                                                                 Call call) {
  for (bool again = false;; again = true) {
    ATHENA_CO_TRY(Lease lease, co_await pool_.acquire(call.deadline, call.cancellation));
    ExclusiveStream::Options options;
    options.keys = printed.keys;
    options.is_write = writes;
    options.schema = schema_.get();
    const SchemaPtr keep = schema_;
    auto stream = co_await ExclusiveStream::start(std::move(lease), printed.sql, printed.params, std::move(options));
    if (stream || again || writes || stream.error().code != Code::connection_error) co_return stream;
    runtime_.observer.observe({Event::Kind::retried, shared_->masked_target, {}});
  }
}

Async<std::unique_ptr<RowStream>> PostgresBackend::execute(Native native, Call call) {
  mark_used();
  ATHENA_CO_TRY(const SqlFacts facts, analyze_sql(native.text));
  const bool only_reads = !facts.writes_anything() && !facts.is_volatile;
  for (bool again = false;; again = true) {
    ATHENA_CO_TRY(Lease lease, co_await pool_.acquire(call.deadline, call.cancellation));
    const SchemaPtr schema = has_schema() ? schema_ : nullptr;
    NativeRun run;
    run.facts = facts;
    run.read_only = call.read_only || target_.read_only;
    run.schema = schema.get();
    if (has_ddl(facts)) run.on_end = [shared = shared_] { shared->schema.require(); };
    auto stream = co_await run_native(std::move(lease), native, std::move(run));
    if (stream || again || !only_reads || stream.error().code != Code::connection_error) co_return stream;
    runtime_.observer.observe({Event::Kind::retried, shared_->masked_target, {}});
  }
}

Async<std::uint64_t> PostgresBackend::count(query::Select select, query::Count kind, Call call) {
  mark_used();
  if (const auto load = load_to_wait_for()) ATHENA_CO_TRY_VOID(co_await wait_for_schema(*load, call));
  switch (kind) {
    case query::Count::none:
    case query::Count::exact:
      break;
    case query::Count::planned:
      co_return co_await count_planned(std::move(select), call);
    case query::Count::estimated: {
      const query::TableDef* table = schema_->find(select.from.schema, select.from.name, call.names);
      double estimate = table && select.where.empty() ? table->estimated_rows : -1;
      if (estimate < 0) {
        ATHENA_CO_TRY(const std::uint64_t planned, co_await count_planned(select, call));
        estimate = static_cast<double>(planned);
      }
      if (estimate > kSmallTableRows) co_return static_cast<std::uint64_t>(estimate);
      break;
    }
  }
  co_return co_await count_exactly(select, call);
}

Async<std::uint64_t> PostgresBackend::count_exactly(const query::Select& select, Call call) {
  const SchemaPtr schema = schema_;
  ATHENA_CO_TRY(query::Printed printed, query::to_count_sql(select, *schema, print_options(call)));
  const double rows = printed.table ? printed.table->estimated_rows : -1;
  const Route route = rows >= 0 && rows <= kSmallTableRows ? Route::lane : Route::exclusive;
  ATHENA_CO_TRY(const std::string digits, co_await value_of(std::move(printed), route, call));
  const auto count = text::parse_u64(digits);
  if (!count) co_return unexpected_answer();
  co_return *count;
}

Async<std::uint64_t> PostgresBackend::count_planned(query::Select select, Call call) {
  select.limit.reset();
  select.offset = 0;
  select.order.clear();
  select.stable_pages = false;
  const SchemaPtr schema = schema_;
  ATHENA_CO_TRY(query::Printed printed, query::to_sql(std::move(select), *schema, print_options(call)));
  printed.sql.insert(0, "EXPLAIN (FORMAT JSON) ");
  printed.keys.clear();
  ATHENA_CO_TRY(const std::string plan, co_await value_of(std::move(printed), Route::lane, call));
  ATHENA_CO_TRY(const json::Document document, json::Document::parse(plan));
  if (!document.root().is_array() || document.root().size() == 0) co_return unexpected_answer();
  const json::Value rows = (*document.root().begin())["Plan"]["Plan Rows"];
  const auto count = rows.is_number() ? text::parse_u64(rows.digits()) : std::nullopt;
  if (!count) co_return unexpected_answer();
  co_return *count;
}

Async<std::string> PostgresBackend::value_of(query::Printed printed, Route route, Call call) {
  std::unique_ptr<RowStream> stream;
  if (route == Route::lane) {
    ATHENA_CO_TRY(LaneRequestPtr request,
                  co_await lanes_.run({printed.sql, printed.params, false, call.deadline, false}, call.cancellation));
    stream = std::make_unique<LaneStream>(std::move(request), printed.keys, call.cancellation);
  } else {
    ATHENA_CO_TRY(stream, co_await run_exclusive(printed, false, call));
  }
  std::optional<std::string> value;
  for (bool last = false; !last;) {
    ATHENA_CO_TRY(const RowBatch batch, co_await stream->next());
    last = batch.last;
    if (!value && batch.rows > 0 && !batch.cells[0].is_null()) value = batch.cells[0].view();
  }
  if (!value) co_return unexpected_answer();
  co_return *std::move(value);
}

Async<std::shared_ptr<const query::Schema>> PostgresBackend::schema(Call call, bool refresh) {
  mark_used();
  if (refresh) {
    ATHENA_CO_TRY_VOID(co_await wait_for_schema(shared_->schema.request(), call));
  } else if (const auto load = load_to_wait_for()) {
    ATHENA_CO_TRY_VOID(co_await wait_for_schema(*load, call));
  }
  co_return schema_;
}

Async<std::vector<ConstraintInfo>> PostgresBackend::constraints(Call call) {
  mark_used();
  ATHENA_CO_TRY(Lease lease, co_await pool_.acquire(call.deadline, call.cancellation));
  ConstraintsBuilder builder;
  ATHENA_CO_TRY_VOID(co_await lease.query(constraints_query(), {}, [&builder](auto cells) { builder.add_row(cells); }));
  co_return builder.finish();
}

Result<SqlFacts> PostgresBackend::analyze(std::string_view text) const {
  return analyze_sql(text);
}

Health PostgresBackend::health() const {
  Health health;
  health.usable = !stopping_ && lanes_.is_usable(Clock::now()) && pool_.is_usable(Clock::now());
  health.connections = lanes_.open() + pool_.open();
  health.busy = lanes_.busy() + pool_.busy();
  health.last_error = shared_->gate.last_error();
  return health;
}

bool PostgresBackend::has_schema() {
  if (schema_version_ != shared_->schema.version()) {
    schema_version_ = shared_->schema.version();
    schema_ = shared_->schema.get();
    lanes_.set_schema(schema_);
  }
  return schema_ != nullptr;
}

std::optional<std::uint64_t> PostgresBackend::load_to_wait_for() {
  if (const auto load = shared_->schema.required()) return load;
  if (!has_schema()) return shared_->schema.join();
  return std::nullopt;
}

Async<> PostgresBackend::wait_for_schema(std::uint64_t load, Call call) {
  if (stopping_) co_return fail(Code::shutting_down);
  begin_loads();
  if (call.cancellation && call.cancellation->cancelled()) co_return fail(cancelled_by(call.cancellation->reason()));
  if (const TimePoint now = Clock::now(); !has_schema() && pool_.open() == 0 && shared_->gate.is_down(now)) {
    co_return fail(shared_->gate.unavailable(now));
  }
  SchemaWaiter waiter;
  waiter.load = load;
  waiter.deadline = call.deadline;
  schema_waiters_.push_back(&waiter);
  {
    const Cancellation::Watch watch(call.cancellation, [&waiter, cancellation = call.cancellation] {
      waiter.error = cancelled_by(cancellation->reason());
      waiter.ready.set();
    });
    co_await waiter.ready.wait();
  }
  schema_waiters_.remove(&waiter);
  if (waiter.error) co_return fail(std::move(*waiter.error));
  if (!has_schema()) co_return fail(Code::not_ready, "The tables of the database are not known yet");
  co_return Result<>();
}

void PostgresBackend::wake_schema_waiters(TimePoint now) {
  std::vector<SchemaWaiter*> done;
  for (SchemaWaiter* waiter : schema_waiters_) {
    const SchemaCell::Progress progress = shared_->schema.progress(waiter->load);
    if (progress.ended) {
      waiter->error = progress.error;
    } else if (waiter->deadline <= now) {
      waiter->error = Error(Code::statement_timeout, "The tables of the database were not read in time");
    } else {
      continue;
    }
    done.push_back(waiter);
  }
  for (SchemaWaiter* waiter : done) {  // one that is woken may end another: look whether it is still there
    if (std::ranges::find(schema_waiters_, waiter) != schema_waiters_.end()) waiter->ready.set();
  }
}

Task<bool> PostgresBackend::refreshed_after(const Error& error, Call call) {
  if (!may_be_stale(error)) co_return false;
  const auto load = shared_->schema.request_after_error(Clock::now());
  if (!load) co_return false;
  const Result<> loaded = co_await wait_for_schema(*load, call);
  co_return loaded.has_value();
}

void PostgresBackend::begin_loads() {
  if (stopping_) return;
  if (!shared_->schema.begin(Clock::now())) return;
  ++loading_;
  asio::co_spawn(
      runtime_.loop.executor(), [](PostgresBackend* self) -> Task<> { co_await self->load(); }(this), asio::detached);
}

Task<> PostgresBackend::load() {
  auto loaded = co_await load_schema();
  const bool is_good = loaded.has_value();
  runtime_.observer.observe({is_good ? Event::Kind::schema_loaded : Event::Kind::schema_load_failed,
                             shared_->masked_target, is_good ? std::string() : loaded.error().log_detail});
  shared_->schema.end(Clock::now(), std::move(loaded));
  wake_schema_waiters(Clock::now());
  --loading_;
  loaded_.set();  // last: whoever waits in stop() may destroy the backend
}

/// Rows are taken as they come, the picture is put together on another thread: no loop stalls for ten thousand tables.
Async<PostgresBackend::SchemaPtr> PostgresBackend::load_schema() {
  struct Work {
    SchemaBuilder builder;
    Result<SchemaPtr> schema;
    athena::Event done;
  };
  const auto work = std::make_shared<Work>();  // with the helper's thread, which may be the last to have it
  {
    ATHENA_CO_TRY(Lease lease, co_await pool_.acquire(Clock::now() + kLoadTimeout, nullptr));
    ATHENA_CO_TRY_VOID(co_await lease.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    const auto queries = schema_queries();
    for (std::size_t i = 0; i < queries.size(); ++i) {
      ATHENA_CO_TRY_VOID(
          co_await lease.query(queries[i], {}, [&work, i](auto cells) { work->builder.add_row(i, cells); }));
    }
    ATHENA_CO_TRY_VOID(co_await lease.run("COMMIT"));
  }
  const bool accepted = shared_->helper.run([work, executor = runtime_.loop.executor()] {
    work->schema = work->builder.finish();
    asio::post(executor, [work] { work->done.set(); });
  });
  if (!accepted) co_return work->builder.finish();
  co_await work->done.wait();
  co_return std::move(work->schema);
}

void PostgresBackend::mark_used() {
  was_used_ = true;
  shared_->schema.mark_used();
}

void PostgresBackend::tick(TimePoint now) {
  lanes_.tick(now);
  pool_.tick(now);
  listener_.tick(now);
  wake_schema_waiters(now);
  if (stopping_) return;
  // Idle connections are lent to loops that have to wait; of the lanes only where there are hardly any connections.
  if (shared_->budget.is_wanted() && !pool_.close_idle() && shared_->budget.most() < 8) lanes_.close_idle();
  if (!was_used_) return;
  if (!is_warm_) is_warm_ = pool_.warm(std::min(target_.pool.min_connections, shared_->budget.most()));
  listener_.start();
  shared_->schema.request_if_old(now);
  begin_loads();
}

Task<> PostgresBackend::stop() {
  stopping_ = true;
  for (SchemaWaiter* waiter : std::vector<SchemaWaiter*>(schema_waiters_.begin(), schema_waiters_.end())) {
    if (std::ranges::find(schema_waiters_, waiter) == schema_waiters_.end()) continue;
    waiter->error = Error(Code::shutting_down);
    waiter->ready.set();
  }
  co_await listener_.stop();
  co_await lanes_.stop();
  co_await pool_.stop();
  while (loading_ > 0) {
    loaded_.reset();
    co_await loaded_.wait();
  }
}

}  // namespace athena::driver::postgres
