#include "sqlite/writer.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include <sqlite3.h>

namespace athena::driver::sqlite {
namespace {

/// How long the writer waits for another process at a time, before it looks which of its jobs still make sense.
constexpr milliseconds kLockSlice{20};
/// A commit needs no lock that it has not got; this bounds what cannot happen.
constexpr seconds kCommitTime{10};

/// Why a job must not begin any more; nothing was done for it.
std::optional<Error> too_late(const WriteJob& job, TimePoint now) {
  if (now >= job.deadline()) {
    return Error(Code::statement_timeout, "The write did not get its turn in time; nothing was changed");
  }
  if (job.cancelled()) return Error(Code::cancelled);
  return std::nullopt;
}

}  // namespace

bool WriteJob::withdraw() noexcept {
  State expected = State::waiting;
  return state_.compare_exchange_strong(expected, State::withdrawn) || expected == State::withdrawn;
}

bool WriteJob::claim() noexcept {
  State expected = State::waiting;
  return state_.compare_exchange_strong(expected, State::claimed) || expected == State::claimed;
}

void WriteJob::run(Connection& connection) noexcept {
  connection.set_guard(guard());
  bytes_ = 0;
  changes_tables_ = false;
  if (const auto* printed = std::get_if<query::Printed>(&work_)) {
    result_ = run_printed(connection, *printed);
  } else {
    result_ = run_native(connection, std::get<Native>(work_));
  }
  // The same interrupt has two reasons.
  if (!result_ && result_.error().code == Code::statement_timeout && cancelled() && Clock::now() < deadline()) {
    result_.error().code = Code::cancelled;
  }
  connection.set_guard({});
}

Result<> WriteJob::keep_row(sqlite3_stmt* statement, MemoryStream::Content& content) {
  bytes_ += content.add_row(statement);
  if (bytes_ > kMostReturnedBytes) {
    return fail(Code::result_too_large, "The rows that the write returns are larger than 64 MiB; nothing was changed",
                "Return fewer columns, or write fewer rows at a time");
  }
  return {};
}

Result<MemoryStream::Results> WriteJob::run_printed(Connection& connection, const query::Printed& printed) {
  MemoryStream::Results results(1);
  MemoryStream::Content& content = results.front();
  ATHENA_TRY(Prepared * prepared, connection.prepare(printed.sql));
  sqlite3_stmt* statement = prepared->handle.get();
  const ResetStatement reset(statement);
  ATHENA_TRY_VOID(bind_printed(statement, printed.params));
  const auto too_many = [this](std::uint64_t rows) { return max_affected_ && rows > *max_affected_; };
  std::uint64_t returned = 0;
  int code = SQLITE_ROW;
  while (code == SQLITE_ROW && !too_many(returned)) {
    code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE) return fail(last_error(connection.handle(), code));
    if (!content.shape) content.shape = printed_shape(*prepared, printed);
    if (code != SQLITE_ROW) break;
    ++returned;
    ATHENA_TRY_VOID(keep_row(statement, content));
  }
  if (code == SQLITE_DONE) content.affected = static_cast<std::uint64_t>(sqlite3_changes64(connection.handle()));
  if (too_many(std::max(content.affected, returned))) {
    return fail(Code::too_many_affected,
                "More than " + std::to_string(*max_affected_) + " rows would change; nothing was changed");
  }
  return results;
}

