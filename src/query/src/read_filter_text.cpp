#include <algorithm>

#include <athena/base/buffer.h>
#include <athena/base/json_writer.h>
#include <athena/base/text.h>

#include "conditions.h"
#include "words.h"

namespace athena::query {
namespace {

using Term = std::variant<Predicate, Filter>;

constexpr std::string_view kHowToQuote = "Put names and values with , . ( ) between double quotes: \"a.b\".eq.\"x,y\"";

/// Digits that JSON would take as a number.
bool is_number(std::string_view text) {
  const bool starts_like_one = !text.empty() && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9'));
  if (!starts_like_one) return false;
  const auto document = json::Document::parse(text, {.max_depth = 1, .max_nodes = 1});
  return document && document->root().is_number() && document->root().digits().size() == text.size();
}

/// Reads the dotted language: terms between commas, `and(…)` and `or(…)` around lists of them, `not.` before a term or
/// an operator. It never looks at anything twice, but for `{…}` and `[…]`, whose end is searched once.
class TextReader {
 public:
  TextReader(std::string_view text, Budget& budget) : text_(text), rest_(text), budget_(budget) {}

  Result<Filter> read_all(Filter::Join join) {
    Filter filter;
    filter.join = join;
    // "(a.eq.1,b.eq.2)" is how PostgREST's clients write the list of an or.
    const bool wrapped = take(rest_, "(");
    ATHENA_TRY_VOID(read_list(filter, wrapped));
    if (wrapped && !take(rest_, ")")) return refuse("')' is missing");
    if (!rest_.empty()) return refuse("',' or the end is expected");
    return filter;
  }

  /// column.op.value where the value is all the rest.
  Result<Predicate> read_one() {
    whole_ = true;
    ATHENA_TRY(Predicate predicate, read_predicate(false));
    return predicate;
  }

 private:
  std::unexpected<Error> refuse(std::string_view why) const {
    const std::size_t at = text_.size() - rest_.size() + 1;
    return refuse_condition(std::string(why) + " (character " + std::to_string(at) + ")", std::string(kHowToQuote));
  }

  void skip_blanks() {
    while (rest_.starts_with(' ')) rest_.remove_prefix(1);
  }

  Result<> read_list(Filter& filter, bool nested) {
    do {
      ATHENA_TRY(auto term, read_term(nested));
      filter.terms.push_back(std::move(term));
      skip_blanks();
    } while (take(rest_, ","));
    return {};
  }

  Result<Term> read_term(bool nested) {
    skip_blanks();
    bool negated = false;
    while (take(rest_, "not.")) negated = !negated;
    const bool any_of = rest_.starts_with("or(");
    if (any_of || rest_.starts_with("and(")) {
      const Deeper deeper(budget_);
      if (!deeper.ok()) return too_deep();
      rest_.remove_prefix(any_of ? 3 : 4);
      Filter filter;
      filter.join = any_of ? Filter::Join::any_of : Filter::Join::all_of;
      filter.negated = negated;
      ATHENA_TRY_VOID(read_list(filter, true));
      if (!take(rest_, ")")) return refuse("')' is missing");
      return filter;
    }
    ATHENA_TRY(Predicate predicate, read_predicate(nested));
    predicate.negated ^= negated;
    return predicate;
  }

  Result<Predicate> read_predicate(bool nested) {
    ATHENA_TRY_VOID(spend_condition(budget_));
    Predicate predicate;
    ATHENA_TRY(predicate.column, read_text_column());
    if (!take(rest_, ".")) return refuse("a column, a dot, an operator, a dot and a value are expected");
    while (take(rest_, "not.")) predicate.negated = !predicate.negated;
    const std::size_t end = rest_.find_first_of(".,()");
    if (end == 0 || end == std::string_view::npos || rest_[end] != '.')
      return refuse("an operator, a dot and a value are expected");
    const std::string_view name = rest_.substr(0, end);
    const OpRow* row = find_operator(name);
    if (!row) return unknown_operator(name);
    rest_.remove_prefix(end + 1);
    predicate.op = row->op;
    ATHENA_TRY_VOID(read_operands(predicate, *row, nested));
    return predicate;
  }

