#include <athena/query/read_json.h>

#include <gtest/gtest.h>

namespace athena::query {
namespace {

/// A body and what was read of it: the values are views into the text.
class Body {
 public:
  explicit Body(std::string text) : text_(std::move(text)), document_(json::Document::parse(text_)) {
    EXPECT_TRUE(document_.has_value()) << text_;
  }
  json::Value root() const { return document_->root(); }

 private:
  const std::string text_;
  const Result<json::Document> document_;
};

/// The texts are members of one object, for brevity.
template <class Read>
auto read_body(Read read, const std::string& members) {
  const Body document("{\"table_name\":\"t\"," + members + "}");
  return read(document.root(), ReadOptions());
}
auto fetch(const std::string& members) {
  return read_body(read_fetch, members);
}
auto update(const std::string& members) {
  return read_body(read_update, members);
}
auto insert(const std::string& members) {
  return read_body(read_insert, members);
}
auto del(const std::string& members) {
  return read_body(read_delete, members);
}

template <class T>
Code code(const Result<T>& result) {
  return result ? Code::internal_error : result.error().code;
}

TEST(ReadFetch, a_body_that_is_no_object_is_refused) {
  for (const std::string text : {"[]", "5", "null", "\"x\""}) {
    const Body document(text);
    EXPECT_EQ(code(read_fetch(document.root(), {})), Code::invalid_request) << text;
  }
}

TEST(ReadFetch, unknown_members_are_ignored) {
  EXPECT_TRUE(fetch(R"("surprise":[1],"table":"x")").has_value());
}

TEST(ReadFetch, null_members_count_as_absent) {
  const auto request =
      fetch(R"("columns":null,"conditions":null,"limit":null,"sort_by":null,"count":null,"group_by":null)");
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->select.limit, 100U);
  EXPECT_FALSE(request->select.stable_pages);
}

TEST(ReadFetch, flags_must_be_flags) {
  EXPECT_EQ(code(fetch(R"("head":"yes")")), Code::invalid_value);
  EXPECT_EQ(code(fetch(R"("strip_nulls":1)")), Code::invalid_value);
  EXPECT_EQ(code(fetch(R"("count":5)")), Code::invalid_value);
  EXPECT_EQ(code(fetch(R"("group_by":["a"])")), Code::invalid_value);
}

TEST(ReadFetch, paging_arithmetic) {
  struct Case {
    std::string members;
    std::uint64_t limit, offset;
  };
  for (const Case& c : {Case{R"("current_page":2,"page_size":2)", 2, 2}, Case{R"("current_page":2,"limit":2)", 2, 2},
                        Case{R"("current_page":2,"page_size":2,"limit":1)", 1, 2},
                        Case{R"("current_page":2,"page_size":2,"offset":1)", 2, 3},
                        Case{R"("offset":4,"limit":10)", 10, 4}, Case{R"("current_page":3)", 100, 200},
                        Case{R"("limit":"0")", 0, 0}, Case{R"("limit":9223372036854775806)", 9223372036854775806, 0}}) {
    const auto request = fetch(c.members);
    ASSERT_TRUE(request.has_value()) << c.members;
    EXPECT_EQ(request->select.limit, c.limit) << c.members;
    EXPECT_EQ(request->select.offset, c.offset) << c.members;
    EXPECT_TRUE(request->select.stable_pages) << c.members;
  }
}

TEST(ReadFetch, bad_paging_names_the_field) {
  for (const std::string field : {"limit", "offset", "current_page", "page_size"}) {
    for (const std::string value : {"-1", "1.5", "1e3", "\"x\"", "\"\"", "\" 1\"", "\"+1\"", "true", "[]", "{}",
                                    "9223372036854775807", "99999999999999999999999"}) {
      const auto request = fetch("\"" + field + "\":" + value);
      ASSERT_EQ(code(request), Code::invalid_value) << field << value;
      EXPECT_TRUE(request.error().error.contains(field));
    }
  }
}

TEST(ReadFetch, counts_and_heads) {
  EXPECT_EQ(fetch(R"("count":"exact","head":true)")->count, Count::exact);
  EXPECT_TRUE(fetch(R"("count":"exact","head":true)")->head);
  EXPECT_EQ(fetch(R"("count":"Estimated")")->count, Count::estimated);
  EXPECT_EQ(fetch(R"("count":true)")->count, Count::exact);
}

TEST(ReadFetch, strip_nulls_is_noted_when_it_is_there) {
  EXPECT_FALSE(fetch(R"("limit":1)")->has_strip_nulls_field);
  EXPECT_TRUE(fetch(R"("strip_nulls":null)")->has_strip_nulls_field);
  EXPECT_EQ(fetch(R"("strip_nulls":true)")->strip_nulls, true);
}

TEST(ReadFetch, grouping) {
  const auto request = fetch(R"("group_by":"at","time_granularity":"DAY","aggregation_column":"v",
                                "aggregation_strategy":"cumulative_sum","aggregation_dedup":true,"rows":false)");
  ASSERT_TRUE(request.has_value());
  ASSERT_TRUE(request->grouping.has_value());
  EXPECT_EQ(request->grouping->time_granularity, "day");
  EXPECT_TRUE(request->grouping->aggregation_dedup);
  EXPECT_FALSE(request->grouping->rows);
  EXPECT_FALSE(fetch(R"("aggregation_column":"v")")->grouping.has_value());
}

TEST(ReadFetch, too_many_columns_are_refused) {
  std::string names = "\"columns\":\"a";
  for (int i = 0; i < 1'600; ++i) names += ",a";
  EXPECT_EQ(code(fetch(names + "\"")), Code::limit_exceeded);
}

TEST(ReadConditions, a_hundred_thousand_are_refused) {
  std::string conditions = "\"conditions\":[{\"eq_column\":\"a\",\"eq_value\":1}";
  for (int i = 1; i < 100'000; ++i) conditions += ",{\"eq_column\":\"a\",\"eq_value\":1}";
  EXPECT_EQ(code(fetch(conditions + "]")), Code::limit_exceeded);
}

TEST(ReadConditions, the_bound_holds_for_trees_and_texts_together) {
  ReadOptions options;
  options.max_conditions = 3;
  const Body document(R"([{"or":[{"eq_column":"a","eq_value":1},{"eq_column":"a","eq_value":1}]},
                          {"operator":"or","value":"a.eq.1,a.eq.2"}])");
  EXPECT_EQ(code(read_conditions(document.root(), options)), Code::limit_exceeded);
}

TEST(ReadConditions, deep_trees_are_refused) {
  std::string tree = R"({"eq_column":"a","eq_value":1})";
  for (int i = 0; i < 45; ++i) tree = R"({"not":)" + tree + "}";
  EXPECT_EQ(code(fetch("\"conditions\":[" + tree + "]")), Code::limit_exceeded);
}

TEST(ReadConditions, text_in_a_deep_tree_counts_on) {
  std::string tree = R"json({"operator":"or","value":"and(and(a.eq.1))"})json";
  for (int i = 0; i < 30; ++i) tree = R"({"not":)" + tree + "}";
  EXPECT_EQ(code(fetch("\"conditions\":[" + tree + "]")), Code::limit_exceeded);
}

TEST(ReadConditions, numbers_keep_their_digits) {
  const auto request = fetch(R"("conditions":[{"eq_column":"a","eq_value":123456789012345678901234567890.10}])");
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(std::get<Predicate>(request->select.where.terms[0]).operands[0],
            Scalar(Number{"123456789012345678901234567890.10"}));
}

TEST(ReadColumn, splits_paths) {
  const auto column = read_column(" data->a->0->>\"x->y\" ");
  ASSERT_TRUE(column.has_value());
  EXPECT_EQ(column->name, "data");
  ASSERT_EQ(column->path.size(), 3U);
  EXPECT_EQ(column->path[0], (Column::Step{"a", false}));
  EXPECT_EQ(column->path[1], (Column::Step{"0", true}));
  EXPECT_EQ(column->path[2], (Column::Step{"x->y", false}));
  EXPECT_TRUE(column->path_as_text);
}

TEST(ReadColumn, a_path_has_a_bound) {
  std::string text = "a";
  for (int i = 0; i < 40; ++i) text += "->b";
  EXPECT_EQ(code(read_column(text)), Code::invalid_value);
}

TEST(ReadColumn, a_long_number_is_a_key) {
  EXPECT_FALSE(read_column("a->12345678901")->path[0].is_index);
}

TEST(ReadOutput, reads_alias_path_and_cast) {
  const auto output = read_output("\"my key\":data->>a::Double Precision");
  ASSERT_TRUE(output.has_value());
  EXPECT_EQ(output->alias, "my key");
  EXPECT_EQ(output->column.path.size(), 1U);
  EXPECT_EQ(output->cast, "double precision");
}

TEST(ReadOutput, a_colon_behind_an_arrow_is_no_alias) {
  EXPECT_EQ(read_output("data->>a:b")->column.path[0].key, "a:b");
}

TEST(ReadOutput, malformed_ones_are_refused) {
  for (const std::string_view text : {"", ":a", "a:", "a::", "->a", "a->", "a->>", "a:b::", "::text"}) {
    EXPECT_EQ(code(read_output(text)), Code::invalid_value) << text;
  }
}

TEST(ReadUpdate, the_first_payload_counts) {
  const auto request = update(R"("resource_id":1,"update_body":{"a":1},"set":{"a":2},"data":{"a":3})");
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->update.set, (Row{{"a", Number{"1"}}}));
}

TEST(ReadUpdate, payload_comes_before_the_filter) {
  EXPECT_EQ(code(update(R"("conditions":[])")), Code::update_payload_required);
  EXPECT_EQ(code(update(R"("conditions":[],"set":{"a":1})")), Code::unfiltered_write);
}

TEST(ReadUpdate, a_payload_that_is_no_object_is_refused) {
  EXPECT_EQ(code(update(R"("resource_id":1,"set":[1])")), Code::invalid_value);
  EXPECT_EQ(code(update(R"("resource_id":1,"set":"x")")), Code::invalid_value);
  EXPECT_EQ(code(update(R"("resource_id":1,"columns":[{"a":1},"b"])")), Code::invalid_value);
  EXPECT_EQ(code(update(R"("resource_id":1,"columns":[])")), Code::update_payload_required);
  EXPECT_EQ(code(update(R"("resource_id":1,"columns":[{}])")), Code::update_payload_required);
}

TEST(ReadUpdate, pairs_only_when_all_are_pairs) {
  EXPECT_EQ(update(R"("resource_id":1,"columns":[{"column":"a","value":1},{"column":"b","value":2}])")->update.set,
            (Row{{"a", Number{"1"}}, {"b", Number{"2"}}}));
  EXPECT_EQ(update(R"("resource_id":1,"columns":[{"column":"a","value":1},{"b":2}])")->update.set,
            (Row{{"column", std::string("a")}, {"value", Number{"1"}}, {"b", Number{"2"}}}));
}

TEST(ReadUpdate, max_affected_is_a_whole_number) {
  EXPECT_EQ(update(R"("resource_id":1,"set":{"a":1},"max_affected":3)")->update.max_affected, 3U);
  EXPECT_EQ(code(update(R"("resource_id":1,"set":{"a":1},"max_affected":-3)")), Code::invalid_value);
}

TEST(ReadInsert, rows_are_bounded) {
  std::string rows = "\"insert_body\":[{}";
  for (int i = 0; i < 10'000; ++i) rows += ",{}";
  EXPECT_EQ(code(insert(rows + "]")), Code::limit_exceeded);
}

TEST(ReadInsert, notes_whether_it_was_an_array) {
  EXPECT_FALSE(insert(R"("insert_body":{"a":1})")->body_is_array);
  EXPECT_TRUE(insert(R"("insert_body":[{"a":1}])")->body_is_array);
}

TEST(ReadInsert, conflicts) {
  EXPECT_FALSE(insert(R"("insert_body":{"a":1})")->insert.on_conflict.has_value());
  EXPECT_FALSE(
      insert(R"("insert_body":{"a":1},"on_conflict":"","ignore_duplicates":false)")->insert.on_conflict.has_value());
  EXPECT_TRUE(insert(R"("insert_body":{"a":1},"update_body":{})")->insert.on_conflict->do_nothing);
  EXPECT_EQ(insert(R"("insert_body":{"a":1},"on_conflict":"a, \"b,c\"")")->insert.on_conflict->target,
            (std::vector<std::string>{"a", "b,c"}));
  EXPECT_EQ(code(insert(R"("insert_body":{"a":1},"on_conflict":[1])")), Code::invalid_value);
  EXPECT_EQ(code(insert(R"("insert_body":{"a":1},"on_conflict":5)")), Code::invalid_value);
  EXPECT_EQ(code(insert(R"("insert_body":{"a":1},"update_body":[])")), Code::invalid_value);
}

TEST(ReadDelete, needs_something_to_go_by) {
  EXPECT_EQ(code(del(R"("conditions":[])")), Code::unfiltered_write);
  EXPECT_EQ(code(del(R"("resource_id":null)")), Code::unfiltered_write);
  EXPECT_EQ(code(del(R"("resource_id":"")")), Code::invalid_value);
  EXPECT_TRUE(del(R"("resource_id":5)").has_value());
  EXPECT_TRUE(del(R"("allow_unfiltered":true)").has_value());
  EXPECT_EQ(code(del(R"("allow_unfiltered":"true")")), Code::invalid_value);
}

TEST(ReadQuery, needs_a_query) {
  for (const std::string text : {"{}", R"({"query":null})"}) {
    const Body document(text);
    EXPECT_EQ(code(read_query(document.root(), false)), Code::missing_field) << text;
  }
  const Body empty(R"({"query":" ;; \n"})");
  const auto request = read_query(empty.root(), false);
  ASSERT_EQ(code(request), Code::invalid_request);
  EXPECT_EQ(request.error().message, "Invalid query");
  EXPECT_EQ(request.error().error, "Query cannot be empty or contain only semicolons.");
}

TEST(ReadQuery, reads_params_and_driver) {
  const Body document(
      R"({"query":"select $1","params":[1.50,null,"x",{"a":1}],"driver":"sqlite","db_name":"d","read_only":true})");
  const auto request = read_query(document.root(), true);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->params.size(), 4U);
  EXPECT_EQ(request->params[0], Scalar(Number{"1.50"}));
  EXPECT_EQ(request->params[3], Scalar(JsonText{R"({"a":1})"}));
  EXPECT_TRUE(request->read_only);
}

TEST(ReadQuery, sql_route_needs_driver_and_database) {
  const Body document(R"({"query":"select 1","driver":"sqlite"})");
  const auto request = read_query(document.root(), true);
  ASSERT_EQ(code(request), Code::missing_field);
  EXPECT_EQ(request.error().error, "db_name is required");
}

}  // namespace
}  // namespace athena::query
