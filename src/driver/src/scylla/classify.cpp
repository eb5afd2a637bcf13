#include "scylla/classify.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <string>
#include <utility>

#include <athena/base/text.h>

namespace athena::driver::scylla {
namespace {

struct Token {
  enum class Kind : std::uint8_t { word, quoted_name, literal, symbol, end } kind = Kind::end;
  std::string_view text;  ///< quotes included
  bool is(std::string_view keyword) const noexcept { return kind == Kind::word && text::iequals(text, keyword); }
  bool is_symbol(char c) const noexcept { return kind == Kind::symbol && text.front() == c; }
};

constexpr bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
constexpr bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
constexpr bool is_hex(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
constexpr bool is_word(char c) noexcept {
  return is_letter(c) || is_digit(c) || c == '_';
}

constexpr std::size_t kUuidSize = 36;

bool is_uuid(std::string_view text) noexcept {
  if (text.size() < kUuidSize) return false;
  for (std::size_t i = 0; i < kUuidSize; ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

/// 1y2mo3w: numbers, each with its unit.
bool is_duration(std::string_view text) noexcept {
  constexpr std::string_view kUnits[] = {"y", "mo", "w", "d", "h", "m", "s", "ms", "us", "ns"};
  while (!text.empty()) {
    const std::size_t digits = text.find_first_not_of("0123456789");
    if (digits == 0 || digits == std::string_view::npos) return false;
    const std::string_view unit = text.substr(digits, text.find_first_of("0123456789", digits) - digits);
    if (std::ranges::none_of(kUnits, [&](std::string_view known) { return text::iequals(known, unit); })) return false;
    text.remove_prefix(digits + unit.size());
  }
  return true;
}

/// Whether what begins with a digit is one literal. Cassandra would cut `1INSERT` in two and see a statement where we
/// saw a number.
bool is_number(std::string_view text, std::string_view rest) noexcept {
  const std::size_t digits = text.find_first_not_of("0123456789");
  if (digits == std::string_view::npos) return true;
  const std::string_view tail = text.substr(digits + 1);
  if (text.starts_with("0x") || text.starts_with("0X")) return std::ranges::all_of(tail, is_hex);
  if (text[digits] == 'e' || text[digits] == 'E') {
    if (tail.empty()) return rest.starts_with('+') || rest.starts_with('-');
    return std::ranges::all_of(tail, is_digit);
  }
  return is_duration(text);
}

/// Cuts the text as Cassandra's lexer does; what that would refuse is refused here, so that both see the same tokens.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Result<Token> next() {
    ATHENA_TRY_VOID(skip());
    start_ = at_;
    if (at_ == text_.size()) return Token{};
    const char c = text_[at_];
    if (c == '\'') return closed(Token::Kind::literal, "'", "''");
    if (c == '"') return closed(Token::Kind::quoted_name, "\"", "\"\"");
    if (rest().starts_with("$$")) return closed(Token::Kind::literal, "$$", {});
    if (is_uuid(rest())) {
      at_ += kUuidSize;
      return taken(Token::Kind::literal);
    }
    if (is_letter(c) || is_digit(c)) {
      while (at_ < text_.size() && is_word(text_[at_])) ++at_;
      const Token token = taken(is_letter(c) ? Token::Kind::word : Token::Kind::literal);
      if (is_digit(c) && !is_number(token.text, rest())) return syntax_error("A number goes on as a word");
      return token;
    }
    constexpr std::string_view kSymbols = "()[]{}<>=!+-*/%,;:.?";
    if (kSymbols.find(c) == std::string_view::npos) return syntax_error("There is a character that CQL does not know");
    ++at_;
    return taken(Token::Kind::symbol);
  }

  /// Speaks about the token that was read last.
  std::unexpected<Error> syntax_error(std::string text) const {
    const auto characters = std::ranges::count_if(text_.substr(0, start_), [](char c) { return (c & 0xc0) != 0x80; });
    return fail(Error(Code::syntax_error, std::move(text)).with("position", std::to_string(characters + 1)));
  }

 private:
  std::string_view rest() const noexcept { return text_.substr(at_); }
  Token taken(Token::Kind kind) const noexcept { return {kind, text_.substr(start_, at_ - start_)}; }

  /// Blanks and comments. A line ends at a carriage return, too.
  Result<> skip() {
    for (;;) {
      while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
      if (rest().starts_with("--") || rest().starts_with("//")) {
        at_ = std::min(text_.find_first_of("\r\n", at_), text_.size());
      } else if (rest().starts_with("/*")) {
        start_ = at_;
        const std::size_t end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos) return syntax_error("A comment is not closed");
        at_ = end + 2;
      } else {
        return {};
      }
    }
  }

  /// From the opening mark to the closing one; `doubled` stands for the mark itself.
  Result<Token> closed(Token::Kind kind, std::string_view mark, std::string_view doubled) {
    at_ += mark.size();
    for (;;) {
      const std::size_t end = text_.find(mark, at_);
      if (end == std::string_view::npos) {
        return syntax_error(kind == Token::Kind::literal ? "A text is not closed" : "A quoted name is not closed");
      }
      if (doubled.empty() || !text_.substr(end).starts_with(doubled)) {
        at_ = end + mark.size();
        return taken(kind);
      }
      at_ = end + doubled.size();
    }
  }

  std::string_view text_;
  std::size_t start_ = 0, at_ = 0;
};

/// The words that begin a statement, and what it is.
struct Head {
  std::string_view word;
  StatementKind kind;
};
constexpr Head kHeads[] = {
    {"SELECT", StatementKind::select}, {"INSERT", StatementKind::insert}, {"UPDATE", StatementKind::update},
    {"DELETE", StatementKind::del},    {"TRUNCATE", StatementKind::del},  {"CREATE", StatementKind::ddl},
    {"ALTER", StatementKind::ddl},     {"DROP", StatementKind::ddl},      {"GRANT", StatementKind::ddl},
    {"REVOKE", StatementKind::ddl},    {"LIST", StatementKind::utility},  {"DESCRIBE", StatementKind::utility},
    {"DESC", StatementKind::utility},  {"COMMENT", StatementKind::ddl},   {"SECURITY", StatementKind::ddl},
    {"ADD", StatementKind::ddl},
};

class Analysis {
 public:
  explicit Analysis(std::string_view text) : lexer_(text) {}

