#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace athena::gateway {

/// Makes request ids in the form of a ULID: 48 bits of milliseconds and 80 bits that start random and count up, so that
/// ids of one loop sort by time and cannot be guessed across restarts. One for each loop.
class RequestIds {
 public:
  RequestIds();
  std::string next();

 private:
  std::uint64_t high_, low_;  // 16 and 64 bits of the random part
};

/// An incoming id that is kept: 1 to 128 characters of A–Z a–z 0–9 . _ -
bool is_sane_request_id(std::string_view id) noexcept;

}  // namespace athena::gateway
