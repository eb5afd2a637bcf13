#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/system/error_code.hpp>

#include <athena/base/buffer.h>
#include <athena/base/cancellation.h>
#include <athena/http/server.h>

#include "answer.h"
#include "chunked.h"
#include "coding.h"
#include "listener.h"
#include "parser.h"
#include "ring.h"
#include "transport.h"

namespace athena::http {

/// One connection, from its first byte to its last: a coroutine that reads requests, has them answered, and writes.
/// It is the Exchange of whichever request it is at, and its memory is reused from request to request.
///
/// A peer that half-closes is answered as long as its requests are short. One whose request runs for longer than
/// kSuspectAfter counts as gone once it has closed its side: most who do so have gone altogether, and cannot be told
/// from the others without writing to them.
class Session final : public Exchange, public RingNode<Session> {
 public:
  static constexpr milliseconds kSuspectAfter{20};

  enum class Admission : std::uint8_t { admitted, refused };
  Session(std::shared_ptr<Listener> listener, Transport transport, std::string peer, Admission admission);
  ~Session() override;

  /// The whole life of the connection.
  static Task<> run(std::unique_ptr<Session> session);

  // For the listener.
  TimePoint running_since() const noexcept { return received_at_; }
  int descriptor() noexcept { return transport_.descriptor(); }
  bool has_handler() const noexcept { return phase_ == Phase::running || phase_ == Phase::body; }
  /// Whether an end of the peer's input means that it is gone: not while its body is still being read.
  bool may_be_lost() const noexcept { return phase_ == Phase::running && !peer_gone_; }
  void expire_if_due(TimePoint now);
  /// Gives back memory that a connection without a request does not need.
  void rest(TimePoint now);
  void peer_is_gone();
  void shut_down();
  void close_if_idle();
  void send_delayed();

  // Exchange.
  const RequestHead& request() const noexcept override { return parser_.head(); }
  std::string_view peer() const noexcept override { return peer_; }
  bool is_tls() const noexcept override { return transport_.is_tls(); }
  TimePoint received_at() const noexcept override { return received_at_; }
  Async<std::string_view> read_body() override;
  std::optional<std::string_view> body_at_hand() noexcept override;
  void set_status(int status) noexcept override;
  int status() const noexcept override { return answer_.status; }
  void add_header(std::string_view name, std::string_view value) override;
  void reset_response() noexcept override;
  Buffer& body() noexcept override { return answer_.body; }
  Async<> flush() override;
  bool head_sent() const noexcept override { return head_sent_; }
  void abort() noexcept override { aborted_ = true; }
  void close_after() noexcept override { close_ = true; }
  Cancellation& cancellation() noexcept override { return cancellation_; }

 private:
  enum class Phase : std::uint8_t { handshake, idle, head, running, body, closing };
  enum class Sent : std::uint8_t { all, some, failed };
  enum class BodyState : std::uint8_t { unread, complete, failed };

  Task<> serve();
  Task<bool> shake_hands();
  Task<bool> wait(Socket::wait_type event);
  Task<std::size_t> receive(char* at, std::size_t size);
  Task<bool> send_rest();
  Task<> linger();

  // Between requests.
  void await_bytes();
  void bytes_arrived(std::size_t n);
  bool input_waits() noexcept;
  void refuse(const Error& error);

  // A request.
  void begin_request();
  void end_request(bool handler_failed);
  void forget_request();
  bool has_more_input() const noexcept;
  bool send_apart();
  bool has_no_request() const noexcept { return phase_ == Phase::idle || phase_ == Phase::head; }
  bool declares_too_much() const noexcept;

  // Its body.
  bool take_buffered_body() noexcept;
  Async<> read_body_of_length();
  Async<> read_chunked_body();
  Async<> invite_body();
  Task<std::size_t> receive_body(char* at, std::size_t size);
  std::unexpected<Error> body_ended();
  std::unexpected<Error> body_refused(Code code, std::string_view text);
  bool is_body_consumed();
  bool skip_length();
  bool skip_chunks();

  // Its answer.
  void start_stream();
  void end_stream();
  void write_whole();
  bool compress_whole(Coding coding);
  bool encode_piece(Compressor::Until until);
  AnswerFrame::Connection connection_header() const noexcept;
  bool is_head_request() const noexcept { return request().method == Method::head; }
  std::size_t unsent() const noexcept { return out_.size() + answer_.body.size(); }
  Sent send_now();
  void fail_connection() noexcept;

  const std::shared_ptr<Listener> listener_;
  Transport transport_;
  const std::string peer_;
  const Admission admission_;

  // Input. While a request is handled in_ begins with its head, and does not move.
  Buffer in_;
  Buffer long_body_;  ///< a body that was chunked, or did not fit behind its head
  Buffer raw_;        ///< what was received of a chunked body; what follows it returns to in_
  HeadParser parser_;
  std::string_view body_;             ///< once it is complete
  std::size_t body_bytes_in_in_ = 0;  ///< how much of in_ behind the head belongs to this request
  BodyState body_state_ = BodyState::unread;
  Error body_error_;  ///< of a body that failed: whoever asks again is told again
  std::optional<ChunkedDecoder> decoder_;

  // Output: out_ holds heads and whole answers, the answer's body is sent from where the handler put it.
  Buffer out_;
  Answer answer_;
  Buffer coded_;
  std::unique_ptr<Compressor> compressor_;
  AnswerFrame::Body stream_ = AnswerFrame::Body::chunked;
  bool head_sent_ = false, aborted_ = false;
  bool sending_ = false;     ///< send_rest() waits for the socket
  bool delayed_ = false;     ///< the listener will call send_delayed()
  bool send_first_ = false;  ///< the wait for bytes was broken off: some of an answer could not be sent

  Cancellation cancellation_;
  TimePoint received_at_;
  TimePoint deadline_ = TimePoint::max();  ///< of what is waited for now
  TimePoint idle_since_;
  Phase phase_ = Phase::handshake;
  bool served_any_ = false;
  bool rested_ = false;        ///< rest() has been here since the last request
  bool expired_ = false;       ///< the deadline passed
  bool input_closed_ = false;  ///< the peer sends no more
  bool peer_gone_ = false;     ///< nothing can be sent any more
  bool close_ = false;         ///< after this answer
  bool linger_ = false;        ///< the peer may still be sending, and must get the answer nevertheless
};

}  // namespace athena::http