  Result<SqlFacts> run() {
    ATHENA_TRY_VOID(advance());
    if (token_.kind == Token::Kind::end) return lexer_.syntax_error("There is no statement");
    ATHENA_TRY_VOID(token_.is("BEGIN") ? batch() : statement());
    if (token_.is_symbol(';')) ATHENA_TRY_VOID(advance());
    if (token_.kind != Token::Kind::end) {
      return fail(Code::unsupported_statement, "CQL runs one statement at a time",
                  "Send them one by one, or as one BEGIN BATCH … APPLY BATCH");
    }
    return std::move(facts_);
  }

 private:
  Result<> advance() {
    ATHENA_TRY(token_, lexer_.next());
    return {};
  }
  bool at_end() const noexcept { return token_.kind == Token::Kind::end || token_.is_symbol(';'); }

  /// Goes on to the next of the words that stands outside of brackets; or to the end of the statement.
  Result<> find(std::initializer_list<std::string_view> words) {
    std::string open;
    while (token_.kind != Token::Kind::end) {
      if (open.empty() && (token_.is_symbol(';') ||
                           std::ranges::any_of(words, [&](std::string_view word) { return token_.is(word); }))) {
        return {};
      }
      ATHENA_TRY_VOID(count_bracket(open));
      ATHENA_TRY_VOID(advance());
    }
    return open.empty() ? Result<>() : Result<>(lexer_.syntax_error("A bracket is not closed"));
  }
  Result<> count_bracket(std::string& open) const {
    constexpr std::string_view kOpening = "([{", kClosing = ")]}";
    if (token_.kind != Token::Kind::symbol) return {};
    const char c = token_.text.front();
    if (kOpening.contains(c)) open += c;
    const std::size_t closing = kClosing.find(c);
    if (closing == std::string_view::npos) return {};
    if (open.empty() || open.back() != kOpening[closing]) return lexer_.syntax_error("A bracket closes nothing");
    open.pop_back();
    return {};
  }
  Result<> skip_rest() { return find({}); }

  Result<std::string> name() {
    std::string name;
    if (token_.kind == Token::Kind::word) {
      name = text::to_lower(token_.text);
    } else if (token_.kind == Token::Kind::quoted_name && token_.text.size() > 2) {
      const std::string_view inner = token_.text.substr(1, token_.text.size() - 2);
      for (std::size_t i = 0; i < inner.size(); ++i) {
        name += inner[i];
        if (inner[i] == '"') ++i;
      }
    } else {
      return lexer_.syntax_error("The name of a table is missing");
    }
    ATHENA_TRY_VOID(advance());
    return name;
  }
  Result<> table(std::vector<query::Table>& into) {
    query::Table table;
    ATHENA_TRY(table.name, name());
    if (token_.is_symbol('.')) {
      ATHENA_TRY_VOID(advance());
      table.schema = std::move(table.name);
      ATHENA_TRY(table.name, name());
    }
    if (std::ranges::find(into, table) == into.end()) into.push_back(std::move(table));
    return {};
  }
  /// The table behind `word`, which must come.
  Result<> table_after(std::string_view word, std::vector<query::Table>& into) {
    ATHENA_TRY_VOID(find({word}));
    if (!token_.is(word)) return lexer_.syntax_error("The word " + std::string(word) + " is missing");
    ATHENA_TRY_VOID(advance());
    return table(into);
  }

