#include "d1/backend.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <variant>

#include <athena/base/json.h>
#include <athena/base/text.h>

#include "cancelled.h"
#include "d1/decode.h"
#include "d1/proxy_client.h"
#include "schema_follower.h"
#include "sqlite/replica.h"

namespace athena::driver::d1 {
namespace {

constexpr std::size_t kMaxStatementBytes = 100'000;
constexpr std::string_view kTables = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid";

query::PrintOptions print_options(const Call& call) {
  return {query::Flavor::d1, call.names};
}

bool is_write(const query::Statement& statement) noexcept {
  return !std::holds_alternative<query::Select>(statement);
}

std::optional<std::uint64_t> most_affected(const query::Statement& statement) {
  if (const auto* update = std::get_if<query::Update>(&statement)) return update->max_affected;
  if (const auto* del = std::get_if<query::Delete>(&statement)) return del->max_affected;
  return std::nullopt;
}

std::vector<ColumnInfo> printed_columns(const query::Printed& printed) {
  std::vector<ColumnInfo> columns;
  for (std::size_t i = 0; i < printed.keys.size(); ++i) {
    columns.push_back({printed.keys[i], {}, printed.types[i]});
  }
  return columns;
}

/// A mistake that the compiler here may make: the database's SQLite is newer, and its tables may have changed.
bool only_the_database_knows(Code code) noexcept {
  constexpr Code kRefusals[] = {Code::unsupported_statement, Code::insufficient_privilege, Code::read_only_violation,
                                Code::limit_exceeded, Code::invalid_parameter};
  return std::ranges::find(kRefusals, code) == std::end(kRefusals);
}

bool has_ddl(const SqlFacts& facts) noexcept {
  return std::ranges::any_of(facts.statements, [](StatementKind kind) {
    return kind == StatementKind::ddl || kind == StatementKind::utility;
  });
}

/// What cannot be compiled here may do anything.
sqlite::Description unknown_text() {
  sqlite::Description described;
  described.facts.statements.push_back(StatementKind::utility);
  described.facts.is_volatile = true;
  return described;
}

/// What the loops of one client share.
class Shared final : public SharedState {
 public:
  explicit Shared(const Target& target) : places(target.pool.max_connections == 0 ? 1 : target.pool.max_connections) {}

  Budget places;  ///< for requests that run at once: each has a connection
  RetryBudget retries;
  SchemaCell schema;

  std::shared_ptr<const sqlite::Replica> replica() const {
    const std::lock_guard lock(mutex_);
    return replica_;
  }
  void publish(std::shared_ptr<const sqlite::Replica> replica) {
    const std::lock_guard lock(mutex_);
    replica_ = std::move(replica);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const sqlite::Replica> replica_;
};

/// The D1 backend of one loop: knows the tables, prints, and reads the answers.
class D1Backend final : public Backend {
 public:
  D1Backend(Target target, std::shared_ptr<Shared> shared, Runtime runtime)
      : target_(std::move(target)),
        shared_(std::move(shared)),
        runtime_(std::move(runtime)),
        proxy_(target_, runtime_, shared_->places, shared_->retries),
        tables_(runtime_, shared_->schema, target_.masked(), [this](Call call) { return load_schema(call); }) {}

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

  Result<> admit(const Call& call, bool writes) const;
  Async<Stream> run(const query::Statement& statement, query::Printed printed, const query::Schema& schema, Call call);
  Async<> check_most_affected(const query::Statement& statement, const query::Schema& schema, Call call);
  Async<std::uint64_t> count_once(const query::Select& select, const query::Schema& schema, Call call);
  Result<sqlite::Description> describe(const std::string& text, bool read_only) const;
  Async<SchemaFollower::SchemaPtr> load_schema(Call call);