  /// The name may have a path, whose keys may be quoted too; both end at the dot.
  Result<Column> read_text_column() {
    const std::string_view begin = rest_;
    take_token(rest_, {"->", ".", ",", "(", ")"});
    while (take(rest_, "->")) {
      take(rest_, ">");
      take_token(rest_, {"->", ".", ",", "(", ")"});
    }
    auto column = read_column(begin.substr(0, begin.size() - rest_.size()));
    if (!column) return refuse_condition(column.error().error, std::string(kHowToQuote));
    return column;
  }

  Result<> read_operands(Predicate& predicate, const OpRow& row, bool nested) {
    switch (row.arity) {
      case Arity::one:
        return read_single(predicate, row, nested);
      case Arity::word: {
        ATHENA_TRY(predicate.operands.emplace_back(), read_word(read_value(nested).text));
        return {};
      }
      case Arity::list:
      case Arity::two:
        return read_operand_list(predicate, row);
      case Arity::json:
        return read_set(predicate, nested);
    }
    return {};
  }

  Result<> read_single(Predicate& predicate, const OpRow& row, bool nested) {
    Token token = read_value(nested);
    if (row.form == Form::value) {
      Scalar value = typed(std::move(token));
      const bool null_fits = row.op == Op::eq || row.op == Op::neq || row.op == Op::isdistinct;
      if (std::holds_alternative<std::monostate>(value) && !null_fits) {
        return refuse("nothing compares with null by this operator, use is.null");
      }
      predicate.operands.push_back(std::move(value));
      return {};
    }
    // In a URL '%' would have to be escaped, so '*' stands for it, as in PostgREST; a quoted one is a star.
    const bool pattern = row.op == Op::like || row.op == Op::ilike;
    if (pattern && !token.was_quoted) std::ranges::replace(token.text, '*', '%');
    predicate.operands.emplace_back(std::move(token.text));
    return {};
  }

  Result<> read_operand_list(Predicate& predicate, const OpRow& row) {
    if (whole_) {
      ATHENA_TRY(predicate.operands, read_list_text(rest_, budget_));
      rest_ = {};
    } else {
      ATHENA_TRY(predicate.operands, read_parenthesised());
    }
    if (row.arity == Arity::two && predicate.operands.size() != 2) return refuse("two bounds are expected: (1,10)");
    return {};
  }

  Result<std::vector<Scalar>> read_parenthesised() {
    if (!take(rest_, "(")) return refuse("a list like (1,2) is expected");
    std::vector<Scalar> items;
    if (take(rest_, ")")) return items;
    do {
      if (budget_.list == 0) return fail(Code::limit_exceeded, ": the list has too many elements");
      --budget_.list;
      items.push_back(typed(take_token(rest_, {",", ")"})));
    } while (take(rest_, ","));
    if (!take(rest_, ")")) return refuse("')' is missing");
    return items;
  }

  /// `{a,b}` (an array of the database, or an object), `[1,2]` (JSON, or a range), or any value.
  Result<> read_set(Predicate& predicate, bool nested) {
    if (!rest_.starts_with('{') && !rest_.starts_with('[') && !rest_.starts_with('(')) {
      Token token = read_value(nested);
      const bool list_of_sdk = whole_ && !token.was_quoted;
      if (list_of_sdk) {
        ATHENA_TRY(const auto items, read_list_text(token.text, budget_));
        predicate.operands.emplace_back(JsonText{json_array(items)});
      } else {
        predicate.operands.emplace_back(std::move(token.text));
      }
      return {};
    }
    const std::size_t size = whole_ ? rest_.size() : balanced(rest_);
    if (size == 0) return refuse("the bracket is never closed");
    predicate.operands.emplace_back(std::string(rest_.substr(0, size)));
    rest_.remove_prefix(size);
    return {};
  }

  /// Bytes up to the bracket that closes the first one; 0 if there is none. Ranges may mix them: [1,5).
  static std::size_t balanced(std::string_view text) {
    std::size_t open = 0;
    bool in_quotes = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (c == '\\' && in_quotes) {
        ++i;
      } else if (c == '"') {
        in_quotes = !in_quotes;
      } else if (!in_quotes && (c == '{' || c == '[' || c == '(')) {
        ++open;
      } else if (!in_quotes && (c == '}' || c == ']' || c == ')') && --open == 0) {
        return i + 1;
      }
    }
    return 0;
  }

