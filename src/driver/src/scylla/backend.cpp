#include "scylla/backend.h"

#include <algorithm>
#include <utility>

#include <athena/query/print_cql.h>

#include "schema_follower.h"
#include "scylla/classify.h"
#include "scylla/encode.h"
#include "scylla/errors.h"
#include "scylla/kept_template.h"
#include "scylla/schema_load.h"
#include "scylla/stream.h"
#include "template_cache.h"

namespace athena::driver::scylla {
namespace {

using SchemaPtr = std::shared_ptr<const query::Schema>;
using StreamPtr = std::unique_ptr<RowStream>;

/// After DDL: as long as nodes usually need to tell each other.
constexpr milliseconds kAgreement{10'000};
/// Statements of one batch: their number has 16 bits.
constexpr std::size_t kMaxBatch = 65'535;
/// Beyond any keyspace's; what is asked with one has 16 bits for its length.
constexpr std::size_t kMaxNameBytes = 255;

std::unexpected<Error> malformed() {
  return fail(Error(Code::connection_error, "The database's answer could not be read").logged("malformed result"));
}

std::unexpected<Error> read_only() {
  return fail(Code::read_only_violation, "This client, or this request, may only read");
}

/// The cell of the first row and column, which is a count.
Result<std::uint64_t> count_of(RowBatch batch) {
  if (batch.rows != 1 || batch.cells.empty() || batch.cells[0].kind() != CellKind::integer) return malformed();
  return static_cast<std::uint64_t>(batch.cells[0].integer());
}

/// A statement that is known to the cluster, with the values that it is to be run with.
struct Bound {
  PreparedPtr prepared;
  BoundValues values;
};

/// `cursor`: of a page's end, where the next begins; empty: from the start. Borrowed.
struct RunOptions {
  bool is_write = false;
  std::string_view cursor;
};

/// A node knows one of them by another id by now: prepared anew they will do.
bool are_outdated(const std::vector<Bound>& bounds) noexcept {
  return std::ranges::any_of(bounds, [](const Bound& bound) { return bound.prepared->is_outdated; });
}

class ScyllaBackend final : public Backend {
 public:
  ScyllaBackend(Target target, std::shared_ptr<Shared> shared, Runtime runtime)
      : target_(std::move(target)),
        shared_(std::move(shared)),
        cluster_(std::make_shared<Cluster>(runtime, target_, shared_)),
        follower_(runtime, shared_->schema, shared_->masked_target, [this](Call call) { return load_schema(call); }),
        ticks_(runtime.loop.watch([this](TimePoint now) { cluster_->tick(now); })) {}

  Async<StreamPtr> execute(query::Statement statement, Call call) override;
  Async<StreamPtr> execute_recurring(query::Recurring recurring, Call call) override;
  Async<StreamPtr> execute(Native native, Call call) override;
  Async<std::uint64_t> count(query::Select select, query::Count kind, Call call) override;
  Async<SchemaPtr> schema(Call call, bool refresh) override {
    cluster_->use();
    return refresh ? follower_.get_newer(call) : follower_.get(call);
  }
  Async<std::vector<ConstraintInfo>> constraints(Call call) override {
    cluster_->use();
    ATHENA_CO_TRY(const SchemaPtr schema, co_await follower_.get(call));
    co_return constraints_of(*schema);
  }
  Result<SqlFacts> analyze(std::string_view text) const override { return analyze_cql(text); }
  Health health() const override;
  Task<> stop() override;

 private:
  Async<SchemaPtr> load_schema(Call call);
  Async<StreamPtr> run(const query::CqlPrinted& printed, std::vector<Bound>& bounds, RunOptions options, Call call);
  Async<StreamPtr> run_kept(const KeptTemplate& kept, std::span<const query::Scalar> operands,
                            std::vector<Bound>& bounds, Call call);
  Async<StreamPtr> run_one(const query::CqlPrinted& printed, const std::vector<Bound>& bounds, RunOptions options,
                           Call call);
  Result<> add_page(Source& source, const query::CqlPrinted& printed, std::string_view cursor) const;
  Async<StreamPtr> run_batch(const query::CqlPrinted& printed, const std::vector<Bound>& bounds, Call call);
  Async<Source> source_of(const Native& native, bool writes, Call call);
  Async<PreparedPtr> prepare(std::string_view cql, std::string_view keyspace, bool caller_cql, Call call);
  Async<Bound> bind(const query::CqlStatement& statement, Call call);
  Async<Bound> bind(const KeptTemplate& kept, std::span<const query::Scalar> operands, Call call);
  Result<StreamPtr> written(const query::CqlPrinted& printed, const std::vector<Bound>& bounds) const;
  Async<> after_ddl(std::shared_ptr<Connection> changed, Call call);

  const Target target_;
  const std::shared_ptr<Shared> shared_;    // with the backends of the other loops
  const std::shared_ptr<Cluster> cluster_;  // with the streams
  StatementCache statements_;
  TemplateCache<KeptTemplate> templates_;
  SchemaFollower follower_;
  Loop::Handle ticks_;
};

Async<StreamPtr> ScyllaBackend::execute(query::Statement statement, Call call) {
  cluster_->use();
  const auto* select = std::get_if<query::Select>(&statement);
  if (!select && (call.read_only || target_.read_only)) co_return read_only();
  const std::string cursor = select ? select->cursor.value_or("") : std::string();
  for (bool again = false;; again = true) {
    ATHENA_CO_TRY(const SchemaPtr schema, co_await follower_.get(call));  // `printed` points into it
    Error error;
    std::vector<Bound> bounds;
    if (auto printed = query::to_cql(statement, *schema, {call.names}); !printed) {
      error = std::move(printed).error();
    } else if (auto stream = co_await run(*printed, bounds, {!select, cursor}, call); !stream) {
      error = std::move(stream).error();
    } else {
      co_return stream;
    }
    const bool may_retry = !again && (are_outdated(bounds) || co_await follower_.refreshed_after(error, call));
    if (!may_retry) co_return fail(std::move(error));
  }
}

Async<StreamPtr> ScyllaBackend::execute_recurring(query::Recurring recurring, Call call) {
  cluster_->use();
  ATHENA_CO_TRY(const SchemaPtr schema, co_await follower_.get(call));
  const auto kept = templates_.get(recurring.of, schema, call.names, KeptTemplate::make);
  if (kept->is_kept) {
    std::vector<Bound> bounds;
    auto stream = co_await run_kept(*kept, recurring.operands, bounds, call);
    if (stream) co_return stream;
    const bool may_retry = are_outdated(bounds) || co_await follower_.refreshed_after(stream.error(), call);
    if (!may_retry) co_return fail(std::move(stream).error());
  }
  co_return co_await execute(recurring.of->with(recurring.operands), call);
}

Async<StreamPtr> ScyllaBackend::run_kept(const KeptTemplate& kept, std::span<const query::Scalar> operands,
                                         std::vector<Bound>& bounds, Call call) {
  ATHENA_CO_TRY(Bound bound, co_await bind(kept, operands, call));
  bounds.push_back(std::move(bound));
  co_return co_await run_one(kept.printed, bounds, {}, call);
}

/// `bounds` is filled: whoever asked looks there why it failed.
Async<StreamPtr> ScyllaBackend::run(const query::CqlPrinted& printed, std::vector<Bound>& bounds, RunOptions options,
                                    Call call) {
  if (printed.statements.size() > kMaxBatch) {
    co_return fail(Code::limit_exceeded, "More rows than one batch of the database takes",
                   "Send at most " + std::to_string(kMaxBatch) + " rows at a time");
  }
  for (const query::CqlStatement& statement : printed.statements) {
    ATHENA_CO_TRY(Bound bound, co_await bind(statement, call));
    bounds.push_back(std::move(bound));
  }
  if (bounds.empty()) co_return written(printed, bounds);
  if (bounds.size() > 1) co_return co_await run_batch(printed, bounds, call);
  co_return co_await run_one(printed, bounds, options, call);
}

Async<StreamPtr> ScyllaBackend::run_one(const query::CqlPrinted& printed, const std::vector<Bound>& bounds,
                                        RunOptions options, Call call) {
  const auto [is_write, cursor] = options;
  const Bound& bound = bounds.front();
  Source source;
  source.prepared = bound.prepared;
  source.values = bound.values;
  source.token = token_of(*bound.prepared, bound.values);
  source.is_write = is_write;
  source.is_idempotent = !is_write || (call.idempotent && printed.is_idempotent);
  source.keeps_metadata = printed.is_conditional;
  if (printed.page_rows > 0) ATHENA_CO_TRY_VOID(add_page(source, printed, cursor));
  auto stream = std::make_unique<PagedStream>(cluster_, std::move(source), call);
  if (auto begun = co_await stream->begin(printed.keys); !begun) {
    // A paging state that the database itself does not take any more, as after an upgrade.
    if (!cursor.empty() && has_cql_error(begun.error(), kProtocolError)) co_return fail(bad_cursor());
    co_return fail(std::move(begun).error());
  }
  if (const auto& changed = stream->new_columns(); changed && !printed.is_conditional) {
    auto newer = std::make_shared<Prepared>(*bound.prepared);
    newer->columns = changed;
    if (const auto id = stream->answered().result.metadata.new_metadata_id; !id.empty()) newer->result_metadata_id = id;
    statements_.put(std::move(newer));
  }
  if (!is_write) co_return StreamPtr(std::move(stream));
  if (printed.is_conditional && stream->affected() == 0) {
    query::CqlPrinted none = printed;
    none.statements.clear();
    co_return written(none, {});
  }
  co_return written(printed, bounds);
}

Result<> ScyllaBackend::add_page(Source& source, const query::CqlPrinted& printed, std::string_view cursor) const {
  std::string secret = target_.password;
  if (target_.secret) {
    ATHENA_TRY(secret, target_.secret());
  }
  source.page_rows = printed.page_rows;
  source.seal = CursorSeal(secret, target_.database, source.prepared->cql, source.values.bytes);
  if (!cursor.empty()) {
    ATHENA_TRY(source.paging_state, source.seal.open(cursor));
  }
  return {};
}

Async<StreamPtr> ScyllaBackend::run_batch(const query::CqlPrinted& printed, const std::vector<Bound>& bounds,
                                          Call call) {
  std::vector<BatchQuestion::Statement> statements;
  std::vector<PreparedPtr> prepared;
  for (const Bound& bound : bounds) {
    statements.push_back({bound.prepared->id, &bound.values});
    if (std::ranges::find(prepared, bound.prepared) == prepared.end()) prepared.push_back(bound.prepared);
  }
  Asked asked;
  asked.question = BatchQuestion{BatchQuestion::Type::logged, statements, {}};
  asked.prepared = prepared;
  asked.token = token_of(*bounds.front().prepared, bounds.front().values);
  if (!prepared.front()->binds.empty()) asked.token_keyspace = prepared.front()->binds.front().keyspace;
  asked.is_write = true;
  asked.is_idempotent = call.idempotent && printed.is_idempotent;
  ATHENA_CO_TRY_VOID(co_await cluster_->run(asked, call));
  co_return written(printed, bounds);
}

/// The answer to a write: the values that were bound, as the database would give them back.
Result<StreamPtr> ScyllaBackend::written(const query::CqlPrinted& printed, const std::vector<Bound>& bounds) const {
  std::vector<ColumnSpec> specs(printed.keys.size());
  std::string rows;
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < printed.statements.size(); ++i) {
    const auto& returned = printed.statements[i].returned;
    if (returned.empty()) continue;
    ++count;
    std::vector<std::optional<std::string_view>> cells;
    MessageReader reader(bounds[i].values.bytes);
    for (std::uint16_t at = 0; at < bounds[i].values.count; ++at) cells.push_back(reader.bytes());
    BoundValues row;
    for (std::size_t column = 0; column < returned.size() && column < specs.size(); ++column) {
      const std::int32_t at = returned[column];
      if (at < 0 || !cells[static_cast<std::size_t>(at)]) {
        row.add_null();
        continue;
      }
      row.add(*cells[static_cast<std::size_t>(at)]);
      specs[column].type = bounds[i].prepared->binds[static_cast<std::size_t>(at)].type;
    }
    rows += row.bytes;
  }
  std::vector<ColumnInfo> infos;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    infos.push_back({printed.keys[i], count > 0 ? to_string(specs[i].type) : std::string(), printed.types[i]});
  }
  return std::make_unique<HeldStream>(std::move(specs), std::move(infos), std::move(rows), count,
                                      printed.statements.size());
}

Async<PreparedPtr> ScyllaBackend::prepare(std::string_view cql, std::string_view keyspace, bool caller_cql, Call call) {
  if (auto known = statements_.find(keyspace, cql)) co_return known;
  Asked asked;
  asked.question = PrepareQuestion{cql, keyspace};
  asked.keyspace = keyspace;
  asked.is_idempotent = true;
  asked.caller_cql = caller_cql;
  ATHENA_CO_TRY(const Answered answered, co_await cluster_->run(asked, call));
  auto view = read_prepared(answered.body, answered.version);
  if (!view) co_return malformed();
  auto prepared = std::make_shared<Prepared>();
  prepared->cql = cql;
  prepared->keyspace = keyspace;
  prepared->id = std::move(view->id);
  prepared->result_metadata_id = std::move(view->result_metadata_id);
  prepared->binds = std::move(view->binds);
  prepared->partition_key = std::move(view->partition_key);
  if (view->columns.count > 0) {
    prepared->columns = make_columns(view->columns);
    if (!prepared->columns) co_return malformed();
  }
  statements_.put(prepared);
  co_return prepared;
}

Async<Bound> ScyllaBackend::bind(const query::CqlStatement& statement, Call call) {
  Bound bound;
  ATHENA_CO_TRY(bound.prepared, co_await prepare(statement.cql, {}, false, call));
  const auto& binds = bound.prepared->binds;
  if (binds.size() != statement.params.size()) co_return malformed();
  for (std::size_t i = 0; i < binds.size(); ++i) {
    const query::CqlParam& param = statement.params[i];
    ATHENA_CO_TRY_VOID(bind_value(bound.values, param.value, param.column, binds[i].type));
  }
  co_return bound;
}

Async<Bound> ScyllaBackend::bind(const KeptTemplate& kept, std::span<const query::Scalar> operands, Call call) {
  const query::CqlStatement& statement = kept.printed.statements.front();
  Bound bound;
  ATHENA_CO_TRY(bound.prepared, co_await prepare(statement.cql, {}, false, call));
  const auto& binds = bound.prepared->binds;
  if (binds.size() != kept.sources.size()) co_return malformed();
  for (std::size_t i = 0; i < binds.size(); ++i) {
    const query::Scalar& operand = operands[kept.sources[i]];
    ATHENA_CO_TRY_VOID(bind_value(bound.values, operand, statement.params[i].column, binds[i].type));
  }
  co_return bound;
}

Async<StreamPtr> ScyllaBackend::execute(Native native, Call call) {
  cluster_->use();
  ATHENA_CO_TRY(const SqlFacts facts, analyze_cql(native.text));
  const bool writes = facts.writes_anything();
  if (writes && (call.read_only || target_.read_only)) co_return read_only();
  if (native.schema_name.size() > kMaxNameBytes) {
    co_return fail(Code::undefined_object, "No keyspace has so long a name");
  }
  const bool has_ddl = std::ranges::find(facts.statements, StatementKind::ddl) != facts.statements.end();
  for (bool again = false;; again = true) {
    ATHENA_CO_TRY(Source source, co_await source_of(native, writes, call));
    const PreparedPtr prepared = source.prepared;
    auto stream = std::make_unique<PagedStream>(cluster_, std::move(source), call);
    auto begun = co_await stream->begin({});
    if (has_ddl) ATHENA_CO_TRY_VOID(co_await after_ddl(stream->answered().connection, call));
    if (begun) co_return StreamPtr(std::move(stream));
    const bool may_retry = !again && prepared && prepared->is_outdated;
    if (!may_retry) co_return fail(std::move(begun).error());
  }
}

Async<Source> ScyllaBackend::source_of(const Native& native, bool writes, Call call) {
  Source source;
  source.keyspace = native.schema_name == target_.database ? std::string() : native.schema_name;
  source.is_write = writes;
  source.is_idempotent = !writes || call.idempotent;
  source.caller_cql = true;
  if (native.params.empty()) {
    source.cql = native.text;
    co_return source;
  }
  ATHENA_CO_TRY(source.prepared, co_await prepare(native.text, source.keyspace, true, call));
  const auto& binds = source.prepared->binds;
  if (binds.size() != native.params.size()) {
    co_return fail(Code::invalid_parameter, "The statement has " + std::to_string(binds.size()) + " parameters, " +
                                                std::to_string(native.params.size()) + " values were given");
  }
  for (std::size_t i = 0; i < binds.size(); ++i) {
    ATHENA_CO_TRY_VOID(bind_value(source.values, native.params[i], binds[i].name, binds[i].type));
  }
  source.token = token_of(*source.prepared, source.values);
  source.keeps_metadata = writes;
  co_return source;
}

/// Whatever follows finds the change on every node, and in our picture of the tables. `changed`: where it was made;
/// null: nobody answered.
Async<> ScyllaBackend::after_ddl(std::shared_ptr<Connection> changed, Call call) {
  if (changed) {
    const TimePoint deadline = std::min(call.deadline, Clock::now() + kAgreement);
    static_cast<void>(co_await cluster_->agree_on_schema(std::move(changed), deadline));
  }
  follower_.require();
  co_return Result<>();
}

Async<std::uint64_t> ScyllaBackend::count(query::Select select, query::Count, Call call) {
  cluster_->use();
  for (bool again = false;; again = true) {
    ATHENA_CO_TRY(const SchemaPtr schema, co_await follower_.get(call));
    Error error;
    std::vector<Bound> bounds;
    if (auto printed = query::to_count_cql(select, *schema, {call.names}); !printed) {
      error = std::move(printed).error();
    } else if (printed->statements.empty()) {
      co_return 0;
    } else if (auto stream = co_await run(*printed, bounds, {}, call); !stream) {
      error = std::move(stream).error();
    } else {
      ATHENA_CO_TRY(const RowBatch batch, co_await (*stream)->next());
      co_return count_of(batch);
    }
    const bool may_retry = !again && (are_outdated(bounds) || co_await follower_.refreshed_after(error, call));
    if (!may_retry) co_return fail(std::move(error));
  }
}

Async<SchemaPtr> ScyllaBackend::load_schema(Call call) {
  PictureBuilder builder(target_.database);
  const auto queries = schema_queries();
  for (std::size_t i = 0; i < queries.size(); ++i) {
    ATHENA_CO_TRY(const Cluster::Rows rows, co_await cluster_->query_system(queries[i], call));
    for (const auto& row : rows) {
      const std::vector<SystemCell> cells(row.begin(), row.end());
      builder.add_row(i, cells);
    }
  }
  ATHENA_CO_TRY(Picture picture, builder.finish());
  shared_->set_replications(std::move(picture.replication));
  co_return std::move(picture.schema);
}

Health ScyllaBackend::health() const {
  Health health;
  health.usable = cluster_->is_usable(Clock::now());
  health.connections = cluster_->connections();
  health.busy = cluster_->busy();
  health.last_error = cluster_->last_error();
  return health;
}

Task<> ScyllaBackend::stop() {
  // First the connections: a load that waits for an answer gets one then.
  co_await cluster_->stop();
  co_await follower_.stop();
}

}  // namespace

std::shared_ptr<SharedState> share(const Target& target) {
  return std::make_shared<Shared>(target);
}

std::unique_ptr<Backend> open(Target target, std::shared_ptr<SharedState> shared, Runtime runtime) {
  return std::make_unique<ScyllaBackend>(std::move(target), std::static_pointer_cast<Shared>(std::move(shared)),
                                         std::move(runtime));
}

}  // namespace athena::driver::scylla
