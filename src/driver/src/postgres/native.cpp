#include "postgres/native.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "postgres/classify.h"
#include "postgres/stream.h"
#include "script_stream.h"

namespace athena::driver::postgres {
namespace {

/// What a session can keep, forgotten inside the transaction: behind a pooler the next one may be somebody else's.
constexpr std::string_view kForgetInTransaction =
    "CLOSE ALL; RESET SESSION AUTHORIZATION; RESET ALL; UNLISTEN *; SELECT pg_catalog.pg_advisory_unlock_all(); "
    "DISCARD SEQUENCES; DISCARD TEMP; DEALLOCATE ALL; SET DateStyle TO 'ISO, MDY'; SET TimeZone TO 'UTC'; "
    "SET client_encoding TO 'UTF8'; SET standard_conforming_strings TO on; COMMIT";

/// Sets the path only if there is such a schema; says so by giving a row.
constexpr std::string_view kSetSchema =
    "SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', $1::text, "
    "NULLIF(pg_catalog.current_setting('search_path'), '')), $3::pg_catalog.bool) FROM pg_catalog.pg_namespace WHERE "
    "nspname = $2";

bool has_kind(const SqlFacts& facts, StatementKind kind) {
  return std::ranges::find(facts.statements, kind) != facts.statements.end();
}

bool may_write(const SqlFacts& facts) {
  return facts.writes_anything() || facts.is_volatile;
}

std::vector<query::Param> to_params(const std::vector<query::Scalar>& scalars) {
  std::vector<query::Param> params;
  params.reserve(scalars.size());
  for (const query::Scalar& scalar : scalars) {
    query::Param& param = params.emplace_back();
    if (const auto* boolean = std::get_if<bool>(&scalar)) {
      param = {query::ParamKind::boolean, *boolean ? "true" : "false"};
    } else if (const auto* number = std::get_if<query::Number>(&scalar)) {
      param = {query::ParamKind::real, number->digits};
    } else if (const auto* text = std::get_if<std::string>(&scalar)) {
      param = {query::ParamKind::text, *text};
    } else if (const auto* json = std::get_if<query::JsonText>(&scalar)) {
      param = {query::ParamKind::text, json->text};
    }
  }
  return params;
}

/// `for_transaction`: until its end; else until the connection is reset.
Async<> use_schema(Lease& lease, std::string name, bool for_transaction) {
  std::string quoted;
  query::append_identifier(quoted, name);
  bool exists = false;
  const std::vector<query::Param> params = {{query::ParamKind::text, quoted},
                                            {query::ParamKind::text, name},
                                            {query::ParamKind::boolean, for_transaction ? "true" : "false"}};
  ATHENA_CO_TRY_VOID(co_await lease.query(kSetSchema, params, [&exists](auto) { exists = true; }));
  if (exists) co_return Result<>();
  co_return fail(Error(Code::undefined_object, "Schema '" + name + "' does not exist").with("schema", name));
}

/// How many parameters a statement has: with several statements, each takes as many as it names.
Async<std::size_t> count_params(Lease& lease, std::string_view sql, const CallerText& caller) {
  Encoder encoder = lease.connection().encode();
  ATHENA_CO_TRY_VOID(encoder.parse("", sql));
  encoder.describe_statement("");
  encoder.sync();
  lease.connection().expect_ready();
  ATHENA_CO_TRY_VOID(co_await lease.send());
  std::size_t count = 0;
  std::optional<Error> error;
  for (;;) {
    ATHENA_CO_TRY(const Frame frame, co_await lease.receive());
    if (frame.type == MessageType::parameter_description) count = read_parameter_count(frame.body).value_or(0);
    if (frame.type == MessageType::error) error = caller.explain(read_server_error(frame.body));
    if (frame.type == MessageType::ready) break;
  }
  if (error) co_return fail(std::move(*error));
  co_return count;
}

/// What is kept of the statements before the last one, rows and all. Beyond, the text fails.
constexpr std::size_t kMaxKept = 16 * 1024 * 1024;
constexpr std::size_t kKeptForEach = 512;  // of a statement without rows

/// Runs a statement that others follow, and keeps what it gives. `kept`: bytes, of all of them.
Async<std::unique_ptr<RowStream>> run_through(Lease& lease, std::string_view sql, std::span<const query::Param> params,
                                              const CallerText& caller, const query::Schema* schema,
                                              std::size_t& kept) {
  ATHENA_CO_TRY_VOID(lease.ask(sql, params));
  ATHENA_CO_TRY_VOID(co_await lease.send());
  ResultColumns columns;
  Buffer rows;
  std::uint64_t affected = 0;
  kept += kKeptForEach;
  for (;;) {
    ATHENA_CO_TRY(const Frame frame, co_await lease.receive());
    if (frame.type == MessageType::error) co_return fail(caller.explain(read_server_error(frame.body)));
    if (frame.type == MessageType::row_description && !columns.read(frame.body, schema, {})) {
      co_return fail(
          Error(Code::connection_error, "The connection to the database was lost").logged("malformed message"));
    }
    if (frame.type == MessageType::row_description || frame.type == MessageType::data_row) kept += frame.bytes;
    if (kept > kMaxKept) {
      co_return fail(Code::result_too_large, "The results of the statements before the last one are larger than 16 MiB",
                     "Run what gives many rows by itself, or as the last statement");
    }
    if (frame.type == MessageType::data_row) rows.append({frame.body.data() - kMessageHeadBytes, frame.bytes});
    if (frame.type == MessageType::command_complete) affected = read_affected(frame.body);
    if (frame.type == MessageType::ready) {
      co_return std::make_unique<HeldStream>(std::move(columns), std::move(rows), affected);
    }
    ATHENA_CO_TRY_VOID(refuse_copying(frame, lease.connection()));
  }
}

/// One answer of all. A last statement without rows is run to the end, so that the last one with rows can be the
/// answer.
Async<std::unique_ptr<RowStream>> join_results(ScriptStream::Results results) {
  const auto has_columns = [](const auto& result) { return !result->columns().empty(); };
  if (!has_columns(results.back()) && std::ranges::any_of(results, has_columns)) {
    for (bool last = false; !last;) {
      ATHENA_CO_TRY(const RowBatch batch, co_await results.back()->next());
      last = batch.last;
    }
    results.back() = std::make_unique<HeldStream>(ResultColumns(), Buffer(), results.back()->affected());
  }
  co_return std::make_unique<ScriptStream>(std::move(results));
}

}  // namespace

Async<std::unique_ptr<RowStream>> run_native(Lease lease, Native native, NativeRun run) {
  if (has_kind(run.facts, StatementKind::transaction_control)) {
    co_return fail(Code::unsupported_statement, "BEGIN, COMMIT, ROLLBACK and the like are not allowed here",
                   "Several statements in one text are one transaction already");
  }
  ATHENA_CO_TRY(const std::vector<std::string_view> statements, split_statements(native.text));
  if (statements.empty()) co_return fail(Code::invalid_request, "The query is empty");
  const bool is_pooled = lease.connection().is_pooled();
  const bool in_transaction = statements.size() > 1 || run.read_only || is_pooled;
  lease.mark_dirty();
  if (in_transaction) ATHENA_CO_TRY_VOID(co_await lease.run(run.read_only ? "BEGIN READ ONLY" : "BEGIN"));
  // A read-only transaction can be made to write until it has its first snapshot: it gets one.
  if (run.read_only) ATHENA_CO_TRY_VOID(co_await lease.run("SELECT"));
  if (!native.schema_name.empty()) ATHENA_CO_TRY_VOID(co_await use_schema(lease, native.schema_name, in_transaction));

  const std::vector<query::Param> params = to_params(native.params);
  ExclusiveStream::Options options;
  options.schema = run.schema;
  options.on_end = std::move(run.on_end);
  options.is_write = may_write(run.facts);
  if (in_transaction) options.ending = is_pooled ? kForgetInTransaction : "COMMIT";
  std::span<const query::Param> used = params;
  CallerText caller{.text = native.text, .total = statements.size()};
  ScriptStream::Results results;
  std::size_t kept = 0;
  for (std::size_t i = 0;; ++i) {
    caller.begin = static_cast<std::size_t>(statements[i].data() - native.text.data());
    caller.end = caller.begin + statements[i].size();
    caller.index = i + 1;
    if (statements.size() > 1 && !params.empty()) {
      ATHENA_CO_TRY(const std::size_t wanted, co_await count_params(lease, statements[i], caller));
      used = std::span(params).first(std::min(wanted, params.size()));
    }
    if (i + 1 == statements.size()) break;
    ATHENA_CO_TRY(auto result, co_await run_through(lease, statements[i], used, caller, run.schema, kept));
    results.push_back(std::move(result));
  }
  options.caller = std::move(caller);
  ATHENA_CO_TRY(auto last,
                co_await ExclusiveStream::start(std::move(lease), statements.back(), used, std::move(options)));
  if (results.empty()) co_return last;
  results.push_back(std::move(last));
  co_return co_await join_results(std::move(results));
}

}  // namespace athena::driver::postgres
