#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <string_view>

#include <athena/base/buffer.h>

namespace athena::json {

/// Appends `text` between quotes, escaped (RFC 8259 section 7). `text` is valid UTF-8: checked at the edge, not here.
void append_string(Buffer& out, std::string_view text);
/// The same without the quotes.
void append_escaped(Buffer& out, std::string_view text);
/// Shortest digits that read back as the same double; NaN and infinities become strings ("NaN", "Infinity",
/// "-Infinity").
void append_double(Buffer& out, double value);
/// `\x` and lower-case hex digits, as PostgreSQL writes bytea, between quotes.
void append_bytes(Buffer& out, std::string_view bytes);

template <std::integral T>
void append_integer(Buffer& out, T value) {
  char* at = out.grab(24);
  out.commit(static_cast<std::size_t>(std::to_chars(at, at + 24, value).ptr - at));
}

/// Writes objects and arrays with the commas in the right places. For everything but the row encoder, which is a loop
/// of its own. The caller closes what it opens.
class Writer {
 public:
  explicit Writer(Buffer& out) : out_(out) {}

  Writer& begin_object() { return open('{'); }
  Writer& end_object() { return close('}'); }
  Writer& begin_array() { return open('['); }
  Writer& end_array() { return close(']'); }
  Writer& key(std::string_view name) {
    separate();
    append_string(out_, name);
    out_.push_back(':');
    first_ = true;
    return *this;
  }
  Writer& string(std::string_view text) {
    separate();
    append_string(out_, text);
    return *this;
  }
  Writer& boolean(bool value) { return raw(value ? "true" : "false"); }
  Writer& null() { return raw("null"); }
  Writer& number(double value) {
    separate();
    append_double(out_, value);
    return *this;
  }
  template <std::integral T>
  Writer& integer(T value) {
    separate();
    append_integer(out_, value);
    return *this;
  }
  /// JSON that was written elsewhere, verbatim.
  Writer& raw(std::string_view json) {
    separate();
    out_.append(json);
    return *this;
  }
  Writer& member(std::string_view name, std::string_view text) { return key(name).string(text); }

 private:
  Writer& open(char c) {
    separate();
    out_.push_back(c);
    first_ = true;
    return *this;
  }
  Writer& close(char c) {
    out_.push_back(c);
    first_ = false;
    return *this;
  }
  void separate() {
    if (!first_) out_.push_back(',');
    first_ = false;
  }

  Buffer& out_;
  bool first_ = true;
};

}  // namespace athena::json
