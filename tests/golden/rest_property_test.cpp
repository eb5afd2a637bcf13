// Whatever the values are: what PostgREST reads out of the encoded request is exactly what was asked for. The reader
// here is PostgREST's grammar once more, written from its documentation and not from the printer.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/json.h>
#include <athena/base/text.h>
#include <athena/query/print_rest.h>

#include "golden_schema.h"

namespace athena::query {
namespace {

constexpr int kRequests = 20'000;

/// A condition in a form that both sides can write: `name eq <hex of the value>`, `not or[…;…]`.
std::string test_text(std::string_view field, std::string_view op, const std::vector<std::string>& values) {
  std::string made = std::string(field) + " " + std::string(op);
  for (const std::string& value : values) made += " <" + text::hex(value) + ">";
  return made;
}
std::string group_text(bool negated, std::string_view join, const std::vector<std::string>& terms) {
  std::string made = (negated ? "not " : "") + std::string(join) + "[";
  for (const std::string& term : terms) made += term + ";";
  return made + "]";
}

/// Reads what stands behind the `?`.
class Decoder {
 public:
  static std::vector<std::string> read(std::string_view query) {
    std::vector<std::string> conditions;
    for (const std::string_view pair : text::split(query, '&')) {
      const std::size_t equals = pair.find('=');
      const std::string key = text::url_decode(pair.substr(0, equals), true).value();
      const std::string value = text::url_decode(pair.substr(equals + 1), true).value();
      if (key == "select" || key == "order" || key == "limit") continue;
      if (key == "and" || key == "or" || key == "not.and" || key == "not.or") {
        Decoder decoder(key + value);
        conditions.push_back(decoder.term());
        decoder.expect_end();
      } else {
        Decoder name(key), test(value);
        const std::string field = name.name();
        name.expect_end();
        conditions.push_back(test.condition(field, false));
        test.expect_end();
      }
    }
    return conditions;
  }

 private:
  explicit Decoder(std::string text) : text_(std::move(text)) {}

  bool skip(std::string_view word) {
    if (!std::string_view(text_).substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void expect_end() const { EXPECT_EQ(at_, text_.size()) << text_; }
  void expect(std::string_view word) { EXPECT_TRUE(skip(word)) << word << " at " << at_ << " of " << text_; }

  std::string quoted() {
    std::string value;
    for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
      value += text_[at_];
    }
    expect("\"");
    return value;
  }
  std::string name() {
    if (skip("\"")) return quoted();
    const std::size_t start = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_')) ++at_;
    EXPECT_GT(at_, start) << text_;
    return text_.substr(start, at_ - start);
  }
  std::string element() {
    if (skip("\"")) return quoted();
    const std::size_t start = at_;
    while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != ')') ++at_;
    return text_.substr(start, at_ - start);
  }
  std::string condition(const std::string& field, bool within_logic) {
    const std::string negation = skip("not.") ? "not." : "";
    if (skip("in.(")) {
      std::vector<std::string> values{element()};
      while (skip(",")) values.push_back(element());
      expect(")");
      if (values.size() == 1 && values[0].empty()) values.clear();
      return test_text(field, negation + "in", values);
    }
    const std::size_t dot = text_.find('.', at_);
    const std::string op = text_.substr(at_, dot - at_);
    at_ = dot + 1;
    std::string value = within_logic ? element() : text_.substr(at_);
    if (!within_logic) at_ = text_.size();
    return test_text(field, negation + op, {value});
  }
  std::string term() {
    const std::size_t start = at_;
    const bool negated = skip("not.");
    for (const std::string_view join : {"and(", "or("}) {
      if (!skip(join)) continue;
      std::vector<std::string> terms{term()};
      while (skip(",")) terms.push_back(term());
      expect(")");
      return group_text(negated, join.substr(0, join.size() - 1), terms);
    }
    at_ = start;
    const std::string field = name();
    expect(".");
    return condition(field, true);
  }

  std::string text_;
  std::size_t at_ = 0;
};

/// Random trees of conditions, and what they mean.
class Trees {
 public:
  std::string value() {
    static constexpr std::string_view kPieces[] = {
        ",",  ".", "(",  ")", "\"", "\\", "&",  "#",  "=",    "?",   "+",    "%",   "%2C",   " ",
        "  ", ":", "::", "{", "}",  "[",  "]",  "->", "null", "eq.", "not.", "or(", "in.(",  "or",
        "a",  "Z", "7",  "é", "😀", "\n", "\t", "'",  "$",    "/",   ";",    "|",   "x=eq.1"};
    std::string made;
    for (std::size_t i = 0, n = below(5); i < n; ++i) made += kPieces[below(std::size(kPieces))];
    return made;
  }

  Predicate predicate(std::string& meaning) {
    static constexpr std::string_view kColumns[] = {"Mixed Case", "a.b", "emoji😀", "quo\"te", "x:y", "p->q"};
    static constexpr std::pair<Op, std::string_view> kOps[] = {
        {Op::eq, "eq"}, {Op::neq, "neq"}, {Op::gt, "gt"}, {Op::lte, "lte"}, {Op::match, "match"}, {Op::like, "like"}};
    Predicate made;
    made.column.name = kColumns[below(std::size(kColumns))];
    made.negated = below(4) == 0;
    const std::string negation = made.negated ? "not." : "";
    if (below(3) == 0) {
      std::vector<std::string> values;
      for (std::size_t i = 0, n = below(4); i < n; ++i) values.push_back(value());
      for (const std::string& text : values) made.operands.emplace_back(text);
      made.op = Op::in;
      const bool is_one_empty = values.size() == 1 && values[0].empty();
      meaning = test_text(made.column.name, negation + (is_one_empty ? "eq" : "in"), values);
      return made;
    }
    const auto& [op, name] = kOps[below(std::size(kOps))];
    made.op = op;
    made.operands.emplace_back(value());
    meaning = test_text(made.column.name, negation + std::string(name), {std::get<std::string>(made.operands[0])});
    return made;
  }

