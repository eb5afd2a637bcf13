#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string_view>

#include <athena/base/buffer.h>
#include <athena/http/message.h>

#include "coding.h"

namespace athena::http {

/// The lines that every answer has, written once a second instead of once a request.
class ClockLines {
 public:
  /// Called at each tick; cheap while the second is the same.
  void update(std::time_t now) noexcept;
  /// "Server: athena\r\nDate: …\r\n"
  std::string_view view() const noexcept { return {text_, size_}; }

 private:
  std::time_t second_ = -1;
  std::size_t size_ = 0;
  char text_[64];
};

/// What only the session knows of an answer when its head is written.
struct AnswerFrame {
  enum class Body : std::uint8_t { none, known, chunked, until_close } body = Body::known;
  enum class Connection : std::uint8_t { unsaid, close, keep_alive } connection = Connection::unsaid;
  std::uint64_t content_length = 0;  ///< of a known body
  Coding coding = Coding::identity;
  bool varies_by_coding = false;  ///< another Accept-Encoding would have given other bytes
};

/// What a handler has said of its answer so far. Its memory is kept from request to request.
class Answer {
 public:
  int status = 200;
  Buffer body;

  /// Those of the session (Content-Length, Transfer-Encoding, Connection, Date, Server) are passed over.
  void add_header(std::string_view name, std::string_view value);
  void reset() noexcept;
  /// False for answers that never have a body: 1xx, 204, 304.
  bool may_have_body() const noexcept { return status >= 200 && status != 204 && status != 304; }
  /// Not coded already, and of a type that shrinks.
  bool is_compressible() const noexcept { return !is_coded_ && compressible_type_ && may_have_body(); }

  /// Appends the head, the empty line included.
  void write_head(Buffer& out, const AnswerFrame& frame, const ClockLines& clock) const;

  void recycle(std::size_t keep) {
    lines_.recycle(keep);
    body.recycle(keep);
  }

 private:
  Buffer lines_;
  std::size_t etag_ = 0;  ///< where the value of a strong ETag begins in lines_; 0: there is none
  bool is_coded_ = false, compressible_type_ = true;
};

}  // namespace athena::http
