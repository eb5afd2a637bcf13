#include "sqlite/stream.h"

#include <algorithm>
#include <utility>

#include <sqlite3.h>

#include "script_stream.h"

namespace athena::driver::sqlite {
namespace {

/// What came before an interrupt decides its name.
Error name_interrupt(Error error, const Guard& guard) {
  if (error.code != Code::statement_timeout) return error;
  if (guard.stop && guard.stop->load(std::memory_order_relaxed) && Clock::now() < guard.until) {
    error.code = Code::cancelled;
  }
  return error;
}

}  // namespace

bool StreamJob::work(Connection& connection) noexcept {
  Result<> result;
  if (cancelled() || Clock::now() >= deadline()) {
    result = fail(cancelled() ? Code::cancelled : Code::statement_timeout);
  } else if (!started_) {
    started_ = true;
    result = start(connection);
  }
  if (result && !needs_writer_) result = fill(connection);
  if (!result) error_ = name_interrupt(std::move(result).error(), connection.guard());
  const bool half_way = result && !finished_ && !needs_writer_;
  if (!half_way) close(connection);
  return half_way;
}

ErrorContext StreamJob::context() const noexcept {
  if (!text_ || native_.empty()) return {};
  return text_->context(native_[current_]);
}

Result<> StreamJob::start(Connection& connection) {
  if (const auto* printed = std::get_if<query::Printed>(&work_)) return start_printed(connection, *printed);
  return start_native(connection, std::get<Native>(work_));
}

Result<> StreamJob::start_printed(Connection& connection, const query::Printed& printed) {
  ATHENA_TRY(prepared_, connection.prepare(printed.sql));
  statement_ = prepared_->handle.get();
  return bind_printed(statement_, printed.params);
}

Result<> StreamJob::start_native(Connection& connection, const Native& native) {
  text_.emplace(connection, native.text, read_only_);
  std::vector<bool> used(native.params.size());
  while (true) {
    // Whatever stands behind a write is the writer's business: it may need what the write creates.
    ATHENA_TRY(std::optional<NativeStatement> next, text_->next());
    if (!next) break;
    needs_writer_ = next->writes;
    if (needs_writer_) return {};
    ATHENA_TRY_VOID(bind_native(next->handle.get(), native.params, used));
    native_.push_back(*std::move(next));
  }
  if (native_.empty()) return fail(Code::syntax_error, "The query holds no statement");
  ATHENA_TRY_VOID(check_all_used(used));
  if (native_.size() > 1) ATHENA_TRY_VOID(begin(connection));
  for (current_ = 0; current_ + 1 < native_.size(); ++current_) {
    ATHENA_TRY_VOID(run_to_end(connection, native_[current_].handle.get()));
  }
  statement_ = native_.back().handle.get();
  return {};
}

/// Several statements see one state of the database. BEGIN is ours, so the authorizer has to let it pass.
Result<> StreamJob::begin(Connection& connection) {
  const Authorizer::Mode mode = connection.authorizer().mode();
  connection.authorizer().set_mode(Authorizer::Mode::trusted);
  Result<> begun = connection.run("BEGIN");
  connection.authorizer().set_mode(mode);
  return begun;
}

/// A statement that others follow: what it gives is kept.
Result<> StreamJob::run_to_end(Connection& connection, sqlite3_stmt* statement) {
  MemoryStream::Content& content = earlier_.emplace_back();
  int code = SQLITE_ROW;
  while (code == SQLITE_ROW) {
    code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE) return fail(last_error(connection.handle(), code, context()));
    if (!content.shape && sqlite3_column_count(statement) > 0) content.shape = native_shape(statement);
    if (code == SQLITE_ROW) kept_ += content.add_row(statement);
    if (kept_ > kMaxKept) {
      return fail(Code::result_too_large, "The results of the statements before the last one are larger than 16 MiB",
                  "Run what gives many rows by itself, or as the last statement");
    }
  }
  return {};
}

