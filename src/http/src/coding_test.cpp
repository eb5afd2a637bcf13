#include "coding.h"

#include <string>

#include <brotli/decode.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

namespace athena::http {
namespace {

Coding chosen(std::initializer_list<std::string_view> values) {
  std::vector<HeaderView> headers;
  for (const std::string_view value : values) headers.push_back({"accept-Encoding", value});
  RequestHead head;
  head.headers = headers;
  return choose_coding(head);
}

TEST(Coding, is_the_best_that_both_sides_know) {
  EXPECT_EQ(chosen({}), Coding::identity);
  EXPECT_EQ(chosen({""}), Coding::identity);
  EXPECT_EQ(chosen({"gzip"}), Coding::gzip);
  EXPECT_EQ(chosen({"x-gzip"}), Coding::gzip);
  EXPECT_EQ(chosen({"GZIP"}), Coding::gzip);
  EXPECT_EQ(chosen({"deflate, compress"}), Coding::identity);
  EXPECT_EQ(chosen({"gzip, deflate, br"}), Coding::brotli);
  EXPECT_EQ(chosen({"gzip, deflate, br, zstd"}), Coding::zstd);
  EXPECT_EQ(chosen({"gzip", "zstd"}), Coding::zstd);
  EXPECT_EQ(chosen({"*"}), Coding::zstd);
}

TEST(Coding, follows_the_qualities) {
  EXPECT_EQ(chosen({"gzip;q=1.0, br;q=0.9, zstd;q=0.8"}), Coding::gzip);
  EXPECT_EQ(chosen({"gzip ; Q=0.5 , br ; q=0.501"}), Coding::brotli);
  EXPECT_EQ(chosen({"gzip;q=0"}), Coding::identity);
  EXPECT_EQ(chosen({"gzip;q=0.000, *;q=0"}), Coding::identity);
  EXPECT_EQ(chosen({"*, zstd;q=0"}), Coding::brotli);
  EXPECT_EQ(chosen({"gzip;q=nonsense"}), Coding::identity);
  EXPECT_EQ(chosen({"gzip;q=0.x"}), Coding::identity);
  EXPECT_EQ(chosen({";;,,;q=1,gzip;;q=0.1"}), Coding::gzip);
}

std::string gunzip(std::string_view bytes, std::size_t room) {
  std::string text(room, '\0');
  z_stream stream{};
  inflateInit2(&stream, 15 + 16);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  inflate(&stream, Z_SYNC_FLUSH);
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return text;
}

std::string unbrotli(std::string_view bytes, std::size_t room) {
  std::string text(room, '\0');
  BrotliDecoderState* state = BrotliDecoderCreateInstance(nullptr, nullptr, nullptr);
  std::size_t in_left = bytes.size(), out_left = room, total = 0;
  auto in = reinterpret_cast<const std::uint8_t*>(bytes.data());
  auto out = reinterpret_cast<std::uint8_t*>(text.data());
  BrotliDecoderDecompressStream(state, &in_left, &in, &out_left, &out, &total);
  BrotliDecoderDestroyInstance(state);
  text.resize(total);
  return text;
}

std::string unzstd(std::string_view bytes, std::size_t room) {
  std::string text(room, '\0');
  ZSTD_DCtx* context = ZSTD_createDCtx();
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  ZSTD_outBuffer out{text.data(), text.size(), 0};
  while (in.pos < in.size && !ZSTD_isError(ZSTD_decompressStream(context, &out, &in))) continue;
  ZSTD_freeDCtx(context);
  text.resize(out.pos);
  return text;
}

class CompressorTest : public ::testing::TestWithParam<Coding> {};

TEST_P(CompressorTest, gives_back_all_of_what_it_was_given_at_each_flush) {
  const auto decode = [](std::string_view bytes, std::size_t room) {
    switch (GetParam()) {
      case Coding::gzip:
        return gunzip(bytes, room);
      case Coding::brotli:
        return unbrotli(bytes, room);
      case Coding::zstd:
        return unzstd(bytes, room);
      case Coding::identity:
        break;
    }
    return std::string(bytes);
  };
  const auto compressor = Compressor::create(GetParam());
  ASSERT_TRUE(compressor);
  std::string given;
  Buffer out;
  for (const std::size_t size : {10, 1, 100'000, 3}) {
    std::string piece;
    for (std::size_t i = 0; piece.size() < size; ++i) piece += std::to_string(i * 2'654'435'761U) + ",";
    given += piece;
    ASSERT_TRUE(compressor->compress(piece, Compressor::Until::here, out));
    EXPECT_EQ(decode(out.view(), given.size() + 100), given);
  }
  ASSERT_TRUE(compressor->compress("", Compressor::Until::end, out));
  EXPECT_EQ(decode(out.view(), given.size() + 100), given);
  EXPECT_LT(out.size(), given.size());
}

INSTANTIATE_TEST_SUITE_P(all, CompressorTest, ::testing::Values(Coding::gzip, Coding::brotli, Coding::zstd),
                         [](const auto& test) { return std::string(to_string(test.param)); });

}  // namespace
}  // namespace athena::http
