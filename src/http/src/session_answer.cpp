#include "session.h"

#include <cassert>
#include <charconv>
#include <utility>

// The part of Session that writes a request's answer.

namespace athena::http {
namespace {

/// Up to here it is cheaper to copy a body behind its head than to send two pieces; with TLS each piece is a record.
constexpr std::size_t kMergeBytes = 4 * 1024, kMergeTlsBytes = 15 * 1024;

}  // namespace

void Session::set_status(int status) noexcept {
  assert(!head_sent_);
  answer_.status = status;
}

void Session::add_header(std::string_view name, std::string_view value) {
  assert(!head_sent_);
  answer_.add_header(name, value);
}

void Session::reset_response() noexcept {
  assert(!head_sent_);
  answer_.reset();
}

Async<> Session::flush() {
  if (!peer_gone_) {
    if (!head_sent_) start_stream();
    if (!encode_piece(Compressor::Until::here)) aborted_ = true;
    if (!aborted_ && send_now() == Sent::some) co_await send_rest();
  }
  if (peer_gone_) co_return fail(Code::cancelled, "The client went away before it had the whole answer");
  if (aborted_) co_return fail(Code::internal_error, "The answer could not be compressed");
  co_return Result<>();
}

/// Decides what holds for the whole answer, and writes its head.
void Session::start_stream() {
  AnswerFrame frame;
  if (!answer_.may_have_body()) {
    frame.body = AnswerFrame::Body::none;
  } else if (request().minor_version == 0) {
    frame.body = AnswerFrame::Body::until_close;
    close_ = true;
  } else {
    frame.body = AnswerFrame::Body::chunked;
  }
  const bool body_unread = parser_.framing() != Framing::none && body_state_ != BodyState::complete;
  if (body_unread || !parser_.keep_alive() || listener_->is_draining()) close_ = true;
  frame.connection = connection_header();
  if (answer_.is_compressible()) {
    frame.varies_by_coding = true;
    frame.coding = choose_coding(request());
    if (frame.coding != Coding::identity && !is_head_request()) {
      compressor_ = Compressor::create(frame.coding);
      if (!compressor_) frame.coding = Coding::identity;
    }
  }
  answer_.write_head(out_, frame, listener_->clock_lines());
  stream_ = frame.body;
  head_sent_ = true;
}

void Session::end_stream() {
  if (!encode_piece(Compressor::Until::end)) {
    ++listener_->tally().cut_streams;
    answer_.body.clear();
    aborted_ = close_ = true;
  }
}

/// Makes of what the handler put into the body what the wire needs.
bool Session::encode_piece(Compressor::Until until) {
  Buffer& body = answer_.body;
  if (is_head_request() || stream_ == AnswerFrame::Body::none) {
    body.clear();
    return true;
  }
  const bool last = until == Compressor::Until::end;
  if (compressor_ && (last || !body.empty())) {
    coded_.clear();
    if (!compressor_->compress(body.view(), until, coded_)) return false;
    std::swap(body, coded_);
  }
  if (stream_ != AnswerFrame::Body::chunked) return true;
  if (!body.empty()) {
    char* at = out_.grab(20);
    char* end = std::to_chars(at, at + 18, body.size(), 16).ptr;
    *end++ = '\r', *end++ = '\n';
    out_.commit(static_cast<std::size_t>(end - at));
    body.append("\r\n");
  }
  if (last) body.append("0\r\n\r\n");
  return true;
}

/// An answer that is complete: head with Content-Length, then the body.
void Session::write_whole() {
  Buffer& body = answer_.body;
  AnswerFrame frame;
  frame.connection = connection_header();
  if (!answer_.may_have_body()) {
    body.clear();
    frame.body = AnswerFrame::Body::none;
  } else if (body.size() >= listener_->limits().compress_from_bytes && answer_.is_compressible()) {
    frame.varies_by_coding = true;
    const Coding coding = choose_coding(request());
    if (coding != Coding::identity && compress_whole(coding)) frame.coding = coding;
  }
  frame.content_length = body.size();
  answer_.write_head(out_, frame, listener_->clock_lines());
  if (is_head_request()) body.clear();
  if (body.size() <= (transport_.is_tls() ? kMergeTlsBytes : kMergeBytes)) {
    out_.append(body.view());
    body.clear();
  }
}

bool Session::compress_whole(Coding coding) {
  const auto compressor = Compressor::create(coding);
  coded_.clear();
  if (!compressor || !compressor->compress(answer_.body.view(), Compressor::Until::end, coded_)) return false;
  if (coded_.size() >= answer_.body.size()) return false;
  std::swap(answer_.body, coded_);
  return true;
}

AnswerFrame::Connection Session::connection_header() const noexcept {
  if (close_) return AnswerFrame::Connection::close;
  return request().minor_version == 0 ? AnswerFrame::Connection::keep_alive : AnswerFrame::Connection::unsaid;
}

}  // namespace athena::http
