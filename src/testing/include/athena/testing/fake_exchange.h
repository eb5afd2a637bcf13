#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <athena/base/event.h>
#include <athena/http/server.h>

namespace athena::testing {

struct FakeRequest {
  http::Method method = http::Method::get;
  std::string target = "/";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
};

/// A request without a network, which records what becomes of it and holds handlers to the rules of http::Exchange.
class FakeExchange : public http::Exchange {
 public:
  explicit FakeExchange(FakeRequest request);

  const http::RequestHead& request() const noexcept override { return head_; }
  std::string_view peer() const noexcept override { return "192.0.2.1"; }
  bool is_tls() const noexcept override { return false; }
  TimePoint received_at() const noexcept override { return received_at_; }
  Async<std::string_view> read_body() override;
  /// Never: what a test says of the body is read_body()'s answer.
  std::optional<std::string_view> body_at_hand() noexcept override { return std::nullopt; }
  void set_status(int status) noexcept override;
  int status() const noexcept override { return status_; }
  void add_header(std::string_view name, std::string_view value) override;
  void reset_response() noexcept override;
  Buffer& body() noexcept override { return body_; }
  Async<> flush() override;
  bool head_sent() const noexcept override { return !flushed_.empty(); }
  void abort() noexcept override { aborted_ = true; }
  void close_after() noexcept override { closes_ = true; }
  Cancellation& cancellation() noexcept override { return cancellation_; }

  // What the peer does.
  /// The body cannot be read: payload_too_large, request_timeout, …
  void fail_body(Error error) { body_error_ = std::move(error); }
  /// flush() waits until take() or leave().
  void take_nothing() { stuck_ = true; }
  void take();
  /// Goes away: what waits is cancelled, what is sent from now on fails.
  void leave();

  // What came out.
  /// Everything that the peer got or will get: the chunks and what body() holds.
  std::string answer() const;
  const std::vector<std::string>& flushed() const noexcept { return flushed_; }
  std::optional<std::string_view> header(std::string_view name) const noexcept;
  std::size_t count_headers(std::string_view name) const noexcept;
  bool body_was_read() const noexcept { return body_was_read_; }
  bool aborted() const noexcept { return aborted_; }
  bool closes() const noexcept { return closes_; }

 private:
  FakeRequest request_;
  std::vector<http::HeaderView> views_;
  http::RequestHead head_;
  TimePoint received_at_ = Clock::now();
  int status_ = 200;
  std::vector<std::pair<std::string, std::string>> headers_;
  Buffer body_;
  std::vector<std::string> flushed_;
  std::optional<Error> body_error_;
  Cancellation cancellation_;
  Event room_;
  bool stuck_ = false, gone_ = false, body_was_read_ = false, aborted_ = false, closes_ = false;
};

}  // namespace athena::testing
