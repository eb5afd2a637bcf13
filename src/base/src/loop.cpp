#include <athena/base/loop.h>

namespace athena {

Loop::Loop() : timer_(context_.get_executor()), work_(context_.get_executor()) {}
Loop::~Loop() = default;

void Loop::run() {
  context_.run();
}

// The work guard stays: giving it up is not thread-safe, and stop() alone ends run().
void Loop::stop() {
  context_.stop();
}

Loop::Handle Loop::watch(Watcher watcher) {
  auto shared = std::make_shared<Watcher>(std::move(watcher));
  watchers_.push_back(shared);
  if (!armed_) arm();
  return Handle(std::move(shared));
}

void Loop::arm() {
  armed_ = true;
  timer_.expires_after(kTick);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) tick();
  });
}

void Loop::tick() {
  const TimePoint now = Clock::now();
  std::list<std::weak_ptr<Watcher>> due;  // apart, since a watcher may add watchers, whose first tick is the next one
  due.swap(watchers_);
  for (auto it = due.begin(); it != due.end();) {
    if (auto watcher = it->lock()) {  // keeps it alive if its handle is destroyed inside the call
      (*watcher)(now);
      ++it;
    } else {
      it = due.erase(it);
    }
  }
  watchers_.splice(watchers_.begin(), due);
  armed_ = false;
  if (!watchers_.empty()) arm();
}

Task<> Loop::sleep(Duration duration) {
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer(executor());
  timer.expires_after(duration);
  co_await timer.async_wait(use_task);
}

}  // namespace athena
