#include "scylla/frame.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <utility>

#include <lz4.h>
#include <zlib.h>

namespace athena::driver::scylla {
namespace {

constexpr std::size_t kCrc24Bytes = 3, kCrc32Bytes = 4;
constexpr std::size_t kPlainFrameHead = 3, kLz4FrameHead = 5;
/// What LZ4 can make of a byte at most: a promise beyond it is a lie.
constexpr std::size_t kMostOfOneByte = 255;
/// Shorter than this, compressing costs more than it gives.
constexpr std::size_t kMinCompressed = 512;
constexpr std::size_t kKeptBytes = 256 * 1024;

constexpr std::uint32_t kCrc24Start = 0x875060, kCrc24Polynomial = 0x1974F0B;

constexpr auto kCrc24Table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte << 16;
    for (int bit = 0; bit < 8; ++bit) {
      crc <<= 1;
      if (crc & 0x1000000) crc ^= kCrc24Polynomial;
    }
    table[byte] = crc & 0xFFFFFF;
  }
  return table;
}();

std::uint64_t little_endian(std::string_view bytes) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

void append_little_endian(Buffer& out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

std::uint32_t big_endian_32(const char* at) noexcept {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(at[i]);
  return value;
}

void put_big_endian_32(char* at, std::uint32_t value) noexcept {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<char>(value >> (8 * (3 - i)));
}

/// One frame. `payload` is at most kMaxFramePayload.
void append_frame(Buffer& out, std::string_view payload, bool self_contained, bool lz4) {
  assert(payload.size() <= kMaxFramePayload);
  std::string_view sent = payload;
  std::size_t size_before = 0;  // 0: not compressed
  Buffer compressed;
  if (lz4 && payload.size() >= kMinCompressed) {
    const int bound = LZ4_compressBound(static_cast<int>(payload.size()));
    char* into = compressed.grab(static_cast<std::size_t>(bound));
    const int size = LZ4_compress_default(payload.data(), into, static_cast<int>(payload.size()), bound);
    if (size > 0 && static_cast<std::size_t>(size) < payload.size()) {
      compressed.commit(static_cast<std::size_t>(size));
      sent = compressed.view();
      size_before = payload.size();
    }
  }
  const std::uint64_t flag = self_contained ? 1 : 0;
  const std::uint64_t head = lz4 ? sent.size() | size_before << 17 | flag << 34 : sent.size() | flag << 17;
  const std::size_t head_bytes = lz4 ? kLz4FrameHead : kPlainFrameHead;
  append_little_endian(out, head, head_bytes);
  append_little_endian(out, crc24(head, head_bytes), kCrc24Bytes);
  out.append(sent);
  append_little_endian(out, crc32_of(sent), kCrc32Bytes);
}

}  // namespace

std::uint32_t crc24(std::uint64_t bytes, std::size_t count) noexcept {
  std::uint32_t crc = kCrc24Start;
  for (; count > 0; --count, bytes >>= 8) {
    crc = ((crc << 8) ^ kCrc24Table[(crc >> 16 ^ bytes) & 0xFF]) & 0xFFFFFF;
  }
  return crc;
}

