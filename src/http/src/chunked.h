#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <athena/base/buffer.h>

namespace athena::http {

/// Takes the chunked framing (RFC 9112 section 7.1) off a body that arrives in pieces. Extensions and trailers mean
/// nothing here: they are checked, bounded and passed over.
class ChunkedDecoder {
 public:
  enum class State : std::uint8_t { incomplete, complete, malformed, too_large };

  explicit ChunkedDecoder(std::size_t max_body_bytes) noexcept : max_body_bytes_(max_body_bytes) {}

  /// Appends what `bytes` has of the body to `body`. Returns how many bytes belong to this body: fewer than there are
  /// if it ended, or if state() says that it went wrong.
  std::size_t feed(std::string_view bytes, Buffer& body);
  State state() const noexcept { return state_; }

 private:
  enum class At : std::uint8_t {
    size_first,
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_first,
    trailer,
    trailer_lf,
    end_lf
  };

  State step(char c) noexcept;
  State size_digit(char c) noexcept;
  State chunk_begins() noexcept;
  /// Bytes that carry nothing (extensions, trailers) are bounded for the whole body.
  bool spend_overhead() noexcept { return ++overhead_ <= kMaxOverheadBytes; }

  static constexpr std::size_t kMaxOverheadBytes = 8 * 1024;
  static constexpr std::size_t kMaxSizeDigits = 15;  // cannot overflow, whatever they say

  const std::size_t max_body_bytes_;
  std::uint64_t left_ = 0;  // of the chunk: while its size is read, what was read of it
  std::uint64_t total_ = 0;
  std::size_t overhead_ = 0, digits_ = 0;
  At at_ = At::size_first;
  State state_ = State::incomplete;
};

}  // namespace athena::http
