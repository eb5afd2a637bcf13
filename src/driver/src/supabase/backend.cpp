#include "supabase/backend.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <athena/query/print_rest.h>

#include "schema_cell.h"
#include "schema_follower.h"
#include "supabase/channel.h"
#include "supabase/decode.h"
#include "supabase/row_cap.h"
#include "supabase/schema_load.h"

namespace athena::driver::supabase {
namespace {

/// Rows of one page: what is held in memory at once, and what the service works on for one request.
constexpr std::uint64_t kPageRows = 10'000;
/// Schemas besides the default one whose tables are kept known.
constexpr std::size_t kMaxSchemas = 16;

/// A read of more rows gets an order down to the last row: a service that cuts its answers shorter is unheard of.
constexpr std::uint64_t kUncutRows = 101;

using SchemaPtr = std::shared_ptr<const query::Schema>;

class Shared final : public SharedState {
 public:
  SchemaCell schema;
  RetryBudget retries;
  RowCap row_cap;

  /// The schemas that callers asked for by name.
  std::vector<std::string> schemas() const {
    const std::lock_guard lock(mutex_);
    return schemas_;
  }
  /// False: it is known already, or there are too many.
  bool add_schema(const std::string& name) {
    const std::lock_guard lock(mutex_);
    if (schemas_.size() == kMaxSchemas || std::ranges::find(schemas_, name) != schemas_.end()) return false;
    schemas_.push_back(name);
    return true;
  }
  void drop_schema(const std::string& name) {
    const std::lock_guard lock(mutex_);
    std::erase(schemas_, name);
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> schemas_;
};

/// What streams need, which may outlive the backend by the end of a request.
struct Service {
  Service(Target t, std::shared_ptr<Shared> s, Runtime runtime)
      : target(std::move(t)), shared(std::move(s)), channel(target, std::move(runtime), shared->retries) {}
  const Target target;
  const std::shared_ptr<Shared> shared;
  Channel channel;
};

/// The same rows, in an order in which pages do not overlap.
query::Select with_stable_order(query::Select select, const query::Schema& schema, query::NameRules names) {
  if (select.limit && *select.limit <= kUncutRows) return select;
  select.stable_pages = true;
  const auto* table = schema.find(select.from.schema, select.from.name, names);
  if (!table || select.order.empty()) return select;
  for (const std::uint32_t index : table->primary_key) {
    const std::string& name = table->columns[index].name;
    const auto is_it = [&name](const query::OrderBy& by) { return by.column.path.empty() && by.column.name == name; };
    if (std::ranges::none_of(select.order, is_it)) select.order.push_back({.column = {.name = name, .path = {}}});
  }
  return select;
}

/// The service answered, with a status that says that the request was wrong.
bool is_refusal(const Error& error) {
  const auto status = std::ranges::find(error.fields, "http_status", &std::pair<std::string, std::string>::first);
  return status != error.fields.end() && status->second.starts_with('4');
}

std::vector<ColumnInfo> columns_of(const query::RestRequest& request) {
  std::vector<ColumnInfo> columns;
  columns.reserve(request.keys.size());
  for (std::size_t i = 0; i < request.keys.size(); ++i) {
    ColumnInfo column{.name = request.keys[i], .type_name = {}, .type = request.types[i]};
    const auto* def = request.table->find(column.name, {});
    if (def && def->type == column.type) column.type_name = def->type_name;
    columns.push_back(std::move(column));
  }
  return columns;
}

/// The rows of an answer; of a read, page after page as long as there may be more.
class RestStream final : public RowStream {
 public:
  RestStream(std::shared_ptr<Service> service, SchemaPtr schema, query::RestRequest request, Call call)
      : service_(std::move(service)), schema_(std::move(schema)), request_(std::move(request)), call_(call) {}

  /// A read of so many rows, from the first page on.
  Async<> begin_read(std::optional<std::uint64_t> limit, std::uint64_t offset) {
    left_ = limit;
    offset_ = offset;
    co_return co_await read_page();
  }
  /// A write: the only request there is.
  Async<> begin_write() {
    ATHENA_CO_TRY(auto response, co_await service_->channel.send(request_, call_, call_.idempotent));
    const auto range = find_header(response, "content-range");
    affected_ = range ? total_of(*range) : std::nullopt;
    co_return open_page(std::move(response.body));
  }

  std::span<const ColumnInfo> columns() const noexcept override { return columns_; }

  Async<RowBatch> next() override {
    for (;;) {
      auto batch = reader_->next();
      if (!batch) co_return fail(wrong_rows(std::move(batch).error()));
      if (!batch->last || !may_have_more()) co_return *batch;
      if (batch->rows > 0) {
        batch->last = false;
        co_return *batch;  // its rows stand in the page that the next call gives up
      }
      ATHENA_CO_TRY_VOID(co_await read_page());
    }
  }
  std::uint64_t affected() const noexcept override {
    if (!is_write()) return 0;
    return affected_.value_or(reader_->rows());
  }

