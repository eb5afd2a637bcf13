#pragma once

#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <boost/asio/co_spawn.hpp>

#include <athena/base/async.h>
#include <athena/base/loop.h>

namespace athena::testing {

/// Turns the loop until `done` is true. Throws after ten seconds: a test that hangs must end by itself.
template <class Done>
void run_until(Loop& loop, Done done) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!done()) {
    if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("the coroutine does not end");
    loop.context().run_one_for(std::chrono::milliseconds(50));
    if (loop.context().stopped()) loop.context().restart();
  }
}

/// Runs a coroutine on the loop, on this thread, until it ends, and gives its value.
template <class T>
T run(Loop& loop, Task<T> task) {
  std::exception_ptr failure;
  bool done = false;
  if constexpr (std::is_void_v<T>) {
    asio::co_spawn(loop.executor(), std::move(task), [&](std::exception_ptr e) {
      failure = e;
      done = true;
    });
    run_until(loop, [&] { return done; });
    if (failure) std::rethrow_exception(failure);
  } else {
    std::optional<T> result;
    asio::co_spawn(loop.executor(), std::move(task), [&](std::exception_ptr e, T value) {
      failure = e;
      if (!e) result.emplace(std::move(value));
      done = true;
    });
    run_until(loop, [&] { return done; });
    if (failure) std::rethrow_exception(failure);
    return std::move(*result);
  }
}

}  // namespace athena::testing