std::uint32_t crc32_of(std::string_view bytes) noexcept {
  constexpr unsigned char kSalt[] = {0xFA, 0x2D, 0x55, 0xCA};  // so that zeros do not check as zero
  const uLong salted = ::crc32(0, kSalt, sizeof kSalt);
  return static_cast<std::uint32_t>(
      ::crc32(salted, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

EnvelopeReader::Next EnvelopeReader::next() {
  drop(std::exchange(taken_, 0));
  for (;;) {
    Next found = take_envelope();
    if (found.state != Next::State::incomplete || !framed_ || !take_frame(found)) return found;
  }
}

void EnvelopeReader::drop(std::size_t bytes) noexcept {
  if (bytes == 0) return;
  if (!framed_) {
    raw_.drop_front(bytes);
    if (raw_.empty()) raw_.recycle(kKeptBytes);
  } else if (!whole_.empty()) {
    whole_.drop_front(bytes);
    if (whole_.empty()) whole_.recycle(kKeptBytes);
  } else {
    direct_.remove_prefix(bytes);
  }
}

EnvelopeReader::Next EnvelopeReader::take_envelope() {
  if (skip_ > 0) {
    const std::size_t skipped = std::min(skip_, source().size());
    drop(skipped);
    skip_ -= skipped;
    if (skip_ > 0) return {};
  }
  const std::string_view bytes = source();
  if (bytes.size() < kEnvelopeHeadBytes) {
    // A frame of whole envelopes cannot end within one.
    if (framed_ && whole_.empty() && !bytes.empty())
      return {Next::State::broken, {}, "a frame ends within an envelope"};
    return {};
  }
  const auto byte = [bytes](std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); };
  Next found;
  found.envelope.version = byte(0) & 0x7F;
  found.envelope.flags = byte(1);
  found.envelope.stream = static_cast<std::int16_t>(byte(2) << 8 | byte(3));
  found.envelope.opcode = static_cast<Opcode>(byte(4));
  const std::size_t size = big_endian_32(bytes.data() + 5);
  if ((byte(0) & 0x80) == 0) return {Next::State::broken, {}, "not an answer"};
  if (size > kMaxBodyBytes) {
    drop(kEnvelopeHeadBytes);
    skip_ = size;
    found.state = Next::State::too_long;
    return found;
  }
  if (bytes.size() - kEnvelopeHeadBytes < size) {
    if (framed_ && whole_.empty()) return {Next::State::broken, {}, "a frame ends within an envelope"};
    return {};
  }
  taken_ = kEnvelopeHeadBytes + size;
  found.envelope.body = bytes.substr(kEnvelopeHeadBytes, size);
  found.state = Next::State::complete;
  if ((found.envelope.flags & kCompressedFlag) == 0 || framed_) return found;
  const std::string_view body = found.envelope.body;
  if (!lz4_ || body.size() < 4) return {Next::State::broken, {}, "a body is compressed, and should not be"};
  if (!inflate(body.substr(4), big_endian_32(body.data()))) return {Next::State::broken, {}, "a body is not LZ4"};
  found.envelope.body = inflated_.view();
  return found;
}

bool EnvelopeReader::take_frame(Next& result) {
  raw_.drop_front(std::exchange(raw_taken_, 0));
  if (raw_.empty()) raw_.recycle(kKeptBytes);
  const std::size_t head_bytes = lz4_ ? kLz4FrameHead : kPlainFrameHead;
  const std::string_view bytes = raw_.view();
  if (bytes.size() < head_bytes + kCrc24Bytes) return false;
  const std::uint64_t head = little_endian(bytes.substr(0, head_bytes));
  const auto broken = [&result](const char* why) {
    result = {Next::State::broken, {}, why};
    return false;
  };
  if (crc24(head, head_bytes) != little_endian(bytes.substr(head_bytes, kCrc24Bytes))) {
    return broken("a frame's head does not check");
  }
  const std::size_t size = head & 0x1FFFF;
  const std::size_t size_before = lz4_ ? head >> 17 & 0x1FFFF : 0;
  const bool self_contained = (head >> (lz4_ ? 34 : 17) & 1) != 0;
  const std::size_t frame_bytes = head_bytes + kCrc24Bytes + size + kCrc32Bytes;
  if (bytes.size() < frame_bytes) return false;
  std::string_view payload = bytes.substr(head_bytes + kCrc24Bytes, size);
  if (crc32_of(payload) != little_endian(bytes.substr(frame_bytes - kCrc32Bytes, kCrc32Bytes))) {
    return broken("a frame's payload does not check");
  }
  raw_taken_ = frame_bytes;
  if (size_before > 0) {
    if (!inflate(payload, size_before)) return broken("a frame is not LZ4");
    payload = inflated_.view();
  }
  if (payload.empty()) return broken("a frame is empty");
  if (self_contained) {
    if (!whole_.empty() || skip_ > 0) return broken("an envelope does not end");
    direct_ = payload;
  } else if (skip_ > 0) {
    if (payload.size() > skip_) return broken("a frame holds the end of one envelope and the begin of another");
    skip_ -= payload.size();
  } else {
    whole_.append(payload);
  }
  return true;
}

bool EnvelopeReader::inflate(std::string_view compressed, std::size_t size) {
  if (size > kMaxBodyBytes || size / kMostOfOneByte > compressed.size()) return false;
  inflated_.recycle(kKeptBytes);
  char* into = inflated_.grab(std::max<std::size_t>(size, 1));
  const int got =
      LZ4_decompress_safe(compressed.data(), into, static_cast<int>(compressed.size()), static_cast<int>(size));
  if (got < 0 || static_cast<std::size_t>(got) != size) return false;
  inflated_.commit(size);
  return true;
}

void append_frames(Buffer& out, std::string_view envelopes, bool lz4) {
  while (!envelopes.empty()) {
    std::size_t together = 0;
    while (together < envelopes.size()) {
      assert(envelopes.size() - together >= kEnvelopeHeadBytes);
      const std::size_t size = kEnvelopeHeadBytes + big_endian_32(envelopes.data() + together + 5);
      if (together > 0 && together + size > kMaxFramePayload) break;
      together += size;
    }
    std::string_view rest = envelopes.substr(0, together);
    envelopes.remove_prefix(together);
    const bool self_contained = rest.size() <= kMaxFramePayload;
    while (!rest.empty()) {
      append_frame(out, rest.substr(0, kMaxFramePayload), self_contained, lz4);
      rest.remove_prefix(std::min(rest.size(), kMaxFramePayload));
    }
  }
}

void compress_body(Buffer& out, std::size_t begin) {
  const std::string_view body = out.view().substr(begin + kEnvelopeHeadBytes);
  if (body.size() < kMinCompressed) return;
  const int bound = LZ4_compressBound(static_cast<int>(body.size()));
  Buffer compressed;
  char* into = compressed.grab(4 + static_cast<std::size_t>(bound));
  put_big_endian_32(into, static_cast<std::uint32_t>(body.size()));
  const int size = LZ4_compress_default(body.data(), into + 4, static_cast<int>(body.size()), bound);
  if (size <= 0 || static_cast<std::size_t>(size) + 4 >= body.size()) return;
  compressed.commit(4 + static_cast<std::size_t>(size));
  out.truncate(begin + kEnvelopeHeadBytes);
  out.append(compressed.view());
  char* head = out.data() + begin;
  head[1] = static_cast<char>(head[1] | kCompressedFlag);
  put_big_endian_32(head + 5, static_cast<std::uint32_t>(compressed.size()));
}

}  // namespace athena::driver::scylla
