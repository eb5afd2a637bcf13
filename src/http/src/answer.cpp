#include "answer.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <athena/base/text.h>

namespace athena::http {
namespace {

constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
/// More than the fixed lines of a head can need; header lines come on top.
constexpr std::size_t kFixedLinesBytes = 384;

/// Writes into memory whose size was reserved before.
class Pen {
 public:
  explicit Pen(char* at) : begin_(at), at_(at) {}
  Pen& put(std::string_view text) noexcept {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
    return *this;
  }
  Pen& number(std::uint64_t value) noexcept {
    at_ = std::to_chars(at_, at_ + 20, value).ptr;
    return *this;
  }
  Pen& two_digits(int value) noexcept {
    *at_++ = static_cast<char>('0' + value / 10 % 10);
    *at_++ = static_cast<char>('0' + value % 10);
    return *this;
  }
  std::size_t size() const noexcept { return static_cast<std::size_t>(at_ - begin_); }

 private:
  char* begin_;
  char* at_;
};

bool is_of_session(std::string_view name) noexcept {
  switch (name.size()) {
    case 4:
      return text::iequals(name, "date");
    case 6:
      return text::iequals(name, "server");
    case 10:
      return text::iequals(name, "connection");
    case 14:
      return text::iequals(name, "content-length");
    case 17:
      return text::iequals(name, "transfer-encoding");
  }
  return false;
}

constexpr bool is_line_break(char c) noexcept {
  return c == '\r' || c == '\n' || c == '\0';
}

/// Without a branch for each byte: there is hardly ever one.
bool breaks_line(std::string_view value) noexcept {
  bool found = false;
  for (const char c : value) found |= is_line_break(c);
  return found;
}

bool shrinks(std::string_view content_type) noexcept {
  for (const std::string_view part : {"json", "xml", "yaml", "javascript", "csv", "wasm", "sql"}) {
    if (content_type.find(part) != std::string_view::npos) return true;
  }
  return content_type.starts_with("text/");
}

}  // namespace

void ClockLines::update(std::time_t now) noexcept {
  if (now == second_) return;
  second_ = now;
  std::tm utc{};
  gmtime_r(&now, &utc);
  const int year = utc.tm_year + 1900;
  Pen pen(text_);
  pen.put("Server: athena\r\nDate: ").put(kDays[utc.tm_wday]).put(", ").two_digits(utc.tm_mday).put(" ");
  pen.put(kMonths[utc.tm_mon]).put(" ").two_digits(year / 100).two_digits(year).put(" ");
  pen.two_digits(utc.tm_hour).put(":").two_digits(utc.tm_min).put(":").two_digits(utc.tm_sec).put(" GMT\r\n");
  size_ = pen.size();
}

void Answer::add_header(std::string_view name, std::string_view value) {
  if (is_of_session(name)) return;
  char* line = lines_.grab(name.size() + value.size() + 4);
  std::memcpy(line, name.data(), name.size());
  std::memcpy(line + name.size(), ": ", 2);
  char* at = line + name.size() + 2;
  std::memcpy(at, value.data(), value.size());
  if (breaks_line(value)) std::ranges::replace_if(at, at + value.size(), is_line_break, ' ');
  std::memcpy(at + value.size(), "\r\n", 2);
  const std::size_t begin = lines_.size();
  lines_.commit(name.size() + value.size() + 4);
  switch (name.size()) {
    case 4:
      if (text::iequals(name, "etag")) etag_ = value.starts_with('"') ? begin + name.size() + 2 : 0;
      break;
    case 12:
      if (text::iequals(name, "content-type")) compressible_type_ = shrinks(value);
      break;
    case 16:
      if (text::iequals(name, "content-encoding")) is_coded_ = true;
      break;
  }
}

void Answer::reset() noexcept {
  status = 200;
  body.clear();
  lines_.clear();
  etag_ = 0;
  is_coded_ = false;
  compressible_type_ = true;
}

void Answer::write_head(Buffer& out, const AnswerFrame& frame, const ClockLines& clock) const {
  using Body = AnswerFrame::Body;
  using Connection = AnswerFrame::Connection;
  Pen pen(out.grab(kFixedLinesBytes + lines_.size()));
  pen.put("HTTP/1.1 ").number(static_cast<std::uint64_t>(status)).put(" ").put(reason(status)).put("\r\n");
  pen.put(clock.view());
  switch (frame.body) {
    case Body::known:
      pen.put("Content-Length: ").number(frame.content_length).put("\r\n");
      break;
    case Body::chunked:
      pen.put("Transfer-Encoding: chunked\r\n");
      break;
    case Body::none:
    case Body::until_close:
      break;
  }
  switch (frame.connection) {
    case Connection::close:
      pen.put("Connection: close\r\n");
      break;
    case Connection::keep_alive:
      pen.put("Connection: keep-alive\r\n");
      break;
    case Connection::unsaid:
      break;
  }
  if (frame.varies_by_coding) pen.put("Vary: Accept-Encoding\r\n");
  const std::string_view lines = lines_.view();
  if (frame.coding != Coding::identity) {
    pen.put("Content-Encoding: ").put(to_string(frame.coding)).put("\r\n");
    // The bytes are no longer those that a strong validator names.
    if (etag_ != 0) {
      pen.put(lines.substr(0, etag_)).put("W/").put(lines.substr(etag_)).put("\r\n");
      return out.commit(pen.size());
    }
  }
  pen.put(lines).put("\r\n");
  out.commit(pen.size());
}

}  // namespace athena::http
