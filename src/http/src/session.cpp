#include "session.h"

#include <algorithm>
#include <utility>

#include <sys/socket.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>

namespace athena::http {
namespace {

constexpr std::size_t kReadBytes = 4 * 1024;
constexpr std::size_t kMinReadBytes = 1024;
/// Beyond this the memory of a head is given back once the head is done with.
constexpr std::size_t kKeepInputBytes = 16 * 1024;
/// The same for bodies, on connections that are in use.
constexpr std::size_t kKeepBodyBytes = 256 * 1024;
/// Answers to pipelined requests wait for each other up to here.
constexpr std::size_t kGatherBytes = 64 * 1024;
/// Answers up to here wait for the end of the loop's turn.
constexpr std::size_t kDelayBytes = 4 * 1024;
/// How long a connection keeps the memory of its last request.
constexpr milliseconds kRestAfter{1'000};
/// A peer that is still sending when we have answered gets so much time to take the answer: in all, and between bytes.
constexpr milliseconds kLingerTotal{5'000}, kLingerQuiet{1'000};
constexpr std::size_t kLingerReadBytes = 16 * 1024;

}  // namespace

Session::Session(std::shared_ptr<Listener> listener, Transport transport, std::string peer, Admission admission)
    : listener_(std::move(listener)),
      transport_(std::move(transport)),
      peer_(std::move(peer)),
      admission_(admission),
      parser_(
          {listener_->limits().max_head_bytes, listener_->limits().max_target_bytes, listener_->limits().max_headers}) {
  listener_->enter(*this);
}

Session::~Session() {
  listener_->leave(*this);
}

Task<> Session::run(std::unique_ptr<Session> session) {
  co_await session->serve();
}

/// Flat on purpose: each coroutine called on the way of a request would cost that request a frame.
Task<> Session::serve() {
  if (transport_.is_tls() && !co_await shake_hands()) co_return;
  if (admission_ == Admission::refused) refuse(Error(Code::overloaded, "Too many connections are open"));
  while (!close_) {
    switch (parser_.feed(in_.view())) {
      case HeadParser::State::incomplete: {
        if (!delayed_ && send_now() == Sent::some) co_await send_rest();
        await_bytes();
        if (close_) break;
        if (transport_.is_tls()) {
          bytes_arrived(co_await receive(in_.data() + in_.size(), in_.room()));
        } else {
          boost::system::error_code error;
          const std::size_t n = co_await transport_.socket().async_read_some(
              asio::buffer(in_.data() + in_.size(), in_.room()), asio::redirect_error(use_task, error));
          input_closed_ = error == asio::error::eof;
          bytes_arrived(error ? 0 : n);
        }
        break;
      }
      case HeadParser::State::refused:
        ++listener_->tally().refused_by_parser;
        refuse(parser_.error());
        break;
      case HeadParser::State::complete: {
        if (declares_too_much()) {
          ++listener_->tally().refused_by_parser;
          refuse(Error(Code::payload_too_large, "The declared length of the request body is over the limit"));
          break;
        }
        begin_request();
        bool failed = false;
        try {
          co_await listener_->handler().handle(*this);
        } catch (...) {
          failed = true;
        }
        end_request(failed);
        if (send_apart() && send_now() == Sent::some) co_await send_rest();
        forget_request();
        break;
      }
    }
  }
  if (send_now() == Sent::some) co_await send_rest();
  if (peer_gone_ || aborted_) co_return;
  transport_.end_output();
  if (linger_) co_await linger();
}

Task<bool> Session::shake_hands() {
  deadline_ = listener_->now() + listener_->limits().head_timeout;
  for (;;) {
    const Attempt attempt = transport_.shake_hands();
    switch (attempt.is) {
      case Attempt::Is::done:
        co_return true;
      case Attempt::Is::wait_read:
        if (!co_await wait(Socket::wait_read)) co_return false;
        break;
      case Attempt::Is::wait_write:
        if (!co_await wait(Socket::wait_write)) co_return false;
        break;
      case Attempt::Is::closed:
      case Attempt::Is::failed:
        co_return false;
    }
  }
}

/// False if the deadline passed, or nobody cares any more.
Task<bool> Session::wait(Socket::wait_type event) {
  if (listener_->has_ended()) co_return false;
  expired_ = false;
  boost::system::error_code error;
  co_await transport_.socket().async_wait(event, asio::redirect_error(use_task, error));
  co_return !error && !peer_gone_;
}

/// 0 if nothing comes: because of expired_, input_closed_, or an error.
Task<std::size_t> Session::receive(char* at, std::size_t size) {
  if (!transport_.is_tls()) {
    if (listener_->has_ended()) co_return 0;
    expired_ = false;
    boost::system::error_code error;
    const std::size_t n =
        co_await transport_.socket().async_read_some(asio::buffer(at, size), asio::redirect_error(use_task, error));
    input_closed_ = error == asio::error::eof;
    co_return error ? 0 : n;
  }
  for (;;) {
    const Attempt attempt = transport_.read(at, size);
    switch (attempt.is) {
      case Attempt::Is::done:
        co_return attempt.bytes;
      case Attempt::Is::wait_read:
        if (!co_await wait(Socket::wait_read)) co_return 0;
        break;
      case Attempt::Is::wait_write:
        if (!co_await wait(Socket::wait_write)) co_return 0;
        break;
      case Attempt::Is::closed:
        input_closed_ = true;
        co_return 0;
      case Attempt::Is::failed:
        co_return 0;
    }
  }
}

/// Waits until the peer has taken everything that send_now() could not send. False if it does not.
Task<bool> Session::send_rest() {
  sending_ = true;
  Sent sent = Sent::some;
  while (sent == Sent::some) {
    deadline_ = listener_->now() + listener_->limits().write_timeout;
    if (co_await wait(Socket::wait_write)) {
      sent = send_now();
    } else {
      if (expired_) ++listener_->tally().timeouts;
      fail_connection();
      sent = Sent::failed;
    }
  }
  deadline_ = TimePoint::max();
  sending_ = false;
  co_return sent == Sent::all;
}

/// Closing a socket that has unread input would make the peer's system throw our answer away.
Task<> Session::linger() {
  phase_ = Phase::closing;
  const TimePoint end = listener_->now() + kLingerTotal;
  raw_.clear();
  char* room = raw_.grab(kLingerReadBytes);
  while (listener_->now() < end) {
    deadline_ = std::min(end, listener_->now() + kLingerQuiet);
    if (co_await receive(room, kLingerReadBytes) == 0) co_return;
  }
}

/// Makes ready to read more of a head, or the first of the next one.
void Session::await_bytes() {
  if (close_ || listener_->has_ended()) {
    close_ = true;
    return;
  }
  if (in_.empty()) {
    close_ = listener_->is_draining() && !input_waits();
    if (phase_ != Phase::idle) {
      const Limits& limits = listener_->limits();
      idle_since_ = listener_->now();
      deadline_ =
          idle_since_ + (served_any_ ? limits.idle_timeout : std::min(limits.idle_timeout, limits.head_timeout));
      phase_ = Phase::idle;
      rested_ = false;
      if (in_.capacity() > kKeepInputBytes) in_.recycle(0);
    }
  } else if (phase_ != Phase::head) {
    deadline_ = listener_->now() + listener_->limits().head_timeout;
    phase_ = Phase::head;
  }
  expired_ = false;
  if (in_.room() < kMinReadBytes) in_.grab(kReadBytes);
}

void Session::bytes_arrived(std::size_t n) {
  listener_->tally().bytes_in += n;
  if (n > 0) return in_.commit(n);
  if (std::exchange(send_first_, false) && !expired_ && !input_closed_) return;
  if (phase_ == Phase::idle) {  // nobody waits for an answer
    close_ = true;
  } else if (expired_) {
    ++listener_->tally().timeouts;
    refuse(Error(Code::request_timeout, "The head of the request did not arrive in time"));
  } else if (input_closed_) {
    ++listener_->tally().refused_by_parser;
    refuse(Error(Code::malformed_http, "The connection ended in the middle of the request's head"));
  } else {
    fail_connection();
  }
}

/// Answers what was never handed to the handler's handle(), and makes it the connection's last answer.
void Session::refuse(const Error& error) {
  phase_ = Phase::closing;
  close_ = linger_ = true;
  received_at_ = Clock::now();
  reset_response();
  try {
    listener_->handler().refuse(*this, error);
  } catch (...) {
    ++listener_->tally().handler_failures;
    answer_.reset();
    return;
  }
  write_whole();
}

void Session::begin_request() {
  ++listener_->tally().requests;
  received_at_ = Clock::now();
  deadline_ = TimePoint::max();
  phase_ = Phase::running;
  served_any_ = true;
  listener_->handler_begins(*this);
}

/// Puts the rest of the answer where send_now() finds it, and decides whether the connection goes on.
void Session::end_request(bool handler_failed) {
  listener_->handler_ended(*this);
  phase_ = Phase::closing;
  if (handler_failed || aborted_ || peer_gone_) {
    Tally& tally = listener_->tally();
    if (handler_failed) ++tally.handler_failures;
    if (head_sent_) ++tally.cut_streams;
    answer_.body.clear();
    if (peer_gone_) out_.clear();
    if (head_sent_ && stream_ == AnswerFrame::Body::until_close && !peer_gone_) transport_.reset_on_close();
    aborted_ = close_ = true;
    return;
  }
  if (!is_body_consumed()) close_ = linger_ = true;
  if (!parser_.keep_alive() || listener_->is_draining()) close_ = true;
  head_sent_ ? end_stream() : write_whole();
  if (close_ && has_more_input()) linger_ = true;
}

bool Session::has_more_input() const noexcept {
  return in_.size() > parser_.size() + body_bytes_in_in_ || !raw_.empty();
}

/// Whether the answer is sent at once. A short one goes out at the end of this turn of the loop, together with those to
/// other requests of this connection and of others: to be woken for each of them costs whoever reads them more than to
/// find them all.
bool Session::send_apart() {
  if (close_ || unsent() > (has_more_input() ? kGatherBytes : kDelayBytes)) return true;
  out_.append(answer_.body.view());
  answer_.body.clear();
  if (!delayed_) listener_->send_later(*this);
  delayed_ = true;
  return false;
}

void Session::send_delayed() {
  delayed_ = false;
  if (sending_ || peer_gone_ || out_.empty()) return;
  // The handler of the next request may be filling the answer's body: that is not ours to send.
  const Attempt attempt = transport_.write(out_.view(), {});
  if (attempt.is == Attempt::Is::done) {
    listener_->tally().bytes_out += attempt.bytes;
    out_.drop_front(attempt.bytes);
  } else if (attempt.is == Attempt::Is::failed) {
    return fail_connection();
  }
  if (!out_.empty() && has_no_request()) {
    // The coroutine waits for bytes of the next request; first it has to see that the peer takes these.
    send_first_ = true;
    phase_ = Phase::closing;
    boost::system::error_code ignored;
    transport_.socket().cancel(ignored);
  }
}

bool Session::declares_too_much() const noexcept {
  return parser_.framing() == Framing::length && parser_.content_length() > listener_->limits().max_body_bytes;
}

/// Everything is as before the request, but for memory that the next one will need again.
void Session::forget_request() {
  in_.drop_front(parser_.size() + body_bytes_in_in_);
  if (!raw_.empty()) {
    in_.append(raw_.view());
    raw_.clear();
  }
  parser_.reset();
  if (body_state_ != BodyState::unread) {
    long_body_.recycle(kKeepBodyBytes);
    decoder_.reset();
    body_ = {};
    body_state_ = BodyState::unread;
  }
  body_bytes_in_in_ = 0;
  answer_.reset();
  answer_.recycle(kKeepBodyBytes);
  compressor_.reset();
  head_sent_ = false;
  cancellation_.reset();
}

Session::Sent Session::send_now() {
  while (unsent() > 0) {
    const Attempt attempt = transport_.write(out_.view(), answer_.body.view());
    switch (attempt.is) {
      case Attempt::Is::done: {
        listener_->tally().bytes_out += attempt.bytes;
        const std::size_t of_out = std::min(attempt.bytes, out_.size());
        out_.drop_front(of_out);
        answer_.body.drop_front(attempt.bytes - of_out);
        break;
      }
      case Attempt::Is::wait_read:
      case Attempt::Is::wait_write:
        return Sent::some;
      case Attempt::Is::closed:
      case Attempt::Is::failed:
        fail_connection();
        return Sent::failed;
    }
  }
  return Sent::all;
}

/// Nothing can be sent any more, and nobody is there to receive it.
void Session::fail_connection() noexcept {
  close_ = true;
  out_.clear();
  answer_.body.clear();
  if (peer_gone_) return;
  peer_gone_ = true;
  ++listener_->tally().client_gone;
  cancellation_.cancel(CancelReason::client_gone);
}

void Session::expire_if_due(TimePoint now) {
  if (now < deadline_) return;
  deadline_ = TimePoint::max();
  expired_ = true;
  boost::system::error_code ignored;  // there is nothing to cancel if it has just completed
  transport_.socket().cancel(ignored);
}

void Session::rest(TimePoint now) {
  if (rested_ || phase_ != Phase::idle || now - idle_since_ < kRestAfter) return;
  rested_ = true;
  out_.recycle(0);
  answer_.recycle(0);
  long_body_.recycle(0);
  raw_.recycle(0);
  coded_.recycle(0);
}

void Session::peer_is_gone() {
  boost::system::error_code ignored;
  if (sending_) transport_.socket().cancel(ignored);
  peer_gone_ = close_ = true;
  ++listener_->tally().client_gone;
  cancellation_.cancel(CancelReason::client_gone);
}

void Session::close_if_idle() {
  if (phase_ == Phase::idle && !input_waits()) expire_if_due(deadline_);
}

/// A request that has arrived, but was not read yet, is still answered when the server drains.
bool Session::input_waits() noexcept {
  char byte;
  return ::recv(transport_.descriptor(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void Session::shut_down() {
  close_ = true;
  expire_if_due(deadline_);
  cancellation_.cancel(CancelReason::shutdown);
}

}  // namespace athena::http
