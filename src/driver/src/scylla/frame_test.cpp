#include "scylla/frame.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scylla/server_bytes.h"

namespace athena::driver::scylla {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;
using State = EnvelopeReader::Next::State;

/// What a reader found, as `stream:body`, `stream:too long`, `broken: why`.
class Found {
 public:
  explicit Found(std::string_view bytes, std::size_t piece, EnvelopeReader reader = {}) : reader_(std::move(reader)) {
    while (!bytes.empty() && !broken_) {
      const std::size_t n = std::min(piece, bytes.size());
      std::memcpy(reader_.grab(n), bytes.data(), n);
      reader_.commit(n);
      bytes.remove_prefix(n);
      take();
    }
  }
  std::vector<std::string> all;

 private:
  void take() {
    for (;;) {
      const EnvelopeReader::Next next = reader_.next();
      if (next.state == State::incomplete) return;
      if (next.state == State::broken) {
        all.push_back("broken: "s + next.why);
        broken_ = true;
        return;
      }
      const std::string stream = std::to_string(next.envelope.stream) + ":";
      all.push_back(stream + (next.state == State::too_long ? "too long" : std::string(next.envelope.body)));
    }
  }
  EnvelopeReader reader_;
  bool broken_ = false;
};

EnvelopeReader framed(bool lz4 = false) {
  EnvelopeReader reader;
  reader.expect_frames(lz4);
  return reader;
}

std::string envelope(std::int16_t stream, std::string body, std::uint8_t version = 4) {
  return ServerEnvelope{.version = version, .stream = stream, .body = std::move(body)}.bytes();
}

/// As our own side puts them into frames; a server does the same.
std::string frames(std::string_view envelopes, bool lz4) {
  Buffer out;
  append_frames(out, envelopes, lz4);
  return std::string(out.view());
}

std::string noise(std::size_t size) {
  std::string bytes;
  for (std::uint32_t state = 1; bytes.size() < size;) {
    state = state * 1'664'525 + 1'013'904'223;
    bytes.push_back(static_cast<char>(state >> 24));
  }
  return bytes;
}

constexpr std::size_t kPieces[] = {1, 2, 3, 7, 9, 10, 64, 1'000, 1 << 20};

TEST(Checksums, are_those_of_the_specification) {
  // Computed bit by bit from the specification's words, in another language.
  EXPECT_EQ(crc24(0x020009, 3), 0xc1c8a4U);
  EXPECT_EQ(crc24(0, 3), 0x7de777U);
  EXPECT_EQ(crc24(0x0400123456, 5), 0x57823bU);
  EXPECT_EQ(crc32_of("123456789"), 0xe2a261a7U);
  EXPECT_EQ(crc32_of(""), 0x44777ed3U);
}

TEST(Frames, have_the_bytes_of_the_specification) {
  const std::string ready = "\x85\0\0\1\2\0\0\0\0"s;
  EXPECT_EQ(frames(ready, false), "\x09\0\2\xa4\xc8\xc1"s + ready + "\xea\x89\1\x52");
  EXPECT_EQ(frames(ready, true), "\x09\0\0\0\4\xc2\xb8\x95"s + ready + "\xea\x89\1\x52");
}

TEST(PlainEnvelopes, are_found_whatever_the_pieces) {
  const std::string bytes = envelope(1, "") + envelope(32'767, "abc") + envelope(-1, std::string(300, 'x'));
  for (const std::size_t piece : kPieces) {
    EXPECT_THAT(Found(bytes, piece).all, ElementsAre("1:", "32767:abc", "-1:" + std::string(300, 'x'))) << piece;
  }
}

TEST(PlainEnvelopes, carry_what_their_head_says) {
  EnvelopeReader reader;
  const std::string bytes = ServerEnvelope{.version = 5, .flags = 0x0A, .stream = 7, .opcode = Opcode::error}.bytes();
  std::memcpy(reader.grab(bytes.size()), bytes.data(), bytes.size());
  reader.commit(bytes.size());
  const auto next = reader.next();
  ASSERT_EQ(next.state, State::complete);
  EXPECT_EQ(next.envelope.version, 5);
  EXPECT_EQ(next.envelope.flags, 0x0A);
  EXPECT_EQ(next.envelope.opcode, Opcode::error);
  EXPECT_EQ(reader.next().state, State::incomplete);
}

TEST(PlainEnvelopes, a_request_is_no_answer) {
  std::string bytes = envelope(1, "abc");
  bytes[0] = 4;
  EXPECT_THAT(Found(bytes, 100).all, ElementsAre("broken: not an answer"));
}

TEST(PlainEnvelopes, a_body_that_is_too_long_is_passed_over_and_the_next_is_found) {
  std::string bytes = "\x84\0\0\3\x08\4\0\0\1"s;  // one byte more than 64 MiB
  bytes.append(kMaxBodyBytes + 1, 'x');
  bytes += envelope(4, "next");
  for (const std::size_t piece : {std::size_t{4'099}, std::size_t{1} << 20, bytes.size()}) {
    EXPECT_THAT(Found(bytes, piece).all, ElementsAre("3:too long", "4:next")) << piece;
  }
}

TEST(CompressedBodies, are_read_and_written) {
  const std::string text = "athena " + std::string(5'000, 'a');
  Buffer out;
  out.append("before");
  out.append(envelope(9, text));
  compress_body(out, 6);
  ASSERT_LT(out.size(), 500U);
  const std::string bytes(out.view().substr(6));
  EXPECT_EQ(static_cast<std::uint8_t>(bytes[1]), kCompressedFlag);
  for (const std::size_t piece : kPieces) {
    EnvelopeReader reader;
    reader.expect_lz4_bodies();
    EXPECT_THAT(Found(bytes + envelope(1, "plain"), piece, std::move(reader)).all, ElementsAre("9:" + text, "1:plain"))
        << piece;
  }
}

TEST(CompressedBodies, what_would_grow_or_is_short_is_sent_as_it_is) {
  for (const std::string& body : {std::string(100, 'a'), noise(2'000)}) {
    Buffer out;
    out.append(envelope(9, body));
    compress_body(out, 0);
    EXPECT_EQ(out.view(), envelope(9, body));
  }
}

TEST(CompressedBodies, that_lie_end_the_connection) {
  const auto read = [](std::string body, bool lz4 = true) {
    EnvelopeReader reader;
    if (lz4) reader.expect_lz4_bodies();
    const auto found =
        Found(ServerEnvelope{.flags = kCompressedFlag, .body = std::move(body)}.bytes(), 1'000, std::move(reader));
    return found.all.empty() ? std::string() : found.all.front();
  };
  const std::string block = "\x50hello"s;  // LZ4 by hand: five bytes as they are
  EXPECT_EQ(read("\0\0\0\5"s + block), "0:hello");
  EXPECT_THAT(read("\0\0\0\5"s + block, false), StartsWith("broken: a body is compressed"));
  EXPECT_EQ(read("\0\0\0\4"s + block), "broken: a body is not LZ4") << "it holds more than it says";
  EXPECT_EQ(read("\0\0\0\6"s + block), "broken: a body is not LZ4") << "it holds less than it says";
  EXPECT_EQ(read("\4\0\0\0"s + block), "broken: a body is not LZ4") << "no six bytes hold 64 MiB";
  EXPECT_EQ(read("\xff\xff\xff\xff"s + block), "broken: a body is not LZ4");
  EXPECT_EQ(read("\0\0\0\5\x60hello"s), "broken: a body is not LZ4") << "it ends early";
  EXPECT_THAT(read("\0\0\0"s), StartsWith("broken: a body is compressed")) << "no room for the length";
}

TEST(Framed, envelopes_are_found_whatever_the_pieces) {
  const std::string three = envelope(1, "", 5) + envelope(2, "abc", 5) + envelope(-1, std::string(600, 'x'), 5);
  for (const bool lz4 : {false, true}) {
    const std::string bytes = frames(three, lz4) + frames(envelope(4, "last", 5), lz4);
    for (const std::size_t piece : kPieces) {
      EXPECT_THAT(Found(bytes, piece, framed(lz4)).all,
                  ElementsAre("1:", "2:abc", "-1:" + std::string(600, 'x'), "4:last"))
          << piece;
    }
  }
}

TEST(Framed, an_envelope_may_go_on_over_many_frames) {
  for (const bool lz4 : {false, true}) {
    const std::string large = noise(3 * kMaxFramePayload + 5);
    const std::string bytes = frames(envelope(7, large, 5) + envelope(8, "small", 5), lz4);
    for (const std::size_t piece : {std::size_t{4'093}, std::size_t{65'536}, bytes.size()}) {
      EXPECT_THAT(Found(bytes, piece, framed(lz4)).all, ElementsAre("7:" + large, "8:small")) << piece;
    }
  }
}

TEST(Framed, an_envelope_that_fills_a_frame_to_its_last_byte_is_whole) {
  const std::string body(kMaxFramePayload - kEnvelopeHeadBytes, 'y');
  const std::string bytes = frames(envelope(1, body, 5) + envelope(2, "z", 5), false);
  EXPECT_THAT(Found(bytes, 1 << 16, framed()).all, ElementsAre("1:" + body, "2:z"));
}

TEST(Framed, what_does_not_check_ends_the_connection) {
  const std::string good = frames(envelope(1, "abc", 5), false);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const int bit : {0, 3, 7}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      const auto found = Found(bad, 1'000, framed()).all;
      ASSERT_EQ(found.size(), 1U) << at;
      EXPECT_THAT(found.front(),
                  StartsWith(at < 6 ? "broken: a frame's head does not check" : "broken: a frame's payload does not"))
          << at;
    }
  }
}

TEST(Framed, what_lies_within_right_sums_ends_the_connection) {
  const std::string whole = envelope(1, "abc", 5);
  const auto read = [](std::string_view bytes, bool lz4 = false) {
    const auto found = Found(bytes, 1'000, framed(lz4)).all;
    return found.empty() ? std::string() : found.back();
  };
  EXPECT_EQ(read(server_frame("", true)), "broken: a frame is empty");
  EXPECT_EQ(read(server_frame("", false)), "broken: a frame is empty");
  EXPECT_EQ(read(server_frame(whole.substr(0, 5), true)), "broken: a frame ends within an envelope");
  EXPECT_EQ(read(server_frame(whole.substr(0, 10), true)), "broken: a frame ends within an envelope");
  EXPECT_EQ(read(server_frame(whole + whole.substr(0, 3), true)), "broken: a frame ends within an envelope");
  EXPECT_EQ(read(server_frame(whole.substr(0, 10), false) + server_frame(whole, true)),
            "broken: an envelope does not end");
  EXPECT_EQ(read(server_frame(whole.substr(0, 10), false) + server_frame(whole.substr(10), false)), "1:abc");
  std::string request = whole;
  request[0] = 5;
  EXPECT_EQ(read(server_frame(request, true)), "broken: not an answer");
}

TEST(Framed, a_length_before_compressing_that_lies_ends_the_connection) {
  const std::string block = "\x50hello"s;
  for (const std::uint64_t said : {4U, 6U, 131'071U}) {
    const std::uint64_t head = block.size() | said << 17 | std::uint64_t{1} << 34;
    std::string bytes;
    for (int i = 0; i < 5; ++i) bytes.push_back(static_cast<char>(head >> 8 * i));
    for (int i = 0; i < 3; ++i) bytes.push_back(static_cast<char>(crc24(head, 5) >> 8 * i));
    bytes += block;
    for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(crc32_of(block) >> 8 * i));
    EXPECT_THAT(Found(bytes, 1'000, framed(true)).all, ElementsAre("broken: a frame is not LZ4")) << said;
  }
}

TEST(Framed, a_body_that_is_too_long_is_passed_over_and_the_next_is_found) {
  const std::string bytes = frames("\x85\0\0\3\x08\4\0\0\1"s + std::string(kMaxBodyBytes + 1, 'x'), false) +
                            frames(envelope(4, "next", 5), false);
  EXPECT_THAT(Found(bytes, 1 << 20, framed()).all, ElementsAre("3:too long", "4:next"));
}

TEST(Framed, the_frame_that_ends_a_body_that_is_too_long_holds_nothing_else) {
  const std::string envelope_bytes = "\x85\0\0\3\x08\4\0\0\1"s + std::string(kMaxBodyBytes + 1, 'x');
  std::string bytes;
  for (std::string_view rest = envelope_bytes; !rest.empty();) {
    const std::string_view part = rest.substr(0, kMaxFramePayload);
    rest.remove_prefix(part.size());
    bytes += server_frame(rest.empty() ? std::string(part) + "more" : std::string(part), false);
  }
  EXPECT_THAT(Found(bytes, 1 << 20, framed()).all,
              ElementsAre("3:too long", HasSubstr("the end of one envelope and the begin of another")));
}

TEST(Framed, frames_begin_behind_the_answer_to_startup) {
  EnvelopeReader reader;
  const std::string bytes = envelope(0, "", 5) + frames(envelope(1, "framed", 5), false);
  std::memcpy(reader.grab(bytes.size()), bytes.data(), bytes.size());
  reader.commit(bytes.size());
  ASSERT_EQ(reader.next().state, State::complete);
  reader.expect_frames(false);
  const auto next = reader.next();
  ASSERT_EQ(next.state, State::complete);
  EXPECT_EQ(next.envelope.body, "framed");
}

}  // namespace
}  // namespace athena::driver::scylla
