#pragma once

#include <expected>
#include <utility>

#include <athena/base/error.h>

namespace athena {

/// A value, or the error that stands in its place. Functions that can fail return it; see STYLE.md 16.
template <class T = void>
using Result = std::expected<T, Error>;

/// Shorthand for `return std::unexpected(Error(code, text, hint))`.
inline std::unexpected<Error> fail(Code code, std::string text = {}, std::string hint = {}) {
  return std::unexpected(Error(code, std::move(text), std::move(hint)));
}
inline std::unexpected<Error> fail(Error error) {
  return std::unexpected(std::move(error));
}

}  // namespace athena

#define ATHENA_CONCAT_2(a, b) a##b
#define ATHENA_CONCAT(a, b) ATHENA_CONCAT_2(a, b)

/// `ATHENA_TRY(auto x, f());` binds f's value or returns its error. `ATHENA_TRY_VOID(f());` for Result<>.
#define ATHENA_TRY_IMPL(tmp, lhs, ...)                      \
  auto tmp = (__VA_ARGS__);                                 \
  if (!tmp) return std::unexpected(std::move(tmp).error()); \
  lhs = *std::move(tmp)
#define ATHENA_TRY(lhs, ...) ATHENA_TRY_IMPL(ATHENA_CONCAT(athena_try_, __LINE__), lhs, __VA_ARGS__)
#define ATHENA_TRY_VOID(...)                                                                           \
  do {                                                                                                 \
    if (auto athena_r = (__VA_ARGS__); !athena_r) return std::unexpected(std::move(athena_r).error()); \
  } while (false)

/// The same inside a coroutine: `ATHENA_CO_TRY(auto x, co_await f());`
#define ATHENA_CO_TRY_IMPL(tmp, lhs, ...)                      \
  auto tmp = (__VA_ARGS__);                                    \
  if (!tmp) co_return std::unexpected(std::move(tmp).error()); \
  lhs = *std::move(tmp)
#define ATHENA_CO_TRY(lhs, ...) ATHENA_CO_TRY_IMPL(ATHENA_CONCAT(athena_try_, __LINE__), lhs, __VA_ARGS__)
#define ATHENA_CO_TRY_VOID(...)                                                                           \
  do {                                                                                                    \
    if (auto athena_r = (__VA_ARGS__); !athena_r) co_return std::unexpected(std::move(athena_r).error()); \
  } while (false)
