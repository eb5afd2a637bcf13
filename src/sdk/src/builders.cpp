#include <athena/sdk/builders.h>

#include <athena/base/json.h>
#include <athena/base/text.h>
#include <athena/query/read_json.h>

#include "core.h"

namespace athena::sdk {
namespace {

query::Row to_row(Row row) {
  query::Row out;
  out.reserve(row.size());
  for (auto& [column, value] : row) out.emplace_back(std::move(column), value.scalar());
  return out;
}

/// What goes on as it is must be what it says.
Result<> check(const query::Row& row) {
  for (const auto& [column, value] : row) {
    if (column.empty()) return fail(Code::invalid_value, "A column without a name is given a value");
    if (!text::is_utf8(column)) return fail(Code::invalid_encoding, "The name of a column is not valid UTF-8");
    const auto* text = std::get_if<std::string>(&value);
    if (text && !text::is_utf8(*text))
      return fail(Code::invalid_encoding, "The value of '" + column + "' is not valid UTF-8");
    const auto* json = std::get_if<query::JsonText>(&value);
    if (json) ATHENA_TRY_VOID(json::Document::parse(json->text));
  }
  return {};
}

Result<std::vector<query::Row>> read_rows(std::string_view json) {
  ATHENA_TRY(const json::Document document, json::Document::parse(json));
  const query::ReadOptions options;
  std::vector<query::Row> rows;
  if (!document.root().is_array()) {
    ATHENA_TRY(rows.emplace_back(), query::read_row(document.root(), "payload", options));
    return rows;
  }
  for (const json::Value row : document.root()) {
    ATHENA_TRY(rows.emplace_back(), query::read_row(row, "payload", options));
  }
  return rows;
}

Result<std::vector<query::Output>> read_outputs(const std::vector<std::string>& names) {
  std::vector<query::Output> outputs;
  for (const std::string& name : names) {
    ATHENA_TRY(outputs.emplace_back(), query::read_output(name));
  }
  const bool is_all = outputs.size() == 1 && names.front() == "*";
  if (is_all) outputs.clear();
  return outputs;
}

/// Puts a result where it belongs, or its error among those of the builder.
template <class T, class Remember>
void take(Result<T> result, T& to, Remember remember) {
  if (result) {
    to = *std::move(result);
  } else {
    remember(std::move(result).error());
  }
}

Result<> guard(const query::Filter& where, bool has_id, bool is_allowed, std::string_view verb) {
  if (is_allowed || has_id || !query::matches_everything(where)) return {};
  return fail(Code::unfiltered_write, "At least one condition is required for " + std::string(verb),
              "Say where(), give a row id, or allow_unfiltered() to write to every row");
}

Result<> check_id(const std::optional<query::Scalar>& id) {
  const auto* text = id ? std::get_if<std::string>(&*id) : nullptr;
  if (!id || std::holds_alternative<query::Number>(*id) || (text && !text->empty() && text::is_utf8(*text))) return {};
  return fail(Code::invalid_value, "A row id is a number or a text");
}

}  // namespace

template <class Self>
Result<QueryResult> Executable<Self>::execute() {
  auto request = self().finish();
  if (error_) return fail(*error_);
  if (!request) return fail(std::move(request).error());
  request->timeout = timeout_;
  return core_->wait(*std::move(request));
}

namespace {

Async<QueryResult> refuse(Error error) {
  co_return fail(std::move(error));
}

}  // namespace

template <class Self>
Async<QueryResult> Executable<Self>::co_execute(Cancellation* cancellation) {
  auto request = self().finish();
  if (error_) return refuse(*error_);
  if (!request) return refuse(std::move(request).error());
  request->timeout = timeout_;
  return core_->run(*std::move(request), cancellation);
}

template class Executable<SelectBuilder>;
template class Executable<InsertBuilder>;
template class Executable<UpdateBuilder>;
template class Executable<DeleteBuilder>;
template class Executable<RawBuilder>;
template class Executable<RpcBuilder>;

// Select

SelectBuilder::SelectBuilder(std::shared_ptr<Core> core, std::string_view table) : Executable(std::move(core)) {
  take(query::read_table(table, {}), select_.from, [this](Error error) { remember(std::move(error)); });
}

SelectBuilder& SelectBuilder::columns(std::vector<std::string> names) {
  take(read_outputs(names), select_.columns, [this](Error error) { remember(std::move(error)); });
  return *this;
}

SelectBuilder& SelectBuilder::order_by(std::string_view column, OrderDirection direction, NullsOrder nulls) {
  query::OrderBy by;
  take(query::read_column(column), by.column, [this](Error error) { remember(std::move(error)); });
  by.descending = direction == OrderDirection::desc;
  by.nulls = static_cast<query::OrderBy::Nulls>(nulls);
  select_.order.push_back(std::move(by));
  return *this;
}

SelectBuilder& SelectBuilder::limit(std::uint64_t rows) {
  select_.limit = rows;
  return *this;
}

SelectBuilder& SelectBuilder::offset(std::uint64_t rows) {
  select_.offset = rows;
  return *this;
}

SelectBuilder& SelectBuilder::range(std::uint64_t from, std::uint64_t to) {
  if (to < from) remember(Error(Code::invalid_value, "The range ends before it begins"));
  select_.offset = from;
  select_.limit = to - from + 1;
  return *this;
}

SelectBuilder& SelectBuilder::count(query::Count kind) {
  count_ = kind;
  return *this;
}

SelectBuilder& SelectBuilder::head(query::Count kind) {
  count_ = kind;
  head_ = true;
  return *this;
}

SelectBuilder& SelectBuilder::single() {
  single_ = true;
  return *this;
}

Result<Request> SelectBuilder::finish() const {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
  if (filter_error_) return fail(*filter_error_);
  if (head_ && count_ == query::Count::none) return fail(Code::invalid_value, "head() needs a kind of count");
  if (head_ && single_) return fail(Code::invalid_value, "head() gives no rows, single() wants one");
  if (select_.offset > kMost || select_.limit.value_or(0) > kMost)
    return fail(Code::invalid_value, "The limit or the offset is beyond any row");
  query::Select select = select_;
  select.where = where_;
  select.stable_pages = select.limit || select.offset > 0;
  if (single_ && !select.limit) select.limit = 2;  // enough to know that there are several
  Request request;
  request.what = query::Statement(std::move(select));
  request.count = count_;
  request.head = head_;
  request.wants_single = single_;
  return request;
}

// Insert

InsertBuilder::InsertBuilder(std::shared_ptr<Core> core, std::string_view table) : Executable(std::move(core)) {
  take(query::read_table(table, {}), insert_.into, [this](Error error) { remember(std::move(error)); });
}

InsertBuilder& InsertBuilder::payload(Row row) {
  insert_.rows.push_back(to_row(std::move(row)));
  return *this;
}

InsertBuilder& InsertBuilder::payloads(std::vector<Row> rows) {
  for (Row& row : rows) payload(std::move(row));
  return *this;
}

InsertBuilder& InsertBuilder::payload_json(std::string_view json) {
  std::vector<query::Row> rows;
  take(read_rows(json), rows, [this](Error error) { remember(std::move(error)); });
  for (query::Row& row : rows) insert_.rows.push_back(std::move(row));
  return *this;
}

InsertBuilder& InsertBuilder::default_to_null() {
  insert_.default_to_null = true;
  return *this;
}

InsertBuilder& InsertBuilder::on_conflict(std::vector<std::string> columns) {
  if (!insert_.on_conflict) insert_.on_conflict.emplace();
  insert_.on_conflict->target = std::move(columns);
  return *this;
}

InsertBuilder& InsertBuilder::update_with(Row values) {
  if (!insert_.on_conflict) insert_.on_conflict.emplace();
  insert_.on_conflict->set = to_row(std::move(values));
  return *this;
}

InsertBuilder& InsertBuilder::ignore_duplicates() {
  if (!insert_.on_conflict) insert_.on_conflict.emplace();
  insert_.on_conflict->do_nothing = true;
  return *this;
}

InsertBuilder& InsertBuilder::returning(std::vector<std::string> names) {
  take(read_outputs(names), insert_.returning, [this](Error error) { remember(std::move(error)); });
  return *this;
}

InsertBuilder& InsertBuilder::single() {
  single_ = true;
  return *this;
}

InsertBuilder& InsertBuilder::idempotent() {
  idempotent_ = true;
  return *this;
}

Result<Request> InsertBuilder::finish() const {
  if (insert_.rows.empty()) return fail(Code::missing_field, "payload() is missing: there is no row to insert");
  for (const query::Row& row : insert_.rows) ATHENA_TRY_VOID(check(row));
  if (insert_.on_conflict) {
    const query::Conflict& conflict = *insert_.on_conflict;
    if (conflict.do_nothing && conflict.set)
      return fail(Code::invalid_value, "ignore_duplicates() and update_with() exclude each other");
    if (conflict.set && conflict.set->empty()) return fail(Code::invalid_value, "update_with() names no column");
    if (conflict.set) ATHENA_TRY_VOID(check(*conflict.set));
    const bool is_nothing = conflict.target.empty() && !conflict.do_nothing && !conflict.set;
    if (is_nothing) return fail(Code::invalid_value, "on_conflict() names no column");
  }
  Request request;
  request.what = query::Statement(insert_);
  request.wants_single = single_;
  request.is_idempotent = idempotent_;
  return request;
}

// Update

UpdateBuilder::UpdateBuilder(std::shared_ptr<Core> core, std::string_view table, std::optional<Value> row_id)
    : Executable(std::move(core)) {
  take(query::read_table(table, {}), update_.table, [this](Error error) { remember(std::move(error)); });
  if (row_id) update_.resource_id = row_id->scalar();
}

UpdateBuilder& UpdateBuilder::payload(Row values) {
  for (auto& column : to_row(std::move(values))) update_.set.push_back(std::move(column));
  return *this;
}

UpdateBuilder& UpdateBuilder::payload_json(std::string_view json) {
  std::vector<query::Row> rows;
  take(read_rows(json), rows, [this](Error error) { remember(std::move(error)); });
  if (rows.size() > 1) remember(Error(Code::invalid_value, "An update takes one object, not several"));
  for (query::Row& row : rows) update_.set.insert(update_.set.end(), row.begin(), row.end());
  return *this;
}

UpdateBuilder& UpdateBuilder::allow_unfiltered() {
  allow_unfiltered_ = true;
  return *this;
}

UpdateBuilder& UpdateBuilder::max_affected(std::uint64_t rows) {
  update_.max_affected = rows;
  return *this;
}

UpdateBuilder& UpdateBuilder::returning(std::vector<std::string> names) {
  take(read_outputs(names), update_.returning, [this](Error error) { remember(std::move(error)); });
  return *this;
}

UpdateBuilder& UpdateBuilder::single() {
  single_ = true;
  return *this;
}

UpdateBuilder& UpdateBuilder::idempotent() {
  idempotent_ = true;
  return *this;
}

Result<Request> UpdateBuilder::finish() const {
  if (filter_error_) return fail(*filter_error_);
  if (update_.set.empty()) {
    return fail(Code::update_payload_required, "update payload required: payload() names the columns and their values");
  }
  ATHENA_TRY_VOID(check(update_.set));
  ATHENA_TRY_VOID(check_id(update_.resource_id));
  ATHENA_TRY_VOID(guard(where_, update_.resource_id.has_value(), allow_unfiltered_, "update"));
  query::Update update = update_;
  update.where = where_;
  Request request;
  request.what = query::Statement(std::move(update));
  request.allow_unfiltered = allow_unfiltered_;
  request.wants_single = single_;
  request.is_idempotent = idempotent_;
  return request;
}

// Delete

DeleteBuilder::DeleteBuilder(std::shared_ptr<Core> core, std::string_view table, std::optional<Value> row_id)
    : Executable(std::move(core)) {
  take(query::read_table(table, {}), delete_.from, [this](Error error) { remember(std::move(error)); });
  if (row_id) delete_.resource_id = row_id->scalar();
}

DeleteBuilder& DeleteBuilder::allow_unfiltered() {
  allow_unfiltered_ = true;
  return *this;
}

DeleteBuilder& DeleteBuilder::max_affected(std::uint64_t rows) {
  delete_.max_affected = rows;
  return *this;
}

DeleteBuilder& DeleteBuilder::returning(std::vector<std::string> names) {
  take(read_outputs(names), delete_.returning, [this](Error error) { remember(std::move(error)); });
  return *this;
}

DeleteBuilder& DeleteBuilder::single() {
  single_ = true;
  return *this;
}

DeleteBuilder& DeleteBuilder::idempotent() {
  idempotent_ = true;
  return *this;
}

Result<Request> DeleteBuilder::finish() const {
  if (filter_error_) return fail(*filter_error_);
  ATHENA_TRY_VOID(check_id(delete_.resource_id));
  ATHENA_TRY_VOID(guard(where_, delete_.resource_id.has_value(), allow_unfiltered_, "delete"));
  query::Delete del = delete_;
  del.where = where_;
  Request request;
  request.what = query::Statement(std::move(del));
  request.allow_unfiltered = allow_unfiltered_;
  request.wants_single = single_;
  request.is_idempotent = idempotent_;
  return request;
}

// Raw text and functions

RawBuilder::RawBuilder(std::shared_ptr<Core> core, std::string_view text, bool is_cql)
    : Executable(std::move(core)), text_(text), is_cql_(is_cql) {}

RawBuilder& RawBuilder::params(std::vector<Value> values) {
  params_ = std::move(values);
  return *this;
}

RawBuilder& RawBuilder::schema(std::string_view name) {
  schema_ = name;
  return *this;
}

RawBuilder& RawBuilder::read_only() {
  read_only_ = true;
  return *this;
}

RawBuilder& RawBuilder::idempotent() {
  idempotent_ = true;
  return *this;
}

Result<Request> RawBuilder::finish() const {
  if (text::trim(text_).empty()) return fail(Code::invalid_request, "The statement is empty");
  if (!text::is_utf8(text_)) return fail(Code::invalid_encoding, "The statement is not valid UTF-8");
  RawText raw;
  raw.language = is_cql_ ? RawText::Language::cql : RawText::Language::sql;
  raw.native.text = text_;
  raw.native.schema_name = schema_;
  query::Row named;
  for (const Value& value : params_) named.emplace_back("a parameter", value.scalar());
  ATHENA_TRY_VOID(check(named));
  for (auto& [name, value] : named) raw.native.params.push_back(std::move(value));
  raw.read_only = read_only_;
  Request request;
  request.what = std::move(raw);
  request.is_idempotent = idempotent_;
  return request;
}

RpcBuilder::RpcBuilder(std::shared_ptr<Core> core, std::string_view function)
    : Executable(std::move(core)), function_(function) {}

RpcBuilder& RpcBuilder::arg(std::string_view name, Value value) {
  arguments_.emplace_back(std::string(name), std::move(value));
  return *this;
}

Result<Request> RpcBuilder::finish() const {
  if (function_.empty()) return fail(Code::missing_field, "The function has no name");
  ATHENA_TRY_VOID(check(to_row(arguments_)));
  Request request;
  request.what = RemoteCall{function_, arguments_};
  return request;
}

bool Request::may_repeat() const noexcept {
  if (is_idempotent) return true;
  if (const auto* statement = std::get_if<query::Statement>(&what)) {
    return std::holds_alternative<query::Select>(*statement);
  }
  const auto* raw = std::get_if<RawText>(&what);
  return raw && raw->read_only;
}

}  // namespace athena::sdk
