#include "parser.h"

#include <array>
#include <cstring>
#include <string>

#include <athena/base/text.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace athena::http {
namespace {

constexpr std::size_t kMaxMethodBytes = 32;
/// What a request line has besides method and target: two blanks, "HTTP/1.1", CR LF.
constexpr std::size_t kLineFrameBytes = 12;
constexpr std::size_t kVersionBytes = 8;

using Table = std::array<bool, 256>;

/// tchar of RFC 9110 section 5.6.2: what methods and names of headers are made of.
constexpr Table kToken = [] {
  Table table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (const char c : {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'}) {
    table[static_cast<std::size_t>(c)] = true;
  }
  return table;
}();

/// Visible ASCII, but for the fragment's sign: a fragment is never sent, so nothing behind it can be meant.
constexpr Table kTarget = [] {
  Table table{};
  for (int c = 0x21; c < 0x7f; ++c) table[static_cast<std::size_t>(c)] = true;
  table['#'] = false;
  return table;
}();

/// reg-name, IPv4 and IPv6 literals, and a port.
constexpr Table kHost = [] {
  Table table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (const char c : {'-', '.', '_', '~', ':', '[', ']', '%', '!', '$', '&', '\'', '(', ')', '*', '+', ';', '='}) {
    table[static_cast<std::size_t>(c)] = true;
  }
  return table;
}();

constexpr bool in(const Table& table, char c) noexcept {
  return table[static_cast<unsigned char>(c)];
}

bool all_in(const Table& table, std::string_view text) noexcept {
  for (const char c : text) {
    if (!in(table, c)) return false;
  }
  return true;
}

constexpr bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t';
}
constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

std::string_view trim_blanks(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

Method method_of(std::string_view name) noexcept {
  switch (name.size()) {
    case 3:
      return name == "GET" ? Method::get : name == "PUT" ? Method::put : Method::other;
    case 4:
      return name == "POST" ? Method::post : name == "HEAD" ? Method::head : Method::other;
    case 5:
      return name == "PATCH" ? Method::patch : Method::other;
    case 6:
      return name == "DELETE" ? Method::del : Method::other;
    case 7:
      return name == "OPTIONS" ? Method::options : Method::other;
  }
  return Method::other;
}

}  // namespace

const char* find_control(const char* at, const char* end) noexcept {
#if defined(__SSE2__)
  const __m128i last_control = _mm_set1_epi8(0x1f), tab = _mm_set1_epi8('\t'), del = _mm_set1_epi8(0x7f);
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    // min(byte, 0x1f) == byte  ⇔  byte ≤ 0x1f, unsigned
    const __m128i low =
        _mm_andnot_si128(_mm_cmpeq_epi8(bytes, tab), _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes));
    const int hits = _mm_movemask_epi8(_mm_or_si128(low, _mm_cmpeq_epi8(bytes, del)));
    if (hits != 0) return at + __builtin_ctz(static_cast<unsigned>(hits));
  }
#endif
  for (; at < end; ++at) {
    const auto byte = static_cast<unsigned char>(*at);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return at;
  }
  return end;
}

void HeadParser::reset() noexcept {
  head_ = RequestHead{};
  fields_.clear();
  begin_ = line_ = scanned_ = request_line_ = end_ = 0;
  state_ = State::incomplete;
  authority_ = host_ = {};
  content_length_ = 0;
  framing_ = Framing::none;
  has_host_ = has_length_ = has_coding_ = coding_is_chunked_ = has_expectation_ = expectation_known_ = false;
  wants_close_ = wants_keep_alive_ = keep_alive_ = expects_continue_ = false;
}

HeadParser::State HeadParser::feed(std::string_view bytes) {
  if (state_ != State::incomplete) return state_;
  if (find_end(bytes) && end_ != 0 && read(bytes)) state_ = State::complete;
  return state_;
}

bool HeadParser::refuse(Code code, std::string_view text) {
  error_ = Error(code, std::string(text));
  state_ = State::refused;
  return false;
}

/// False if refused. Sets end_ once the empty line was found.
bool HeadParser::find_end(std::string_view bytes) {
  while (scanned_ < bytes.size()) {
    // What cannot begin a request, such as a TLS greeting on a plain port, is told so at once.
    const bool first_byte = scanned_ == begin_;
    if (first_byte && bytes[begin_] != '\r' && !in(kToken, bytes[begin_])) {
      return refuse(Code::malformed_http, "The request does not begin with a method");
    }
    const void* found = std::memchr(bytes.data() + scanned_, '\n', bytes.size() - scanned_);
    if (!found) {
      scanned_ = bytes.size();
      return within_limits(scanned_);
    }
    const auto newline = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
    if (!within_limits(newline + 1) || !end_line(bytes, newline)) return false;
    if (end_ != 0) return true;
  }
  return true;
}

