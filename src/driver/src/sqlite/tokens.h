#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace athena::driver::sqlite {

/// Takes SQL apart, as far as finding a keyword needs it: what is quoted and what is a comment hides nothing.
class Tokens {
 public:
  explicit Tokens(std::string_view sql) : sql_(sql) {}

  /// The next word, quoted name, literal or sign; empty at the end. Blanks and comments are passed over.
  std::string_view next() {
    skip();
    if (at_ >= sql_.size()) return {};
    const std::size_t begin = at_;
    const char c = sql_[at_++];
    if (c == '\'' || c == '"' || c == '`' || c == '[') {
      quoted(c == '[' ? ']' : c);
    } else if (is_word(c)) {
      while (at_ < sql_.size() && is_word(sql_[at_])) ++at_;
    }
    return sql_.substr(begin, at_ - begin);
  }
  std::size_t at() const noexcept { return at_; }

 private:
  static bool is_word(char c) noexcept {
    return c == '_' || c == '$' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           static_cast<unsigned char>(c) >= 0x80;
  }
  void quoted(char end) {
    while (at_ < sql_.size()) {
      if (sql_[at_++] != end) continue;
      if (end == ']' || at_ >= sql_.size() || sql_[at_] != end) return;
      ++at_;
    }
  }
  void skip() {
    while (at_ < sql_.size()) {
      if (std::string_view(" \t\r\n\f").contains(sql_[at_])) {
        ++at_;
      } else if (sql_.substr(at_, 2) == "--") {
        at_ = std::min(sql_.find('\n', at_), sql_.size());
      } else if (sql_.substr(at_, 2) == "/*") {
        const std::size_t end = sql_.find("*/", at_ + 2);
        at_ = end == std::string_view::npos ? sql_.size() : end + 2;
      } else {
        return;
      }
    }
  }

  std::string_view sql_;
  std::size_t at_ = 0;
};

}  // namespace athena::driver::sqlite