Result<> StreamJob::fill(Connection& connection) {
  while (batch_.bytes() < kBatchBytes) {
    const int code = sqlite3_step(statement_);
    if (!shape_ && (code == SQLITE_ROW || code == SQLITE_DONE)) {
      shape_ = prepared_ ? printed_shape(*prepared_, std::get<query::Printed>(work_)) : native_shape(statement_);
    }
    if (code == SQLITE_ROW) {
      append_row(statement_, shape_->rules, batch_);
    } else if (code == SQLITE_DONE) {
      finished_ = true;
      return {};
    } else {
      return fail(last_error(connection.handle(), code, context()));
    }
  }
  return {};
}

void StreamJob::close(Connection& connection) noexcept {
  if (prepared_) {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  native_.clear();
  text_.reset();
  statement_ = nullptr;
  prepared_ = nullptr;
  // A failed ROLLBACK has nothing to roll back.
  if (connection.in_transaction()) (void)connection.run("ROLLBACK");
}

void StreamJob::abandon() {
  abandoned_ = true;
  cancel();
  if (done()) {
    give_back_connection();
  } else if (const auto readers = readers_.lock(); readers && readers->withdraw(*this)) {
    come_home();
  }
}

void StreamJob::on_home() {
  if (abandoned_) give_back_connection();
}

void StreamJob::give_back_connection() {
  if (!connection_) return;
  close(*connection_);
  if (const auto readers = readers_.lock()) readers->release(std::move(connection_));
}

ThreadStream::ThreadStream(std::shared_ptr<JobBook> book, std::shared_ptr<Readers> readers,
                           std::shared_ptr<StreamJob> job, Call call)
    : book_(std::move(book)),
      readers_(std::move(readers)),
      job_(std::move(job)),
      call_(std::move(call)),
      shape_(job_->shape()) {
  if (job_->finished()) return;
  deadline_ = book_->loop().watch([this](TimePoint now) {
    if (now < call_.deadline || !job_->done() || !job_->holds_connection()) return;
    error_ = Error(Code::statement_timeout);
    job_->abandon();
  });
}

ThreadStream::~ThreadStream() {
  job_->abandon();
}

Async<RowBatch> ThreadStream::next() {
  if (finished_) co_return RowBatch{{}, 0, true};
  if (error_) co_return fail(*error_);
  co_await job_->wait(call_.deadline, call_.cancellation);
  if (!job_->done() || book_->stopping()) {
    error_ = gave_up(*book_, call_.cancellation);
    job_->abandon();
    co_return fail(*error_);
  }
  if (job_->error()) {
    error_ = *job_->error();
    co_return fail(*error_);
  }
  std::swap(current_, job_->batch());
  finished_ = job_->finished();
  if (!finished_) {
    job_->batch().clear();
    if (auto submitted = readers_->submit(job_); !submitted) {
      error_ = std::move(submitted).error();
      job_->abandon();
    }
  }
  co_return current_.view(finished_);
}

std::size_t MemoryStream::Content::add_row(sqlite3_stmt* statement) {
  if (batches.empty() || batches.back().bytes() >= kBatchBytes) batches.emplace_back();
  Batch& batch = batches.back();
  const std::size_t before = batch.bytes();
  append_row(statement, shape->rules, batch);
  return batch.bytes() - before;
}

std::unique_ptr<RowStream> to_stream(MemoryStream::Results results, std::unique_ptr<RowStream> last) {
  ScriptStream::Results streams;
  for (MemoryStream::Content& result : results) streams.push_back(std::make_unique<MemoryStream>(std::move(result)));
  if (last) streams.push_back(std::move(last));
  if (streams.size() == 1) return std::move(streams.front());
  return std::make_unique<ScriptStream>(std::move(streams));
}

std::span<const ColumnInfo> MemoryStream::columns() const noexcept {
  return content_.shape ? std::span<const ColumnInfo>(content_.shape->columns) : std::span<const ColumnInfo>();
}

Async<RowBatch> MemoryStream::next() {
  // What was looked at is not needed any more.
  if (at_ > 0 && at_ <= content_.batches.size()) content_.batches[at_ - 1] = Batch();
  if (at_ >= content_.batches.size()) co_return RowBatch{{}, 0, true};
  const Batch& batch = content_.batches[at_++];
  co_return batch.view(at_ == content_.batches.size());
}

Async<RowBatch> InlineStream::next() {
  if (std::exchange(given_, true)) co_return RowBatch{{}, 0, true};
  co_return batch_.view(true);
}

}  // namespace athena::driver::sqlite
