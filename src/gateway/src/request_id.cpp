#include "request_id.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include <athena/base/crypto.h>

namespace athena::gateway {

RequestIds::RequestIds() {
  const std::string random = crypto::random_bytes(10);
  std::memcpy(&low_, random.data(), 8);
  std::uint16_t top = 0;
  std::memcpy(&top, random.data() + 8, 2);
  high_ = top;
}

std::string RequestIds::next() {
  constexpr char kCrockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  if (++low_ == 0) high_ = (high_ + 1) & 0xffff;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  unsigned __int128 bits =
      (static_cast<unsigned __int128>(ms) << 80) | (static_cast<unsigned __int128>(high_) << 64) | low_;
  std::string id(26, '0');
  for (std::size_t i = id.size(); i-- > 0; bits >>= 5) id[i] = kCrockford[static_cast<unsigned>(bits) & 31];
  return id;
}

bool is_sane_request_id(std::string_view id) noexcept {
  return !id.empty() && id.size() <= 128 && std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

}  // namespace athena::gateway