 private:
  bool is_write() const noexcept { return request_.method != "GET"; }

  bool may_have_more() {
    if (is_write() || request_.is_keyed) return false;
    const std::uint64_t got = reader_->rows();
    if (left_ && got >= *left_) return false;
    return service_->shared->row_cap.may_have_more(asked_, got);
  }

  Async<> read_page() {
    if (reader_) {
      offset_ += reader_->rows();
      if (left_) *left_ -= reader_->rows();
    }
    asked_ = std::min(left_.value_or(kPageRows), kPageRows);
    query::RestRequest page = request_;
    query::set_page(page, asked_, offset_);
    ATHENA_CO_TRY(auto response, co_await service_->channel.send(std::move(page), call_, true));
    co_return open_page(std::move(response.body));
  }

  Result<> open_page(std::string body) {
    const bool is_first = !reader_;
    std::vector<ColumnInfo> expected = is_first ? columns_of(request_) : columns_;
    reader_ = std::make_unique<RowsReader>(std::move(body), std::move(expected), is_first && request_.has_star);
    if (auto begun = reader_->begin(); !begun) return fail(wrong_rows(std::move(begun).error()));
    if (is_first) columns_.assign(reader_->columns().begin(), reader_->columns().end());
    return {};
  }

  /// A write whose answer cannot be read has been done all the same.
  Error wrong_rows(Error error) const {
    if (!is_write()) return error;
    return Error(Code::write_outcome_unknown, "The answer to the write could not be read",
                 "Look whether it was done, before it is sent again")
        .logged(std::move(error.log_detail));
  }

  const std::shared_ptr<Service> service_;
  const SchemaPtr schema_;            ///< the request points into it
  const query::RestRequest request_;  ///< without a page
  const Call call_;
  std::vector<ColumnInfo> columns_;
  std::unique_ptr<RowsReader> reader_;
  std::optional<std::uint64_t> left_;  ///< rows that are still wanted; none: all
  std::uint64_t offset_ = 0, asked_ = 0;
  std::optional<std::uint64_t> affected_;
};

class SupabaseBackend final : public Backend {
 public:
  SupabaseBackend(Target target, std::shared_ptr<Shared> shared, Runtime runtime)
      : service_(std::make_shared<Service>(std::move(target), std::move(shared), runtime)),
        follower_(runtime, service_->shared->schema, service_->target.masked(),
                  [this](Call call) { return load(call); }) {}

  Async<std::unique_ptr<RowStream>> execute(query::Statement statement, Call call) override;
  Async<std::unique_ptr<RowStream>> execute(Native native, Call call) override;
  Async<std::uint64_t> count(query::Select select, query::Count kind, Call call) override;
  Async<std::shared_ptr<const query::Schema>> schema(Call call, bool refresh) override {
    return refresh ? follower_.get_newer(call) : follower_.get(call);
  }
  Async<std::vector<ConstraintInfo>> constraints(Call call) override;
  Result<SqlFacts> analyze(std::string_view text) const override;
  Health health() const override { return service_->channel.health(); }
  Task<> stop() override {
    co_await follower_.stop();
    co_await service_->channel.stop();
  }

 private:
  using Stream = std::unique_ptr<RowStream>;

  /// A description, and the name of its schema as the service calls it.
  struct Loaded {
    Description description;
    std::string schema;
  };
  Async<Loaded> load_description(std::string schema, Call call);
  Async<SchemaPtr> load(Call call);
  Async<SchemaPtr> schema_with(const query::Table& table, Call call);
  Async<Stream> run(const query::Statement& statement, SchemaPtr schema, Call call);
  Async<std::uint64_t> run_count(const query::Select& select, query::Count kind, const query::Schema& schema,
                                 Call call);

