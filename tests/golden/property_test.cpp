#include <gtest/gtest.h>

#include <random>
#include <string>

#include <athena/base/buffer.h>
#include <athena/base/json_writer.h>
#include <athena/query/read_json.h>

#include "golden_schema.h"
#include "oracle.h"

namespace athena::query {
namespace {

constexpr int kStatements = 20'000;
/// Stands in every text that a caller makes up, and nowhere in the schema.
constexpr std::string_view kMark = "M4RK";

/// Random requests: half sensible, so that most of them reach the printer, half hostile. The same in every run.
class Requests {
 public:
  Requests(std::uint64_t seed, const Schema& schema) : schema_(schema), random_(seed) {}

  enum class Kind : std::uint8_t { fetch, update, insert, del };
  Kind kind() { return static_cast<Kind>(below(4)); }

  std::string body(Kind kind) {
    Buffer out;
    json::Writer writer(out);
    writer.begin_object();
    table_ = &schema_.tables()[below(schema_.tables().size())];
    const bool dotted = table_->name.contains('.');
    writer.key("table_name").string(chance(20) ? hostile() : dotted ? "\"" + table_->name + "\"" : table_->name);
    if (table_->schema != "public")
      writer.key("schema_name").string(table_->schema);
    else if (chance(20))
      writer.key("schema_name").string(chance(2) ? "public" : hostile());
    if (!chance(4)) conditions(writer);
    switch (kind) {
      case Kind::fetch:
        fetch(writer);
        break;
      case Kind::update:
        update(writer);
        break;
      case Kind::insert:
        insert(writer);
        break;
      case Kind::del:
        if (chance(3)) value(writer.key("resource_id"));
        break;
    }
    if (chance(3)) columns(writer);
    if (kind != Kind::fetch && chance(4)) writer.key("allow_unfiltered").boolean(true);
    writer.end_object();
    return std::string(out.view());
  }

  std::string filter() {
    if (!table_) table_ = schema_.find("", "users", {});
    std::string text;
    for (std::size_t i = 0, n = 1 + below(3); i < n; ++i) {
      if (i > 0) text += ',';
      if (chance(6)) text += "not.";
      if (chance(5)) {
        text += std::string(chance(2) ? "or(" : "and(") + filter() + ")";
        continue;
      }
      text += name() + "." + std::string(pick(kOperators)) + "." + text_value();
    }
    return text;
  }

 private:
  static constexpr std::string_view kOperators[] = {
      "eq",     "neq",   "gt",   "gte",         "lt",         "lte",      "like",        "ilike",    "match",
      "imatch", "in",    "nin",  "is",          "isdistinct", "contains", "containedBy", "overlaps", "fts",
      "plfts",  "phfts", "wfts", "starts_with", "ends_with",  "between",  "cs",          "=",        "!="};
  static constexpr std::string_view kHostile[] = {
      "'",    "\"", "\\", ";",  "--",      "/*",  "*/",   "$1", "?1",   "{c}",
      "{1}",  "$$", "\n", "::", "->",      "->>", ",",    ".",  "(",    ")",
      "{",    "}",  "[",  "]",  " or 1=1", "😀",  "\x01", "E'", "U&\"", "; drop table users; --",
      "null", "0x", "%",  "_"};

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }
  bool chance(std::size_t one_in) { return below(one_in) == 0; }
  template <std::size_t n>
  std::string_view pick(const std::string_view (&from)[n]) {
    return from[below(n)];
  }

  /// Sometimes of another table, sometimes in other case.
  std::string column() {
    const TableDef& table = chance(30) ? schema_.tables()[below(schema_.tables().size())] : *table_;
    std::string text = table.columns[below(table.columns.size())].name;
    if (chance(10) && text[0] >= 'a') text[0] = static_cast<char>(text[0] & ~0x20);
    return text;
  }
  std::string hostile() {
    std::string text;
    for (std::size_t i = 0, n = below(4); i < n; ++i) text += pick(kHostile);
    text += kMark;
    for (std::size_t i = 0, n = below(4); i < n; ++i) text += pick(kHostile);
    return text;
  }
  std::string name() {
    if (chance(20)) return hostile();
    std::string text = column();
    if (chance(30)) return "*";
    if (text == "profile" || text == "data" || text == "plain" ? chance(2) : chance(30))
      text += (chance(2) ? "->" : "->>") + (chance(3) ? std::to_string(below(9)) : hostile());
    return text;
  }
  std::string text_value() {
    switch (below(5)) {
      case 0:
        return std::to_string(below(1000));
      case 1:
        return "null";
      case 2:
        return "(1,2)";
      case 3:
        return chance(2) ? "{a,b}" : "(\"" + std::string(kMark) + ",x\",1)";
      default:
        return hostile();
    }
  }

