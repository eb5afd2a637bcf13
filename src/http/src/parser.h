#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <athena/base/error.h>
#include <athena/http/message.h>

namespace athena::http {

struct HeadLimits {
  std::size_t max_head_bytes = 32 * 1024;
  std::size_t max_target_bytes = 8 * 1024;
  std::size_t max_headers = 100;
};

/// How the end of a request's body is found.
enum class Framing : std::uint8_t { none, length, chunked };

/// Reads the head of a request from bytes that arrive in pieces, and refuses everything that two implementations could
/// understand differently: what stands between us and request smuggling is that there is one reading, or none.
///
/// First the end of the head is looked for, line by line, continuing where the last piece ended; then the head is read
/// in one pass, without copies. Whatever the pieces, the result is the same.
class HeadParser {
 public:
  enum class State : std::uint8_t { incomplete, complete, refused };

  explicit HeadParser(HeadLimits limits) : limits_(limits) { fields_.reserve(16); }

  /// `bytes` is everything received from the start of this head on: the same as in the last call, and more. It may lie
  /// elsewhere than before until the head is complete; from then on head() has views into it.
  State feed(std::string_view bytes);
  /// Forgets the head, for the next one on the connection.
  void reset() noexcept;

  /// Of a complete head; of a refused one, as much as was understood.
  const RequestHead& head() const noexcept { return head_; }
  /// Bytes up to and with the empty line.
  std::size_t size() const noexcept { return end_; }
  Framing framing() const noexcept { return framing_; }
  std::uint64_t content_length() const noexcept { return content_length_; }
  /// What the request asks for: the default of its version, or its Connection header.
  bool keep_alive() const noexcept { return keep_alive_; }
  bool expects_continue() const noexcept { return expects_continue_; }
  /// Of a refused head.
  const Error& error() const noexcept { return error_; }

 private:
  bool find_end(std::string_view bytes);
  bool end_line(std::string_view bytes, std::size_t newline);
  bool within_limits(std::size_t line_end);
  bool read(std::string_view bytes);
  bool read_request_line(std::string_view line);
  bool read_version(std::string_view version);
  bool read_target(std::string_view target);
  bool read_absolute_target(std::string_view rest);
  bool read_fields(const char* at, const char* end);
  bool note_field(std::string_view name, std::string_view value);
  bool note_content_length(std::string_view value);
  bool note_connection(std::string_view value);
  bool check_fields();
  bool refuse(Code code, std::string_view text);

  const HeadLimits limits_;
  RequestHead head_;
  std::vector<HeaderView> fields_;
  Error error_;

  std::size_t begin_ = 0;         // of the request line: one empty line may precede it
  std::size_t line_ = 0;          // where the line that is being looked at begins
  std::size_t scanned_ = 0;       // no line feed between line_ and here
  std::size_t request_line_ = 0;  // its end, with CR LF; 0: not seen yet
  std::size_t end_ = 0;
  State state_ = State::incomplete;

  std::string_view authority_;  // of an absolute target
  std::string_view host_;
  std::uint64_t content_length_ = 0;
  Framing framing_ = Framing::none;
  bool has_host_ = false, has_length_ = false, has_coding_ = false, coding_is_chunked_ = false;
  bool has_expectation_ = false, expectation_known_ = false;
  bool wants_close_ = false, wants_keep_alive_ = false;
  bool keep_alive_ = false, expects_continue_ = false;
};

/// Finds the first byte that may not stand in a header's value: a control byte other than a tab. SIMD where there is.
const char* find_control(const char* at, const char* end) noexcept;

}  // namespace athena::http
