#include "sqlite/backend.h"

#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <athena/base/text.h>
#include <athena/query/print.h>

#include "sqlite/inline_reader.h"
#include "sqlite/jobs.h"
#include "sqlite/native.h"
#include "sqlite/readers.h"
#include "sqlite/schema_load.h"
#include "sqlite/stream.h"
#include "sqlite/writer.h"

namespace athena::driver::sqlite {
namespace {

/// A read of at most so many rows is tried on the loop itself.
constexpr std::uint64_t kInlineRows = 1'000;
/// How late changes of the tables by other programs are noticed, unless a statement stumbles over them first.
constexpr milliseconds kVersionCheck{100};
/// How long a write that has begun may take to stop when its deadline has passed, before its outcome is called unknown.
constexpr seconds kWriteGrace{5};

using SnapshotPointer = std::shared_ptr<const Snapshot>;

class Shared final : public SharedState {
 public:
  explicit Shared(const Target& target) : readers(std::make_shared<Readers>(target)), writer(target) {}

  const std::shared_ptr<Readers> readers;  ///< streams that outlive their backend still need them
  Writer writer;

  SnapshotPointer snapshot() const {
    const std::lock_guard lock(mutex_);
    return snapshot_;
  }
  void publish(SnapshotPointer snapshot) {
    const std::lock_guard lock(mutex_);
    // Two loops may load at once; the one that began later knows more.
    if (!snapshot_ || snapshot_->changes <= snapshot->changes) snapshot_ = std::move(snapshot);
  }

 private:
  mutable std::mutex mutex_;
  SnapshotPointer snapshot_;
};

/// Something that a reader thread finds out in one go.
template <class T>
class LoadJob final : public ReadJob {
 public:
  using Load = Result<T> (*)(Connection&);
  LoadJob(std::shared_ptr<JobBook> book, TimePoint deadline, Load load)
      : ReadJob(std::move(book), deadline), load_(load) {}

  bool work(Connection& connection) noexcept override {
    result_ = load_(connection);
    return false;
  }
  void refuse(Error error) noexcept override { result_ = fail(std::move(error)); }
  /// Once done().
  Result<T>& result() noexcept { return result_; }
  /// Runs on the loop when the job comes home.
  std::function<void(Result<T>&)> when_home;

 private:
  void on_home() override {
    if (when_home) std::exchange(when_home, nullptr)(result_);
  }
  const Load load_;
  Result<T> result_ = fail(Code::internal_error);
};

class SqliteBackend final : public Backend {
 public:
  SqliteBackend(Target target, std::shared_ptr<Shared> shared, Runtime runtime)
      : target_(std::move(target)),
        shared_(std::move(shared)),
        runtime_(runtime),
        book_(std::make_shared<JobBook>(runtime.loop)),
        inline_(std::make_shared<InlineReader>(target_, runtime.loop, shared_->writer.commits())) {}
  ~SqliteBackend() override {
    if (loading_) loading_->when_home = nullptr;
  }

  Async<std::unique_ptr<RowStream>> execute(query::Statement statement, Call call) override;
  Async<std::unique_ptr<RowStream>> execute(Native native, Call call) override;
  Async<std::uint64_t> count(query::Select select, query::Count kind, Call call) override;
  Async<std::shared_ptr<const query::Schema>> schema(Call call, bool refresh) override;
  Async<std::vector<ConstraintInfo>> constraints(Call call) override;
  Result<SqlFacts> analyze(std::string_view text) const override;
  Health health() const override;
  Task<> stop() override;

 private:
  using Stream = std::unique_ptr<RowStream>;

  Result<> admit(const Call& call, TimePoint now) const;
  bool is_current(TimePoint now);
  Async<> load(Call call);
  void start_loading();
  void install(Result<Snapshot>& loaded);
  bool may_be_outdated(const Error& error);

  Async<Stream> run(query::Printed printed, const query::Statement& statement, Call call, TimePoint now);
  Async<Stream> read(query::Printed printed, bool is_short, Call call, TimePoint now);
  Async<Stream> read_on_thread(query::Printed printed, Call call);
  Async<Stream> write(Work work, std::optional<std::uint64_t> max_affected, Call call);
  Async<std::uint64_t> read_count(query::Printed printed, Call call, TimePoint now);
  Error give_up(StreamJob& job, const Call& call);
  void observe(Event::Kind kind, std::string detail = {});
  Error remember(Error error);

