#include "sqlite/inline_reader.h"

#include <sqlite3.h>

#include "sqlite/stream.h"

namespace athena::driver::sqlite {
namespace {

/// How long the loop may wait for a lock while it opens the file, once.
constexpr milliseconds kOpenTime{50};

}  // namespace

Result<Connection*> InlineReader::connection() {
  if (!connection_) {
    const Guard guard{.until = Clock::now() + kOpenTime, .may_wait = true};
    ATHENA_TRY(connection_, Connection::open(target_, Connection::Role::reader, guard));
    connection_->set_guard({});
  }
  return connection_.get();
}

Result<InlineReader::Rows> InlineReader::read(const query::Printed& printed, TimePoint now, BatchPool& pool) {
  Result<Connection*> opened = connection();
  if (!opened && opened.error().code == Code::object_in_use) return Rows{};  // a thread can wait for the lock
  if (!opened) return fail(std::move(opened).error());
  ATHENA_TRY(Prepared * prepared, connection_->prepare(printed.sql));
  if (prepared->skip_inline > 0) {
    --prepared->skip_inline;
    return Rows{};
  }
  ATHENA_TRY_VOID(bind_printed(prepared->handle.get(), printed.params));
  Rows rows{nullptr, pool.take()};
  connection_->set_guard({.until = now + kBudget});
  const Result<bool> complete = collect(*prepared, printed, rows);
  connection_->set_guard({});
  if (complete && *complete) return rows;
  pool.give_back(std::move(rows.batch));
  if (!complete) return fail(complete.error());
  return Rows{};
}

/// False: over the budget.
Result<bool> InlineReader::collect(Prepared& prepared, const query::Printed& printed, Rows& rows) {
  sqlite3_stmt* statement = prepared.handle.get();
  const ResetStatement reset(statement);
  while (true) {
    const int code = sqlite3_step(statement);
    if (code == SQLITE_ROW || code == SQLITE_DONE) {
      if (!rows.shape) rows.shape = printed_shape(prepared, printed);
      if (code == SQLITE_DONE) return true;
      append_row(statement, rows.shape->rules, rows.batch);
      if (rows.batch.bytes() < kBatchBytes) continue;
    } else if ((code & 0xff) == SQLITE_BUSY) {
      return false;
    } else if ((code & 0xff) != SQLITE_INTERRUPT) {
      return fail(last_error(connection_->handle(), code));
    }
    prepared.skip_inline = kSkippedRuns;
    return false;
  }
}

}  // namespace athena::driver::sqlite