  json::Writer& value(json::Writer& writer, std::size_t depth = 0) {
    switch (below(depth < 3 ? 8 : 6)) {
      case 0:
        return writer.null();
      case 1:
        return writer.boolean(chance(2));
      case 2:
        return writer.integer(static_cast<std::int64_t>(random_()));
      case 3:
        return writer.raw("123456789012345678901234567890.5e-3");
      case 4:
        return writer.integer(below(100));
      case 5:
        return writer.string(hostile());
      case 6: {
        writer.begin_array();
        for (std::size_t i = 0, n = below(4); i < n; ++i) value(writer, depth + 1);
        return writer.end_array();
      }
      default: {
        writer.begin_object();
        for (std::size_t i = 0, n = below(3); i < n; ++i) value(writer.key(hostile()), depth + 1);
        return writer.end_object();
      }
    }
  }

  void condition(json::Writer& writer, std::size_t depth = 0) {
    writer.begin_object();
    const std::size_t form = below(depth < 3 ? 10 : 6);
    if (form < 3) {
      writer.key("eq_column").string(name());
      value(writer.key("eq_value"));
    } else if (form < 6) {
      writer.key("operator").string(chance(15) ? hostile() : std::string(pick(kOperators)));
      writer.key("column").string(name());
      value(writer.key("value"));
    } else if (form == 6) {
      writer.key("operator").string(chance(2) ? "or" : "not");
      writer.key("value").string(filter());
    } else if (form == 7) {
      condition(writer.key("not"), depth + 1);
    } else {
      writer.key(chance(2) ? "or" : "and").begin_array();
      for (std::size_t i = 0, n = 1 + below(3); i < n; ++i) condition(writer, depth + 1);
      writer.end_array();
    }
    writer.end_object();
  }
  void conditions(json::Writer& writer) {
    writer.key("conditions").begin_array();
    for (std::size_t i = 0, n = below(3); i < n; ++i) condition(writer);
    writer.end_array();
  }

  void columns(json::Writer& writer) {
    writer.key("columns").begin_array();
    for (std::size_t i = 0, n = below(4); i < n; ++i) {
      std::string text = chance(2) ? "k" + std::to_string(i) + (chance(4) ? hostile() : "") + ":" : "";
      text += name();
      if (chance(5)) text += chance(4) ? "::" + hostile() : "::text";
      writer.string(text);
    }
    writer.end_array();
  }
  void row(json::Writer& writer) {
    writer.begin_object();
    for (std::size_t i = 0, n = below(4); i < n; ++i) value(writer.key(chance(30) ? hostile() : column()));
    writer.end_object();
  }
  void sort(json::Writer& writer) {
    writer.key("sort_by").begin_object().key("field").string(name());
    if (chance(2)) writer.key("direction").string(chance(8) ? hostile() : "desc");
    if (chance(3)) writer.key("nulls").string("first");
    writer.end_object();
  }
  void fetch(json::Writer& writer) {
    if (chance(2)) writer.key("limit").integer(below(100));
    if (chance(4)) writer.key("offset").string(chance(3) ? hostile() : "7");
    if (chance(3)) sort(writer);
  }
  void update(json::Writer& writer) {
    row(writer.key(chance(2) ? "set" : "update_body"));
    if (chance(5)) sort(writer);
    if (chance(5)) value(writer.key("resource_id"));
  }
  void insert(json::Writer& writer) {
    writer.key("insert_body").begin_array();
    for (std::size_t i = 0, n = 1 + below(3); i < n; ++i) row(writer);
    writer.end_array();
    if (chance(4)) writer.key("on_conflict").string(chance(3) ? hostile() : "id");
    if (chance(4)) row(writer.key("update_body"));
    if (chance(6)) writer.key("default_to_null").boolean(true);
  }

