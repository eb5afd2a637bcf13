#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/json.h>

namespace athena::json {

/// Walks through a JSON text from front to back and makes no tree of it: for long replies of other servers, whose rows
/// are passed on as they stand. Strict like Document (RFC 8259), so that what it gives can be copied into other JSON;
/// only the text's being UTF-8 is the caller's to check, once.
///
/// After the first mistake every call gives false, and failed() is true.
class Scanner {
 public:
  /// `text` outlives the scanner, and what it gives are views into it.
  explicit Scanner(std::string_view text, std::uint32_t max_depth = 64)
      : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()), max_depth_(max_depth) {}

  struct Value {
    Kind kind = Kind::null;
    std::string_view text;     ///< as written; a string's without its quotes
    bool has_escapes = false;  ///< of a string: see unescape()
  };
  /// The next value, whole: an array or object with all that is in it.
  bool value(Value& value);

  /// Enters the array or object that comes next; false, and nothing is taken, if something else does.
  bool enter(Kind container);
  /// Within a container: true if an element follows; false when the container has ended, and has been left.
  bool next_element() { return next(']'); }
  /// The same for a member, whose name it reads; its value is next.
  bool next_member(Value& name);
  /// Nothing but blanks is left.
  bool at_end();

  bool failed() const noexcept { return failed_; }
  /// Bytes that have been read: where the mistake is.
  std::size_t offset() const noexcept { return static_cast<std::size_t>(at_ - begin_); }

 private:
  bool fail() noexcept {
    failed_ = true;
    return false;
  }
  void skip_blanks() noexcept {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }
  bool next(char closing);
  bool string(Value& value);
  bool member_name(Value& name);
  bool number();
  bool word(std::string_view expected);
  bool scalar(Value& value);
  bool container(Value& value);

  const char* begin_;
  const char* at_;
  const char* end_;
  std::uint32_t max_depth_;
  bool failed_ = false;
  std::vector<bool> has_elements_;  ///< of each container that was entered
};

/// What a string of a Scanner says. Halves of surrogate pairs, which some servers let pass, become U+FFFD.
void unescape(std::string_view raw, std::string& out);

}  // namespace athena::json