bool HeadParser::within_limits(std::size_t line_end) {
  const std::size_t max_line = kMaxMethodBytes + limits_.max_target_bytes + kLineFrameBytes;
  const bool in_request_line = line_ == begin_;
  if (in_request_line && line_end - begin_ > std::min(max_line, limits_.max_head_bytes)) {
    return refuse(Code::uri_too_long, "The request line is too long");
  }
  if (line_end > limits_.max_head_bytes) return refuse(Code::headers_too_large, "The headers are too large");
  return true;
}

bool HeadParser::end_line(std::string_view bytes, std::size_t newline) {
  if (newline == line_ || bytes[newline - 1] != '\r') {
    return refuse(Code::malformed_http, "A line of the head does not end in CR LF");
  }
  const bool empty = newline == line_ + 1;
  const std::size_t next = newline + 1;
  if (empty && line_ == begin_) {
    // RFC 9112 section 2.2: one empty line before the request line is forgiven.
    if (begin_ != 0) return refuse(Code::malformed_http, "There is no request line");
    begin_ = next;
  } else if (empty) {
    end_ = next;
  } else if (request_line_ == 0) {
    request_line_ = next;
  }
  line_ = scanned_ = next;
  return true;
}

bool HeadParser::read(std::string_view bytes) {
  const std::string_view line = bytes.substr(begin_, request_line_ - begin_ - 2);
  return read_request_line(line) && read_fields(bytes.data() + request_line_, bytes.data() + end_ - 2) &&
         check_fields();
}

bool HeadParser::read_request_line(std::string_view line) {
  std::size_t method = 0;
  while (method < line.size() && in(kToken, line[method])) ++method;
  if (method == 0 || method > kMaxMethodBytes || method == line.size() || line[method] != ' ') {
    return refuse(Code::malformed_http, "The request line does not begin with a method and a blank");
  }
  head_.method_text = line.substr(0, method);
  head_.method = method_of(head_.method_text);
  line.remove_prefix(method + 1);
  if (line.size() < kVersionBytes + 2 || line[line.size() - kVersionBytes - 1] != ' ') {
    return refuse(Code::malformed_http, "The request line is not 'method target HTTP/1.1'");
  }
  const std::string_view version = line.substr(line.size() - kVersionBytes);
  return read_version(version) && read_target(line.substr(0, line.size() - kVersionBytes - 1));
}

bool HeadParser::read_version(std::string_view version) {
  if (version == "HTTP/1.1") return head_.minor_version = 1, true;
  if (version == "HTTP/1.0") return head_.minor_version = 0, true;
  if (version.starts_with("HTTP/") && is_digit(version[5]) && version[6] == '.' && is_digit(version[7])) {
    return refuse(Code::http_version_not_supported, "This server speaks HTTP/1.1 and HTTP/1.0");
  }
  return refuse(Code::malformed_http, "The request line does not end in a version of HTTP");
}

bool HeadParser::read_target(std::string_view target) {
  if (!all_in(kTarget, target)) {
    return refuse(Code::malformed_http, "The request target has a byte that must be percent-encoded");
  }
  if (target.size() > limits_.max_target_bytes) return refuse(Code::uri_too_long, "The request target is too long");
  head_.target = head_.path = target;
  if (target.front() != '/') {
    if (target == "*") {
      return head_.method == Method::options || refuse(Code::malformed_http, "The target '*' is for OPTIONS alone");
    }
    const bool absolute = text::iequals(target.substr(0, 7), "http://");
    if (absolute || text::iequals(target.substr(0, 8), "https://")) {
      return read_absolute_target(target.substr(absolute ? 7 : 8));
    }
    return refuse(Code::malformed_http, "The request target is neither a path nor an http URI");
  }
  const std::size_t question = target.find('?');
  if (question != std::string_view::npos) {
    head_.path = target.substr(0, question);
    head_.query = target.substr(question + 1);
  }
  return true;
}

/// `rest` is what follows "http://".
bool HeadParser::read_absolute_target(std::string_view rest) {
  const std::size_t path = std::min(rest.find_first_of("/?"), rest.size());
  authority_ = rest.substr(0, path);
  if (authority_.empty() || !all_in(kHost, authority_)) {
    return refuse(Code::malformed_http, "The authority of the request target is not valid");
  }
  rest.remove_prefix(path);
  const std::size_t question = rest.find('?');
  head_.path = rest.substr(0, question);
  if (head_.path.empty()) head_.path = "/";
  if (question != std::string_view::npos) head_.query = rest.substr(question + 1);
  return true;
}