Result<MemoryStream::Results> WriteJob::run_native(Connection& connection, const Native& native) {
  MemoryStream::Results results;
  NativeText text(connection, native.text, false);
  std::vector<bool> used(native.params.size());
  while (true) {
    ATHENA_TRY(std::optional<NativeStatement> next, text.next());
    if (!next) break;
    sqlite3_stmt* statement = next->handle.get();
    ATHENA_TRY_VOID(bind_native(statement, native.params, used));
    MemoryStream::Content& content = results.emplace_back();
    int code = SQLITE_ROW;
    while (code == SQLITE_ROW) {
      code = sqlite3_step(statement);
      if (code != SQLITE_ROW && code != SQLITE_DONE) {
        return fail(last_error(connection.handle(), code, text.context(*next)));
      }
      if (!content.shape && sqlite3_column_count(statement) > 0) content.shape = native_shape(statement);
      if (code == SQLITE_ROW) ATHENA_TRY_VOID(keep_row(statement, content));
    }
    const StatementKind kind = next->facts.kind.value_or(StatementKind::utility);
    const bool counts = kind == StatementKind::insert || kind == StatementKind::update || kind == StatementKind::del;
    if (counts) content.affected = static_cast<std::uint64_t>(sqlite3_changes64(connection.handle()));
    changes_tables_ = changes_tables_ || kind == StatementKind::ddl;
  }
  if (text.count() == 0) return fail(Code::syntax_error, "The query holds no statement");
  ATHENA_TRY_VOID(check_all_used(used));
  return results;
}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Result<> Writer::submit(std::shared_ptr<WriteJob> job) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= kMostWaiting) return fail(Code::overloaded, "Too many writes wait for this database");
    if (!thread_.joinable()) {
      try {
        thread_ = std::thread([this] { run(); });
      } catch (const std::system_error&) {
        return fail(Code::overloaded, "No thread can be started for writes");
      }
    }
    job->leave_home();
    queue_.push_back(std::move(job));
  }
  wake_.notify_one();
  return {};
}

void Writer::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) break;
    Jobs jobs;
    while (!queue_.empty() && jobs.size() < kMostInGroup) {
      jobs.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    lock.unlock();
    busy_.store(true, std::memory_order_relaxed);
    run_group(std::move(jobs));
    busy_.store(false, std::memory_order_relaxed);
    lock.lock();
  }
  connection_.reset();
}

Result<> Writer::open(TimePoint until) {
  if (connection_) return {};
  until = std::min(until, Clock::now() + target_.pool.connect_timeout);
  ATHENA_TRY(connection_, Connection::open(target_, Connection::Role::writer, {.until = until, .may_wait = true}));
  connection_->set_guard({});
  open_.store(true, std::memory_order_relaxed);
  return {};
}

void Writer::drop_late(Jobs& jobs) {
  const TimePoint now = Clock::now();
  std::erase_if(jobs, [now](const std::shared_ptr<WriteJob>& job) {
    std::optional<Error> late = too_late(*job, now);
    if (!late) return job->withdrawn();
    if (job->claim()) {
      job->fail_with(*std::move(late));
      job->post_home();
    }
    return true;
  });
}

void Writer::refuse(Jobs& jobs, const Error& error) {
  for (const auto& job : jobs) {
    if (!job->claim()) continue;
    job->fail_with(error);
    job->post_home();
  }
  jobs.clear();
}

bool Writer::begin(Jobs& jobs) {
  while (true) {
    drop_late(jobs);
    if (jobs.empty()) return false;
    Result<> begun = open((*std::ranges::max_element(jobs, {}, &WriteJob::deadline))->deadline());
    if (begun) {
      connection_->set_guard({.until = Clock::now() + kLockSlice, .may_wait = true});
      begun = connection_->run("BEGIN IMMEDIATE");
      connection_->set_guard({});
    }
    if (begun) return true;
    // Another process writes: wait for it as long as the jobs can.
    if (begun.error().code == Code::object_in_use && connection_) continue;
    refuse(jobs, begun.error());
    close();
    return false;
  }
}

void Writer::close() {
  connection_.reset();
  open_.store(false, std::memory_order_relaxed);
}

void Writer::run_group(Jobs jobs) {
  if (jobs.size() == 1) return run_alone(jobs.front());
  if (begin(jobs)) run_each(jobs);
}