  const std::shared_ptr<Service> service_;
  SchemaFollower follower_;
};

Async<SupabaseBackend::Loaded> SupabaseBackend::load_description(std::string schema, Call call) {
  query::RestRequest root;
  root.method = "GET";
  root.path = "/";
  root.headers.emplace_back("Accept", "application/openapi+json");
  if (!schema.empty()) root.headers.emplace_back("Accept-Profile", schema);
  ATHENA_CO_TRY(const auto response, co_await service_->channel.send(std::move(root), call, true));
  Loaded loaded;
  loaded.schema = std::move(schema);
  // A service that shows several schemas says which one this is.
  if (loaded.schema.empty()) loaded.schema = find_header(response, "content-profile").value_or("");
  if (loaded.schema.empty()) loaded.schema = service_->target.database.empty() ? "public" : service_->target.database;
  ATHENA_CO_TRY(loaded.description, read_description(response.body, loaded.schema));
  co_return loaded;
}

Async<SchemaPtr> SupabaseBackend::load(Call call) {
  service_->shared->row_cap.forget();
  ATHENA_CO_TRY(Loaded loaded, co_await load_description({}, call));
  std::vector<query::TableDef> tables = std::move(loaded.description.tables);
  for (const std::string& name : service_->shared->schemas()) {
    if (name == loaded.schema) continue;
    auto other = co_await load_description(name, call);
    if (!other && other.error().code == Code::undefined_object) {
      service_->shared->drop_schema(name);  // not shown: whoever asks for it again is told again
      continue;
    }
    if (!other) co_return fail(std::move(other).error());
    std::ranges::move(other->description.tables, std::back_inserter(tables));
  }
  co_return std::make_shared<const query::Schema>(std::move(tables), std::vector{loaded.schema});
}

/// The tables, with those of the schema that the table names, which is looked at when it is first asked for.
Async<SchemaPtr> SupabaseBackend::schema_with(const query::Table& table, Call call) {
  ATHENA_CO_TRY(SchemaPtr schema, co_await follower_.get(call));
  const bool is_known =
      table.schema.empty() || schema->is_default_schema(table.schema) ||
      std::ranges::find(schema->tables(), table.schema, &query::TableDef::schema) != schema->tables().end();
  if (is_known || !service_->shared->add_schema(table.schema)) co_return schema;
  co_return co_await follower_.get_newer(call);
}

Async<SupabaseBackend::Stream> SupabaseBackend::run(const query::Statement& statement, SchemaPtr schema, Call call) {
  const query::RestOptions options{.names = call.names, .default_schema = schema->search_path().front()};
  const auto* select = std::get_if<query::Select>(&statement);
  if (!select && call.read_only) co_return fail(Code::read_only_violation);
  ATHENA_CO_TRY(auto request, select ? query::to_rest(with_stable_order(*select, *schema, call.names), *schema, options)
                                     : query::to_rest(statement, *schema, options));
  auto stream = std::make_unique<RestStream>(service_, schema, std::move(request), call);
  if (select) {
    ATHENA_CO_TRY_VOID(co_await stream->begin_read(select->limit, select->offset));
  } else {
    ATHENA_CO_TRY_VOID(co_await stream->begin_write());
  }
  co_return stream;
}

Async<SupabaseBackend::Stream> SupabaseBackend::execute(query::Statement statement, Call call) {
  for (bool again = false;; again = true) {
    ATHENA_CO_TRY(const SchemaPtr schema, co_await schema_with(query::target(statement), call));
    auto stream = co_await run(statement, schema, call);
    if (stream || again || !co_await follower_.refreshed_after(stream.error(), call)) co_return stream;
  }
}

Async<SupabaseBackend::Stream> SupabaseBackend::execute(Native, Call) {
  co_return fail(Error(Code::feature_not_supported, "supabase: PostgREST runs no SQL",
                       "Use /gateway/fetch, insert, update or delete, or a client that reaches the database itself")
                     .with("backend", "supabase"));
}

Async<std::uint64_t> SupabaseBackend::run_count(const query::Select& select, query::Count kind,
                                                const query::Schema& schema, Call call) {
  const query::RestOptions options{.names = call.names, .default_schema = schema.search_path().front()};
  ATHENA_CO_TRY(query::RestRequest request, query::to_rest_count(select, kind, schema, options));
  auto response = co_await service_->channel.send(request, call, true);
  // The answer to HEAD has no body, and so does not say what was wrong; the same as a GET, of no rows, does.
  if (!response && is_refusal(response.error())) {
    request.method = "GET";
    response = co_await service_->channel.send(request, call, true);
  }
  if (!response) co_return fail(std::move(response).error());
  const auto range = find_header(*response, "content-range");
  const auto total = range ? total_of(*range) : std::nullopt;
  if (!total) {
    co_return fail(Error(Code::database_error, "The REST service did not answer as PostgREST does")
                       .logged("no total in Content-Range"));
  }
  co_return *total;
}

Async<std::uint64_t> SupabaseBackend::count(query::Select select, query::Count kind, Call call) {
  for (bool again = false;; again = true) {
    ATHENA_CO_TRY(const SchemaPtr schema, co_await schema_with(select.from, call));
    auto total = co_await run_count(select, kind, *schema, call);
    if (total || again || !co_await follower_.refreshed_after(total.error(), call)) co_return total;
  }
}

Async<std::vector<ConstraintInfo>> SupabaseBackend::constraints(Call call) {
  ATHENA_CO_TRY(Loaded loaded, co_await load_description({}, call));
  co_return std::move(loaded.description.constraints);
}

Result<SqlFacts> SupabaseBackend::analyze(std::string_view) const {
  return fail(Code::feature_not_supported, "supabase: PostgREST runs no SQL");
}

}  // namespace

std::shared_ptr<SharedState> share(const Target&) {
  return std::make_shared<Shared>();
}

std::unique_ptr<Backend> open(Target target, std::shared_ptr<SharedState> shared, Runtime runtime) {
  return std::make_unique<SupabaseBackend>(std::move(target), std::static_pointer_cast<Shared>(std::move(shared)),
                                           std::move(runtime));
}

}  // namespace athena::driver::supabase
