#include "sqlite/readers.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace athena::driver::sqlite {
namespace {

/// Each loop has a connection for its inline reads, and the writer has one: they count, too.
std::size_t limit_of(const Target& target) {
  constexpr std::size_t kOthers = 3;
  const std::size_t most = target.pool.max_connections;
  return std::clamp<std::size_t>(most > kOthers ? most - kOthers : 1, 1, Readers::kMostConnections);
}

}  // namespace

Readers::Readers(const Target& target) : target_(target), connection_limit_(limit_of(target)) {}

Readers::~Readers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Result<> Readers::submit(std::shared_ptr<ReadJob> job) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() + waiting_.size() >= kMostWaiting) {
      return fail(Code::overloaded, "Too many long reads wait for this database");
    }
    if (sleeping_ <= queue_.size() && threads_.size() < kThreads) start_thread();
    if (threads_.empty()) return fail(Code::overloaded, "No thread can be started for a long read");
    job->leave_home();
    queue_.push_back(std::move(job));
  }
  wake_.notify_one();
  return {};
}

void Readers::start_thread() {
  try {
    threads_.emplace_back([this] { run(); });
  } catch (const std::system_error&) {
    // The system has no thread left: those that there are do the work.
  }
}

bool Readers::withdraw(const ReadJob& job) {
  const std::lock_guard lock(mutex_);
  return std::erase_if(waiting_, [&job](const auto& waiting) { return waiting.get() == &job; }) > 0;
}

void Readers::release(std::unique_ptr<Connection> connection) {
  connection->set_guard({});
  put_back(std::move(connection));
  wake_.notify_one();
}

void Readers::put_back(std::unique_ptr<Connection> connection) {
  const std::lock_guard lock(mutex_);
  idle_.push_back({std::move(connection), Clock::now()});
  serve_waiting();
}

void Readers::serve_waiting() {
  if (waiting_.empty()) return;
  queue_.push_front(std::move(waiting_.front()));
  waiting_.pop_front();
}

std::uint32_t Readers::connections() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::uint32_t>(open_);
}
std::uint32_t Readers::busy() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::uint32_t>(open_ - idle_.size());
}

void Readers::close_idle(std::unique_lock<std::mutex>& lock, TimePoint now) {
  std::vector<Idle> closing;
  const auto is_old = [&](const Idle& idle) { return now - idle.since >= target_.pool.idle_timeout; };
  const auto old = std::partition(idle_.begin(), idle_.end(), [&](const Idle& idle) { return !is_old(idle); });
  closing.assign(std::make_move_iterator(old), std::make_move_iterator(idle_.end()));
  idle_.erase(old, idle_.end());
  open_ -= closing.size();
  lock.unlock();
  closing.clear();
  lock.lock();
}

/// None: the job waits for a connection, or was refused one and is on its way home.
std::unique_ptr<Connection> Readers::find_connection(std::unique_lock<std::mutex>& lock, ReadJob& job) {
  if (job.connection_) return std::move(job.connection_);
  if (!idle_.empty()) {
    auto connection = std::move(idle_.back().connection);
    idle_.pop_back();
    return connection;
  }
  if (open_ >= connection_limit_ && job.cancelled()) {
    // withdraw() came too early to find it among those that wait.
    job.refuse(Error(Code::cancelled));
    job.post_home();
    return nullptr;
  }
  if (open_ >= connection_limit_) {
    waiting_.push_back(std::static_pointer_cast<ReadJob>(job.shared_from_this()));
    return nullptr;
  }
  ++open_;
  lock.unlock();
  Guard guard = job.guard();
  guard.until = std::min(guard.until, Clock::now() + target_.pool.connect_timeout);
  auto opened = Connection::open(target_, Connection::Role::reader, guard);
  if (!opened) {
    job.refuse(std::move(opened).error());
    job.post_home();
  }
  lock.lock();
  if (opened) return *std::move(opened);
  --open_;
  serve_waiting();
  return nullptr;
}

void Readers::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    while (queue_.empty() && !stopping_) {
      ++sleeping_;
      const auto woken = wake_.wait_for(lock, std::max<milliseconds>(target_.pool.idle_timeout, seconds(1)));
      --sleeping_;
      if (woken == std::cv_status::timeout) close_idle(lock, Clock::now());
    }
    if (queue_.empty()) return;
    run_one(lock);
  }
}

void Readers::run_one(std::unique_lock<std::mutex>& lock) {
  std::shared_ptr<ReadJob> job = std::move(queue_.front());
  queue_.pop_front();
  auto connection = find_connection(lock, *job);
  if (connection) {
    lock.unlock();
    connection->set_guard(job->guard());
    if (job->work(*connection)) {
      job->connection_ = std::move(connection);
    } else {
      connection->set_guard({});
      put_back(std::move(connection));
    }
    job->post_home();
    job.reset();
    lock.lock();
  }
}

}  // namespace athena::driver::sqlite
