#include "sqlite/inline_reader.h"

#include <string>
#include <utility>

#include <sqlite3.h>
#include <boost/asio/post.hpp>

namespace athena::driver::sqlite {
namespace {

/// How long the loop may wait for a lock while it opens the file, once.
constexpr milliseconds kOpenTime{50};

}  // namespace

Result<Connection*> InlineReader::open() {
  if (!connection_) {
    const Guard guard{.until = Clock::now() + kOpenTime, .may_wait = true};
    ATHENA_TRY(auto connection, Connection::open(target_, Connection::Role::reader, guard));
    connection->set_guard({});
    ATHENA_TRY_VOID(connection->run("PRAGMA cache_size=-" + std::to_string(kPageCacheKiB)));
    connection_ = std::move(connection);
  }
  return connection_.get();
}

Result<Connection*> InlineReader::connection() {
  end_snapshot();
  return open();
}

void InlineReader::close() noexcept {
  has_snapshot_ = false;
  connection_.reset();
}

Result<> InlineReader::share_snapshot() {
  const std::uint64_t commits = commits_.load(std::memory_order_acquire);
  if (commits != seen_commits_) end_snapshot();
  if (has_snapshot_) return {};
  // SQLite looks at the file when the first statement reads, which is later: what was counted before is in it.
  ATHENA_TRY_VOID(connection_->run("BEGIN"));
  has_snapshot_ = true;
  seen_commits_ = commits;
  if (std::exchange(turn_ends_, true)) return {};
  asio::post(loop_.executor(), [self = shared_from_this()] {
    self->turn_ends_ = false;
    self->end_snapshot();
  });
  return {};
}

void InlineReader::end_snapshot() noexcept {
  if (!std::exchange(has_snapshot_, false) || !connection_->in_transaction()) return;
  if (!connection_->run("COMMIT")) (void)connection_->run("ROLLBACK");
}

Result<InlineReader::Rows> InlineReader::read(const query::Printed& printed, TimePoint now, BatchPool& pool) {
  Result<Connection*> opened = open();
  if (!opened && opened.error().code == Code::object_in_use) return Rows{};  // a thread can wait for the lock
  if (!opened) return fail(std::move(opened).error());
  ATHENA_TRY(Prepared * prepared, connection_->prepare(printed.sql));
  if (prepared->skip_inline > 0) {
    --prepared->skip_inline;
    return Rows{};
  }
  ATHENA_TRY_VOID(bind_printed(prepared->handle.get(), printed.params));
  ATHENA_TRY_VOID(share_snapshot());
  Rows rows{nullptr, pool.take()};
  connection_->set_guard({.until = now + kBudget, .free_looks = kFreeLooks});
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
      if (rows.batch.bytes() < kMostBytes) continue;
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
