#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace athena::query {

/// Words of the caller that an error repeats: enough to recognise them, never a page of them.
constexpr std::size_t kMaxEchoedBytes = 80;

/// `text`, or what of it fits, cut at the border of a character. A view into `text`.
std::string_view shortened(std::string_view text) noexcept;
/// The same between single quotes, with "…" where something is missing.
std::string quoted(std::string_view text);
/// "a, b or c".
std::string one_of(std::initializer_list<std::string_view> words);

}  // namespace athena::query
