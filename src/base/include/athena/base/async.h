#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <athena/base/result.h>

namespace athena {

namespace asio = boost::asio;

/// The concrete executor of a loop. any_io_executor would cost 0.3–0.7 µs a request.
using Executor = asio::io_context::executor_type;

/// A coroutine on a loop that cannot fail.
template <class T = void>
using Task = asio::awaitable<T, Executor>;

/// A coroutine on a loop that can: it gives a Result.
template <class T = void>
using Async = Task<Result<T>>;

/// The completion token that suits both.
inline constexpr asio::use_awaitable_t<Executor> use_task{};

}  // namespace athena
