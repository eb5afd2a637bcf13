#include "serve.h"

#include <string>

#include "serve_fixture.h"

namespace athena::gateway {
namespace {

using driver::Cell;
using driver::CellKind;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using enum http::Method;

// Rows.

TEST_F(ServeTest, a_fetch_in_each_shape) {
  const std::pair<const char*, const char*> cases[] = {
      {"documented", R"({"status":"success","message":"Fetched 1 rows","data":{"rows":[{"id":1}],"count":6,)"
                     R"("has_more":true},"cache_key":")"},
      {"compact", R"({"data":[{"id":1}],"count":6,"has_more":true,"cache_key":")"},
      {"bare", R"([{"id":1}])"},
  };
  for (const auto& [shape, expected] : cases) {
    database().total = 6;
    database().answer(rows_of({"id"}, {Cell::integer(1), Cell::integer(2)}));
    const Exchange answer = fetch(R"({"table_name":"users","limit":1,"count":"exact"})", {{"X-Athena-Shape", shape}});
    EXPECT_THAT(answer->answer(), StartsWith(expected));
    EXPECT_EQ(answer->header("X-Athena-Cache"), "off");
  }
}

TEST_F(ServeTest, what_was_not_asked_for_is_not_there) {
  database().answer(rows_of({"id"}, {Cell::integer(1)}));
  const std::string answer = fetch()->answer();
  for (const char* member : {"count", "has_more", "post_processing", "meta"})
    EXPECT_THAT(answer, Not(HasSubstr(member)));
}

TEST_F(ServeTest, a_fetch_asks_for_one_row_more_than_it_gives) {
  EXPECT_EQ(fetch(R"({"table_name":"users","limit":7})")->status(), 200);
  EXPECT_EQ(std::get<query::Select>(database().statements.back()).limit, 8U);
}

TEST_F(ServeTest, head_gives_the_count_alone) {
  database().total = 6;
  EXPECT_THAT(
      fetch(R"({"table_name":"users","head":true,"count":"planned"})", {{"X-Athena-Shape", "compact"}})->answer(),
      StartsWith(R"({"data":[],"count":6,)"));
  EXPECT_EQ(std::get<query::Select>(database().statements.back()).limit, 0U);
  EXPECT_EQ(database().counts, std::vector{query::Count::planned});
}

TEST_F(ServeTest, a_fetch_by_url_is_the_same_fetch) {
  database().answer(rows_of({"id"}, {Cell::integer(1)}));
  EXPECT_THAT(send(get, "/data?view=users&eq_column=id&eq_value=1&limit=5")->answer(),
              HasSubstr(R"("rows":[{"id":1}])"));
  EXPECT_EQ(std::get<query::Select>(database().statements.back()).where.terms.size(), 1U);
}

TEST_F(ServeTest, data_routes_answer_under_db) {
  EXPECT_EQ(send(post, "/db/gateway/fetch", R"({"table_name":"t"})")->status(), 200);
}

TEST_F(ServeTest, nulls_are_stripped_if_header_or_body_say_so) {
  const auto rows = [this](const char* path, const char* body, Headers headers) {
    database().answer(rows_of({"id", "note"}, {Cell::integer(1), Cell()}));
    return send(post, path, body, std::move(headers))->answer();
  };
  settings_.audit_headers_required = false;
  constexpr const char* kStripped = R"({"id":1})";
  constexpr const char* kWhole = R"({"id":1,"note":null})";
  EXPECT_THAT(rows("/gateway/fetch", R"({"table_name":"t"})", {{"X-Strip-Nulls", "true"}}), HasSubstr(kStripped));
  EXPECT_THAT(rows("/gateway/fetch", R"({"table_name":"t","strip_nulls":true})", {}), HasSubstr(kStripped));
  EXPECT_THAT(rows("/gateway/fetch", R"({"table_name":"t","strip_nulls":true})", {{"X-Strip-Nulls", "false"}}),
              HasSubstr(kWhole));
  EXPECT_THAT(rows("/gateway/query", R"({"query":"select 1","strip_nulls":true})", {}), HasSubstr(kStripped));
  EXPECT_THAT(rows("/gateway/insert", R"({"table_name":"t","insert_body":{"id":1},"strip_nulls":true})", {}),
              HasSubstr(kStripped));
  EXPECT_THAT(rows("/gateway/delete", R"({"table_name":"t","resource_id":1,"strip_nulls":true})", {}),
              HasSubstr(kStripped));
  expect_error(*send(post, "/gateway/query", R"({"query":"select 1","strip_nulls":"yes"})"), Code::invalid_value);
}

TEST_F(ServeTest, groups_stand_beside_the_rows) {
  database().answer(rows_of({"who", "sum"}, {Cell::view(CellKind::text, "a"), Cell::integer(1)}));
  const Exchange answer =
      fetch(R"({"table_name":"t","group_by":"who","aggregation_column":"sum","aggregation_strategy":"sum"})");
  EXPECT_THAT(
      answer->answer(),
      HasSubstr(R"("post_processing":{"grouped":[{"label":"a","rows":[{"who":"a","sum":1}],"aggregation":1}]})"));
}

TEST_F(ServeTest, a_long_answer_is_streamed_with_every_header_that_a_short_one_has) {
  settings_.server_timing = true;
  settings_.cors_allow_any_origin = true;
  static const std::string kLong(40'000, 'x');
  testing::FakeResult result = rows_of({"text"}, {Cell::view(CellKind::text, kLong)});
  for (int i = 0; i < 5; ++i) result.batches.push_back({Cell::view(CellKind::text, kLong)});
  database().answer(std::move(result));
  const Exchange answer = fetch(R"({"table_name":"t"})", {{"Origin", "https://a.example"}, {"X-Request-Id", "long-1"}});
  EXPECT_GE(answer->flushed().size(), 2U);
  EXPECT_GT(answer->flushed()[0].size(), settings_.response_head_start);
  const std::string whole = answer->answer();
  const auto document = json::Document::parse(whole);
  ASSERT_TRUE(document);
  EXPECT_EQ(document->root()["message"].as_string(), "Fetched 6 rows");
  EXPECT_EQ(document->root()["data"]["rows"].size(), 6U);
  for (const char* name :
       {"X-Request-Id", "Server-Timing", "Access-Control-Allow-Origin", "Content-Type", "X-Athena-Cache"}) {
    EXPECT_EQ(answer->count_headers(name), 1U) << name;
  }
  EXPECT_EQ(answer->header("X-Request-Id"), "long-1");
}

// Writes.

class ServeWriteTest : public ServeTest {
 protected:
  ServeWriteTest() {
    settings_.audit_headers_required = false;
    query::TableDef table;
    table.schema = "main";
    table.name = "users";
    for (const char* name : {"id", "email"}) table.columns.emplace_back().name = name;
    table.primary_key = {0};
    database().tables = std::make_shared<const query::Schema>(std::vector{table}, std::vector<std::string>{"main"});
  }
  std::string write(http::Method method, const char* path, const char* body, testing::FakeResult result,
                    Headers headers = {}) {
    database().answer(std::move(result));
    return send(method, path, body, std::move(headers))->answer();
  }
  static testing::FakeResult affecting(testing::FakeResult result, std::uint64_t affected) {
    result.affected = affected;
    return result;
  }
};

TEST_F(ServeWriteTest, an_inserted_object_comes_back_as_one) {
  EXPECT_EQ(write(put, "/gateway/insert", R"({"table_name":"users","insert_body":{"email":"a"}})",
                  affecting(rows_of({"id", "email"}, {Cell::integer(7), Cell::view(CellKind::text, "a")}), 1)),
            R"({"status":"success","success":true,"message":"Data inserted successfully","data":{"id":7,"email":"a"},)"
            R"("resource_id":7,"table_name":"users",)"
            R"("meta":{"backend":"fake","returned_row_count":1,"rows_affected":1,"statement_count":1}})");
}

TEST_F(ServeWriteTest, inserted_arrays_come_back_as_arrays_with_their_count_if_asked) {
  const std::string answer =
      write(post, "/gateway/insert", R"({"table_name":"users","insert_body":[{},{}],"count":"exact"})",
            affecting(rows_of({"id"}, {Cell::integer(7), Cell::integer(8)}), 2));
  EXPECT_THAT(answer, HasSubstr(R"("data":[{"id":7},{"id":8}],"resource_id":[7,8],"table_name":"users","count":2,)"));
}

TEST_F(ServeWriteTest, an_id_that_was_not_asked_for_is_known_but_not_shown) {
  const std::string answer =
      write(put, "/gateway/insert", R"({"table_name":"users","insert_body":{},"columns":["id:email"]})",
            affecting(rows_of({"id", "id"}, {Cell::view(CellKind::text, "a"), Cell::integer(7)}), 1));
  EXPECT_THAT(answer, HasSubstr(R"("data":{"id":"a"},"resource_id":7,)"));
  EXPECT_EQ(std::get<query::Insert>(database().statements.back()).returning.size(), 2U);
}

TEST_F(ServeWriteTest, an_insert_that_did_nothing_has_no_row) {
  EXPECT_THAT(write(put, "/gateway/insert", R"({"table_name":"users","insert_body":{},"ignore_duplicates":true})",
                    rows_of({"id"}, {})),
              HasSubstr(R"("data":null,"resource_id":null)"));
}

TEST_F(ServeWriteTest, head_leaves_the_inserted_rows_out) {
  EXPECT_THAT(write(put, "/gateway/insert", R"({"table_name":"users","insert_body":[{}],"head":true})",
                    affecting(rows_of({"id"}, {Cell::integer(7)}), 1)),
              HasSubstr(R"("data":[],"resource_id":[7])"));
}

TEST_F(ServeWriteTest, bare_writes_are_rows_alone) {
  EXPECT_EQ(write(put, "/gateway/insert", R"({"table_name":"users","insert_body":{}})",
                  rows_of({"id"}, {Cell::integer(7)}), {{"X-Athena-Shape", "bare"}}),
            R"([{"id":7}])");
}

TEST_F(ServeWriteTest, early_sdks_are_known_by_their_headers_on_writes) {
  EXPECT_EQ(
      write(del, "/gateway/delete", R"({"table_name":"users","resource_id":7})", rows_of({"id"}, {Cell::integer(7)}),
            {{"apikey", "k"}, {"x-api-key", "k"}, {"X-Strip-Nulls", "true"}}),
      R"([{"id":7}])");
}

TEST_F(ServeWriteTest, an_update_tells_how_many_rows_changed) {
  EXPECT_EQ(write(post, "/gateway/update", R"({"table_name":"users","set":{"email":"b"},"resource_id":7})",
                  affecting(rows_of({"id"}, {Cell::integer(7)}), 1)),
            R"({"status":"success","message":"Data updated successfully","data":{"rows":[{"id":7}],)"
            R"("meta":{"backend":"fake","returned_row_count":1,"rows_affected":1,"statement_count":1}}})");
}

TEST_F(ServeWriteTest, the_configured_id_column_goes_with_the_statement) {
  settings_.id_columns = {{"users", "email"}};
  serve_.reset();
  const std::string answer =
      write(del, "/gateway/delete", R"({"table_name":"users","resource_id":"a"})", rows_of({"id"}, {}));
  EXPECT_EQ(std::get<query::Delete>(database().statements.back()).id_column, "email");
  EXPECT_THAT(answer,
              HasSubstr(R"("message":"Data deleted successfully","data":[],"resource_id":"a","table_name":"users")"));
}

TEST_F(ServeWriteTest, a_delete_of_nothing_is_an_error_only_if_strict) {
  constexpr const char* kBody = R"({"table_name":"users","resource_id":1})";
  database().answer(rows_of({"id"}, {}));
  EXPECT_EQ(send(del, "/gateway/delete", kBody)->status(), 200);
  database().answer(rows_of({"id"}, {}));
  expect_error(*send(del, "/gateway/delete", kBody, {{"Prefer", "return=representation, handling=strict"}}),
               Code::nothing_matched);
}

TEST_F(ServeWriteTest, an_update_of_nothing_is_an_error_only_if_strict) {
  constexpr const char* kBody = R"({"table_name":"users","set":{"name":"x"},"resource_id":1})";
  database().answer(rows_of({"id"}, {}));
  EXPECT_EQ(send(post, "/gateway/update", kBody)->status(), 200);
  EXPECT_FALSE(std::get<query::Update>(database().statements.back()).must_exist);
  database().answer(rows_of({"id"}, {}));
  expect_error(*send(post, "/gateway/update", kBody, {{"Prefer", "handling=strict"}}), Code::nothing_matched);
  EXPECT_TRUE(std::get<query::Update>(database().statements.back()).must_exist);
}

// Sessions of databases with replicas.

TEST_F(ServeTest, a_bookmark_goes_with_the_statement_and_another_one_back) {
  testing::FakeResult rows = rows_of({"id"}, {driver::Cell::integer(1)});
  rows.bookmark = "later";
  database().answer(std::move(rows));
  const Exchange reply = fetch(R"({"table_name":"users"})",
                               {{"X-Athena-D1-Session-Mode", "first-primary"}, {"x-athena-d1-bookmark", " earlier "}});
  EXPECT_EQ(reply->header("X-Athena-D1-Bookmark"), "later");
  ASSERT_EQ(database().sessions.size(), 1U);
  EXPECT_EQ(database().sessions[0].mode, "first-primary");
  EXPECT_EQ(database().sessions[0].bookmark, "earlier");
  EXPECT_EQ(database().sessions[0].reached, "");
}

TEST_F(ServeTest, a_failure_has_a_bookmark_too) {
  testing::FakeResult failed = testing::refusal(Code::unique_violation);
  failed.bookmark = "later";
  database().answer(std::move(failed));
  const Exchange reply = fetch();
  expect_error(*reply, Code::unique_violation);
  EXPECT_EQ(reply->header("X-Athena-D1-Bookmark"), "later");
}

TEST_F(ServeTest, an_unknown_session_mode_is_refused_before_the_database_is_asked) {
  expect_error(*fetch(R"({"table_name":"users"})", {{"X-Athena-D1-Session-Mode", "last"}}), Code::invalid_value);
  const Headers twice = {{"X-Athena-D1-Bookmark", "a"}, {"X-Athena-D1-Bookmark", "b"}};
  expect_error(*fetch(R"({"table_name":"users"})", twice), Code::invalid_request);
  EXPECT_TRUE(database().statements.empty());
}

// The schema.

TEST_F(ServeWriteTest, tables_and_columns_are_listed) {
  EXPECT_EQ(send(get, "/schema/tables")->answer(),
            R"({"tables":[{"table_schema":"main","table_name":"users","table_type":"BASE TABLE"}]})");
  EXPECT_EQ(send(get, "/schema/tables?schema=other")->answer(), R"({"tables":[]})");
  EXPECT_THAT(send(get, "/schema/columns?table_name=USERS")->answer(), HasSubstr(R"("column_name":"id")"));
  expect_error(*send(get, "/schema/columns?table_name=user"), Code::undefined_table);
}

TEST_F(ServeWriteTest, constraints_can_be_narrowed_to_a_table) {
  database().constraints = {{"main", "a", "a_pk", "PRIMARY KEY", {"id"}, "", "", {}, "PRIMARY KEY (id)"},
                            {"main", "b", "b_a", "FOREIGN KEY", {"a"}, "main", "a", {"id"}, "x"}};
  EXPECT_EQ(send(get, "/schema/constraints?table_name=a")->answer(),
            R"({"constraints":[{"table_schema":"main","table_name":"a","constraint_name":"a_pk",)"
            R"("constraint_type":"PRIMARY KEY",)"
            R"x("columns":["id"],"definition":"PRIMARY KEY (id)"}]})x");
  EXPECT_THAT(send(get, "/schema/constraints")->answer(),
              HasSubstr(R"("foreign_table_name":"a","foreign_columns":["id"])"));
}

// SQL.

TEST_F(ServeTest, sql_runs_as_written_with_its_parameters) {
  testing::FakeResult result = rows_of({"n"}, {Cell::integer(1)});
  result.affected = 1;
  result.statements = 2;
  database().answer(std::move(result));
  const Exchange answer =
      send(post, "/gateway/query", R"({"query":"select $1","params":[1],"schema_name":"s","read_only":true})");
  EXPECT_EQ(answer->answer(),
            R"({"status":"success","message":"Query executed","data":{"rows":[{"n":1}],)"
            R"("meta":{"backend":"fake","returned_row_count":1,"rows_affected":1,"statement_count":2}}})");
  const driver::Native& native = database().natives.back();
  EXPECT_EQ(native.text, "select $1");
  EXPECT_EQ(native.params.size(), 1U);
  EXPECT_EQ(native.schema_name, "s");
  EXPECT_TRUE(database().calls.back().read_only);
}

TEST_F(ServeTest, the_results_of_several_statements_stand_beside_the_last_rows) {
  const auto answer_all = [this] {
    testing::FakeResult result = rows_of({"n"}, {Cell::integer(3), Cell::integer(4)});
    result.before.push_back(rows_of({"a"}, {Cell::integer(1), Cell()}));
    result.before.emplace_back().affected = 5;
    result.affected = 5;
    result.statements = 3;
    database().answer(std::move(result));
  };
  const std::string body = R"({"query":"…","strip_nulls":true})";
  const std::string meta =
      R"("meta":{"backend":"fake","returned_row_count":2,"rows_affected":5,"statement_count":3},)"
      R"("results":[{"rows":[{"a":1},{}],"rows_affected":0,"returned_row_count":2},)"
      R"({"rows":[],"rows_affected":5,"returned_row_count":0},{"rows_affected":0,"returned_row_count":2}])";
  answer_all();
  EXPECT_EQ(send(post, "/gateway/query", body, {{"X-Athena-Shape", "compact"}})->answer(),
            R"({"data":[{"n":3},{"n":4}],)" + meta + "}");
  answer_all();
  EXPECT_THAT(send(post, "/gateway/query", body)->answer(), HasSubstr(R"("data":{"rows":[{"n":3},{"n":4}],)" + meta));
  answer_all();
  EXPECT_EQ(send(post, "/gateway/query", body, {{"X-Athena-Shape", "bare"}})->answer(), R"([{"n":3},{"n":4}])");
}

TEST_F(ServeTest, query_sql_always_has_the_documented_envelope) {
  testing::FakeResult result = rows_of({"n"}, {Cell::integer(1)});
  result.columns[0].type_name = "integer";
  database().answer(std::move(result));
  const Exchange answer = send(
      {post, "/query/sql", {{"X-Athena-Shape", "bare"}}, R"({"query":"select 1","driver":"native","db_name":"MAIN"})"});
  EXPECT_THAT(
      answer->answer(),
      StartsWith(R"({"status":"success","message":"Successfully executed query","data":{"rows":[{"n":1}],)"
                 R"("columns":[{"name":"n","type":"integer"}],"db_name":"MAIN","driver":"native","duration_ms":)"));
}

TEST_F(ServeTest, query_sql_finds_its_client_by_header_or_name) {
  const auto error = [this](Headers headers, const char* driver, const char* name, Code code) {
    expect_error(*send({post, "/query/sql", std::move(headers),
                        R"({"query":"select 1","driver":")" + std::string(driver) + R"(","db_name":")" + name + "\"}"}),
                 code);
  };
  error({}, "native", "nobody", Code::unknown_client);
  error({}, "native", "frozen", Code::client_frozen);
  error({{"X-Athena-Client", "frozen"}}, "native", "main", Code::client_frozen);
  error({}, "postgres", "main", Code::unknown_driver);
  EXPECT_EQ(send(post, "/query/sql", R"({"query":"select 1","driver":"native","db_name":"postgres"})")->status(), 200);
}

}  // namespace
}  // namespace athena::gateway