  const Target target_;
  const std::shared_ptr<Shared> shared_;  // with the backends of the other loops; the last one to go frees it
  Runtime runtime_;
  ProxyClient proxy_;
  SchemaFollower tables_;
};

Result<> D1Backend::admit(const Call& call, bool writes) const {
  if (call.cancellation && call.cancellation->cancelled()) return fail(cancelled_by(call.cancellation->reason()));
  if (Clock::now() >= call.deadline) return fail(Code::statement_timeout);
  if (writes && (call.read_only || target_.read_only)) {
    return fail(Code::read_only_violation, "This client, or this request, may only read");
  }
  return {};
}

Async<D1Backend::Stream> D1Backend::execute(query::Statement statement, Call call) {
  for (bool again = false;; again = true) {
    ATHENA_CO_TRY_VOID(admit(call, is_write(statement)));
    ATHENA_CO_TRY(const SchemaFollower::SchemaPtr schema, co_await tables_.get(call));
    Error error;
    if (auto printed = query::to_sql(statement, *schema, print_options(call)); !printed) {
      error = std::move(printed).error();
    } else {
      Result<Stream> stream = co_await run(statement, *std::move(printed), *schema, call);
      if (stream) co_return stream;
      error = std::move(stream).error();
    }
    const bool may_retry = !again && co_await tables_.refreshed_after(error, call);
    if (!may_retry) co_return fail(std::move(error));
  }
}

Async<D1Backend::Stream> D1Backend::run(const query::Statement& statement, query::Printed printed,
                                        const query::Schema& schema, Call call) {
  Outgoing outgoing{.sql = printed.sql, .writes = is_write(statement)};
  ATHENA_CO_TRY(outgoing.params, printed_params(printed.params));
  ATHENA_CO_TRY(ProxyClient::Reply reply, co_await proxy_.send(std::move(outgoing), call));
  if (reply->rows.empty()) ATHENA_CO_TRY_VOID(co_await check_most_affected(statement, schema, call));
  co_return std::make_unique<ReplyStream>(
      std::move(reply), ReplyStream::Options{.columns = printed_columns(printed), .is_printed = true});
}

/// Nothing was changed: because nothing matched, or because too much did (see query::Printer::append_at_most)?
Async<> D1Backend::check_most_affected(const query::Statement& statement, const query::Schema& schema, Call call) {
  const auto most = most_affected(statement);
  if (!most) co_return Result<>();
  query::Select select;
  const query::TableDef* table = nullptr;
  std::optional<query::Scalar> id;
  std::string id_column;
  if (const auto* update = std::get_if<query::Update>(&statement)) {
    select.from = update->table;
    select.where = update->where;
    id = update->resource_id;
    id_column = update->id_column;
  } else if (const auto* del = std::get_if<query::Delete>(&statement)) {
    select.from = del->from;
    select.where = del->where;
    id = del->resource_id;
    id_column = del->id_column;
  }
  table = schema.find(select.from.schema, select.from.name, call.names);
  if (id && table && id_column.empty() && table->primary_key.size() == 1) {
    id_column = table->columns[table->primary_key.front()].name;
  }
  if (id) {
    query::Filter both;
    both.terms.emplace_back(
        query::Predicate{.column = {.name = id_column, .path = {}}, .op = query::Op::eq, .operands = {*id}});
    both.terms.emplace_back(std::move(select.where));
    select.where = std::move(both);
  }
  ATHENA_CO_TRY(const std::uint64_t matching, co_await count(std::move(select), query::Count::exact, call));
  if (matching <= *most) co_return Result<>();
  co_return fail(Error(Code::too_many_affected, "The statement would change " + std::to_string(matching) +
                                                    " rows, and may change " + std::to_string(*most) +
                                                    " at most; nothing was changed")
                     .with("max_affected", std::to_string(*most)));
}

/// Without a picture of the tables the text may do anything.
Result<sqlite::Description> D1Backend::describe(const std::string& text, bool read_only) const {
  if (text.size() > kMaxStatementBytes) {
    return fail(Code::limit_exceeded, "The query is longer than the 100000 bytes that d1 takes");
  }
  const auto replica = shared_->replica();
  Result<sqlite::Description> described = replica ? replica->describe(text, read_only) : unknown_text();
  if (described || !only_the_database_knows(described.error().code)) return described;
  if (!read_only) return unknown_text();
  return fail(
      Error(Code::read_only_violation, "It cannot be told that the statement only reads", "Send it without read_only")
          .logged(described.error().error));
}

Async<D1Backend::Stream> D1Backend::execute(Native native, Call call) {
  ATHENA_CO_TRY_VOID(admit(call, false));
  if (!native.schema_name.empty() && !text::iequals(native.schema_name, "main")) {
    co_return fail(
        Error(Code::undefined_object, "A D1 database has the one schema 'main'").with("schema", native.schema_name));
  }
  ATHENA_CO_TRY_VOID(co_await tables_.get(call));
  ATHENA_CO_TRY(const sqlite::Description described, describe(native.text, call.read_only || target_.read_only));
  const std::size_t statements = described.facts.statements.size();
  if (statements == 0) co_return fail(Code::invalid_value, "The query holds no statement");
  if (statements > 1 && !native.params.empty()) {
    co_return fail(Code::feature_not_supported, "d1 takes no parameters with several statements",
                   "Send the statements one by one");
  }
  Outgoing outgoing{.sql = native.text,
                    .writes = described.facts.writes_anything(),
                    .caller = {.is_caller_sql = true, .sql = native.text}};
  ATHENA_CO_TRY(outgoing.params, native_params(native.params, described.parameters));
  Result<ProxyClient::Reply> reply = co_await proxy_.send(std::move(outgoing), call);
  // Even if it failed: it may have been carried out.
  if (has_ddl(described.facts)) tables_.require();
  if (!reply) co_return fail(std::move(reply).error());
  std::vector<ColumnInfo> columns = native_columns(**reply, described.columns);
  co_return std::make_unique<ReplyStream>(
      *std::move(reply), ReplyStream::Options{.columns = std::move(columns), .statements = statements});
}

Async<std::uint64_t> D1Backend::count(query::Select select, query::Count, Call call) {
  // An exact count is a plan and an estimate, too; SQLite has no cheaper one that could be trusted.
  for (bool again = false;; again = true) {
    ATHENA_CO_TRY_VOID(admit(call, false));
    ATHENA_CO_TRY(const SchemaFollower::SchemaPtr schema, co_await tables_.get(call));
    Result<std::uint64_t> rows = co_await count_once(select, *schema, call);
    if (rows) co_return rows;
    const bool may_retry = !again && co_await tables_.refreshed_after(rows.error(), call);
    if (!may_retry) co_return rows;
  }
}

Async<std::uint64_t> D1Backend::count_once(const query::Select& select, const query::Schema& schema, Call call) {
  ATHENA_CO_TRY(const query::Printed printed, query::to_count_sql(select, schema, print_options(call)));
  Outgoing outgoing{.sql = printed.sql};
  ATHENA_CO_TRY(outgoing.params, printed_params(printed.params));
  ATHENA_CO_TRY(const ProxyClient::Reply reply, co_await proxy_.send(std::move(outgoing), call));
  ATHENA_CO_TRY(const auto row, RowTexts(reply->rows).next());
  const auto document = json::Document::parse(row.value_or("null"));
  const json::Value value = document ? document->root()["c0"] : json::Value();
  const auto rows = value.is_number() ? text::parse_u64(value.digits()) : std::nullopt;
  if (!rows) co_return fail(invalid_json("a count is not a number"));
  co_return *rows;
}

/// One request: the definitions of everything. What they mean is told by SQLite's own compiler.
Async<SchemaFollower::SchemaPtr> D1Backend::load_schema(Call call) {
  ATHENA_CO_TRY(const ProxyClient::Reply reply, co_await proxy_.send({.sql = kTables}, call));
  std::vector<sqlite::SchemaRow> rows;
  RowTexts texts(reply->rows);
  while (true) {
    ATHENA_CO_TRY(const auto text, texts.next());
    if (!text) break;
    const auto document = json::Document::parse(*text);
    if (!document) co_return fail(invalid_json(document.error().error));
    const json::Value row = document->root();
    const auto member = [&row](std::string_view name) {
      const json::Value value = row[name];
      return value.is_string() ? std::string(value.as_string()) : std::string();
    };
    rows.push_back({member("type"), member("name"), member("sql")});
  }
  ATHENA_CO_TRY(const std::shared_ptr<const sqlite::Replica> replica, sqlite::Replica::build(std::move(rows)));
  shared_->publish(replica);
  for (const std::string& name : replica->left_out()) {
    runtime_.observer.observe({driver::Event::Kind::schema_load_failed, proxy_.masked(),
                               "'" + name + "' is written in an SQL that is not known here"});
  }
  co_return replica->schema();
}

Async<std::shared_ptr<const query::Schema>> D1Backend::schema(Call call, bool refresh) {
  ATHENA_CO_TRY_VOID(admit(call, false));
  co_return co_await (refresh ? tables_.get_newer(call) : tables_.get(call));
}

Async<std::vector<ConstraintInfo>> D1Backend::constraints(Call call) {
  ATHENA_CO_TRY_VOID(admit(call, false));
  ATHENA_CO_TRY_VOID(co_await tables_.get(call));
  co_return shared_->replica()->constraints();
}

Result<SqlFacts> D1Backend::analyze(std::string_view text) const {
  ATHENA_TRY(sqlite::Description described, describe(std::string(text), false));
  return std::move(described.facts);
}

Health D1Backend::health() const {
  Health health;
  health.usable = proxy_.is_usable();
  health.connections = health.busy = proxy_.busy();
  health.last_error = proxy_.last_error();
  return health;
}

Task<> D1Backend::stop() {
  co_await proxy_.stop();
  co_await tables_.stop();
}

}  // namespace

std::shared_ptr<SharedState> share(const Target& target) {
  return std::make_shared<Shared>(target);
}

std::unique_ptr<Backend> open(Target target, std::shared_ptr<SharedState> shared, Runtime runtime) {
  return std::make_unique<D1Backend>(std::move(target), std::static_pointer_cast<Shared>(std::move(shared)),
                                     std::move(runtime));
}

}  // namespace athena::driver::d1
