#include <athena/testing/fake_exchange.h>

#include <cassert>

#include <athena/base/text.h>

namespace athena::testing {

FakeExchange::FakeExchange(FakeRequest request) : request_(std::move(request)) {
  for (const auto& [name, value] : request_.headers) views_.push_back({name, value});
  const std::string_view target = request_.target;
  const std::size_t mark = target.find('?');
  head_.method = request_.method;
  head_.method_text = http::to_string(request_.method);
  head_.target = target;
  head_.path = target.substr(0, mark);
  if (mark != std::string_view::npos) head_.query = target.substr(mark + 1);
  head_.headers = views_;
}

Async<std::string_view> FakeExchange::read_body() {
  assert(!body_was_read_ && "a body can be read once");
  body_was_read_ = true;
  if (gone_) co_return fail(Code::cancelled);
  if (body_error_) co_return fail(*body_error_);
  co_return std::string_view(request_.body);
}

void FakeExchange::set_status(int status) noexcept {
  assert(!head_sent() && "the status was sent already");
  status_ = status;
}

void FakeExchange::add_header(std::string_view name, std::string_view value) {
  assert(!head_sent() && "the headers were sent already");
  for (const std::string_view own :
       {"Content-Length", "Transfer-Encoding", "Connection", "Date", "Server", "Content-Encoding"}) {
    assert(!text::iequals(name, own) && "this header is the session's");
    static_cast<void>(own);
  }
  headers_.emplace_back(name, value);
}

void FakeExchange::reset_response() noexcept {
  assert(!head_sent() && "a part of the answer was sent already");
  status_ = 200;
  headers_.clear();
  body_.clear();
}

Async<> FakeExchange::flush() {
  if (gone_) co_return fail(Code::cancelled);
  flushed_.emplace_back(body_.view());
  body_.clear();
  if (stuck_) {
    room_.reset();
    co_await room_.wait();
  }
  if (gone_) co_return fail(Code::cancelled);
  co_return Result<>{};
}

void FakeExchange::take() {
  stuck_ = false;
  room_.set();
}

void FakeExchange::leave() {
  gone_ = true;
  cancellation_.cancel(CancelReason::client_gone);
  room_.set();
}

std::string FakeExchange::answer() const {
  std::string whole;
  for (const std::string& chunk : flushed_) whole += chunk;
  whole += body_.view();
  return whole;
}

std::optional<std::string_view> FakeExchange::header(std::string_view name) const noexcept {
  for (const auto& [key, value] : headers_) {
    if (text::iequals(key, name)) return value;
  }
  return std::nullopt;
}

std::size_t FakeExchange::count_headers(std::string_view name) const noexcept {
  std::size_t count = 0;
  for (const auto& row : headers_) count += text::iequals(row.first, name) ? 1 : 0;
  return count;
}

}  // namespace athena::testing
