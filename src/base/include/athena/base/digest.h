#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace athena {

/// A 64-bit digest of some texts, to tell apart what differs by accident: entity tags, keys of statements. Not for who
/// may choose the bytes to make two of them meet; crypto.h is for that. The same on every machine of one byte order.
class Digest {
 public:
  /// The borders between texts count: "ab", "c" is not "a", "bc".
  void add(std::string_view bytes) noexcept;
  std::uint64_t value() const noexcept { return state_; }
  /// Sixteen lower-case hex digits.
  std::string hex() const;

 private:
  std::uint64_t state_ = 0x9e3779b97f4a7c15;
};

}  // namespace athena