  static std::string json_array(const std::vector<Scalar>& items);

  Token read_value(bool nested) {
    if (!whole_) return nested ? take_token(rest_, {",", ")"}) : take_token(rest_, {","});
    return take_token(rest_, {});
  }

  std::string_view text_, rest_;
  Budget& budget_;
  bool whole_ = false;  ///< the value is all that is left, whatever is in it
};

void append_json(std::string& out, const Scalar& item) {
  struct Append {
    std::string& out;
    void operator()(std::monostate) const { out += "null"; }
    void operator()(bool value) const { out += value ? "true" : "false"; }
    void operator()(const Number& number) const { out += number.digits; }
    void operator()(const JsonText& json) const { out += json.text; }
    void operator()(const std::string& text) const {
      Buffer buffer;
      json::append_string(buffer, text);
      out += buffer.view();
    }
  };
  std::visit(Append{out}, item);
}

std::string TextReader::json_array(const std::vector<Scalar>& items) {
  std::string array = "[";
  for (const Scalar& item : items) {
    if (array.size() > 1) array += ',';
    append_json(array, item);
  }
  return array += ']';
}

/// `word.word.` at the front of a piece: somebody meant a condition.
bool looks_like_condition(std::string_view piece) {
  const Token column = take_token(piece, {"."});
  const bool named = !column.text.empty() && column.text.find(' ') == std::string::npos && take(piece, ".");
  const std::size_t dot = piece.find('.');
  return named && dot != std::string_view::npos && dot > 0 && piece.substr(0, dot).find(' ') == std::string_view::npos;
}

}  // namespace

Scalar typed(Token token) {
  if (token.was_quoted) return std::move(token.text);
  if (token.text == "null") return std::monostate();
  if (token.text == "true") return true;
  if (token.text == "false") return false;
  if (is_number(token.text)) return Number{std::move(token.text)};
  return std::move(token.text);
}

Result<std::vector<Scalar>> read_list_text(std::string_view text, Budget& budget) {
  std::string_view rest = text::trim(text);
  const bool wrapped = rest.starts_with('(') && rest.ends_with(')');
  if (wrapped) rest = rest.substr(1, rest.size() - 2);
  std::vector<Scalar> items;
  if (wrapped && text::trim(rest).empty()) return items;
  do {
    if (budget.list == 0) return fail(Code::limit_exceeded, ": the list has too many elements");
    --budget.list;
    items.push_back(typed(take_token(rest, {","})));
  } while (take(rest, ","));
  return items;
}

Result<Filter> read_filter_text(std::string_view text, Filter::Join join, Budget& budget) {
  const Deeper deeper(budget);
  if (!deeper.ok()) return too_deep();
  return TextReader(text::trim(text), budget).read_all(join);
}

Result<Filter> read_negated_text(std::string_view text, Budget& budget) {
  const Deeper deeper(budget);
  if (!deeper.ok()) return too_deep();
  const std::string_view trimmed = text::trim(text);
  // The SDK's not("name", "eq", "a, b") writes name.eq.a, b without quotes: commas belong to the value, unless
  // conditions follow them.
  const bool tree = trimmed.starts_with("and(") || trimmed.starts_with("or(") || trimmed.starts_with('(');
  std::string_view rest = trimmed;
  take_piece(rest);
  bool is_list = false;
  while (rest.data() && !is_list) is_list = looks_like_condition(take_piece(rest));
  Filter filter;
  if (tree || is_list) {
    ATHENA_TRY(filter, TextReader(trimmed, budget).read_all(Filter::Join::all_of));
  } else {
    ATHENA_TRY(filter.terms.emplace_back(), TextReader(trimmed, budget).read_one());
  }
  filter.negated = true;
  return filter;
}

Result<Filter> read_filter_text(std::string_view text, Filter::Join join, const ReadOptions& options) {
  Budget budget(options);
  if (!text::is_utf8(text) || text.contains('\0')) {
    return fail(Code::invalid_encoding, "The filter is not valid UTF-8 text");
  }
  auto filter = read_filter_text(text, join, budget);
  if (!filter) return fail(placed("filter", std::move(filter).error()));
  return filter;
}

}  // namespace athena::query
