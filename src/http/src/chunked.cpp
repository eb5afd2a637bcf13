#include "chunked.h"

#include <algorithm>

namespace athena::http {
namespace {

constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

constexpr bool is_text(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

}  // namespace

std::size_t ChunkedDecoder::feed(std::string_view bytes, Buffer& body) {
  std::size_t used = 0;
  while (used < bytes.size() && state_ == State::incomplete) {
    if (at_ == At::data) {
      const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - used));
      body.append(bytes.substr(used, n));
      used += n;
      left_ -= n;
      if (left_ == 0) at_ = At::data_cr;
    } else {
      state_ = step(bytes[used++]);
    }
  }
  return used;
}

ChunkedDecoder::State ChunkedDecoder::step(char c) noexcept {
  const auto expect = [this, c](char wanted, At next) {
    at_ = next;
    return c == wanted ? State::incomplete : State::malformed;
  };
  switch (at_) {
    case At::size_first:
      return size_digit(c);
    case At::size:
      if (c == '\r') return at_ = At::size_lf, State::incomplete;
      if (c == ';') return at_ = At::extension, State::incomplete;
      return size_digit(c);
    case At::extension:
      if (c == '\r') return at_ = At::size_lf, State::incomplete;
      return is_text(c) && spend_overhead() ? State::incomplete : State::malformed;
    case At::size_lf:
      return c == '\n' ? chunk_begins() : State::malformed;
    case At::data_cr:
      return expect('\r', At::data_lf);
    case At::data_lf:
      return expect('\n', At::size_first);
    case At::trailer_first:
      if (c == '\r') return at_ = At::end_lf, State::incomplete;
      at_ = At::trailer;
      return is_text(c) && spend_overhead() ? State::incomplete : State::malformed;
    case At::trailer:
      if (c == '\r') return at_ = At::trailer_lf, State::incomplete;
      return is_text(c) && spend_overhead() ? State::incomplete : State::malformed;
    case At::trailer_lf:
      return expect('\n', At::trailer_first);
    case At::end_lf:
      return c == '\n' ? State::complete : State::malformed;
    case At::data:
      break;  // feed() copies data
  }
  return State::malformed;
}

ChunkedDecoder::State ChunkedDecoder::size_digit(char c) noexcept {
  const int digit = hex_value(c);
  if (digit < 0) return State::malformed;
  if (at_ == At::size_first) left_ = digits_ = 0;
  at_ = At::size;
  if (++digits_ > kMaxSizeDigits) return State::malformed;
  left_ = left_ << 4 | static_cast<std::uint64_t>(digit);
  return State::incomplete;
}

ChunkedDecoder::State ChunkedDecoder::chunk_begins() noexcept {
  if (left_ == 0) {
    at_ = At::trailer_first;
    return State::incomplete;
  }
  total_ += left_;
  if (total_ > max_body_bytes_) return State::too_large;
  at_ = At::data;
  return State::incomplete;
}

}  // namespace athena::http
