#include <athena/query/operators.h>

#include <algorithm>
#include <iterator>

#include <athena/base/text.h>

namespace athena::query {
namespace {

constexpr std::string_view kEq[] = {"=", "==", "equals"};
constexpr std::string_view kNeq[] = {"!=", "<>", "ne", "not_eq"};
constexpr std::string_view kGt[] = {">"};
constexpr std::string_view kGte[] = {">=", "ge"};
constexpr std::string_view kLt[] = {"<"};
constexpr std::string_view kLte[] = {"<=", "le"};
constexpr std::string_view kMatch[] = {"~", "regex"};
constexpr std::string_view kImatch[] = {"~*", "iregex"};
constexpr std::string_view kNin[] = {"not_in", "notin"};
constexpr std::string_view kIsDistinct[] = {"is_distinct", "is_distinct_from"};
constexpr std::string_view kContains[] = {"cs", "@>", "array_contains"};
constexpr std::string_view kContainedBy[] = {"cd", "<@", "contained", "contained_by", "array_contained"};
constexpr std::string_view kOverlaps[] = {"ov", "&&", "overlap", "array_overlaps"};
constexpr std::string_view kFts[] = {"@@", "text_search"};
constexpr std::string_view kStartsWith[] = {"sw", "startswith", "^@"};
constexpr std::string_view kEndsWith[] = {"ew", "endswith"};

/// In the order of the enumerators. SQLite's LIKE minds no case, and gets the escape character that PostgreSQL's has by
/// default; its GLOB minds it.
// clang-format off
constexpr OpRow kRows[] = {
    {Op::eq, "eq", kEq, Arity::one, Form::value,
     "{c} = {1}", "{c} = {1}", "{c} = {1}", "eq"},
    {Op::neq, "neq", kNeq, Arity::one, Form::value,
     "{c} <> {1}", "{c} <> {1}", "", "neq"},
    {Op::gt, "gt", kGt, Arity::one, Form::value,
     "{c} > {1}", "{c} > {1}", "{c} > {1}", "gt"},
    {Op::gte, "gte", kGte, Arity::one, Form::value,
     "{c} >= {1}", "{c} >= {1}", "{c} >= {1}", "gte"},
    {Op::lt, "lt", kLt, Arity::one, Form::value,
     "{c} < {1}", "{c} < {1}", "{c} < {1}", "lt"},
    {Op::lte, "lte", kLte, Arity::one, Form::value,
     "{c} <= {1}", "{c} <= {1}", "{c} <= {1}", "lte"},
    {Op::like, "like", {}, Arity::one, Form::pattern,
     "{t} LIKE {1}", "{t} GLOB {1}", "{c} LIKE {1}", "like"},
    {Op::ilike, "ilike", {}, Arity::one, Form::text,
     "{t} ILIKE {1}", "lower({t}) LIKE lower({1}) ESCAPE '\\'", "", "ilike"},
    {Op::match, "match", kMatch, Arity::one, Form::text,
     "{t} ~ {1}", "", "", "match"},
    {Op::imatch, "imatch", kImatch, Arity::one, Form::text,
     "{t} ~* {1}", "", "", "imatch"},
    {Op::in, "in", {}, Arity::list, Form::list,
     "{c} = ANY({1})", "{c} IN (SELECT value FROM json_each({1}))", "{c} IN {1}", "in"},
    {Op::nin, "nin", kNin, Arity::list, Form::list,
     "{c} <> ALL({1})", "{c} NOT IN (SELECT value FROM json_each({1}))", "", "not.in"},
    {Op::is, "is", {}, Arity::word, Form::word,
     "{c} IS {w}", "{c} IS {w}", "", "is"},
    {Op::isdistinct, "isdistinct", kIsDistinct, Arity::one, Form::value,
     "{c} IS DISTINCT FROM {1}", "{c} IS NOT {1}", "", "isdistinct"},
    {Op::contains, "contains", kContains, Arity::json, Form::set,
     "{c} @> {1}", "", "{c} CONTAINS {1}", "cs"},
    {Op::contained_by, "containedBy", kContainedBy, Arity::json, Form::set,
     "{c} <@ {1}", "", "", "cd"},
    {Op::overlaps, "overlaps", kOverlaps, Arity::json, Form::set,
     "{c} && {1}", "", "", "ov"},
    {Op::fts, "fts", kFts, Arity::one, Form::query,
     "{v} @@ to_tsquery({1})", "", "", "fts"},
    {Op::plfts, "plfts", {}, Arity::one, Form::query,
     "{v} @@ plainto_tsquery({1})", "", "", "plfts"},
    {Op::phfts, "phfts", {}, Arity::one, Form::query,
     "{v} @@ phraseto_tsquery({1})", "", "", "phfts"},
    {Op::wfts, "wfts", {}, Arity::one, Form::query,
     "{v} @@ websearch_to_tsquery({1})", "", "", "wfts"},
    {Op::starts_with, "starts_with", kStartsWith, Arity::one, Form::prefix,
     "{t} ^@ {1}", "{t} GLOB {1}", "{c} LIKE {1}", "like"},
    {Op::ends_with, "ends_with", kEndsWith, Arity::one, Form::suffix,
     "{t} LIKE {1}", "{t} GLOB {1}", "{c} LIKE {1}", "like"},
    {Op::between, "between", {}, Arity::two, Form::value,
     "{c} BETWEEN {1} AND {2}", "{c} BETWEEN {1} AND {2}", "{c} >= {1} AND {c} <= {2}", "gte"},
};
// clang-format on

constexpr bool rows_are_in_order() {
  for (std::size_t i = 0; i < std::size(kRows); ++i) {
    if (static_cast<std::size_t>(kRows[i].op) != i) return false;
  }
  return kRows[std::size(kRows) - 1].op == Op::between;
}
static_assert(rows_are_in_order(), "operator_row() indexes by the enumerator");

}  // namespace

std::string_view spelling(const OpRow& row, Language language) noexcept {
  switch (language) {
    case Language::postgres:
      return row.postgres;
    case Language::sqlite:
      return row.sqlite;
    case Language::cql:
      return row.cql;
    case Language::rest:
      return row.rest;
  }
  return {};
}

Error unsupported_operator(const OpRow& row, Language language, std::string_view backend) {
  std::string hint = "Operators that work here: ";
  for (const OpRow& other : kRows) {
    if (spelling(other, language).empty()) continue;
    if (!hint.ends_with(' ')) hint += ", ";
    hint += other.name;
  }
  return Error(Code::unsupported_operator,
               "The operator '" + std::string(row.name) + "' cannot be expressed on " + std::string(backend),
               std::move(hint))
      .with("operator", std::string(row.name))
      .with("backend", std::string(backend));
}

std::span<const OpRow> operator_rows() noexcept {
  return kRows;
}

const OpRow& operator_row(Op op) noexcept {
  return kRows[static_cast<std::size_t>(op)];
}

const OpRow* find_operator(std::string_view name) noexcept {
  for (const OpRow& row : kRows) {
    if (name == row.name) return &row;  // nearly every caller writes it like this
  }
  const auto same = [name](std::string_view other) { return text::iequals(name, other); };
  const auto* found = std::ranges::find_if(
      kRows, [&](const OpRow& row) { return same(row.name) || std::ranges::any_of(row.aliases, same); });
  return found == std::end(kRows) ? nullptr : found;
}

}  // namespace athena::query
