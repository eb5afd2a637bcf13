#include "reply.h"

#include <string>

#include <gtest/gtest.h>

#include <athena/base/json.h>
#include <athena/base/json_writer.h>
#include <athena/testing/fake_backend.h>
#include <athena/testing/fake_exchange.h>
#include <athena/testing/run.h>

namespace athena::gateway {
namespace {

using driver::Cell;
using Headers = std::vector<std::pair<std::string, std::string>>;

std::optional<Shape> shape_of(Headers headers, const Settings& settings = {}, bool strip_field = false,
                              bool write = false) {
  const testing::FakeExchange exchange({.headers = std::move(headers)});
  const auto shape = decide_shape(exchange.request(), settings, strip_field, write);
  return shape ? std::optional(*shape) : std::nullopt;
}

TEST(DecideShape, an_unknown_word_is_refused) {
  const testing::FakeExchange exchange({.headers = {{"X-Athena-Shape", "oval"}, {"X-Athena-Sdk", "x"}}});
  EXPECT_EQ(decide_shape(exchange.request(), {}, false, false).error().code, Code::invalid_value);
  EXPECT_EQ(shape_of({{"X-Athena-Shape", ""}}), std::nullopt);
}

TEST(DecideShape, the_header_wins_over_every_mark) {
  const Headers marks{{"x-athena-shape", "Documented"},
                      {"X-Athena-Sdk", "x"},
                      {"apikey", "k"},
                      {"x-api-key", "k"},
                      {"X-Strip-Nulls", "true"}};
  EXPECT_EQ(shape_of(marks, {.response_shape = Shape::compact}, true), Shape::documented);
  EXPECT_EQ(shape_of({{"X-Athena-Shape", "COMPACT"}}), Shape::compact);
  EXPECT_EQ(shape_of({{"X-Athena-Shape", "bare"}}), Shape::bare);
}

TEST(DecideShape, newer_sdks_get_the_compact_one_even_with_the_marks_of_early_ones) {
  EXPECT_EQ(shape_of({{"X-Athena-Sdk", "xylex-group/athena 5.2.0"}}), Shape::compact);
  EXPECT_EQ(shape_of({{"x-backend-type", "postgresql"}}), Shape::compact);
  EXPECT_EQ(shape_of({{"X-Athena-Sdk", "x"}, {"apikey", "k"}, {"x-api-key", "k"}, {"X-Strip-Nulls", "true"}}, {}, true),
            Shape::compact);
}

TEST(DecideShape, early_sdks_get_bare_rows_only_with_all_their_marks) {
  const Headers marks{{"apikey", "k"}, {"x-api-key", "k"}, {"X-Strip-Nulls", "true"}};
  EXPECT_EQ(shape_of(marks, {}, true), Shape::bare);
  EXPECT_EQ(shape_of(marks, {}, false, true), Shape::bare) << "writes have no field in their body";
  EXPECT_EQ(shape_of(marks, {}, false), Shape::documented);
  EXPECT_EQ(shape_of(marks, {.early_sdk = false}, true), Shape::documented);
  EXPECT_EQ(shape_of({{"apikey", "k"}, {"x-api-key", "other"}, {"X-Strip-Nulls", "true"}}, {}, true),
            Shape::documented);
  EXPECT_EQ(shape_of({{"apikey", "k"}, {"X-Strip-Nulls", "true"}}, {}, true), Shape::documented);
  EXPECT_EQ(shape_of({{"apikey", "k"}, {"x-api-key", "k"}}, {}, true), Shape::documented);
}

TEST(DecideShape, without_marks_the_configuration_decides) {
  EXPECT_EQ(shape_of({}), Shape::documented);
  EXPECT_EQ(shape_of({}, {.response_shape = Shape::compact}), Shape::compact);
}

TEST(WantsStripNulls, the_header_wins_over_the_body) {
  const auto wants = [](Headers headers, std::optional<bool> field) {
    return wants_strip_nulls(testing::FakeExchange({.headers = std::move(headers)}).request(), field);
  };
  EXPECT_FALSE(wants({}, std::nullopt));
  EXPECT_TRUE(wants({}, true));
  EXPECT_TRUE(wants({{"x-strip-nulls", "TRUE"}}, false));
  EXPECT_FALSE(wants({{"X-Strip-Nulls", "false"}}, true));
  EXPECT_FALSE(wants({{"X-Strip-Nulls", "1"}}, true));
}

TEST(WriteError, replaces_whatever_stood_there) {
  testing::FakeExchange exchange({});
  exchange.add_header("Content-Type", "text/plain");
  exchange.body().append("half an answer");
  write_error(exchange,
              Error(Code::undefined_table, "Table 'x' does not exist", "Did you mean 'y'?").with("table", "x"), "id-1");
  EXPECT_EQ(exchange.status(), 400);
  EXPECT_EQ(exchange.count_headers("Content-Type"), 1U);
  EXPECT_EQ(exchange.header("X-Request-Id"), "id-1");
  EXPECT_EQ(exchange.answer(),
            R"({"status":"error","success":false,"code":"undefined_table","error_id":"ATH-411",)"
            R"("message":"The specified table does not exist","error":"Table 'x' does not exist",)"
            R"("details":{"table":"x"},"hint":"Did you mean 'y'?","trace_id":"id-1"})");
}

TEST(WriteError, what_is_empty_is_left_out_and_the_error_is_never_empty) {
  testing::FakeExchange exchange({});
  write_error(exchange, Error(Code::internal_error).logged("secret detail"), "id");
  EXPECT_EQ(exchange.answer(),
            R"({"status":"error","success":false,"code":"internal_error","error_id":"ATH-501",)"
            R"("message":"Internal error","error":"Internal error","trace_id":"id"})");
}

TEST(WriteError, an_error_may_bring_the_message_that_clients_look_for) {
  testing::FakeExchange exchange({});
  Error error(Code::undefined_column, "Column 'a\"b' does not exist");
  error.message = "column does not exist";
  write_error(exchange, error, "id");
  const std::string answer = exchange.answer();  // a parsed document points into it
  const auto document = json::Document::parse(answer);
  ASSERT_TRUE(document);
  EXPECT_EQ(document->root()["message"].as_string(), "column does not exist");
  EXPECT_EQ(document->root()["error"].as_string(), "Column 'a\"b' does not exist");
}

TEST(WriteError, says_when_to_come_again_where_that_helps) {
  for (const auto& [code, seconds, sent] :
       {std::tuple{Code::overloaded, 0U, "1"}, {Code::rate_limited, 7U, "7"}, {Code::pool_timeout, 0U, "1"}}) {
    testing::FakeExchange exchange({});
    Error error(code);
    error.retry_after_s = seconds;
    write_error(exchange, error, "id");
    EXPECT_EQ(exchange.header("Retry-After"), sent);
  }
  testing::FakeExchange exchange({});
  write_error(exchange, Error(Code::unique_violation), "id");
  EXPECT_FALSE(exchange.header("Retry-After"));
}

class RowsReplyTest : public ::testing::Test {
 protected:
  /// The whole answer to a fetch of these rows. The members are as fetch writes them.
  Result<std::string> reply(Shape shape, testing::FakeResult result, std::uint64_t limit = UINT64_MAX) {
    database_->answer(std::move(result));
    context_.shape = shape;
    return testing::run(loop_, write(limit));
  }

