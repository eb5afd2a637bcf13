#include <gtest/gtest.h>

#include <athena/testing/fake_backend.h>
#include <athena/testing/fake_exchange.h>
#include <athena/testing/run.h>

#include "endpoints/routes.h"
#include "services.h"

namespace athena::gateway {
namespace {

using driver::Cell;

class FetchTest : public ::testing::Test {
 protected:
  struct Silent : driver::Observer {
    void observe(const driver::Event&) noexcept override {}
  };

  FetchTest() {
    Settings settings;
    ClientSettings& client = settings.clients.emplace_back();
    client.name = "db";
    client.target.kind = "fake";
    context_.snapshot = make_snapshot(std::move(settings), nullptr, testing::find_fake_kind).value();
    context_.slot = backends_.get(context_.snapshot->clients.front());
  }
  testing::FakeDatabase& database() { return static_cast<testing::FakeDatabase&>(*context_.client().shared); }

  Result<> fetch(query::FetchRequest request) {
    context_.intent = std::move(request);
    return testing::run(loop_, run_fetch(context_, services_));
  }
  const query::Select& selected() { return std::get<query::Select>(database().statements.back()); }

  Loop loop_;
  Silent observer_;
  LoopBackends backends_{loop_, observer_};
  const bool ready_ = true;
  Services services_{loop_, backends_, ready_};
  testing::FakeExchange exchange_{testing::FakeRequest()};
  RequestContext context_{exchange_, nullptr};
};

TEST_F(FetchTest, head_still_refuses_a_table_that_does_not_exist) {
  database().answer(testing::refusal(Code::undefined_table));
  query::FetchRequest request;
  request.head = true;
  const auto result = fetch(std::move(request));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::undefined_table);
}

TEST_F(FetchTest, head_asks_for_no_rows_and_gives_the_count) {
  database().total = 7;
  database().answer(testing::rows_of({"id"}, {}));
  query::FetchRequest request;
  request.head = true;
  request.count = query::Count::exact;
  request.select.limit = 100;
  ASSERT_TRUE(fetch(std::move(request)));
  EXPECT_EQ(selected().limit, 0U);
  EXPECT_TRUE(exchange_.answer().contains(R"("rows":[],"count":7)")) << exchange_.answer();
}

TEST_F(FetchTest, one_row_more_than_asked_for_becomes_has_more) {
  database().answer(testing::rows_of({"id"}, {Cell::integer(1), Cell::integer(2), Cell::integer(3)}));
  query::FetchRequest request;
  request.select.limit = 2;
  ASSERT_TRUE(fetch(std::move(request)));
  EXPECT_EQ(selected().limit, 3U);
  EXPECT_TRUE(exchange_.answer().contains(R"("rows":[{"id":1},{"id":2}],"has_more":true)")) << exchange_.answer();
}

TEST_F(FetchTest, the_largest_limit_is_not_raised_beyond_what_databases_take) {
  query::FetchRequest request;
  request.select.limit = INT64_MAX;
  ASSERT_TRUE(fetch(std::move(request)));
  EXPECT_EQ(selected().limit, static_cast<std::uint64_t>(INT64_MAX));
}

TEST_F(FetchTest, a_page_by_cursor_is_as_long_as_asked_for_and_says_where_the_next_begins) {
  testing::FakeResult page = testing::rows_of({"id"}, {Cell::integer(1), Cell::integer(2)});
  page.cursor = "c0ffee";
  database().answer(std::move(page));
  query::FetchRequest request;
  request.select.limit = 2;
  request.select.cursor = "";
  ASSERT_TRUE(fetch(std::move(request)));
  EXPECT_EQ(selected().limit, 2U) << "the stream knows whether there are more: no row is read to find out";
  EXPECT_TRUE(exchange_.answer().contains(R"("rows":[{"id":1},{"id":2}],"has_more":true,"next_cursor":"c0ffee")"))
      << exchange_.answer();
}

TEST_F(FetchTest, the_last_page_by_cursor_says_that_it_is_the_last) {
  database().answer(testing::rows_of({"id"}, {Cell::integer(3)}));
  query::FetchRequest request;
  request.select.limit = 2;
  request.select.cursor = "c0ffee";
  ASSERT_TRUE(fetch(std::move(request)));
  EXPECT_EQ(selected().cursor, "c0ffee");
  EXPECT_TRUE(exchange_.answer().contains(R"("rows":[{"id":3}])")) << exchange_.answer();
  EXPECT_FALSE(exchange_.answer().contains("has_more")) << exchange_.answer();
  EXPECT_FALSE(exchange_.answer().contains("next_cursor")) << exchange_.answer();
}

TEST_F(FetchTest, head_with_a_cursor_asks_for_no_rows) {
  query::FetchRequest request;
  request.head = true;
  request.select.limit = 2;
  request.select.cursor = "";
  ASSERT_TRUE(fetch(std::move(request)));
  EXPECT_EQ(selected().limit, 0U);
}

}  // namespace
}  // namespace athena::gateway