void Writer::run_each(Jobs& jobs) {
  const TimePoint begun = Clock::now();
  std::size_t bytes = 0;
  Jobs group;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (i > 0 && (Clock::now() - begun >= kGroupTime || bytes > kMostReturnedBytes)) {
      put_back(std::span(jobs).subspan(i));
      break;
    }
    if (!jobs[i]->claim()) continue;
    group.push_back(jobs[i]);
    run_in_savepoint(*jobs[i]);
    bytes += jobs[i]->bytes();
    if (connection_->in_transaction()) continue;
    put_back(std::span(jobs).subspan(i + 1));
    return undo_all_but_last(group);
  }
  commit(group);
}

/// Some failures take the whole transaction back: an interrupted write, a full disk, ON CONFLICT ROLLBACK. The last job
/// is the culprit and has its error. What the others had done is undone, so each of them is run again by itself.
void Writer::undo_all_but_last(const Jobs& group) {
  WriteJob& culprit = *group.back();
  if (culprit.succeeded()) culprit.fail_with(Error(Code::database_error, "The write was rolled back"));
  for (const auto& job : group) {
    if (job->succeeded()) {
      run_alone(job);
    } else {
      job->post_home();
    }
  }
}

void Writer::run_alone(const std::shared_ptr<WriteJob>& job) {
  Jobs jobs{job};
  if (!begin(jobs)) return;
  if (!job->claim()) return (void)connection_->run("ROLLBACK");
  job->run(*connection_);
  if (job->succeeded()) check_references(*job);
  if (job->succeeded()) return commit(jobs);
  if (connection_->in_transaction()) (void)connection_->run("ROLLBACK");
  job->post_home();
}

void Writer::run_in_savepoint(WriteJob& job) {
  if (auto late = too_late(job, Clock::now())) return job.fail_with(*std::move(late));
  if (Result<> opened = connection_->run("SAVEPOINT job"); !opened) return job.fail_with(std::move(opened).error());
  job.run(*connection_);
  if (job.succeeded()) check_references(job);
  if (!connection_->in_transaction()) return;
  if (!job.succeeded()) (void)connection_->run("ROLLBACK TO job");
  if (Result<> closed = connection_->run("RELEASE job"); !closed && job.succeeded()) {
    job.fail_with(std::move(closed).error());
    (void)connection_->run("ROLLBACK");
  }
}

/// A deferred foreign key is checked at the commit. There it would fail the whole group.
void Writer::check_references(WriteJob& job) {
  int unresolved = 0, highest = 0;
  sqlite3_db_status(connection_->handle(), SQLITE_DBSTATUS_DEFERRED_FKS, &unresolved, &highest, 0);
  if (unresolved == 0) return;
  job.fail_with(to_error({.code = SQLITE_CONSTRAINT_FOREIGNKEY, .message = "FOREIGN KEY constraint failed"}));
}

void Writer::commit(const Jobs& jobs) {
  connection_->set_guard({.until = Clock::now() + kCommitTime, .may_wait = true});
  const Result<> committed = connection_->run("COMMIT");
  connection_->set_guard({});
  const auto has_ddl = [](const auto& job) { return job->succeeded() && job->changes_tables(); };
  if (!committed) {
    if (connection_->in_transaction()) (void)connection_->run("ROLLBACK");
    for (const auto& job : jobs) {
      if (job->succeeded()) job->fail_with(committed.error());
    }
    // Whatever is wrong with the file, the next group looks at it afresh.
    close();
  } else {
    commits_.fetch_add(1, std::memory_order_release);
    if (std::ranges::any_of(jobs, has_ddl)) schema_changes_.fetch_add(1, std::memory_order_release);
  }
  for (const auto& job : jobs) job->post_home();
}

void Writer::put_back(std::span<const std::shared_ptr<WriteJob>> jobs) {
  const std::lock_guard lock(mutex_);
  queue_.insert(queue_.begin(), jobs.begin(), jobs.end());
}

}  // namespace athena::driver::sqlite
