#include <athena/base/digest.h>

#include <cstring>

namespace athena {
namespace {

/// Both halves of the product folded together: every bit of the input reaches every bit of the result.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

constexpr std::uint64_t kWord = 0xa0761d6478bd642f, kEnd = 0xe7037ed1a0b428db;

}  // namespace

void Digest::add(std::string_view bytes) noexcept {
  const std::uint64_t size = bytes.size();
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    state_ = mix(state_ ^ word, kWord);
  }
  std::uint64_t rest = 0;
  if (!bytes.empty()) std::memcpy(&rest, bytes.data(), bytes.size());
  state_ = mix(state_ ^ rest, kEnd ^ size);
}

std::string Digest::hex() const {
  std::string text(16, '0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = "0123456789abcdef"[(state_ >> (60 - 4 * i)) & 15];
  return text;
}

}  // namespace athena
