#include <athena/base/json_scan.h>

#include <algorithm>
#include <string>

namespace athena::json {
namespace {

constexpr std::uint32_t kReplacement = 0xfffd;

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
constexpr int hex_digit(char c) noexcept {
  if (is_digit(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto byte = [&out](std::uint32_t bits) { out += static_cast<char>(bits); };
  if (point < 0x80) return byte(point);
  if (point < 0x800) return byte(0xc0 | point >> 6), byte(0x80 | (point & 0x3f));
  if (point < 0x10000) {
    byte(0xe0 | point >> 12);
  } else {
    byte(0xf0 | point >> 18);
    byte(0x80 | (point >> 12 & 0x3f));
  }
  byte(0x80 | (point >> 6 & 0x3f));
  byte(0x80 | (point & 0x3f));
}

/// The four digits behind `\u`, which are known to be there.
std::uint32_t unit_at(std::string_view raw, std::size_t at) noexcept {
  std::uint32_t unit = 0;
  for (std::size_t i = 0; i < 4; ++i) unit = unit << 4 | static_cast<std::uint32_t>(hex_digit(raw[at + i]));
  return unit;
}

char escaped_byte(char c) noexcept {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
  }
  return c;
}

}  // namespace

bool Scanner::word(std::string_view expected) {
  if (static_cast<std::size_t>(end_ - at_) < expected.size() || std::string_view(at_, expected.size()) != expected)
    return fail();
  at_ += expected.size();
  return true;
}

bool Scanner::number() {
  const auto digits = [this] {
    const char* start = at_;
    while (at_ < end_ && is_digit(*at_)) ++at_;
    return at_ > start;
  };
  if (at_ < end_ && *at_ == '-') ++at_;
  const bool zero = at_ < end_ && *at_ == '0';
  if (zero ? (++at_, false) : !digits()) return fail();
  if (at_ < end_ && *at_ == '.') {
    ++at_;
    if (!digits()) return fail();
  }
  if (at_ < end_ && (*at_ == 'e' || *at_ == 'E')) {
    ++at_;
    if (at_ < end_ && (*at_ == '+' || *at_ == '-')) ++at_;
    if (!digits()) return fail();
  }
  return true;
}

bool Scanner::string(Value& value) {
  const char* start = ++at_;
  value.kind = Kind::string;
  value.has_escapes = false;
  for (; at_ < end_; ++at_) {
    const char c = *at_;
    if (c == '"') {
      value.text = {start, static_cast<std::size_t>(at_ - start)};
      ++at_;
      return true;
    }
    if (static_cast<unsigned char>(c) < 0x20) return fail();
    if (c != '\\') continue;
    value.has_escapes = true;
    if (++at_ == end_) return fail();
    if (*at_ == 'u') {
      if (end_ - at_ < 5) return fail();
      for (int i = 0; i < 4; ++i) {
        if (hex_digit(*++at_) < 0) return fail();
      }
    } else if (!std::string_view("\"\\/bfnrt").contains(*at_)) {
      return fail();
    }
  }
  return fail();
}

bool Scanner::scalar(Value& value) {
  const char* start = at_;
  switch (*at_) {
    case '"':
      return string(value);
    case 't':
    case 'f':
      value.kind = Kind::boolean;
      if (!word(*at_ == 't' ? "true" : "false")) return false;
      break;
    case 'n':
      value.kind = Kind::null;
      if (!word("null")) return false;
      break;
    default:
      value.kind = Kind::number;
      if (!number()) return false;
  }
  value.text = {start, static_cast<std::size_t>(at_ - start)};
  return true;
}

/// An array or object as a whole, whose bracket comes next.
bool Scanner::container(Value& value) {
  const char* start = at_;
  const std::size_t depth = has_elements_.size();
  value.kind = *at_ == '[' ? Kind::array : Kind::object;
  std::vector<char> closing;  // of the containers that are open
  Value inner;
  for (;;) {
    // Here a value comes: a container is opened, anything else read.
    if (*at_ == '[' || *at_ == '{') {
      if (depth + closing.size() >= max_depth_) return fail();
      closing.push_back(*at_++ == '[' ? ']' : '}');
      skip_blanks();
      if (at_ < end_ && *at_ == closing.back()) {
        ++at_;
        closing.pop_back();
      } else if (closing.back() == '}' ? !member_name(inner) : at_ == end_) {
        return fail();
      } else {
        continue;
      }
    } else if (!scalar(inner)) {
      return false;
    }
    // Behind a value: what is complete is closed, then comes the next one.
    for (;;) {
      if (closing.empty()) {
        value.text = {start, static_cast<std::size_t>(at_ - start)};
        return true;
      }
      skip_blanks();
      if (at_ == end_) return fail();
      if (*at_ == closing.back()) {
        ++at_;
        closing.pop_back();
        continue;
      }
      if (*at_ != ',') return fail();
      ++at_;
      skip_blanks();
      if (closing.back() == '}' ? !member_name(inner) : at_ == end_) return fail();
      break;
    }
  }
}

/// `"name":`, and the blanks behind it, so that a value is next.
bool Scanner::member_name(Value& name) {
  if (at_ == end_ || *at_ != '"') return fail();
  if (!string(name)) return false;
  skip_blanks();
  if (at_ == end_ || *at_ != ':') return fail();
  ++at_;
  skip_blanks();
  return at_ < end_ || fail();
}

bool Scanner::value(Value& value) {
  if (failed_) return false;
  skip_blanks();
  if (at_ == end_) return fail();
  return *at_ == '[' || *at_ == '{' ? container(value) : scalar(value);
}

bool Scanner::enter(Kind kind) {
  if (failed_) return false;
  skip_blanks();
  if (at_ == end_ || *at_ != (kind == Kind::array ? '[' : '{')) return false;
  if (has_elements_.size() >= max_depth_) return fail();
  ++at_;
  has_elements_.push_back(false);
  return true;
}

bool Scanner::next(char closing) {
  if (failed_ || has_elements_.empty()) return false;
  skip_blanks();
  if (at_ == end_) return fail();
  if (*at_ == closing) {
    ++at_;
    has_elements_.pop_back();
    return false;
  }
  if (has_elements_.back()) {
    if (*at_ != ',') return fail();
    ++at_;
    skip_blanks();
    if (at_ == end_) return fail();
  }
  has_elements_.back() = true;
  return true;
}

bool Scanner::next_member(Value& name) {
  return next('}') && member_name(name);
}

bool Scanner::at_end() {
  if (failed_) return false;
  skip_blanks();
  return at_ == end_ || fail();
}

void unescape(std::string_view raw, std::string& out) {
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\') {
      const std::size_t end = std::min(raw.find('\\', i), raw.size());
      out += raw.substr(i, end - i);
      i = end - 1;
      continue;
    }
    if (raw[++i] != 'u') {
      out += escaped_byte(raw[i]);
      continue;
    }
    std::uint32_t point = unit_at(raw, i + 1);
    i += 4;
    const bool is_high = point >= 0xd800 && point < 0xdc00;
    if (is_high && raw.substr(i + 1).starts_with("\\u")) {
      const std::uint32_t low = unit_at(raw, i + 3);
      if (low >= 0xdc00 && low < 0xe000) {
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        i += 6;
      }
    }
    append_utf8(out, point >= 0xd800 && point < 0xe000 ? kReplacement : point);
  }
}

}  // namespace athena::json
