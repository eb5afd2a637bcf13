#include "coding.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include <athena/base/text.h>

namespace athena::http {
namespace {

// Levels at which a core compresses JSON faster than 50 MB/s: the loop does nothing else meanwhile.
constexpr int kGzipLevel = 4;
constexpr int kZstdLevel = 3;
constexpr int kBrotliQuality = 3;
constexpr std::size_t kRoomBytes = 16 * 1024;
constexpr int kFullQuality = 1000;

class Gzip final : public Compressor {
 public:
  static std::unique_ptr<Compressor> create() {
    std::unique_ptr<Gzip> gzip(new Gzip);
    constexpr int kGzipFormat = 15 + 16, kMemory = 8;
    const int done = deflateInit2(&gzip->stream_, kGzipLevel, Z_DEFLATED, kGzipFormat, kMemory, Z_DEFAULT_STRATEGY);
    gzip->ready_ = done == Z_OK;
    return gzip->ready_ ? std::move(gzip) : nullptr;
  }
  ~Gzip() override {
    if (ready_) deflateEnd(&stream_);
  }

  bool compress(std::string_view bytes, Until until, Buffer& out) override {
    do {  // zlib counts with 32 bits
      const std::size_t n = std::min<std::size_t>(bytes.size(), std::numeric_limits<uInt>::max());
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
      stream_.avail_in = static_cast<uInt>(n);
      bytes.remove_prefix(n);
      const int flush = !bytes.empty() ? Z_NO_FLUSH : until == Until::end ? Z_FINISH : Z_SYNC_FLUSH;
      do {
        char* room = out.grab(kRoomBytes);
        stream_.next_out = reinterpret_cast<Bytef*>(room);
        stream_.avail_out = kRoomBytes;
        if (deflate(&stream_, flush) == Z_STREAM_ERROR) return false;
        out.commit(kRoomBytes - stream_.avail_out);
      } while (stream_.avail_out == 0);
    } while (!bytes.empty());
    return true;
  }

 private:
  Gzip() = default;
  z_stream stream_{};
  bool ready_ = false;
};

class Zstd final : public Compressor {
 public:
  static std::unique_ptr<Compressor> create() {
    std::unique_ptr<Zstd> zstd(new Zstd);
    if (!zstd->context_) return nullptr;
    ZSTD_CCtx_setParameter(zstd->context_, ZSTD_c_compressionLevel, kZstdLevel);
    return zstd;
  }
  ~Zstd() override { ZSTD_freeCCtx(context_); }

  bool compress(std::string_view bytes, Until until, Buffer& out) override {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    const ZSTD_EndDirective directive = until == Until::end ? ZSTD_e_end : ZSTD_e_flush;
    std::size_t left = 0;
    do {
      ZSTD_outBuffer room{out.grab(kRoomBytes), kRoomBytes, 0};
      left = ZSTD_compressStream2(context_, &room, &in, directive);
      if (ZSTD_isError(left)) return false;
      out.commit(room.pos);
    } while (left != 0 || in.pos < in.size);
    return true;
  }

 private:
  Zstd() = default;
  ZSTD_CCtx* context_ = ZSTD_createCCtx();
};

class Brotli final : public Compressor {
 public:
  static std::unique_ptr<Compressor> create() {
    std::unique_ptr<Brotli> brotli(new Brotli);
    if (!brotli->state_) return nullptr;
    BrotliEncoderSetParameter(brotli->state_, BROTLI_PARAM_QUALITY, kBrotliQuality);
    BrotliEncoderSetParameter(brotli->state_, BROTLI_PARAM_MODE, BROTLI_MODE_TEXT);
    constexpr std::uint32_t kWindowBits = 18;
    BrotliEncoderSetParameter(brotli->state_, BROTLI_PARAM_LGWIN, kWindowBits);
    return brotli;
  }
  ~Brotli() override { BrotliEncoderDestroyInstance(state_); }

  bool compress(std::string_view bytes, Until until, Buffer& out) override {
    const BrotliEncoderOperation operation = until == Until::end ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_FLUSH;
    std::size_t in_left = bytes.size();
    auto in = reinterpret_cast<const std::uint8_t*>(bytes.data());
    do {
      std::size_t out_left = kRoomBytes;
      auto room = reinterpret_cast<std::uint8_t*>(out.grab(kRoomBytes));
      if (!BrotliEncoderCompressStream(state_, operation, &in_left, &in, &out_left, &room, nullptr)) return false;
      out.commit(kRoomBytes - out_left);
    } while (in_left > 0 || BrotliEncoderHasMoreOutput(state_));
    return true;
  }

 private:
  Brotli() = default;
  BrotliEncoderState* state_ = BrotliEncoderCreateInstance(nullptr, nullptr, nullptr);
};

std::string_view take_piece(std::string_view& text, char separator) noexcept {
  const std::size_t at = text.find(separator);
  const std::string_view piece = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return text::trim(piece);
}

/// The weight behind "q=", in thousandths; what is no weight counts as 0, so that nobody gets what he may not have
/// meant.
int quality(std::string_view parameters) noexcept {
  while (!parameters.empty()) {
    std::string_view parameter = take_piece(parameters, ';');
    if (parameter.size() < 3 || (parameter[0] | 0x20) != 'q' || parameter[1] != '=') continue;
    parameter.remove_prefix(2);
    if (parameter[0] == '1') return kFullQuality;
    if (parameter[0] != '0' || (parameter.size() > 1 && parameter[1] != '.')) return 0;
    int value = 0, scale = kFullQuality / 10;
    for (std::size_t i = 2; i < parameter.size() && scale > 0; ++i, scale /= 10) {
      if (parameter[i] < '0' || parameter[i] > '9') return 0;
      value += (parameter[i] - '0') * scale;
    }
    return value;
  }
  return kFullQuality;
}

constexpr Coding kOurs[] = {Coding::zstd, Coding::brotli, Coding::gzip};

}  // namespace

std::string_view to_string(Coding coding) noexcept {
  switch (coding) {
    case Coding::identity:
      return "identity";
    case Coding::gzip:
      return "gzip";
    case Coding::brotli:
      return "br";
    case Coding::zstd:
      return "zstd";
  }
  return "identity";
}

Coding choose_coding(const RequestHead& request) noexcept {
  int any = 0;
  int named[4] = {-1, -1, -1, -1};
  for (const HeaderView& header : request.headers) {
    if (!text::iequals(header.name, "accept-encoding")) continue;
    std::string_view list = header.value;
    while (!list.empty()) {
      std::string_view parameters = take_piece(list, ',');
      const std::string_view name = take_piece(parameters, ';');
      const int q = quality(parameters);
      if (name == "*") any = q;
      if (text::iequals(name, "x-gzip")) named[static_cast<std::size_t>(Coding::gzip)] = q;
      for (const Coding coding : kOurs) {
        if (text::iequals(name, to_string(coding))) named[static_cast<std::size_t>(coding)] = q;
      }
    }
  }
  Coding best = Coding::identity;
  int best_quality = 0;
  for (const Coding coding : kOurs) {
    const int own = named[static_cast<std::size_t>(coding)];
    const int q = own >= 0 ? own : any;
    if (q > best_quality) best = coding, best_quality = q;
  }
  return best;
}

std::unique_ptr<Compressor> Compressor::create(Coding coding) {
  switch (coding) {
    case Coding::gzip:
      return Gzip::create();
    case Coding::zstd:
      return Zstd::create();
    case Coding::brotli:
      return Brotli::create();
    case Coding::identity:
      break;
  }
  return nullptr;
}

}  // namespace athena::http