  const Schema& schema_;
  const TableDef* table_ = nullptr;
  std::mt19937_64 random_;
};

Result<Statement> read(Requests::Kind kind, const json::Value& body) {
  const ReadOptions options;
  switch (kind) {
    case Requests::Kind::fetch: {
      ATHENA_TRY(auto request, read_fetch(body, options));
      return Statement(std::move(request.select));
    }
    case Requests::Kind::update: {
      ATHENA_TRY(auto request, read_update(body, options));
      return Statement(std::move(request.update));
    }
    case Requests::Kind::insert: {
      ATHENA_TRY(auto request, read_insert(body, options));
      return Statement(std::move(request.insert));
    }
    case Requests::Kind::del: {
      ATHENA_TRY(auto request, read_delete(body, options));
      return Statement(std::move(request.del));
    }
  }
  return fail(Code::invalid_request);
}

TEST(Property, whatever_is_asked_the_statement_is_one_and_holds_nothing_of_the_callers) {
  const Schema schemas[] = {golden_schema(Flavor::postgres), golden_schema(Flavor::sqlite), golden_schema(Flavor::d1)};
  Requests requests(20'250'101, schemas[0]);
  std::size_t printed_count[] = {0, 0, 0};
  for (int i = 0; i < kStatements; ++i) {
    const auto kind = requests.kind();
    const std::string body = requests.body(kind);
    const auto document = json::Document::parse(body);
    ASSERT_TRUE(document.has_value()) << body << document.error().error;
    const auto statement = read(kind, document->root());
    if (!statement) {
      ASSERT_FALSE(statement.error().error.empty()) << body;
      continue;
    }
    for (const Flavor flavor : {Flavor::postgres, Flavor::sqlite, Flavor::d1}) {
      const auto at = static_cast<std::size_t>(flavor);
      const auto printed = to_sql(*statement, schemas[at], {.flavor = flavor, .names = {.camel_to_snake = true}});
      if (!printed) continue;
      ++printed_count[at];
      ASSERT_FALSE(printed->sql.contains(kMark)) << body << "\n" << printed->sql;
      const auto wrong = complaint(*printed, schemas[at], flavor, *statement);
      ASSERT_FALSE(wrong.has_value()) << *wrong << "\n" << body << "\n" << printed->sql;
    }
  }
  // Otherwise the generator asks only for what is refused anyway.
  EXPECT_GT(printed_count[0], static_cast<std::size_t>(kStatements / 5));
  EXPECT_GT(printed_count[1], static_cast<std::size_t>(kStatements / 10));
  EXPECT_GT(printed_count[2], static_cast<std::size_t>(kStatements / 10));
}

TEST(Property, dotted_text_never_reaches_the_statement) {
  const Schema schema = golden_schema(Flavor::postgres);
  Requests requests(20'250'102, schema);
  std::size_t printed_count = 0;
  for (int i = 0; i < kStatements; ++i) {
    Select select;
    select.from.name = "users";
    const std::string text = requests.filter();
    auto filter = read_filter_text(text, Filter::Join::any_of, ReadOptions());
    if (!filter) continue;
    select.where = *std::move(filter);
    const auto printed = to_sql(select, schema, {.flavor = Flavor::postgres, .names = {}});
    if (!printed) continue;
    ++printed_count;
    const auto wrong = complaint(*printed, schema, Flavor::postgres, select);
    ASSERT_FALSE(wrong.has_value()) << *wrong << "\n" << text << "\n" << printed->sql;
  }
  EXPECT_GT(printed_count, static_cast<std::size_t>(kStatements / 20));
}

TEST(Oracle, knows_a_foreign_token_when_it_sees_one) {
  const Schema schema = golden_schema(Flavor::postgres);
  for (const std::string_view sql : {"SELECT 'x'", "SELECT M4RK", "SELECT \"nope\"", "SELECT $1", "SELECT 1;",
                                     "SELECT 1 -- x", "SELECT \"id", "SELECT {c}", "SELECT /*", "SELECT $x"}) {
    Printed printed;
    printed.sql = sql;
    EXPECT_TRUE(complaint_about_tokens(printed, schema, Flavor::postgres).has_value()) << sql;
  }
  EXPECT_TRUE(complaint_of_parser("SELECT 1; SELECT 2", "SelectStmt").has_value());
  EXPECT_TRUE(complaint_of_parser("SELECT 1", "InsertStmt").has_value());
  EXPECT_TRUE(complaint_of_parser("SELEC 1", "SelectStmt").has_value());
  EXPECT_FALSE(complaint_of_parser("SELECT 1", "SelectStmt").has_value());
}

}  // namespace
}  // namespace athena::query