  Filter filter(std::size_t depth, std::string& meaning) {
    Filter made;
    made.join = below(2) == 0 ? Filter::Join::all_of : Filter::Join::any_of;
    made.negated = below(4) == 0;
    std::vector<std::string> meanings;
    for (std::size_t i = 0, n = 1 + below(3); i < n; ++i) {
      if (depth > 0 && below(3) == 0) {
        made.terms.emplace_back(filter(depth - 1, meanings.emplace_back()));
      } else {
        made.terms.emplace_back(predicate(meanings.emplace_back()));
      }
    }
    meaning = group_text(made.negated, made.join == Filter::Join::all_of ? "and" : "or", meanings);
    return made;
  }

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

 private:
  std::mt19937_64 random_{20'250'103};
};

/// Younger operators, and names with a dot, stand within a logical expression of their own; so does a single test.
std::string without_wrapping(std::string condition) {
  while (condition.starts_with("and[") && condition.ends_with(";]")) {
    const std::string inner = condition.substr(4, condition.size() - 6);
    if (inner.contains(';')) break;
    condition = inner;
  }
  return condition;
}

TEST(RestProperty, what_was_encoded_is_read_as_it_was_meant) {
  const Schema schema = golden_schema(Flavor::postgres);
  Trees trees;
  for (int i = 0; i < kRequests; ++i) {
    Select select;
    select.from.name = "Weird \"Name";
    std::vector<std::string> wanted;
    for (std::size_t n = 1 + trees.below(2), k = 0; k < n; ++k) {
      std::string& meaning = wanted.emplace_back();
      if (trees.below(2) == 0) {
        select.where.terms.emplace_back(trees.predicate(meaning));
      } else {
        Filter filter = trees.filter(2, meaning);
        // A conjunction at the top is taken apart; that has golden lines of its own.
        if (filter.join == Filter::Join::all_of && !filter.negated) filter.negated = true, meaning = "not " + meaning;
        select.where.terms.emplace_back(std::move(filter));
      }
    }
    const auto request = to_rest(select, schema, {});
    ASSERT_TRUE(request) << request.error().error;
    const std::string target = request->target();
    const std::size_t mark = target.find('?');
    ASSERT_NE(mark, std::string::npos);
    ASSERT_EQ(
        target.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%=&", mark + 1),
        std::string::npos)
        << target;
    std::vector<std::string> read = Decoder::read(std::string_view(target).substr(mark + 1));
    for (std::string& condition : read) condition = without_wrapping(std::move(condition));
    ASSERT_EQ(read, wanted) << target;
  }
}

TEST(RestProperty, bodies_hold_the_values_as_they_were_given) {
  const Schema schema = golden_schema(Flavor::postgres);
  Trees trees;
  for (int i = 0; i < kRequests / 10; ++i) {
    Insert insert;
    insert.into.name = "Weird \"Name";
    const std::string first = trees.value(), second = trees.value();
    insert.rows.push_back({{"quo\"te", first}, {"a.b", second}});
    const auto request = to_rest(insert, schema, {});
    ASSERT_TRUE(request);
    const auto document = json::Document::parse(request->body);
    ASSERT_TRUE(document) << request->body;
    const json::Value row = *document->root().begin();
    ASSERT_EQ(row.size(), 2U);
    ASSERT_EQ(row["quo\"te"].as_string(), first);
    ASSERT_EQ(row["a.b"].as_string(), second);
  }
}

TEST(RestProperty, calls_encode_their_arguments) {
  RestOptions options;
  const Row arguments{{"a", std::string("x&b=1")}, {"n", Number{"1.50"}}, {"list", JsonText{"[1,\"b,c\"]"}}};
  const auto read = to_rest_call({.schema = "api", .name = "f/g"}, arguments, true, options);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->target(), "/rpc/f%2Fg?a=x%26b%3D1&n=1.50&list=%7B1%2C%22b%2Cc%22%7D");
  EXPECT_EQ(read->headers[0], (std::pair<std::string, std::string>("Accept-Profile", "api")));
  const auto write = to_rest_call({.schema = "", .name = "f"}, arguments, false, options);
  ASSERT_TRUE(write);
  EXPECT_EQ(write->method, "POST");
  EXPECT_EQ(write->body, R"({"a":"x&b=1","n":1.50,"list":[1,"b,c"]})");
  EXPECT_EQ(to_rest_call({.schema = "", .name = "f"}, {{"a", Scalar()}}, true, options).error().code,
            Code::invalid_value);
  EXPECT_EQ(to_rest_call({.schema = "", .name = "f"}, {{"a", JsonText{"[1"}}}, false, options).error().code,
            Code::invalid_value);
  EXPECT_EQ(to_rest_call({.schema = "", .name = "f"}, {{"a\xff", true}}, false, options).error().code,
            Code::invalid_encoding);
}

}  // namespace
}  // namespace athena::query
