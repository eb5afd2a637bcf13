#include "session.h"

#include <algorithm>
#include <optional>
#include <utility>

// The part of Session that reads a request's body.

namespace athena::http {
namespace {

constexpr std::size_t kReadBodyBytes = 16 * 1024;
/// So much of a body that nobody wanted is read to keep the connection, if it is there already.
constexpr std::size_t kSkipBytes = 64 * 1024;

}  // namespace

Async<std::string_view> Session::read_body() {
  if (const auto body = body_at_hand()) co_return *body;
  if (body_state_ == BodyState::failed) co_return fail(body_error_);
  phase_ = Phase::body;
  body_state_ = BodyState::failed;  // until it is known to be complete
  auto read = parser_.framing() == Framing::length ? co_await read_body_of_length() : co_await read_chunked_body();
  phase_ = Phase::running;
  deadline_ = TimePoint::max();
  if (!read) co_return fail(body_error_ = std::move(read).error());
  body_state_ = BodyState::complete;
  co_return body_;
}

std::optional<std::string_view> Session::body_at_hand() noexcept {
  if (body_state_ == BodyState::failed) return std::nullopt;
  if (body_state_ == BodyState::complete || parser_.framing() == Framing::none || take_buffered_body()) return body_;
  return std::nullopt;
}

/// The common case: the body came with its head.
bool Session::take_buffered_body() noexcept {
  if (parser_.framing() != Framing::length) return false;
  if (in_.size() - parser_.size() < parser_.content_length()) return false;
  body_bytes_in_in_ = static_cast<std::size_t>(parser_.content_length());
  body_ = in_.view().substr(parser_.size(), body_bytes_in_in_);
  body_state_ = BodyState::complete;
  return true;
}

Async<> Session::read_body_of_length() {
  ATHENA_CO_TRY_VOID(co_await invite_body());
  const auto length = static_cast<std::size_t>(parser_.content_length());  // checked against the limit with the head
  const std::size_t buffered = in_.size() - parser_.size();
  if (in_.room() >= length - buffered) {
    // What follows the body may be read along with it: it is the next request.
    while (in_.size() - parser_.size() < length) {
      const std::size_t n = co_await receive_body(in_.data() + in_.size(), in_.room());
      if (n == 0) co_return body_ended();
      in_.commit(n);
    }
    body_bytes_in_in_ = length;
    body_ = in_.view().substr(parser_.size(), length);
    co_return Result<>();
  }
  body_bytes_in_in_ = buffered;
  long_body_.append(in_.view().substr(parser_.size()));
  while (long_body_.size() < length) {
    const std::size_t left = length - long_body_.size();
    char* room = long_body_.grab(std::min(left, kReadBodyBytes));
    const std::size_t n = co_await receive_body(room, std::min(left, long_body_.room()));
    if (n == 0) co_return body_ended();
    long_body_.commit(n);
  }
  body_ = long_body_.view();
  co_return Result<>();
}

Async<> Session::read_chunked_body() {
  ATHENA_CO_TRY_VOID(co_await invite_body());
  decoder_.emplace(listener_->limits().max_body_bytes);
  body_bytes_in_in_ = decoder_->feed(in_.view().substr(parser_.size()), long_body_);
  while (decoder_->state() == ChunkedDecoder::State::incomplete) {
    raw_.clear();
    char* room = raw_.grab(kReadBodyBytes);
    const std::size_t n = co_await receive_body(room, kReadBodyBytes);
    if (n == 0) co_return body_ended();
    raw_.commit(n);
    raw_.drop_front(decoder_->feed(raw_.view(), long_body_));
  }
  switch (decoder_->state()) {
    case ChunkedDecoder::State::complete:
      break;
    case ChunkedDecoder::State::too_large:
      co_return body_refused(Code::payload_too_large, "The request body is over the limit");
    case ChunkedDecoder::State::incomplete:
    case ChunkedDecoder::State::malformed:
      co_return body_refused(Code::malformed_http, "The chunks of the request body are not valid");
  }
  body_ = long_body_.view();
  co_return Result<>();
}

/// Says that the body is wanted, to a peer that waits for that before it sends any of it.
Async<> Session::invite_body() {
  if (!parser_.expects_continue() || in_.size() > parser_.size() || head_sent_) co_return Result<>();
  out_.append("HTTP/1.1 100 Continue\r\n\r\n");
  send_delayed();
  if (!out_.empty() && !peer_gone_) {
    // What the handler has put into its answer already must not overtake the head: it waits aside.
    Buffer aside = std::move(answer_.body);
    co_await send_rest();
    answer_.body = std::move(aside);
  }
  if (peer_gone_) co_return body_ended();
  co_return Result<>();
}

Task<std::size_t> Session::receive_body(char* at, std::size_t size) {
  deadline_ = listener_->now() + listener_->limits().body_timeout;
  const std::size_t n = co_await receive(at, size);
  listener_->tally().bytes_in += n;
  co_return n;
}

/// Why receive_body() gave nothing.
std::unexpected<Error> Session::body_ended() {
  if (expired_ && !cancellation_.cancelled()) {
    ++listener_->tally().timeouts;
    return body_refused(Code::request_timeout, "The request body did not arrive in time");
  }
  if (!cancellation_.cancelled()) fail_connection();
  return fail(Code::cancelled, "The connection ended before the request body did");
}

std::unexpected<Error> Session::body_refused(Code code, std::string_view text) {
  close_ = linger_ = true;
  return fail(code, std::string(text));
}

/// After the handler: whether the next byte on the connection is the next request's. What the handler did not want to
/// read is passed over if it is short and already here.
bool Session::is_body_consumed() {
  if (parser_.framing() == Framing::none || body_state_ == BodyState::complete) return true;
  if (body_state_ == BodyState::failed) return false;
  if (take_buffered_body()) return true;
  if (parser_.expects_continue() && in_.size() == parser_.size()) return false;
  body_state_ = BodyState::failed;  // so that forget_request() clears what is used here
  return parser_.framing() == Framing::length ? skip_length() : skip_chunks();
}

bool Session::skip_length() {
  body_bytes_in_in_ = in_.size() - parser_.size();
  std::uint64_t left = parser_.content_length() - body_bytes_in_in_;
  if (left > kSkipBytes) return false;
  char scratch[kReadBodyBytes];
  while (left > 0) {
    const Attempt attempt =
        transport_.read(scratch, static_cast<std::size_t>(std::min<std::uint64_t>(left, sizeof scratch)));
    if (attempt.is != Attempt::Is::done) return false;
    listener_->tally().bytes_in += attempt.bytes;
    left -= attempt.bytes;
  }
  return true;
}

bool Session::skip_chunks() {
  decoder_.emplace(kSkipBytes);
  body_bytes_in_in_ = decoder_->feed(in_.view().substr(parser_.size()), long_body_);
  while (decoder_->state() == ChunkedDecoder::State::incomplete) {
    raw_.clear();
    const Attempt attempt = transport_.read(raw_.grab(kReadBodyBytes), kReadBodyBytes);
    if (attempt.is != Attempt::Is::done) return false;
    listener_->tally().bytes_in += attempt.bytes;
    raw_.commit(attempt.bytes);
    raw_.drop_front(decoder_->feed(raw_.view(), long_body_));
  }
  return decoder_->state() == ChunkedDecoder::State::complete;
}

}  // namespace athena::http