/// From the first header to the empty line, which is where `end` points to; both lie behind a CR LF.
bool HeadParser::read_fields(const char* at, const char* end) {
  while (at < end) {
    if (fields_.size() == limits_.max_headers) return refuse(Code::headers_too_large, "There are too many headers");
    const char* name_end = at;
    while (in(kToken, *name_end)) ++name_end;  // ends at the CR at the latest
    if (name_end == at) {
      return is_blank(*at) ? refuse(Code::malformed_http, "A header is folded over several lines")
                           : refuse(Code::malformed_http, "A header has no valid name");
    }
    if (*name_end != ':') {
      return refuse(Code::malformed_http, "A header's name is not followed by a colon at once");
    }
    const char* value = name_end + 1;
    const char* value_end = find_control(value, end);
    // There is a CR LF before `end`, so a control byte was found, and what follows it can be read.
    if (value_end == end || value_end[0] != '\r' || value_end[1] != '\n') {
      return refuse(Code::malformed_http, "A header's value has a control byte");
    }
    const HeaderView field{{at, static_cast<std::size_t>(name_end - at)},
                           trim_blanks({value, static_cast<std::size_t>(value_end - value)})};
    fields_.push_back(field);
    head_.headers = fields_;
    if (!note_field(field.name, field.value)) return false;
    at = value_end + 2;
  }
  return true;
}

/// Keeps what the few headers that concern the connection say. Lengths first: most names are none of these.
bool HeadParser::note_field(std::string_view name, std::string_view value) {
  switch (name.size()) {
    case 4:
      if (!text::iequals(name, "host")) return true;
      if (has_host_) return refuse(Code::malformed_http, "There is more than one Host header");
      has_host_ = true;
      host_ = value;
      return (!value.empty() && all_in(kHost, value)) || refuse(Code::malformed_http, "The Host header is not valid");
    case 6:
      if (!text::iequals(name, "expect")) return true;
      expectation_known_ = !has_expectation_ && text::iequals(value, "100-continue");
      has_expectation_ = true;
      return true;
    case 10:
      return !text::iequals(name, "connection") || note_connection(value);
    case 14:
      return !text::iequals(name, "content-length") || note_content_length(value);
    case 17:
      if (!text::iequals(name, "transfer-encoding")) return true;
      if (has_coding_) return refuse(Code::malformed_http, "There is more than one Transfer-Encoding header");
      has_coding_ = true;
      coding_is_chunked_ = text::iequals(value, "chunked");
      return true;
  }
  return true;
}

bool HeadParser::note_content_length(std::string_view value) {
  if (has_length_) return refuse(Code::malformed_http, "There is more than one Content-Length header");
  has_length_ = true;
  for (const char c : value) {
    if (!is_digit(c)) return refuse(Code::malformed_http, "The Content-Length is not a number");
  }
  const auto length = text::parse_u64(value);
  if (!length) return refuse(Code::malformed_http, "The Content-Length is not a number that can be counted to");
  content_length_ = *length;
  return true;
}

bool HeadParser::note_connection(std::string_view value) {
  while (true) {
    const std::size_t comma = value.find(',');
    const std::string_view option = trim_blanks(value.substr(0, comma));
    if (text::iequals(option, "close")) wants_close_ = true;
    if (text::iequals(option, "keep-alive")) wants_keep_alive_ = true;
    if (comma == std::string_view::npos) return true;
    value.remove_prefix(comma + 1);
  }
}

/// What can be judged only when all headers are known.
bool HeadParser::check_fields() {
  const bool is_1_1 = head_.minor_version == 1;
  if (is_1_1 && !has_host_) return refuse(Code::malformed_http, "The Host header is missing");
  if (!authority_.empty() && has_host_ && !text::iequals(authority_, host_)) {
    return refuse(Code::malformed_http, "The Host header and the request target name different hosts");
  }
  if (has_coding_) {
    if (has_length_) return refuse(Code::malformed_http, "Transfer-Encoding and Content-Length exclude each other");
    if (!is_1_1) return refuse(Code::malformed_http, "HTTP/1.0 has no Transfer-Encoding");
    if (!coding_is_chunked_) {
      return refuse(Code::transfer_coding_not_implemented, "The only transfer coding that is implemented is 'chunked'");
    }
    framing_ = Framing::chunked;
  } else if (has_length_ && content_length_ > 0) {
    framing_ = Framing::length;
  }
  if (has_expectation_ && !expectation_known_) {
    return refuse(Code::expectation_failed, "The only expectation that can be met is '100-continue'");
  }
  expects_continue_ = has_expectation_ && is_1_1 && framing_ != Framing::none;
  keep_alive_ = !wants_close_ && (is_1_1 || wants_keep_alive_);
  return true;
}

}  // namespace athena::http
