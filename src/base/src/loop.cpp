#include <athena/base/loop.h>

namespace athena {

Loop::Loop() : timer_(context_.get_executor()), work_(context_.get_executor()) {}
Loop::~Loop() = default;

void Loop::run() { context_.run(); }

void Loop::stop() {
  work_.reset();
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
    if (error) return;
    const TimePoint now = Clock::now();
    for (auto it = watchers_.begin(); it != watchers_.end();) {
      if (auto watcher = it->lock()) {
        (*watcher)(now);
        ++it;
      } else {
        it = watchers_.erase(it);
      }
    }
    if (watchers_.empty()) {
      armed_ = false;
    } else {
      arm();
    }
  });
}

Task<> Loop::sleep(Duration duration) {
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer(executor());
  timer.expires_after(duration);
  co_await timer.async_wait(use_task);
}

}  // namespace athena
