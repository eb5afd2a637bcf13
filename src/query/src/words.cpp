#include "words.h"

namespace athena::query {

std::string_view shortened(std::string_view text) noexcept {
  if (text.size() <= kMaxEchoedBytes) return text;
  std::size_t end = kMaxEchoedBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

std::string quoted(std::string_view text) {
  const std::string_view kept = shortened(text);
  std::string result;
  result.reserve(kept.size() + 5);
  result += '\'';
  result += kept;
  if (kept.size() < text.size()) result += "…";
  result += '\'';
  return result;
}

std::string one_of(std::initializer_list<std::string_view> words) {
  std::string result;
  std::size_t left = words.size();
  for (const std::string_view word : words) {
    result += word;
    --left;
    if (left > 0) result += left == 1 ? " or " : ", ";
  }
  return result;
}

}  // namespace athena::query
