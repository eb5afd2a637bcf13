#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace athena::http {

enum class Method : std::uint8_t { get, head, post, put, patch, del, options, other };
std::string_view to_string(Method method) noexcept;

struct HeaderView {
  std::string_view name;   ///< as sent
  std::string_view value;  ///< without blanks around it
};

/// The head of a request: views into the session's receive buffer, valid until the answer is complete.
struct RequestHead {
  Method method = Method::other;
  std::string_view method_text;
  std::string_view target;  ///< as sent
  std::string_view path;    ///< up to '?', undecoded
  std::string_view query;   ///< after '?', undecoded
  std::uint8_t minor_version = 1;
  std::span<const HeaderView> headers;

  /// The first header of that name (case-insensitive), or none.
  std::optional<std::string_view> find(std::string_view name) const noexcept;
  /// How many headers have that name: what must be unique is checked with it.
  std::size_t count(std::string_view name) const noexcept;
};

/// The reason phrase of RFC 9110; "Unknown" for others.
std::string_view reason(int status) noexcept;

}  // namespace athena::http
