#include "request_json.h"

#include <gtest/gtest.h>

#include <athena/query/read_json.h>
#include <athena/sdk/filter.h>

namespace athena::sdk {
namespace {

const query::ReadOptions kNoDefault{.default_limit = 0};

Request request_of(query::Statement statement) {
  Request request;
  request.what = std::move(statement);
  return request;
}

/// What the gateway would make of it.
template <class Reader>
auto read_back(const Request& request, Reader reader) {
  const GatewayRequest json = to_gateway(request, "main");
  const auto document = json::Document::parse(json.body);
  EXPECT_TRUE(document) << json.body;
  auto read = reader(document->root(), kNoDefault);
  EXPECT_TRUE(read) << json.body << '\n' << (read ? "" : read.error().error);
  return *std::move(read);
}

query::Filter filter_of(std::vector<Filter> filters) {
  query::Filter where;
  for (const Filter& filter : filters) {
    EXPECT_FALSE(filter.error()) << filter.error()->error;
    where.terms.push_back(filter.term());
  }
  return where;
}

query::Output output(std::string_view text) {
  return query::read_output(text).value();
}

TEST(GatewayRequest, every_operator_comes_back_as_it_was) {
  query::Filter where;
  for (const query::OpRow& row : query::operator_rows()) {
    query::Predicate predicate;
    predicate.column.name = "a";
    predicate.op = row.op;
    switch (row.arity) {
      case query::Arity::one:
        predicate.operands = {std::string("x")};
        break;
      case query::Arity::list:
      case query::Arity::two:
        predicate.operands = {query::Number{"1"}, query::Number{"2.50"}};
        break;
      case query::Arity::word:
        predicate.operands = {std::string("unknown")};
        break;
      case query::Arity::json:
        predicate.operands = {query::JsonText{"[1, 2]"}};
        break;
    }
    where.terms.emplace_back(predicate);
    predicate.negated = true;
    where.terms.emplace_back(predicate);
  }
  query::Select select;
  select.from.name = "t";
  select.where = where;
  EXPECT_EQ(read_back(request_of(select), &query::read_fetch).select.where, where);
}

TEST(GatewayRequest, trees_and_values_come_back_as_they_were) {
  query::Select select;
  select.from.name = "t";
  select.where = filter_of({negated(any_of({eq("a", nullptr), all_of({neq("b", true), in("c", {})})})),
                            between("d", "2020-01-01", "2021-01-01"), eq("e", "quote \" and \\ and \n"), eq("f", 0.1)});
  EXPECT_EQ(read_back(request_of(select), &query::read_fetch).select.where, select.where);
  select.where.join = query::Filter::Join::any_of;
  const query::Filter read = read_back(request_of(select), &query::read_fetch).select.where;
  ASSERT_EQ(read.terms.size(), 1U);
  EXPECT_EQ(std::get<query::Filter>(read.terms[0]), select.where);
}

TEST(GatewayRequest, names_that_look_like_something_else_stay_names) {
  for (const char* name :
       {"a.b", "a->b", "a:b", "quo\"te", "back\\slash", "0", "Mixed Case", "emoji😀", "", " x ", "*"}) {
    query::Select select;
    select.from = {"", std::string(name) + "t"};
    select.where.terms.emplace_back(query::Predicate{
        {std::string(name) + "c", {{name, false}, {"7", false}}, true}, query::Op::eq, false, {std::string("x")}});
    select.order.push_back({{std::string(name) + "o", {}, false}, true, query::OrderBy::Nulls::last});
    select.columns.push_back(
        {{std::string(name) + "x", {{"k", false}, {"0", true}}, false}, std::string(name) + "y", "text"});
    const auto read = read_back(request_of(select), &query::read_fetch).select;
    EXPECT_EQ(read.from, select.from) << name;
    EXPECT_EQ(read.where, select.where) << name;
    EXPECT_EQ(read.order, select.order) << name;
    EXPECT_EQ(read.columns, select.columns) << name;
  }
}

TEST(GatewayRequest, a_table_of_a_schema_comes_back) {
  query::Select select;
  select.from = {"other", "t.with.dots"};
  EXPECT_EQ(read_back(request_of(select), &query::read_fetch).select.from, select.from);
}

TEST(GatewayRequest, pages_and_counts_come_back) {
  query::Select select;
  select.from.name = "t";
  select.limit = 10;
  select.offset = 20;
  Request request = request_of(select);
  request.count = query::Count::planned;
  request.head = true;
  const auto read = read_back(request, &query::read_fetch);
  EXPECT_EQ(read.select.limit, 10U);
  EXPECT_EQ(read.select.offset, 20U);
  EXPECT_EQ(read.count, query::Count::planned);
  EXPECT_TRUE(read.head);
}

TEST(GatewayRequest, without_a_limit_the_gateways_default_is_not_taken) {
  query::Select select;
  select.from.name = "t";
  EXPECT_GT(read_back(request_of(select), &query::read_fetch).select.limit.value_or(0), 1'000'000'000U);
}

TEST(GatewayRequest, an_insert_comes_back) {
  query::Insert insert;
  insert.into.name = "t";
  insert.rows = {{{"a", query::Number{"1"}}, {"b", std::monostate()}}, {{"we\"ird", query::JsonText{"{\"k\":1}"}}}};
  insert.default_to_null = true;
  insert.on_conflict = query::Conflict{{"a", "b.c"}, false, query::Row{{"b", std::string("x")}}};
  insert.returning = {output("a"), output("z:b::text")};
  const auto read = read_back(request_of(insert), &query::read_insert).insert;
  EXPECT_EQ(read.rows, insert.rows);
  EXPECT_TRUE(read.default_to_null);
  ASSERT_TRUE(read.on_conflict);
  EXPECT_EQ(read.on_conflict->target, insert.on_conflict->target);
  EXPECT_EQ(read.on_conflict->set, insert.on_conflict->set);
  EXPECT_EQ(read.returning, insert.returning);
  insert.on_conflict = query::Conflict{{}, true, std::nullopt};
  EXPECT_TRUE(read_back(request_of(insert), &query::read_insert).insert.on_conflict->do_nothing);
}

TEST(GatewayRequest, an_update_and_a_delete_come_back) {
  query::Update update;
  update.table.name = "t";
  update.set = {{"a", std::string("x")}};
  update.where = filter_of({eq("b", 1)});
  update.resource_id = query::Number{"7"};
  update.max_affected = 3;
  update.returning = {output("a")};
  const auto read = read_back(request_of(update), &query::read_update).update;
  EXPECT_EQ(read.set, update.set);
  EXPECT_EQ(read.where, update.where);
  EXPECT_EQ(read.resource_id, update.resource_id);
  EXPECT_EQ(read.max_affected, 3U);
  EXPECT_EQ(read.returning, update.returning);
  query::Delete del;
  del.from.name = "t";
  Request unfiltered = request_of(del);
  unfiltered.allow_unfiltered = true;
  EXPECT_TRUE(read_back(unfiltered, &query::read_delete).del.where.empty());
}

TEST(GatewayRequest, text_goes_with_its_parameters) {
  Request request;
  request.what = RawText{RawText::Language::sql, {"SELECT $1", {query::Number{"1.0"}, std::monostate()}, "s"}, true};
  const GatewayRequest json = to_gateway(request, "main");
  EXPECT_EQ(json.path, "/query/sql");
  EXPECT_EQ(json.body,
            R"({"query":"SELECT $1","driver":"native","db_name":"main","params":[1.0,null],"schema_name":"s",)"
            R"("read_only":true})");
}

}  // namespace
}  // namespace athena::sdk
