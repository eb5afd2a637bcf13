#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/result.h>

namespace athena::json {

enum class Kind : std::uint8_t { null, boolean, number, string, array, object };

class Document;

/// A value in a Document: a cheap view, valid as long as the document and the text it was read from.
/// Numbers keep their digits: nothing is converted until somebody asks (docs/adr/0002-own-json-reader.md).
/// A Value that does not exist (a member that is not there) is a null without text, elements or members, so that
/// `body["sort"]["field"].is_string()` is safe to ask.
class Value {
 public:
  Kind kind() const noexcept;
  bool is_null() const noexcept { return kind() == Kind::null; }
  bool is_bool() const noexcept { return kind() == Kind::boolean; }
  bool is_number() const noexcept { return kind() == Kind::number; }
  bool is_string() const noexcept { return kind() == Kind::string; }
  bool is_array() const noexcept { return kind() == Kind::array; }
  bool is_object() const noexcept { return kind() == Kind::object; }

  /// Only for the kind that they name; asserted.
  bool as_bool() const noexcept;
  std::string_view as_string() const noexcept;  ///< unescaped
  std::string_view digits() const noexcept;     ///< a number, as written

  /// The text of this value in the source, verbatim (for strings: with quotes and escapes).
  std::string_view raw() const noexcept;

  /// Array: elements. Object: members.
  std::size_t size() const noexcept;

  /// Elements of an array, or values of an object, in order of the source.
  class Iterator {
   public:
    using value_type = Value;
    using difference_type = std::ptrdiff_t;
    Value operator*() const noexcept;
    std::string_view key() const noexcept;  ///< object members only
    Iterator& operator++() noexcept;
    void operator++(int) noexcept { ++*this; }
    bool operator==(const Iterator& o) const noexcept { return at_ == o.at_; }

   private:
    friend class Value;
    const Document* document_ = nullptr;
    std::uint32_t at_ = 0;
    bool members_ = false;
  };
  Iterator begin() const noexcept;
  Iterator end() const noexcept;

  /// The member of an object by name, or a Value for which exists() is false (also if this is no object). With
  /// duplicates the last one counts. Looks at every member: iterate instead of asking for many names of a large object.
  Value operator[](std::string_view name) const noexcept;
  bool exists() const noexcept { return document_ != nullptr; }

  Value() = default;

 private:
  friend class Document;
  Value(const Document* document, std::uint32_t at) : document_(document), at_(at) {}
  const Document* document_ = nullptr;
  std::uint32_t at_ = 0;
};

struct Limits {
  std::uint32_t max_depth = 64;         ///< arrays and objects within each other
  std::uint32_t max_nodes = 1'000'000;  ///< values and names of members
};

/// A parsed JSON text (RFC 8259, strict: one value, valid UTF-8, no NUL inside strings, no trailing bytes).
/// Strings without escapes are views into the text, which must outlive the document.
class Document {
 public:
  /// Errors: malformed_json with line and column; invalid_encoding for bad UTF-8 or an escaped NUL; limit_exceeded.
  static Result<Document> parse(std::string_view text, Limits limits = {});
  /// A temporary would be gone before the first value is looked at.
  template <std::same_as<std::string> Temporary>
  static Result<Document> parse(Temporary&& text, Limits limits = {}) = delete;

  Value root() const noexcept { return Value(this, 0); }

  Document(Document&&) noexcept = default;
  Document& operator=(Document&&) noexcept = default;
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

 private:
  friend class Value;
  friend class Reader;
  /// Pre-order: a container is followed by its children (a member is two nodes, its name and its value); `next` is the
  /// node after the whole subtree.
  struct Node {
    const char* text;                  ///< string: unescaped; others: source
    std::uint32_t size;                ///< bytes of text
    std::uint32_t next;                ///< while a container is being read: the container around it
    std::uint32_t count;               ///< elements or members of a container
    std::uint32_t raw_begin, raw_end;  ///< offsets in the source
    Kind kind;
    bool truth;
  };
  Document() = default;

  std::string_view source_;
  std::vector<Node> nodes_;
  std::unique_ptr<char[]> unescaped_;  ///< the strings that had escapes; they stay put when the document is moved
};

}  // namespace athena::json
