#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <athena/base/buffer.h>

/// Bytes ↔ envelopes of the CQL native protocol, versions 4 and 5. Knows nothing of what is in them, and of no socket.
namespace athena::driver::scylla {

enum class Opcode : std::uint8_t {
  error = 0x00,
  startup = 0x01,
  ready = 0x02,
  authenticate = 0x03,
  options = 0x05,
  supported = 0x06,
  query = 0x07,
  result = 0x08,
  prepare = 0x09,
  execute = 0x0A,
  register_events = 0x0B,
  event = 0x0C,
  batch = 0x0D,
  auth_challenge = 0x0E,
  auth_response = 0x0F,
  auth_success = 0x10,
};

/// Bits of an envelope's flags.
inline constexpr std::uint8_t kCompressedFlag = 0x01, kTracingFlag = 0x02, kPayloadFlag = 0x04, kWarningFlag = 0x08;

inline constexpr std::size_t kEnvelopeHeadBytes = 9;
/// Of a body that we take. A row or a page beyond it is refused, and the connection lives on.
inline constexpr std::size_t kMaxBodyBytes = std::size_t{64} * 1024 * 1024;
/// Of a frame of version 5: its length has 17 bits.
inline constexpr std::size_t kMaxFramePayload = 128 * 1024 - 1;
/// The stream of what the server says unasked.
inline constexpr std::int16_t kEventStream = -1;

struct EnvelopeView {
  std::uint8_t version = 0;  ///< without the bit for the direction
  std::uint8_t flags = 0;
  std::int16_t stream = 0;
  Opcode opcode = Opcode::error;
  std::string_view body;
};

/// Finds the envelopes in what a server sends: plain, with LZ4 bodies (version 4), or in checked frames (version 5).
/// Memory grows with the bytes that arrive, not with the lengths that they promise.
class EnvelopeReader {
 public:
  /// Room for what is read next; nothing that next() gave may be looked at any more. Call next() until it is
  /// incomplete before.
  char* grab(std::size_t bytes) { return raw_.grab(bytes); }
  void commit(std::size_t bytes) { raw_.commit(bytes); }

  /// From the next byte on: version 5's frames, after the answer to STARTUP (whose view ends here).
  void expect_frames(bool lz4) noexcept {
    drop(std::exchange(taken_, 0));
    framed_ = true;
    lz4_ = lz4;
  }
  /// Version 4: bodies may be compressed.
  void expect_lz4_bodies() noexcept { lz4_ = true; }

  struct Next {
    enum class State : std::uint8_t {
      incomplete,
      complete,
      too_long,  ///< the body is not given; it is skipped as it comes
      broken,    ///< nothing more can be read
    } state = State::incomplete;
    EnvelopeView envelope;
    const char* why = "";  ///< broken: for the log
  };
  /// Views are valid until the next call of next() or grab().
  Next next();

 private:
  Next take_envelope();
  /// Takes the next frame of version 5; incomplete or broken in `result` if there is none.
  bool take_frame(Next& result);
  bool inflate(std::string_view compressed, std::size_t size);
  std::string_view source() const noexcept {
    return framed_ ? (whole_.empty() ? direct_ : whole_.view()) : raw_.view();
  }
  void drop(std::size_t bytes) noexcept;

  Buffer raw_;                 // from the socket
  Buffer whole_;               // an envelope of several frames, as far as it has come
  Buffer inflated_;            // what was compressed
  std::string_view direct_;    // the rest of a frame of whole envelopes: into raw_ or inflated_
  std::size_t taken_ = 0;      // of source(): the envelope that was given out last
  std::size_t raw_taken_ = 0;  // of raw_: the frame that direct_ looks into
  std::size_t skip_ = 0;       // bytes of a body that is too long
  bool framed_ = false, lz4_ = false;
};

/// Puts whole envelopes, one behind the other, into frames of version 5. `lz4`: compressed where that makes them
/// smaller.
void append_frames(Buffer& out, std::string_view envelopes, bool lz4);

/// Version 4: compresses the body of the envelope that begins at `begin` in `out`, if that makes it smaller.
void compress_body(Buffer& out, std::size_t begin);

/// The checksums of version 5, for tests and the scripted peer.
std::uint32_t crc24(std::uint64_t bytes, std::size_t count) noexcept;
std::uint32_t crc32_of(std::string_view bytes) noexcept;

}  // namespace athena::driver::scylla
