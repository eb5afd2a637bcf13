#include "fetch_templates.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <athena/base/digest.h>
#include <athena/base/json.h>

namespace athena::gateway {
namespace {

/// Stand for a value in a frame. JSON knows no such bytes outside of escapes, and a body that has them nevertheless has
/// fewer values than a frame has marks.
constexpr char kNumberMark = '\x01', kTextMark = '\x02';
constexpr std::size_t kMaxDigits = 18;  // fits 64 bits, whatever they are

bool ends_value(char c) noexcept {
  return c == ',' || c == '}' || c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/// The bytes of an integer at the beginning of `text`, as JSON writes them; 0: there is none that is plain enough.
std::size_t integer_bytes(std::string_view text) noexcept {
  const std::size_t sign = text.starts_with('-') ? 1 : 0;
  std::size_t end = sign;
  while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
  const std::size_t digits = end - sign;
  if (digits == 0 || digits > kMaxDigits || (digits > 1 && text[sign] == '0')) return 0;
  return end < text.size() && ends_value(text[end]) ? end : 0;
}

/// The bytes of a string of printable ASCII without escapes, quotes included; 0: there is none.
std::size_t string_bytes(std::string_view text) noexcept {
  if (!text.starts_with('"')) return 0;
  std::size_t end = 1;
  while (end < text.size() && text[end] >= ' ' && text[end] <= '~' && text[end] != '"' && text[end] != '\\') ++end;
  const bool is_whole = end + 1 < text.size() && text[end] == '"' && ends_value(text[end + 1]);
  return is_whole && end - 1 <= FetchTemplates::kMaxValueBytes ? end + 1 : 0;
}

/// Whether the quote of `…value":` that stands before `end` opens the name of a member that holds a value.
bool is_value_member(std::string_view before) noexcept {
  return before.ends_with('"') || before.ends_with("\"eq_");
}

/// A value of the same kind that is told from those with another number.
query::Scalar stand_in(const query::Scalar& value, std::uint64_t number) {
  const std::string name = std::to_string(number);
  if (std::holds_alternative<query::Number>(value)) return query::Number{name};
  return "value " + name;
}

/// The body again, with other values.
std::string put_together(std::string_view frame, const std::vector<query::Scalar>& values) {
  std::string body;
  std::size_t next = 0;
  for (const char c : frame) {
    if (c != kNumberMark && c != kTextMark) {
      body += c;
    } else if (next < values.size()) {
      const query::Scalar& value = values[next++];
      const auto* number = std::get_if<query::Number>(&value);
      body += number ? number->digits : '"' + std::get<std::string>(value) + '"';
    }
  }
  return body;
}

/// Whether the conditions are equalities with these values, in their order.
bool compares_with(const query::Filter& where, const std::vector<query::Scalar>& values) {
  if (where.negated || where.join != query::Filter::Join::all_of || where.terms.size() != values.size()) return false;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto* predicate = std::get_if<query::Predicate>(&where.terms[i]);
    const bool is_equality = predicate && predicate->op == query::Op::eq && !predicate->negated &&
                             predicate->column.path.empty() && predicate->operands.size() == 1;
    if (!is_equality || predicate->operands.front() != values[i]) return false;
  }
  return true;
}

/// The SDK says each value twice, in both forms of a condition: {"eq_column","eq_value","operator","column","value"}.
/// Leaves one of two; false: they are not pairs, or differ.
bool fold_pairs(std::vector<query::Scalar>& values) {
  const std::size_t half = values.size() / 2;
  if (values.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < half; ++i) {
    if (values[2 * i] != values[2 * i + 1]) return false;
    if (i > 0) values[i] = std::move(values[2 * i]);
  }
  values.resize(half);
  return true;
}

/// What needs more than the statement and its rows is read each time.
bool is_plain(const query::FetchRequest& fetch) noexcept {
  return fetch.count == query::Count::none && !fetch.head && !fetch.grouping && !fetch.select.cursor;
}

}  // namespace

std::uint64_t limit_and_one_more(query::FetchRequest& fetch) {
  constexpr std::uint64_t kLargest = std::numeric_limits<std::int64_t>::max();  // that databases take
  if (fetch.head) fetch.select.limit = 0;
  if (fetch.select.cursor) return fetch.head ? 0 : kLargest;
  const std::uint64_t limit = fetch.select.limit.value_or(kLargest);
  if (!fetch.head && limit < kLargest) fetch.select.limit = limit + 1;
  return limit;
}

bool FetchTemplates::Cut::make(std::string_view body) {
  constexpr std::string_view kMember = "value\":";
  frame.clear();
  values.clear();
  if (body.size() > kMaxBodyBytes) return false;
  for (std::size_t at; (at = body.find(kMember)) != std::string_view::npos;) {
    const bool holds_value = is_value_member(body.substr(0, at));
    at += kMember.size();
    frame.append(body.substr(0, at));
    body.remove_prefix(at);
    if (!holds_value) continue;
    if (const std::size_t number = integer_bytes(body)) {
      values.emplace_back(query::Number{std::string(body.substr(0, number))});
      frame += kNumberMark;
      body.remove_prefix(number);
    } else if (const std::size_t text = string_bytes(body)) {
      values.emplace_back(std::string(body.substr(1, text - 2)));
      frame += kTextMark;
      body.remove_prefix(text);
    }
  }
  frame.append(body);
  return true;
}

std::optional<RecalledFetch> FetchTemplates::find(std::string_view body) {
  is_cut_ = cut_.make(body);
  if (!is_cut_) return std::nullopt;
  const auto found = known_.find(cut_.frame);
  if (found == known_.end()) return std::nullopt;
  const std::size_t wanted = found->second->statement->select.where.terms.size();
  if (cut_.values.size() == 2 * wanted && !fold_pairs(cut_.values)) return std::nullopt;
  if (cut_.values.size() != wanted) return std::nullopt;
  return RecalledFetch{found->second, std::move(cut_.values)};
}

/// The body of the frame with stand-ins from `first` on, if its conditions compare with them.
Result<query::FetchRequest> FetchTemplates::read_with(std::uint64_t first, std::size_t conditions,
                                                      const query::ReadOptions& options) const {
  const std::size_t count = cut_.values.size();
  std::vector<query::Scalar> others;
  for (std::size_t i = 0; i < count; ++i) others.push_back(stand_in(cut_.values[i], first + i * conditions / count));
  const std::string body = put_together(cut_.frame, others);
  ATHENA_TRY(const auto document, json::Document::parse(body));
  ATHENA_TRY(auto fetch, query::read_fetch(document.root(), options));
  const bool are_single = count == conditions || fold_pairs(others);
  if (!are_single || !is_plain(fetch) || !compares_with(fetch.select.where, others)) return fail(Code::invalid_request);
  return fetch;
}

void FetchTemplates::learn(const query::FetchRequest& fetch, const query::ReadOptions& options) {
  if (!std::exchange(is_cut_, false) || !is_plain(fetch)) return;
  const std::size_t conditions = fetch.select.where.terms.size(), values = cut_.values.size();
  if (values != conditions && values != 2 * conditions) return;
  Digest digest;
  digest.add(cut_.frame);
  std::uint64_t& seen = seen_[digest.value() % seen_.size()];
  if (std::exchange(seen, digest.value()) != digest.value()) return;
  // It is read twice more, each time with other values: what its conditions compare with is the values of the frame,
  // since a value that stands fixed in the body cannot be the one and the other.
  Result<query::FetchRequest> again;
  for (const std::uint64_t first : {700'000'000'000'000U, 900'000'000'000'000U}) {
    again = read_with(first, conditions, options);
    if (!again) return;
  }
  FetchTemplate made;
  made.limit = limit_and_one_more(*again);
  made.strip_nulls = again->strip_nulls;
  made.has_strip_nulls_field = again->has_strip_nulls_field;
  made.statement = std::make_shared<query::SelectTemplate>(std::move(again->select));
  if (known_.size() == kMost) known_.clear();
  known_.emplace(cut_.frame, std::make_shared<FetchTemplate>(std::move(made)));
}

void FetchTemplates::clear() {
  known_.clear();
  seen_.fill(0);
}

}  // namespace athena::gateway
