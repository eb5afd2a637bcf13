#include "driver_channel.h"

#include <utility>

#include <athena/base/text.h>

#include "target.h"

namespace athena::sdk {
namespace {

/// Digits and JSON come as the database wrote them.
query::Scalar verbatim(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  if (text == "null") return std::monostate();
  const bool is_number = !text.empty() && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9'));
  if (is_number) return query::Number{std::string(text)};
  return query::JsonText{std::string(text)};
}

Value to_value(const driver::Cell& cell) {
  switch (cell.kind()) {
    case driver::CellKind::null:
      return {};
    case driver::CellKind::boolean:
      return cell.integer() != 0;
    case driver::CellKind::integer:
      return cell.integer();
    case driver::CellKind::real:
      return cell.real();
    case driver::CellKind::text:
    case driver::CellKind::quoted:
      return cell.view();
    case driver::CellKind::verbatim:
      return Value(verbatim(cell.view()));
    case driver::CellKind::bytes:
      return "\\x" + text::hex(cell.view());  // as everywhere else
  }
  return {};
}

std::size_t size_of(const driver::Cell& cell) noexcept {
  switch (cell.kind()) {
    case driver::CellKind::null:
    case driver::CellKind::boolean:
    case driver::CellKind::integer:
    case driver::CellKind::real:
      return sizeof(Value);
    case driver::CellKind::text:
    case driver::CellKind::quoted:
    case driver::CellKind::verbatim:
    case driver::CellKind::bytes:
      return sizeof(Value) + cell.view().size();
  }
  return sizeof(Value);
}

class DriverChannel final : public Channel {
 public:
  DriverChannel(const driver::BackendKind& kind, driver::Target target, ChannelContext context)
      : kind_(kind),
        max_result_bytes_(context.max_result_bytes),
        health_keys_(sdk::health_keys(target)),
        shared_(kind.share(target)),
        backend_(kind.open(std::move(target), shared_, std::move(context.runtime))) {}

  Async<QueryResult> run(const Request& request, TimePoint deadline, Cancellation* cancellation) override {
    driver::Call call;
    call.deadline = deadline;
    call.cancellation = cancellation;
    call.idempotent = request.is_idempotent;
    if (const auto* statement = std::get_if<query::Statement>(&request.what)) {
      co_return co_await run_statement(*statement, request, call);
    }
    if (const auto* raw = std::get_if<RawText>(&request.what)) co_return co_await run_raw(*raw, call);
    co_return fail(Code::feature_not_supported, "Functions are called through a gateway or in SQL",
                   "Use execute_sql(), or BackendType::gateway");
  }

  Async<> probe(TimePoint deadline) override {
    driver::Call call;
    call.deadline = deadline;
    call.read_only = true;
    if (!kind_.can.raw_sql) {
      ATHENA_CO_TRY_VOID(co_await backend_->schema(call, true));
      co_return Result<>();
    }
    RawText raw;
    raw.read_only = true;
    raw.language = language();
    raw.native.text = raw.language == RawText::Language::cql ? "SELECT key FROM system.local" : "SELECT 1";
    ATHENA_CO_TRY_VOID(co_await run_raw(raw, call));
    co_return Result<>();
  }

  std::vector<std::string> health_keys() const override { return health_keys_; }
  Task<> stop() override { co_await backend_->stop(); }

 private:
  RawText::Language language() const noexcept {
    return kind_.name == "scylla" ? RawText::Language::cql : RawText::Language::sql;
  }

  Async<QueryResult> run_statement(query::Statement statement, const Request& request, driver::Call call) {
    QueryResult result;
    if (const auto* select = std::get_if<query::Select>(&statement); select && request.count != query::Count::none) {
      ATHENA_CO_TRY(result.count, co_await backend_->count(*select, request.count, call));
    }
    if (request.head) co_return result;
    ATHENA_CO_TRY(const auto stream, co_await backend_->execute(std::move(statement), call));
    ATHENA_CO_TRY_VOID(co_await read(*stream, result));
    co_return result;
  }

  Async<QueryResult> run_raw(const RawText& raw, driver::Call call) {
    if (!kind_.can.raw_sql) {
      co_return fail(Code::feature_not_supported,
                     "A " + std::string(kind_.name) + " database takes no statements as text");
    }
    if (raw.language != language()) {
      const bool speaks_cql = language() == RawText::Language::cql;
      co_return fail(Code::feature_not_supported,
                     "A " + std::string(kind_.name) + " database speaks " + (speaks_cql ? "CQL" : "SQL") + ", not " +
                         (speaks_cql ? "SQL" : "CQL"),
                     speaks_cql ? "Use execute_cql()" : "Use execute_sql()");
    }
    call.read_only = raw.read_only;
    QueryResult result;
    ATHENA_CO_TRY(const auto stream, co_await backend_->execute(raw.native, call));
    ATHENA_CO_TRY_VOID(co_await read(*stream, result));
    co_return result;
  }

  Async<> read(driver::RowStream& stream, QueryResult& result) {
    for (const driver::ColumnInfo& column : stream.columns()) result.columns.push_back(column.name);
    const std::size_t width = result.columns.size();
    std::size_t bytes = 0;
    for (bool is_last = false; !is_last;) {
      ATHENA_CO_TRY(const driver::RowBatch batch, co_await stream.next());
      is_last = batch.last;
      for (std::size_t row = 0; row < batch.rows; ++row) {
        std::vector<Value>& values = result.rows.emplace_back();
        values.reserve(width);
        for (const driver::Cell& cell : batch.cells.subspan(row * width, width)) {
          bytes += size_of(cell);
          values.push_back(to_value(cell));
        }
      }
      if (bytes > max_result_bytes_) {
        co_return fail(Code::result_too_large,
                       "The answer is larger than " + std::to_string(max_result_bytes_) + " bytes",
                       "Ask for fewer rows or columns, or raise max_result_bytes()");
      }
    }
    result.affected = stream.affected();
    co_return Result<>();
  }

  const driver::BackendKind& kind_;
  const std::size_t max_result_bytes_;
  const std::vector<std::string> health_keys_;
  std::shared_ptr<driver::SharedState> shared_;  // with the backend, which goes first
  std::unique_ptr<driver::Backend> backend_;
};

}  // namespace

Result<std::unique_ptr<Channel>> open_driver_channel(driver::Target target, ChannelContext context) {
  const driver::BackendKind* kind = driver::find_backend_kind(target.kind);
  if (!kind) return fail(Code::configuration_error, "This build has no backend '" + target.kind + "'");
  return std::make_unique<DriverChannel>(*kind, std::move(target), std::move(context));
}

}  // namespace athena::sdk