  Result<> statement() {
    if (token_.is("USE")) {
      return fail(Code::unsupported_statement, "USE has no effect here",
                  "Write keyspace.table, or send the keyspace as schema_name");
    }
    const auto* head = std::ranges::find_if(kHeads, [&](const Head& row) { return token_.is(row.word); });
    if (head == std::end(kHeads)) return lexer_.syntax_error("No statement of CQL begins like this");
    facts_.statements.push_back(head->kind);
    const bool is_truncate = token_.is("TRUNCATE");
    ATHENA_TRY_VOID(advance());
    switch (head->kind) {
      case StatementKind::select:
        ATHENA_TRY_VOID(table_after("FROM", facts_.reads));
        break;
      case StatementKind::insert:
        ATHENA_TRY_VOID(table_after("INTO", facts_.writes));
        break;
      case StatementKind::update:
        ATHENA_TRY_VOID(table(facts_.writes));
        break;
      case StatementKind::del:
        if (is_truncate && (token_.is("TABLE") || token_.is("COLUMNFAMILY"))) ATHENA_TRY_VOID(advance());
        ATHENA_TRY_VOID(is_truncate ? table(facts_.writes) : table_after("FROM", facts_.writes));
        break;
      case StatementKind::ddl:
        ATHENA_TRY_VOID(definition());
        break;
      case StatementKind::utility:
      case StatementKind::merge:
      case StatementKind::transaction_control:
      case StatementKind::copy:
        break;
    }
    // In a batch the semicolon between two statements may be missing.
    return in_batch_ ? find({"INSERT", "UPDATE", "DELETE", "APPLY"}) : skip_rest();
  }

  /// CREATE, ALTER, DROP and their kin: the table that they are about, where there is one.
  Result<> definition() {
    ATHENA_TRY_VOID(find({"TABLE", "COLUMNFAMILY", "VIEW", "INDEX", "TRIGGER", "KEYSPACE", "TYPE", "FUNCTION",
                          "AGGREGATE", "ROLE", "USER", "ON"}));
    if (token_.is("INDEX") || token_.is("TRIGGER")) {
      ATHENA_TRY_VOID(find({"ON"}));
      if (at_end()) return {};  // DROP INDEX names the index alone
      ATHENA_TRY_VOID(advance());
      return table(facts_.writes);
    }
    const bool is_view = token_.is("VIEW");
    if (!is_view && !token_.is("TABLE") && !token_.is("COLUMNFAMILY")) return {};
    ATHENA_TRY_VOID(advance());
    while (token_.is("IF") || token_.is("NOT") || token_.is("EXISTS")) ATHENA_TRY_VOID(advance());
    ATHENA_TRY_VOID(table(facts_.writes));
    if (!is_view) return {};
    ATHENA_TRY_VOID(find({"FROM"}));
    if (at_end()) return {};
    ATHENA_TRY_VOID(advance());
    return table(facts_.reads);
  }

  Result<> batch() {
    ATHENA_TRY_VOID(advance());
    if (token_.is("UNLOGGED") || token_.is("LOGGED") || token_.is("COUNTER")) ATHENA_TRY_VOID(advance());
    if (!token_.is("BATCH")) return lexer_.syntax_error("BATCH is missing behind BEGIN");
    ATHENA_TRY_VOID(advance());
    in_batch_ = true;
    ATHENA_TRY_VOID(find({"INSERT", "UPDATE", "DELETE", "APPLY"}));
    while (token_.is("INSERT") || token_.is("UPDATE") || token_.is("DELETE")) {
      ATHENA_TRY_VOID(statement());
      if (token_.is_symbol(';')) ATHENA_TRY_VOID(advance());
    }
    if (!token_.is("APPLY"))
      return lexer_.syntax_error("A batch holds INSERT, UPDATE and DELETE, and ends in APPLY BATCH");
    ATHENA_TRY_VOID(advance());
    if (!token_.is("BATCH")) return lexer_.syntax_error("BATCH is missing behind APPLY");
    if (facts_.statements.empty()) facts_.statements.push_back(StatementKind::utility);
    return advance();
  }

  Lexer lexer_;
  Token token_;
  SqlFacts facts_;
  bool in_batch_ = false;
};

}  // namespace

Result<SqlFacts> analyze_cql(std::string_view text) {
  return Analysis(text).run();
}

}  // namespace athena::driver::scylla
