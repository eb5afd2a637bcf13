#include "serve.h"

#include <set>
#include <string>

#include "endpoint.h"
#include "serve_fixture.h"

namespace athena::gateway {
namespace {

using driver::Cell;
using driver::CellKind;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using enum http::Method;

// Routing and identity.

TEST_F(ServeTest, an_unknown_route_is_refused_before_anything_else) {
  expect_error(*send({post, "/nope", {{"X-Athena-Timeout-Ms", "x"}}, "{"}), Code::route_not_found);
}

TEST_F(ServeTest, a_wrong_method_is_refused_with_those_that_work) {
  const Exchange answer = send({get, "/gateway/insert"});
  expect_error(*answer, Code::method_not_allowed);
  EXPECT_EQ(answer->header("Allow"), "PUT, POST, OPTIONS");
}

TEST_F(ServeTest, a_sane_request_id_is_kept_even_in_refusals) {
  EXPECT_EQ(send({get, "/ping", {{"X-Request-Id", "abc-1"}}})->header("X-Request-Id"), "abc-1");
  EXPECT_EQ(send({get, "/nope", {{"X-Request-Id", "abc-2"}}})->header("X-Request-Id"), "abc-2");
  EXPECT_EQ(send({get, "/ping", {{"X-Request-Id", "not sane"}}})->header("X-Request-Id")->size(), 26U);
}

TEST_F(ServeTest, what_the_parser_refuses_has_the_error_shape_too) {
  FakeExchange exchange({post, "/gateway/fetch"});
  serve().refuse(exchange, Error(Code::headers_too_large, "The headers are too large"));
  expect_error(exchange, Code::headers_too_large);
  EXPECT_EQ(serve().counters().refused, 1U);
}

// The client.

TEST_F(ServeTest, the_client_is_checked_before_the_body_is_read) {
  const std::pair<Headers, Code> cases[] = {
      {{}, Code::missing_client_header},
      {{{"X-Athena-Client", ""}}, Code::missing_client_header},
      {{{"X-Athena-Client", "   "}}, Code::missing_client_header},
      {{{"X-Athena-Client", "nobody"}}, Code::unknown_client},
      {{{"X-Athena-Client", "mai"}}, Code::unknown_client},
      {{{"X-Athena-Client", "frozen"}}, Code::client_frozen},
      {{{"X-Athena-Client", "main"}, {"x-athena-client", "frozen"}}, Code::invalid_request},
      {{{"X-JDBC-URL", "jdbc:postgresql://127.0.0.1/db"}, {"X-Athena-Client", "main"}}, Code::direct_target_refused},
      {{{"x-pg-uri", "postgres://127.0.0.1/db"}}, Code::direct_target_refused},
  };
  for (const auto& [headers, code] : cases) {
    const Exchange answer = send({post, "/gateway/fetch", headers, "{"});
    expect_error(*answer, code);
    EXPECT_FALSE(answer->body_was_read());
  }
}

TEST_F(ServeTest, a_direct_target_must_be_public_even_if_its_host_is_listed) {
  settings_.jdbc_allowed_hosts = {"127.0.0.1"};
  expect_error(*send({post, "/gateway/query", {{"X-JDBC-URL", "jdbc:postgresql://u:secret@127.0.0.1/db"}}, "{}"}),
               Code::direct_target_refused);
  expect_error(*send({post, "/gateway/query", {{"X-JDBC-URL", "nonsense"}}, "{}"}), Code::invalid_value);
  EXPECT_THAT(sink_.text, Not(HasSubstr("secret")));
}

TEST_F(ServeTest, the_clients_name_is_trimmed_and_has_no_case) {
  for (const char* name : {"main", "MAIN", " Main "})
    EXPECT_EQ(fetch(R"({"table_name":"t"})", {{"X-Athena-Client", name}})->status(), 200);
}

TEST_F(ServeTest, a_client_that_is_given_twice_alike_is_no_conflict) {
  EXPECT_EQ(fetch(R"({"table_name":"t"})", {{"X-Athena-Client", "main"}, {"x-athena-client", "MAIN"}})->status(), 200);
}

TEST_F(ServeTest, a_client_that_a_reload_removes_is_unknown_and_its_backend_stops) {
  EXPECT_EQ(fetch()->status(), 200);
  const auto kept = (*snapshot_->find("main"))->shared;
  settings_.clients.erase(settings_.clients.begin());
  serve().set_snapshot(make_snapshot(settings_, snapshot_.get(), testing::find_fake_kind).value());
  expect_error(*fetch(), Code::unknown_client);
  testing::run(loop_, serve().stop());
  EXPECT_TRUE(static_cast<testing::FakeDatabase&>(*kept).stopped);
}

// Bodies that are recognised by their text.

TEST_F(ServeTest, a_body_that_came_before_with_another_value_is_answered_as_if_it_was_read) {
  const auto by_id = [this](const std::string& value, const Headers& headers = {}) {
    database().answer(rows_of({"id", "note"}, {Cell::integer(1), Cell()}));
    return fetch(R"({"table_name":"t","conditions":[{"eq_column":"id","eq_value":)" + value + "}]}", headers);
  };
  const std::string_view begin =
      R"({"status":"success","message":"Fetched 1 rows","data":{"rows":[{"id":1,"note":null}]},"cache_key":")";
  std::set<std::string> answers;
  for (const char* value : {"1", "2", "3", "44"}) {
    const auto [answer, is_new] = answers.insert(by_id(value)->answer());
    EXPECT_THAT(*answer, StartsWith(begin));
    EXPECT_TRUE(is_new) << "the cache must tell them apart";
  }
  const auto& select = std::get<query::Select>(database().statements.back());
  EXPECT_EQ(std::get<query::Predicate>(select.where.terms[0]).operands[0], query::Scalar(query::Number{"44"}));
  EXPECT_EQ(select.limit, 101U);
  EXPECT_EQ(by_id("5", {{"X-Athena-Shape", "bare"}})->answer(), R"([{"id":1,"note":null}])");
  EXPECT_THAT(by_id("6", {{"X-Strip-Nulls", "true"}})->answer(), Not(HasSubstr("note")));
  expect_error(*by_id("7", {{"X-Athena-Shape", "round"}}), Code::invalid_value);
  expect_error(*by_id("8x"), Code::malformed_json);
  expect_error(*by_id("9", {{"X-Athena-Client", "nobody"}}), Code::unknown_client);
  database().answers.clear();
  database().answer(testing::refusal(Code::undefined_table));
  expect_error(*fetch(R"({"table_name":"t","conditions":[{"eq_column":"id","eq_value":10}]})"), Code::undefined_table);
}

TEST_F(ServeTest, a_reload_forgets_what_was_read_with_other_settings) {
  for (int i = 0; i < 3; ++i) fetch(R"({"table_name":"t"})");
  EXPECT_EQ(std::get<query::Select>(database().statements.back()).limit, 101U);
  settings_.read.default_limit = 7;
  serve().set_snapshot(make_snapshot(settings_, snapshot_.get(), testing::find_fake_kind).value());
  fetch(R"({"table_name":"t"})");
  EXPECT_EQ(std::get<query::Select>(database().statements.back()).limit, 8U);
}

// The body.

TEST_F(ServeTest, a_body_that_cannot_be_read_is_refused_as_the_server_says) {
  for (const Code code : {Code::payload_too_large, Code::request_timeout, Code::malformed_http}) {
    FakeExchange exchange({post, "/gateway/fetch", {{"X-Athena-Client", "main"}}});
    exchange.fail_body(Error(code));
    testing::run(loop_, serve().handle(exchange));
    expect_error(exchange, code);
  }
}

TEST_F(ServeTest, what_a_body_must_not_be) {
  expect_error(*fetch("{"), Code::malformed_json);
  expect_error(*fetch("[]"), Code::invalid_request);
  expect_error(*fetch("\"text\""), Code::invalid_request);
  expect_error(*fetch("{}", {{"Content-Encoding", "gzip"}}), Code::unsupported_media_type);
  EXPECT_EQ(fetch(R"({"table_name":"t"})", {{"Content-Encoding", "identity"}})->status(), 200);
}

TEST_F(ServeTest, an_empty_body_is_told_what_is_missing) {
  for (const char* body : {"", " \r\n", "{}"}) {
    const Exchange answer = fetch(body);
    expect_error(*answer, Code::missing_field);
    EXPECT_EQ(error_text(*answer), "table_name is required");
  }
}

struct Refused {
  http::Method method;
  const char* path;
  const char* body;
  Code code;
};

TEST_F(ServeTest, a_statement_that_is_not_valid_never_reaches_the_database) {
  settings_.audit_headers_required = false;
  const Refused cases[] = {
      {post, "/gateway/fetch", R"({"table_name":"t","limit":-1})", Code::invalid_value},
      {post, "/gateway/fetch", R"({"table_name":"t","limit":1.5})", Code::invalid_value},
      {post, "/gateway/fetch", R"({"table_name":"t","conditions":[{"column":"a","op":"eq"}]})",
       Code::invalid_condition},
      {post, "/gateway/fetch", R"({"table_name":"t","conditions":[{"operator":"nope","column":"a","value":1}]})",
       Code::unknown_operator},
      {post, "/gateway/fetch", R"({"table_name":"t","group_by":"a","aggregation_strategy":"sum"})",
       Code::post_processing_failed},
      {post, "/gateway/fetch", R"({"table_name":"t","group_by":"a","time_granularity":"decade"})", Code::invalid_value},
      {get, "/data", "", Code::missing_field},
      {get, "/data?view=%zz", "", Code::invalid_encoding},
      {get, "/data?view=%ff", "", Code::invalid_encoding},
      {get, "/data?view=t%00", "", Code::invalid_encoding},
      {get, "/data?view=t&eq_column=a", "", Code::missing_field},
      {post, "/gateway/update", R"({"table_name":"t","conditions":[{"eq_column":"a","eq_value":1}]})",
       Code::update_payload_required},
      {post, "/gateway/update", R"({"table_name":"t","set":{"a":1}})", Code::unfiltered_write},
      {post, "/gateway/update", R"({"table_name":"t","set":{"a":1},"conditions":[]})", Code::unfiltered_write},
      {put, "/gateway/insert", R"({"table_name":"t"})", Code::missing_field},
      {put, "/gateway/insert", R"({"table_name":"t","insert_body":[]})", Code::invalid_value},
      {del, "/gateway/delete", R"({"table_name":"t"})", Code::unfiltered_write},
      {post, "/gateway/query", R"({})", Code::missing_field},
      {post, "/query/sql", R"({"query":"select 1","db_name":"main"})", Code::missing_field},
      {post, "/query/sql", R"({"query":"select 1","driver":"oracle","db_name":"main"})", Code::unknown_driver},
      {get, "/schema/columns", "", Code::missing_field},
  };
  for (const Refused& row : cases) {
    SCOPED_TRACE(std::string(row.path) + ' ' + row.body);
    expect_error(*send(row.method, row.path, row.body), row.code);
  }
  EXPECT_TRUE(database().statements.empty());
  EXPECT_TRUE(database().natives.empty());
}

TEST_F(ServeTest, an_unknown_shape_is_refused_before_the_statement_runs) {
  for (const char* path : {"/gateway/fetch", "/gateway/query"}) {
    expect_error(*send(post, path, R"({"table_name":"t","query":"select 1"})", {{"X-Athena-Shape", "oval"}}),
                 Code::invalid_value);
  }
  EXPECT_TRUE(database().calls.empty());
}

TEST_F(ServeTest, inserts_and_deletes_name_the_audit_header_that_is_missing) {
  for (const http::Method method : {put, del}) {
    const Exchange answer = send(method, method == put ? "/gateway/insert" : "/gateway/delete", "{}",
                                 {{"X-User-Id", "u"}, {"X-Organization-Id", "o"}});
    expect_error(*answer, Code::missing_audit_header);
    EXPECT_THAT(answer->answer(), HasSubstr(R"("header":"X-Company-Id")"));
    EXPECT_THAT(answer->answer(), HasSubstr("gateway.audit_headers"));
  }
}

TEST_F(ServeTest, sql_of_nothing_is_refused) {
  for (const char* query : {"", " ", ";", " ; ;\\n"}) {
    const Exchange answer = send(post, "/gateway/query", R"({"query":")" + std::string(query) + "\"}");
    EXPECT_EQ(answer->status(), 400);
    EXPECT_EQ(error_text(*answer), "Query cannot be empty or contain only semicolons.");
  }
}

