#include <athena/base/event.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <athena/base/bounded_queue.h>
#include <athena/base/cancellation.h>
#include <athena/base/loop.h>

namespace athena {
namespace {

using Trace = std::vector<std::string>;

Task<> wait_and_note(Event& event, Trace& trace) {
  trace.emplace_back("waits");
  co_await event.wait();
  trace.emplace_back("woken");
}

void spawn(Loop& loop, Task<> task) {
  asio::co_spawn(loop.executor(), std::move(task), asio::detached);
}

TEST(Event, resumes_the_waiter_inside_set) {
  Loop loop;
  Event event;
  Trace trace;
  spawn(loop, wait_and_note(event, trace));
  asio::post(loop.executor(), [&] {
    trace.emplace_back("sets");
    event.set();
    trace.emplace_back("has set");
    loop.stop();
  });
  loop.run();
  EXPECT_EQ(trace, (Trace{"waits", "sets", "woken", "has set"}));
}

TEST(Event, lets_pass_at_once_while_it_is_set) {
  Loop loop;
  Event event;
  Trace trace;
  event.set();
  event.set();
  spawn(loop, wait_and_note(event, trace));
  asio::post(loop.executor(), [&] { loop.stop(); });
  loop.run();
  EXPECT_EQ(trace, (Trace{"waits", "woken"}));
  EXPECT_TRUE(event.is_set());
  event.reset();
  EXPECT_FALSE(event.is_set());
}

Task<> wait_many_times(Loop& loop, Event& event, int times, int& woken) {
  for (int i = 0; i < times; ++i) {
    co_await event.wait();
    event.reset();
    ++woken;
  }
  loop.stop();
}

TEST(Event, can_be_waited_for_again_after_a_reset) {
  Loop loop;
  Event event;
  int woken = 0;
  spawn(loop, wait_many_times(loop, event, 1000, woken));
  asio::post(loop.executor(), [&] {
    for (int i = 0; i < 1000; ++i) {
      event.set();
      ASSERT_EQ(woken, i + 1);
    }
  });
  loop.run();
  EXPECT_EQ(woken, 1000);
}

Task<> wait_and_drop(std::unique_ptr<Event>& event, bool& woken) {
  co_await event->wait();
  event.reset();
  woken = true;
}

TEST(Event, may_be_destroyed_by_the_coroutine_that_it_wakes) {
  Loop loop;
  auto event = std::make_unique<Event>();
  bool woken = false;
  spawn(loop, wait_and_drop(event, woken));
  asio::post(loop.executor(), [&] {
    event->set();
    loop.stop();
  });
  loop.run();
  EXPECT_TRUE(woken);
  EXPECT_EQ(event, nullptr);
}

struct NotesItsEnd {
  bool& ended;
  ~NotesItsEnd() { ended = true; }
};

Task<> wait_with_local(Event& event, bool& ended) {
  const NotesItsEnd local{ended};
  co_await event.wait();
}

TEST(Event, has_a_coroutine_that_still_waits_destroyed_when_it_goes) {
  Loop loop;
  bool ended = false;
  auto event = std::make_unique<Event>();
  spawn(loop, wait_with_local(*event, ended));
  asio::post(loop.executor(), [&] {
    EXPECT_FALSE(ended);
    event.reset();
    asio::post(loop.executor(), [&] { loop.stop(); });
  });
  loop.run();
  EXPECT_TRUE(ended);
}

TEST(Cancellation, runs_the_handler_once_and_keeps_the_first_reason) {
  Cancellation cancellation;
  int calls = 0;
  const Cancellation::Watch watch(&cancellation, [&] { ++calls; });
  EXPECT_FALSE(cancellation.cancelled());
  cancellation.cancel(CancelReason::deadline);
  cancellation.cancel(CancelReason::shutdown);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(cancellation.reason(), CancelReason::deadline);
}

TEST(Cancellation, does_not_call_a_watch_that_is_gone) {
  Cancellation cancellation;
  int calls = 0;
  {
    const Cancellation::Watch watch(&cancellation, [&] { ++calls; });
  }
  cancellation.cancel(CancelReason::client_gone);
  EXPECT_EQ(calls, 0);
  cancellation.reset();
  EXPECT_FALSE(cancellation.cancelled());
}

TEST(Cancellation, takes_a_watch_without_a_cancellation) {
  const Cancellation::Watch watch(nullptr, [] { FAIL(); });
}

TEST(Cancellation, lets_the_handler_end_its_own_watch) {
  Cancellation cancellation;
  std::optional<Cancellation::Watch> watch;
  bool ran = false;
  watch.emplace(&cancellation, [&] {
    watch.reset();
    ran = true;
  });
  cancellation.cancel(CancelReason::shutdown);
  EXPECT_TRUE(ran);
}

Task<> wait_until_cancelled(Loop& loop, Cancellation& cancellation, Trace& trace) {
  Event event;
  const Cancellation::Watch watch(&cancellation, [&event] { event.set(); });
  co_await event.wait();
  trace.emplace_back(cancellation.reason() == CancelReason::deadline ? "deadline" : "other");
  loop.stop();
}

TEST(Cancellation, wakes_a_coroutine_that_waits_for_an_event) {
  Loop loop;
  Cancellation cancellation;
  Trace trace;
  spawn(loop, wait_until_cancelled(loop, cancellation, trace));
  asio::post(loop.executor(), [&] {
    cancellation.cancel(CancelReason::deadline);
    trace.emplace_back("cancelled");
  });
  loop.run();
  EXPECT_EQ(trace, (Trace{"deadline", "cancelled"}));
}

TEST(Loop, can_be_stopped_from_several_threads_at_once) {
  Loop loop;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { loop.stop(); });
  loop.run();
  for (auto& thread : threads) thread.join();
}

TEST(Loop, runs_without_work_until_it_is_stopped) {
  Loop loop;
  std::thread other([&] { asio::post(loop.executor(), [&] { loop.stop(); }); });
  loop.run();
  other.join();
}

TEST(Loop, calls_a_watcher_at_each_tick_with_the_time) {
  Loop loop;
  std::vector<TimePoint> ticks;
  const TimePoint start = Clock::now();
  const auto handle = loop.watch([&](TimePoint now) {
    ticks.push_back(now);
    if (ticks.size() == 3) loop.stop();
  });
  loop.run();
  ASSERT_EQ(ticks.size(), 3U);
  EXPECT_GE(ticks[0] - start, Loop::kTick);
  EXPECT_LT(ticks[0], ticks[1]);
  EXPECT_LT(ticks[1], ticks[2]);
}

TEST(Loop, lets_a_watcher_destroy_its_own_handle) {
  Loop loop;
  const auto payload = std::make_shared<int>(42);
  std::optional<Loop::Handle> handle;
  int calls = 0, seen = 0;
  handle.emplace(loop.watch([&, payload](TimePoint) {
    handle.reset();
    ++calls;
    seen = *payload;  // what the watcher holds lives until it returns
  }));
  const auto end = loop.watch([&, ticks = 0](TimePoint) mutable {
    if (++ticks == 3) loop.stop();
  });
  loop.run();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(seen, 42);
  EXPECT_EQ(payload.use_count(), 1);
}

TEST(Loop, does_not_call_a_watcher_whose_handle_another_destroyed_in_the_same_tick) {
  Loop loop;
  std::optional<Loop::Handle> second;
  const auto first = loop.watch([&](TimePoint) {
    second.reset();
    loop.stop();
  });
  second.emplace(loop.watch([](TimePoint) { FAIL(); }));
  loop.run();
}

TEST(Loop, calls_a_watcher_that_was_added_during_a_tick_from_the_next_one_on) {
  Loop loop;
  std::vector<Loop::Handle> handles;
  std::vector<TimePoint> ticks;
  Loop::Watcher add_another = [&](TimePoint now) {
    if (ticks.empty() || ticks.back() != now) ticks.push_back(now);
    if (ticks.size() == 3) return loop.stop();
    handles.push_back(loop.watch(add_another));
  };
  handles.push_back(loop.watch(add_another));
  loop.run();
  EXPECT_EQ(handles.size(), 4U);  // one, then one more, then two more
}

TEST(Loop, starts_to_tick_again_after_all_watchers_were_gone) {
  Loop loop;
  std::optional<Loop::Handle> handle = loop.watch([](TimePoint) {});
  handle.reset();
  spawn(loop, [](Loop& l, std::optional<Loop::Handle>& h) -> Task<> {
    co_await l.sleep(3 * Loop::kTick);
    h = l.watch([&l](TimePoint) { l.stop(); });
  }(loop, handle));
  loop.run();
  EXPECT_TRUE(handle.has_value());
}

TEST(Loop, sleeps_at_least_as_long_as_asked) {
  Loop loop;
  const TimePoint start = Clock::now();
  spawn(loop, [](Loop& l) -> Task<> {
    co_await l.sleep(milliseconds(5));
    l.stop();
  }(loop));
  loop.run();
  EXPECT_GE(Clock::now() - start, milliseconds(5));
}

TEST(Loop, destroys_coroutines_that_sleep_when_it_goes) {
  bool ended = false;
  {
    Loop loop;
    spawn(loop, [](Loop& l, bool& e) -> Task<> {
      const NotesItsEnd local{e};
      const auto handle = l.watch([](TimePoint) {});
      co_await l.sleep(seconds(3600));
    }(loop, ended));
    asio::post(loop.executor(), [&] { loop.stop(); });
    loop.run();
    EXPECT_FALSE(ended);
  }
  EXPECT_TRUE(ended);
}

TEST(BoundedQueue, refuses_and_counts_what_is_beyond_its_bound) {
  BoundedQueue<int> queue(2);
  EXPECT_TRUE(queue.push(1));
  EXPECT_TRUE(queue.push(2));
  EXPECT_FALSE(queue.push(3));
  EXPECT_EQ(queue.dropped(), 1U);
  EXPECT_EQ(queue.take_all(), (std::vector{1, 2}));
  EXPECT_TRUE(queue.push(4));
  EXPECT_EQ(queue.take_all(), (std::vector{4}));
}

}  // namespace
}  // namespace athena
