// Any bytes as a connection's input: requests are read one after the other, as a session does. Whatever the pieces in
// which they arrive, the result is the same; and what was accepted keeps the promises that handlers rely on.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <athena/base/buffer.h>

#include "chunked.h"
#include "parser.h"

namespace {

using namespace athena;
using namespace athena::http;

constexpr HeadLimits kLimits{.max_head_bytes = 1'024, .max_target_bytes = 256, .max_headers = 12};
constexpr std::size_t kMaxBody = 512;

void require(bool holds) {
  if (!holds) std::abort();
}

bool lies_in(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_accepted(const HeadParser& parser, std::string_view bytes) {
  const RequestHead& head = parser.head();
  require(parser.size() <= bytes.size() && parser.size() <= kLimits.max_head_bytes);
  require(bytes.substr(0, parser.size()).ends_with("\r\n\r\n"));
  require(!head.method_text.empty() && !head.target.empty() && !head.path.empty());
  require(head.target.size() <= kLimits.max_target_bytes && lies_in(head.target, bytes) && lies_in(head.query, bytes));
  require(head.minor_version <= 1 && head.headers.size() <= kLimits.max_headers);
  require(head.count("host") == 1 || (head.minor_version == 0 && head.count("host") == 0));
  require(head.count("content-length") + head.count("transfer-encoding") <= 1);
  require((parser.framing() == Framing::chunked) == (head.count("transfer-encoding") == 1));
  for (const HeaderView& header : head.headers) {
    require(!header.name.empty() && lies_in(header.name, bytes) && lies_in(header.value, bytes));
    require(header.name.find_first_of(" \t:\r\n") == std::string_view::npos);
    require(find_control(header.value.data(), header.value.data() + header.value.size()) ==
            header.value.data() + header.value.size());
  }
}

void check_same(const HeadParser& a, const HeadParser& b) {
  require(a.size() == b.size() && a.framing() == b.framing() && a.content_length() == b.content_length());
  require(a.keep_alive() == b.keep_alive() && a.expects_continue() == b.expects_continue());
  require(a.head().method_text == b.head().method_text && a.head().path == b.head().path);
  require(a.head().query == b.head().query && a.head().headers.size() == b.head().headers.size());
  require(a.error().code == b.error().code && a.error().error == b.error().error);
}

/// How many bytes the request has, or 0 if the connection is done for.
std::size_t read_head(std::string_view bytes, HeadParser& parser) {
  const HeadParser::State state = parser.feed(bytes);
  HeadParser bytewise(kLimits);
  HeadParser::State last = HeadParser::State::incomplete;
  std::string copy;  // moves as it grows, as the session's buffer does
  for (const char c : bytes) {
    copy.push_back(c);
    if ((last = bytewise.feed(copy)) != HeadParser::State::incomplete) break;
  }
  require(last == state);
  check_same(parser, bytewise);
  if (state != HeadParser::State::complete) return 0;
  check_accepted(parser, bytes);
  return parser.size();
}

std::size_t read_chunks(std::string_view bytes) {
  ChunkedDecoder whole(kMaxBody), bytewise(kMaxBody);
  Buffer body, same;
  const std::size_t used = whole.feed(bytes, body);
  std::size_t used_bytewise = 0;
  for (const char& c : bytes) used_bytewise += bytewise.feed({&c, 1}, same);
  require(used == used_bytewise && whole.state() == bytewise.state() && body.view() == same.view());
  require(body.size() <= kMaxBody && used <= bytes.size());
  return whole.state() == ChunkedDecoder::State::complete ? used : 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  HeadParser parser(kLimits);
  while (const std::size_t head = read_head(bytes, parser)) {
    bytes.remove_prefix(head);
    if (parser.framing() == Framing::chunked) {
      const std::size_t body = read_chunks(bytes);
      if (body == 0) break;
      bytes.remove_prefix(body);
    } else if (parser.framing() == Framing::length) {
      if (parser.content_length() > bytes.size()) break;
      bytes.remove_prefix(static_cast<std::size_t>(parser.content_length()));
    }
    parser.reset();
  }
  return 0;
}