// Deadlines, admission, the peer.

TEST_F(ServeTest, a_deadline_that_is_no_positive_number_is_refused) {
  for (const char* value : {"", "0", "-1", "1.5", "soon", "99999999999999999999999"}) {
    expect_error(*fetch(R"({"table_name":"t"})", {{"X-Athena-Timeout-Ms", value}}), Code::invalid_value);
  }
}

TEST_F(ServeTest, the_callers_deadline_can_only_be_earlier) {
  settings_.statement_timeout = milliseconds(1'000);
  for (const auto& [value, expected] : {std::pair{"200", milliseconds(200)},
                                        {"5000", milliseconds(1'000)},
                                        {"18446744073709551615", milliseconds(1'000)}}) {
    const Exchange answer = fetch(R"({"table_name":"t"})", {{"X-Athena-Timeout-Ms", value}});
    EXPECT_EQ(answer->status(), 200);
    EXPECT_EQ(database().calls.back().deadline - answer->received_at(), expected) << value;
  }
}

TEST_F(ServeTest, the_database_is_told_whom_to_stop_for) {
  const Exchange answer = fetch();
  EXPECT_EQ(database().calls.back().cancellation, &answer->cancellation());
}

TEST_F(ServeTest, requests_beyond_the_bound_are_refused_until_one_ends) {
  settings_.max_concurrent_requests = 1;
  Event held;
  testing::FakeResult slow = rows_of({"id"}, {Cell::integer(1)});
  slow.held = &held;
  database().answer(std::move(slow));
  FakeExchange first({post, "/gateway/fetch", {{"X-Athena-Client", "main"}}, R"({"table_name":"t"})"});
  bool done = false;
  asio::co_spawn(loop_.executor(), serve().handle(first), [&](std::exception_ptr) { done = true; });
  testing::run_until(loop_, [&] { return database().streams_open == 1; });

  const Exchange refused = fetch(R"({"table_name":"t"})", {{"X-Request-Id", "second"}});
  expect_error(*refused, Code::overloaded);
  EXPECT_EQ(refused->header("Retry-After"), "1");
  EXPECT_EQ(refused->header("X-Request-Id"), "second");
  EXPECT_FALSE(refused->body_was_read());
  // Whoever watches over the server hears from it all the same.
  for (const char* path : {"/ping", "/health", "/"}) EXPECT_EQ(send({get, path})->status(), 200) << path;
  expect_error(*send({get, "/ready"}), Code::not_ready);
  expect_error(*send({get, "/clients", {{"apikey", "admin-key"}}}), Code::overloaded);

  held.set();
  testing::run_until(loop_, [&] { return done; });
  EXPECT_EQ(first.status(), 200);
  EXPECT_EQ(fetch()->status(), 200);
}

TEST_F(ServeTest, a_peer_that_leaves_while_it_is_sent_to_ends_the_statement) {
  settings_.response_head_start = 1;
  testing::FakeResult result = rows_of({"id"}, {Cell::integer(1)});
  result.batches.push_back({Cell::integer(2)});
  database().answer(std::move(result));
  FakeExchange exchange({post, "/gateway/fetch", {{"X-Athena-Client", "main"}}, R"({"table_name":"t"})"});
  exchange.take_nothing();
  bool done = false;
  asio::co_spawn(loop_.executor(), serve().handle(exchange), [&](std::exception_ptr) { done = true; });
  testing::run_until(loop_, [&] { return exchange.head_sent(); });
  EXPECT_FALSE(done) << "a slow peer holds the rows back";
  exchange.leave();
  testing::run_until(loop_, [&] { return done; });
  EXPECT_TRUE(exchange.aborted());
  EXPECT_EQ(database().streams_open, 0);
}

// The database's errors.

TEST_F(ServeTest, an_error_of_the_database_has_its_row_of_the_catalogue) {
  for (const ErrorRow& row : error_rows()) {
    if (static_cast<int>(row.code) / 100 != 4) continue;
    testing::FakeResult refused = testing::refusal(row.code, "what went wrong");
    refused.refused->fields = {{"table", "users"}};
    refused.refused->log_detail = "for the log alone";
    database().answer(std::move(refused));
    const Exchange answer = fetch();
    expect_error(*answer, row.code);
    EXPECT_THAT(answer->answer(), HasSubstr(R"("details":{"table":"users"})"));
    EXPECT_THAT(answer->answer(), Not(HasSubstr("for the log alone")));
    EXPECT_EQ(answer->header("Retry-After").has_value(), row.status == 503 && row.retryable) << row.wire_code;
  }
}

TEST_F(ServeTest, a_failure_while_little_was_read_still_has_the_error_shape) {
  testing::FakeResult result = rows_of({"id"}, {Cell::integer(1)});
  result.broken = Error(Code::connection_error);
  database().answer(std::move(result));
  const Exchange answer = fetch();
  expect_error(*answer, Code::connection_error);
  EXPECT_FALSE(answer->aborted());
}

TEST_F(ServeTest, a_failure_after_64_kilobytes_cuts_the_answer) {
  static const std::string kLong(40'000, 'x');
  testing::FakeResult result = rows_of({"text"}, {Cell::view(CellKind::text, kLong)});
  result.batches.push_back({Cell::view(CellKind::text, kLong)});
  result.broken = Error(Code::connection_error);
  database().answer(std::move(result));
  const Exchange answer = fetch();
  EXPECT_TRUE(answer->aborted());
  EXPECT_EQ(answer->status(), 200);
  EXPECT_EQ(serve().counters().cut_streams, 1U);
  testing::run(loop_, serve().stop());
  EXPECT_THAT(sink_.text, HasSubstr(R"("code":"connection_error")"));
}

// What GET knows: tags, HEAD.

TEST_F(ServeTest, an_answer_that_the_caller_has_is_not_sent_again) {
  const auto fetch_by_url = [this](Headers headers) {
    database().answer(rows_of({"id"}, {Cell::integer(1)}));
    return send(get, "/data?view=users", "", std::move(headers));
  };
  const std::string tag(*fetch_by_url({})->header("ETag"));
  EXPECT_TRUE(tag.starts_with("W/\"")) << "the session may compress the same answer";
  for (const std::string& known : {tag, tag.substr(2), "\"other\", " + tag, std::string("*")}) {
    const Exchange answer = fetch_by_url({{"If-None-Match", known}});
    EXPECT_EQ(answer->status(), 304) << known;
    EXPECT_EQ(answer->answer(), "");
    EXPECT_EQ(answer->header("ETag"), tag);
    EXPECT_TRUE(answer->header("X-Request-Id"));
  }
  EXPECT_EQ(fetch_by_url({{"If-None-Match", "\"other\""}})->status(), 200);
}

TEST_F(ServeTest, only_good_answers_to_get_have_a_tag) {
  EXPECT_FALSE(fetch()->header("ETag"));
  database().answer(testing::refusal(Code::undefined_table));
  EXPECT_FALSE(send(get, "/data?view=nope", "", {{"If-None-Match", "*"}})->header("ETag"));
}

TEST_F(ServeTest, head_is_answered_as_get_is) {
  EXPECT_EQ(send({head, "/ping"})->status(), 200);
  expect_error(*send({head, "/gateway/fetch"}), Code::method_not_allowed);
}

// CORS.

TEST_F(ServeTest, other_origins_get_no_permission) {
  settings_.cors_allowed_origins = {"https://app.example.org"};
  for (const char* origin :
       {"https://evil.example", "https://app.example.org.evil.example", "http://app.example.org", "null"}) {
    const Exchange answer = send({get, "/ping", {{"Origin", origin}}});
    EXPECT_FALSE(answer->header("Access-Control-Allow-Origin")) << origin;
    EXPECT_EQ(answer->header("Vary"), "Origin");
  }
}

TEST_F(ServeTest, a_preflight_is_answered_for_every_route) {
  settings_.cors_allowed_origins = {"https://app.example.org"};
  for (const Endpoint& endpoint : endpoints()) {
    const Exchange answer = send({options,
                                  std::string(endpoint.path),
                                  {{"Origin", "https://app.example.org"}, {"Access-Control-Request-Method", "POST"}}});
    EXPECT_EQ(answer->status(), 204);
    EXPECT_EQ(answer->header("Access-Control-Allow-Origin"), "https://app.example.org");
    EXPECT_THAT(std::string(*answer->header("Access-Control-Allow-Methods")),
                HasSubstr(http::to_string(endpoint.method)));
    EXPECT_THAT(std::string(*answer->header("Access-Control-Allow-Headers")), HasSubstr("X-Athena-Client"));
    EXPECT_TRUE(answer->header("X-Request-Id"));
    EXPECT_EQ(answer->count_headers("Vary"), 1U);
  }
}

TEST_F(ServeTest, errors_can_be_read_across_origins) {
  settings_.cors_allow_any_origin = true;
  const Exchange answer = send({post, "/gateway/fetch", {{"Origin", "https://a.example"}}});
  expect_error(*answer, Code::missing_client_header);
  EXPECT_EQ(answer->header("Access-Control-Allow-Origin"), "https://a.example");
}

TEST_F(ServeTest, options_without_a_preflight_names_the_methods) {
  for (const Headers& headers : {Headers{}, Headers{{"Origin", "https://a.example"}}}) {
    const Exchange answer = send({options, "/gateway/fetch", headers});
    EXPECT_EQ(answer->status(), 204);
    EXPECT_EQ(answer->header("Allow"), "POST, OPTIONS");
    EXPECT_EQ(answer->answer(), "");
  }
  expect_error(*send({options, "/nope"}), Code::route_not_found);
}

// The admin key.

TEST_F(ServeTest, admin_routes_refuse_every_other_key) {
  const Headers cases[] = {{},
                           {{"apikey", ""}},
                           {{"apikey", "wrong"}},
                           {{"apikey", "admin-ke"}},
                           {{"apikey", "admin-keyx"}},
                           {{"Authorization", "admin-key"}},
                           {{"Authorization", "Basic admin-key"}},
                           {{"Authorization", "Bearer"}},
                           {{"X-Athena-Client", "admin-key"}}};
  for (const char* path : {"/clients", "/schema/clients"}) {
    for (const Headers& headers : cases) expect_error(*send({get, path, headers}), Code::invalid_admin_key);
    expect_error(*send({get, std::string(path) + "?api_key=wrong"}), Code::invalid_admin_key);
  }
}

TEST_F(ServeTest, no_admin_key_fits_when_none_is_configured) {
  settings_.admin_key = "";
  expect_error(*send({get, "/clients", {{"apikey", ""}}}), Code::admin_not_configured);
}

TEST_F(ServeTest, the_admin_key_is_taken_in_every_documented_place) {
  const Headers cases[] = {{{"apikey", "admin-key"}},
                           {{"X-API-Key", "admin-key"}},
                           {{"x-athena-key", "admin-key"}},
                           {{"Authorization", "bearer admin-key"}},
                           {{"AUTHORIZATION", "Bearer   admin-key"}},
                           {{"Authorization", "Bearer of.another.system"}, {"apikey", "admin-key"}}};
  for (const Headers& headers : cases) EXPECT_EQ(send({get, "/clients", headers})->answer(), R"({"clients":["main"]})");
}

TEST_F(ServeTest, the_admin_key_in_the_url_works_is_deprecated_and_never_logged) {
  const Exchange answer = send({get, "/clients?api_key=admin%2Dkey"});
  EXPECT_EQ(answer->status(), 200);
  EXPECT_EQ(answer->header("Deprecation"), "true");
  testing::run(loop_, serve().stop());
  EXPECT_THAT(sink_.text, HasSubstr("/clients"));
  EXPECT_THAT(sink_.text, Not(HasSubstr("admin")));
}

// Schema and utility routes.

TEST_F(ServeTest, a_database_without_migrations_says_so) {
  EXPECT_EQ(send(get, "/schema/migrations")->answer(),
            R"({"message":"Migration tracking is not available for this database.","migrations":[]})");
}

TEST_F(ServeTest, readiness_needs_the_app_and_a_client) {
  expect_error(*send({get, "/ready"}), Code::not_ready);
  serve().set_ready(true);
  EXPECT_EQ(send({get, "/ready"})->answer(), R"({"status":"ready"})");
  EXPECT_EQ(fetch()->status(), 200);
  database().health.usable = false;
  expect_error(*send({get, "/ready"}), Code::not_ready);
  EXPECT_EQ(send({get, "/health"})->status(), 200) << "liveness does not depend on databases";
}

TEST_F(ServeTest, utility_routes_need_neither_client_nor_key) {
  EXPECT_EQ(send({get, "/ping"})->answer(), "pong");
  EXPECT_THAT(send({get, "/"})->answer(), StartsWith(R"({"message":"athena is online","version":"3.0.0")"));
  EXPECT_EQ(send({get, "/openapi.yaml"})->answer(), "openapi: 3.1.0\n");
  const Exchange docs = send({get, "/docs"});
  EXPECT_EQ(docs->status(), 308);
  EXPECT_EQ(docs->header("Location"), "https://docs.example.org/");
}

// What is told about a request.

TEST_F(ServeTest, stages_are_timed_on_every_reply_if_switched_on) {
  settings_.server_timing = true;
  EXPECT_THAT(std::string(*fetch()->header("Server-Timing")),
              ::testing::MatchesRegex(
                  "route;dur=[0-9.]+, read;dur=[0-9.]+, run;dur=[0-9.]+, reply;dur=[0-9.]+, total;dur=[0-9.]+"));
  EXPECT_TRUE(send({get, "/nope"})->header("Server-Timing"));
}

TEST_F(ServeTest, each_request_becomes_one_json_line) {
  database().answer(testing::refusal(Code::undefined_table, "no such table"));
  fetch(R"({"table_name":"users"})", {{"X-Request-Id", "line-1"}});
  testing::run(loop_, serve().stop());
  ASSERT_EQ(std::ranges::count(sink_.text, '\n'), 1);
  const auto document = json::Document::parse(sink_.text);
  ASSERT_TRUE(document) << sink_.text;
  const json::Value line = document->root();
  EXPECT_EQ(line["request_id"].as_string(), "line-1");
  EXPECT_EQ(line["path"].as_string(), "/gateway/fetch");
  EXPECT_EQ(line["client"].as_string(), "main");
  EXPECT_EQ(line["table"].as_string(), "users");
  EXPECT_EQ(line["status"].digits(), "400");
  EXPECT_EQ(line["code"].as_string(), "undefined_table");
}

TEST_F(ServeTest, a_log_detail_in_another_encoding_does_not_break_the_line) {
  testing::FakeResult refused = testing::refusal(Code::connection_error);
  refused.refused->log_detail = "Verbindung verweigert: \xfc";
  database().answer(std::move(refused));
  fetch();
  testing::run(loop_, serve().stop());
  EXPECT_TRUE(json::Document::parse(sink_.text)) << sink_.text;
}

}  // namespace
}  // namespace athena::gateway