  Async<std::string> write(std::uint64_t limit) {
    auto backend = kind_->open({}, database_, {loop_, observer_});
    ATHENA_CO_TRY(auto stream, co_await backend->execute(query::Statement(query::Select{}), {}));
    RowsReply rows(context_, "Fetched ", true);
    rows.begin_rows(stream->columns());
    ATHENA_CO_TRY(const bool more, co_await rows.append(*stream, limit));
    rows.end_rows();
    if (more && rows.member("has_more")) context_.body().append("true");
    rows.finish("key");
    co_return exchange_.answer();
  }

  struct Silent : driver::Observer {
    void observe(const driver::Event&) noexcept override {}
  };

  Loop loop_;
  Silent observer_;
  const driver::BackendKind* kind_ = testing::find_fake_kind("fake");
  std::shared_ptr<testing::FakeDatabase> database_ = std::make_shared<testing::FakeDatabase>();
  std::shared_ptr<Snapshot> snapshot_ = std::make_shared<Snapshot>();
  testing::FakeExchange exchange_{{}};
  RequestContext context_{exchange_, snapshot_};
};

TEST_F(RowsReplyTest, no_rows) {
  EXPECT_EQ(reply(Shape::documented, testing::rows_of({"id"}, {})).value(),
            R"({"status":"success","message":"Fetched 0 rows","data":{"rows":[]},"cache_key":"key"})");
}

TEST_F(RowsReplyTest, documented) {
  EXPECT_EQ(
      reply(Shape::documented, testing::rows_of({"id"}, {Cell::integer(1), Cell::integer(2)}), 1).value(),
      R"({"status":"success","message":"Fetched 1 rows","data":{"rows":[{"id":1}],"has_more":true},)"
      R"("cache_key":"key"})");
  EXPECT_EQ(context_.rows, 1U);
  EXPECT_EQ(exchange_.header("Content-Type"), "application/json");
}

TEST_F(RowsReplyTest, compact_has_neither_status_nor_message) {
  EXPECT_EQ(reply(Shape::compact, testing::rows_of({"id"}, {Cell::integer(1), Cell::integer(2)}), 1).value(),
            R"({"data":[{"id":1}],"has_more":true,"cache_key":"key"})");
}

TEST_F(RowsReplyTest, bare_has_nothing_beside_the_rows) {
  EXPECT_EQ(reply(Shape::bare, testing::rows_of({"id"}, {Cell::integer(1), Cell::integer(2)}), 1).value(),
            R"([{"id":1}])");
}

TEST_F(RowsReplyTest, has_more_is_true_only_if_a_row_was_left_out) {
  const auto has_more = [this](std::vector<std::vector<Cell>> batches, std::uint64_t limit) {
    exchange_.reset_response();
    testing::FakeResult result = testing::rows_of({"id"}, {});
    result.batches = std::move(batches);
    return reply(Shape::compact, std::move(result), limit).value().contains("has_more");
  };
  const Cell one = Cell::integer(1);
  EXPECT_FALSE(has_more({{one, one}}, 2));
  EXPECT_FALSE(has_more({{one, one}, {}}, 2)) << "the end of the rows may come by itself";
  EXPECT_TRUE(has_more({{one, one}, {one}}, 2));
  EXPECT_TRUE(has_more({{one, one, one}}, 2));
  EXPECT_TRUE(has_more({{one}}, 0));
  EXPECT_FALSE(has_more({{}}, 0));
}

TEST_F(RowsReplyTest, the_stream_is_read_to_its_end_so_that_its_connection_is_not_cancelled) {
  testing::FakeResult result = testing::rows_of({"id"}, {Cell::integer(1), Cell::integer(2)});
  result.batches.emplace_back();
  result.broken = Error(Code::connection_error);
  EXPECT_FALSE(reply(Shape::compact, std::move(result), 1)) << "what comes behind the rows was not read";
}

TEST_F(RowsReplyTest, a_failure_before_much_was_read_sends_nothing) {
  testing::FakeResult result = testing::rows_of({"id"}, {Cell::integer(1)});
  result.broken = Error(Code::connection_error);
  EXPECT_EQ(reply(Shape::documented, std::move(result)).error().code, Code::connection_error);
  EXPECT_FALSE(exchange_.head_sent());
}

TEST_F(RowsReplyTest, what_is_long_is_streamed_with_the_message_behind_the_rows) {
  snapshot_->settings.response_head_start = 8;
  testing::FakeResult result = testing::rows_of({"id"}, {Cell::integer(1)});
  result.batches.push_back({Cell::integer(2)});
  EXPECT_EQ(reply(Shape::documented, std::move(result)).value(),
            R"({"status":"success","data":{"rows":[{"id":1},{"id":2}]},"message":"Fetched 2 rows","cache_key":"key"})");
  ASSERT_EQ(exchange_.flushed().size(), 1U);
  EXPECT_EQ(exchange_.flushed()[0], R"({"status":"success","data":{"rows":[{"id":1})");
}

TEST_F(RowsReplyTest, a_stream_in_the_other_shapes_is_the_same_text_as_a_whole) {
  snapshot_->settings.response_head_start = 8;
  testing::FakeResult result = testing::rows_of({"id"}, {Cell::integer(1)});
  result.batches.push_back({Cell::integer(2)});
  EXPECT_EQ(reply(Shape::compact, result).value(), R"({"data":[{"id":1},{"id":2}],"cache_key":"key"})");
}

TEST_F(RowsReplyTest, the_longest_count_fits_before_the_rows) {
  RowsReply rows(context_, "Fetched ", true);
  const std::vector<driver::ColumnInfo> columns{{"id", {}, query::TypeClass::other}};
  rows.begin_rows(columns);
  for (int i = 0; i < 1'234'567; ++i) rows.count_row();
  rows.end_rows();
  rows.finish();
  EXPECT_EQ(exchange_.answer(), R"({"status":"success","message":"Fetched 1234567 rows","data":{"rows":[]}})");
}

TEST(WriteMeta, has_all_four_members) {
  Buffer out;
  write_meta(out, {"postgresql", 1, 2, 3});
  EXPECT_EQ(out.view(), R"({"backend":"postgresql","returned_row_count":1,"rows_affected":2,"statement_count":3})");
}

}  // namespace
}  // namespace athena::gateway
