#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace athena::crypto {

/// `n` bytes from the system's random source. Ends the process if there is none: nothing safe can follow.
std::string random_bytes(std::size_t n);
/// 32 bytes.
std::string sha256(std::string_view bytes);
/// 32 bytes that only who has the key can make of these.
std::string hmac_sha256(std::string_view key, std::string_view bytes);
/// Equal, in time that depends on the lengths alone.
bool constant_time_equal(std::string_view a, std::string_view b) noexcept;

}  // namespace athena::crypto