  const Target target_;
  const std::shared_ptr<Shared> shared_;
  const Runtime runtime_;
  const std::shared_ptr<JobBook> book_;
  const std::shared_ptr<InlineReader> inline_;  ///< behind a pointer: analyze() compiles, and is const
  const std::shared_ptr<BatchPool> batches_ = std::make_shared<BatchPool>();
  SnapshotPointer snapshot_;
  std::shared_ptr<LoadJob<Snapshot>> loading_;
  TimePoint version_checked_;
  std::string last_error_;
};

void SqliteBackend::observe(Event::Kind kind, std::string detail) {
  const std::string target = target_.masked();
  runtime_.observer.observe({kind, target, std::move(detail)});
}

/// Keeps what an operator wants to know: the file's troubles, not the callers' mistakes.
Error SqliteBackend::remember(Error error) {
  if (error.row().level >= LogLevel::warn) last_error_ = error.log_detail.empty() ? error.error : error.log_detail;
  return error;
}

Result<> SqliteBackend::admit(const Call& call, TimePoint now) const {
  if (book_->stopping()) return fail(Code::shutting_down);
  if (call.cancellation && call.cancellation->cancelled()) return fail(gave_up(*book_, call.cancellation));
  if (now >= call.deadline) return fail(Code::statement_timeout);
  return {};
}

/// Whether the tables are known, as far as this process can tell. Another program's changes are looked for now and
/// then; while they are being loaded, the old picture serves.
bool SqliteBackend::is_current(TimePoint now) {
  const std::uint64_t changes = shared_->writer.schema_changes();
  if (!snapshot_ || snapshot_->changes < changes) snapshot_ = shared_->snapshot();
  if (!snapshot_ || snapshot_->changes < changes) return false;
  if (now - version_checked_ < kVersionCheck || !inline_->is_open()) return true;
  version_checked_ = now;
  Result<Connection*> connection = inline_->connection();
  const Result<std::int64_t> version = connection ? (*connection)->schema_version() : fail(connection.error());
  if (version && *version != snapshot_->version) {
    snapshot_ = shared_->snapshot();
    if (snapshot_->version != *version) start_loading();
  }
  return true;
}

void SqliteBackend::start_loading() {
  if (loading_ || book_->stopping()) return;
  constexpr seconds kLoadTime{60};
  loading_ = std::make_shared<LoadJob<Snapshot>>(book_, Clock::now() + kLoadTime, &load_schema);
  const std::uint64_t changes = shared_->writer.schema_changes();
  loading_->when_home = [this, changes](Result<Snapshot>& loaded) {
    if (loaded) loaded->changes = changes;
    install(loaded);
  };
  if (auto submitted = shared_->readers->submit(loading_); !submitted) {
    loading_->result() = fail(submitted.error());
    loading_.reset();
  }
}

void SqliteBackend::install(Result<Snapshot>& loaded) {
  loading_.reset();
  if (loaded) {
    snapshot_ = std::make_shared<const Snapshot>(*loaded);
    shared_->publish(snapshot_);
    observe(Event::Kind::schema_loaded, std::to_string(snapshot_->schema->tables().size()) + " tables");
  } else {
    observe(Event::Kind::schema_load_failed, remember(loaded.error()).log_detail);
  }
}

Async<> SqliteBackend::load(Call call) {
  start_loading();
  const std::shared_ptr<LoadJob<Snapshot>> job = loading_;
  if (!job) co_return fail(Code::overloaded, "The tables cannot be loaded now");
  co_await job->wait(call.deadline, call.cancellation);
  if (!job->done()) co_return fail(gave_up(*book_, call.cancellation));
  if (!job->result()) co_return fail(job->result().error());
  co_return Result<>();
}

/// An error that names something missing may only show that another program has changed the tables.
bool SqliteBackend::may_be_outdated(const Error& error) {
  if (error.code != Code::undefined_table && error.code != Code::undefined_column) return false;
  Result<Connection*> connection = inline_->connection();
  if (!connection || !snapshot_) return false;
  const Result<std::int64_t> version = (*connection)->schema_version();
  return version && *version != snapshot_->version;
}

Async<SqliteBackend::Stream> SqliteBackend::execute(query::Statement statement, Call call) {
  for (bool again = false;; again = true) {
    const TimePoint now = Clock::now();
    ATHENA_CO_TRY_VOID(admit(call, now));
    if (!is_current(now)) ATHENA_CO_TRY_VOID(co_await load(call));
    const SnapshotPointer snapshot = snapshot_;
    Result<query::Printed> printed =
        query::to_sql(statement, *snapshot->schema, {.flavor = query::Flavor::sqlite, .names = call.names});
    Result<Stream> stream = fail(Error());
    if (printed) {
      stream = co_await run(*std::move(printed), statement, call, now);
    } else {
      stream = fail(std::move(printed).error());
    }
    if (stream || again || !may_be_outdated(stream.error())) co_return stream;
    ATHENA_CO_TRY_VOID(co_await load(call));
  }
}

Async<SqliteBackend::Stream> SqliteBackend::run(query::Printed printed, const query::Statement& statement, Call call,
                                                TimePoint now) {
  if (const auto* select = std::get_if<query::Select>(&statement)) {
    const bool is_short = printed.is_keyed || (select->limit && *select->limit <= kInlineRows);
    co_return co_await read(std::move(printed), is_short, call, now);
  }
  std::optional<std::uint64_t> max_affected;
  if (const auto* update = std::get_if<query::Update>(&statement)) max_affected = update->max_affected;
  if (const auto* del = std::get_if<query::Delete>(&statement)) max_affected = del->max_affected;
  printed.table = nullptr;  // the schema that it points into may be gone before the writer is
  co_return co_await write(std::move(printed), max_affected, call);
}

Async<SqliteBackend::Stream> SqliteBackend::read(query::Printed printed, bool is_short, Call call, TimePoint now) {
  if (is_short) {
    const bool was_open = inline_->is_open();
    Result<InlineReader::Rows> rows = inline_->read(printed, now, *batches_);
    if (!was_open) observe(inline_->is_open() ? Event::Kind::connected : Event::Kind::connect_failed);
    if (!rows) co_return fail(remember(std::move(rows).error()));
    if (rows->shape) {
      co_return std::make_unique<InlineStream>(std::move(rows->shape), std::move(rows->batch), batches_);
    }
  }
  co_return co_await read_on_thread(std::move(printed), call);
}

Async<SqliteBackend::Stream> SqliteBackend::read_on_thread(query::Printed printed, Call call) {
  printed.table = nullptr;
  const auto job = std::make_shared<StreamJob>(book_, shared_->readers, call.deadline, Work(std::move(printed)), true);
  ATHENA_CO_TRY_VOID(shared_->readers->submit(job));
  co_await job->wait(call.deadline, call.cancellation);
  if (!job->done()) co_return fail(give_up(*job, call));
  if (job->error()) co_return fail(remember(*job->error()));
  co_return std::make_unique<ThreadStream>(book_, shared_->readers, job, call);
}

/// Ends the wait for a read that has no rows yet.
Error SqliteBackend::give_up(StreamJob& job, const Call& call) {
  Error error = gave_up(*book_, call.cancellation);
  job.abandon();
  if (job.done() && error.code == Code::statement_timeout) {
    // It never got a connection.
    observe(Event::Kind::pool_exhausted);
    return Error(Code::pool_timeout, "All connections for long reads were busy");
  }
  observe(Event::Kind::statement_cancelled);
  return error;
}

Async<SqliteBackend::Stream> SqliteBackend::write(Work work, std::optional<std::uint64_t> max_affected, Call call) {
  if (call.read_only) co_return fail(Code::read_only_violation);
  if (target_.read_only) co_return fail(Code::read_only_database);
  const auto job = std::make_shared<WriteJob>(book_, call.deadline, std::move(work), max_affected);
  if (auto submitted = shared_->writer.submit(job); !submitted) {
    observe(Event::Kind::pool_exhausted);
    co_return fail(submitted.error());
  }
  co_await job->wait(call.deadline, call.cancellation);
  if (!job->done()) {
    const Error error = gave_up(*book_, call.cancellation);
    if (job->withdraw()) {
      job->come_home();
      co_return fail(error);
    }
    // It has begun: only the writer can tell how it ends. It looks at the clock and at cancel() all the time.
    job->cancel();
    observe(Event::Kind::statement_cancelled);
    co_await job->wait_for_verdict(Clock::now() + kWriteGrace);
    if (!job->done()) co_return fail(Code::write_outcome_unknown, "The write was still running when its time was over");
    if (!job->result() && job->result().error().code == Code::cancelled) co_return fail(error);
  }
  if (!job->result()) co_return fail(remember(std::move(job->result()).error()));
  co_return to_stream(*std::move(job->result()));
}

Async<SqliteBackend::Stream> SqliteBackend::execute(Native native, Call call) {
  ATHENA_CO_TRY_VOID(admit(call, Clock::now()));
  if (!native.schema_name.empty() && !text::iequals(native.schema_name, "main")) {
    co_return fail(Error(Code::undefined_object, "An SQLite database has the one schema 'main'")
                       .with("schema", native.schema_name));
  }
  const auto job =
      std::make_shared<StreamJob>(book_, shared_->readers, call.deadline, Work(std::move(native)), call.read_only);
  ATHENA_CO_TRY_VOID(shared_->readers->submit(job));
  co_await job->wait(call.deadline, call.cancellation);
  if (!job->done()) co_return fail(give_up(*job, call));
  if (job->error()) co_return fail(remember(*job->error()));
  if (job->needs_writer()) co_return co_await write(std::move(job->task()), std::nullopt, call);
  MemoryStream::Results earlier = std::move(job->earlier());
  if (earlier.empty()) co_return std::make_unique<ThreadStream>(book_, shared_->readers, job, call);
  co_return to_stream(std::move(earlier), std::make_unique<ThreadStream>(book_, shared_->readers, job, call));
}

Async<std::uint64_t> SqliteBackend::count(query::Select select, query::Count, Call call) {
  // An exact count is a plan and an estimate, too; SQLite has no cheaper one that could be trusted.
  for (bool again = false;; again = true) {
    const TimePoint now = Clock::now();
    ATHENA_CO_TRY_VOID(admit(call, now));
    if (!is_current(now)) ATHENA_CO_TRY_VOID(co_await load(call));
    const SnapshotPointer snapshot = snapshot_;
    Result<query::Printed> printed =
        query::to_count_sql(select, *snapshot->schema, {.flavor = query::Flavor::sqlite, .names = call.names});
    Result<std::uint64_t> rows = 0;
    if (printed) {
      rows = co_await read_count(*std::move(printed), call, now);
    } else {
      rows = fail(std::move(printed).error());
    }
    if (rows || again || !may_be_outdated(rows.error())) co_return rows;
    ATHENA_CO_TRY_VOID(co_await load(call));
  }
}

Async<std::uint64_t> SqliteBackend::read_count(query::Printed printed, Call call, TimePoint now) {
  ATHENA_CO_TRY(const Stream stream, co_await read(std::move(printed), true, call, now));
  ATHENA_CO_TRY(const RowBatch batch, co_await stream->next());
  if (batch.cells.empty() || batch.cells[0].kind() != CellKind::integer) co_return fail(Code::internal_error);
  co_return static_cast<std::uint64_t>(batch.cells[0].integer());
}

Async<std::shared_ptr<const query::Schema>> SqliteBackend::schema(Call call, bool refresh) {
  const TimePoint now = Clock::now();
  ATHENA_CO_TRY_VOID(admit(call, now));
  if (refresh && loading_) ATHENA_CO_TRY_VOID(co_await load(call));  // that one began before now
  if (refresh || !is_current(now)) ATHENA_CO_TRY_VOID(co_await load(call));
  co_return snapshot_->schema;
}

Async<std::vector<ConstraintInfo>> SqliteBackend::constraints(Call call) {
  ATHENA_CO_TRY_VOID(admit(call, Clock::now()));
  const auto job = std::make_shared<LoadJob<std::vector<ConstraintInfo>>>(book_, call.deadline, &load_constraints);
  ATHENA_CO_TRY_VOID(shared_->readers->submit(job));
  co_await job->wait(call.deadline, call.cancellation);
  if (!job->done()) {
    job->cancel();
    if (shared_->readers->withdraw(*job)) job->come_home();
    co_return fail(gave_up(*book_, call.cancellation));
  }
  co_return std::move(job->result());
}

Result<SqlFacts> SqliteBackend::analyze(std::string_view text) const {
  if (text.size() > kMaxSqlBytes) return fail(Code::limit_exceeded, "The query is longer than 1 MiB");
  ATHENA_TRY(Connection * connection, inline_->connection());
  return analyze_text(*connection, std::string(text));
}

Health SqliteBackend::health() const {
  Health health;
  health.usable = !book_->stopping();
  health.connections = shared_->readers->connections() + shared_->writer.connections() + (inline_->is_open() ? 1 : 0);
  health.busy = shared_->readers->busy() + shared_->writer.busy();
  health.last_error = last_error_;
  return health;
}

Task<> SqliteBackend::stop() {
  if (loading_) {
    // Nobody may be waiting for it who would take it back.
    loading_->cancel();
    if (shared_->readers->withdraw(*loading_)) {
      loading_->refuse(Error(Code::shutting_down));
      loading_->come_home();
    }
  }
  co_await book_->stop();
  inline_->close();
}

}  // namespace

std::shared_ptr<SharedState> share(const Target& target) {
  return std::make_shared<Shared>(target);
}

std::unique_ptr<Backend> open(Target target, std::shared_ptr<SharedState> shared, Runtime runtime) {
  return std::make_unique<SqliteBackend>(std::move(target), std::static_pointer_cast<Shared>(std::move(shared)),
                                         runtime);
}

}  // namespace athena::driver::sqlite
