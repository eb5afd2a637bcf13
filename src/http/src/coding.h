#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include <athena/base/buffer.h>
#include <athena/http/message.h>

namespace athena::http {

/// Content codings that answers can have, the one we like best last.
enum class Coding : std::uint8_t { identity, gzip, brotli, zstd };
std::string_view to_string(Coding coding) noexcept;

/// The coding to use for a request: the highest quality in its Accept-Encoding, then our own order. Identity if none
/// of ours is accepted, even where identity is forbidden: an answer that was not asked for is better than none.
Coding choose_coding(const RequestHead& request) noexcept;

/// Compresses one body, in as many pieces as it comes.
class Compressor {
 public:
  /// What the peer must be able to read from what was put out.
  enum class Until : std::uint8_t { here, end };

  /// Not for identity. Null if there is no memory for it.
  static std::unique_ptr<Compressor> create(Coding coding);
  virtual ~Compressor() = default;
  /// Appends to `out`. False if the library refused, which only a lack of memory makes it do.
  virtual bool compress(std::string_view bytes, Until until, Buffer& out) = 0;
};

}  // namespace athena::http
