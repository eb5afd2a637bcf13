#include <athena/sdk/client.h>

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include <athena/testing/run.h>

namespace athena::sdk {
namespace {

using ::testing::HasSubstr;

/// A shop in a file of its own.
class ClientTest : public ::testing::Test {
 protected:
  ClientTest() {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("athena-sdk-" + std::to_string(::getpid()) + "-" + std::to_string(++count) + ".db");
    client.emplace(AthenaClient::builder().backend(BackendType::sqlite).url(path_).create_if_missing().build().value());
    const auto made = client->execute_sql(
        "CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT UNIQUE, price NUMERIC, stock INTEGER DEFAULT 1, "
        "attributes JSON); INSERT INTO products VALUES (1, 'Kettle', 46.25, 5, '{\"colour\":\"moss\"}'), "
        "(2, 'Lamp', 9.90, 0, NULL), (3, 'Chair', 120, 12, '{\"colour\":\"brick\"}')");
    EXPECT_TRUE(made) << made.error().error;
  }
  ~ClientTest() override {
    client.reset();
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path_.string() + suffix);
  }

  static Code code_of(const Result<QueryResult>& result) { return result ? Code{0} : result.error().code; }

  std::filesystem::path path_;
  std::optional<AthenaClient> client;
};

TEST_F(ClientTest, mistakes_are_values_and_nothing_is_sent) {
  EXPECT_EQ(code_of(client->select("products").where_gt("price", nullptr).execute()), Code::invalid_condition);
  EXPECT_EQ(code_of(client->select("").execute()), Code::missing_field);
  EXPECT_EQ(code_of(client->select("products").columns({"a->"}).execute()), Code::invalid_value);
  EXPECT_EQ(code_of(client->select("products").range(5, 4).execute()), Code::invalid_value);
  EXPECT_EQ(code_of(client->insert("products").execute()), Code::missing_field);
  EXPECT_EQ(code_of(client->insert("products").payload_json("{").execute()), Code::malformed_json);
  EXPECT_EQ(code_of(client->insert("products").payload({{"name", "\xff"}}).execute()), Code::invalid_encoding);
  EXPECT_EQ(code_of(client->update("products", 1).execute()), Code::update_payload_required);
  EXPECT_EQ(code_of(client->execute_sql(" ")), Code::invalid_request);
  EXPECT_EQ(client->select("products").head().execute()->count, 3U);
}

TEST_F(ClientTest, mistakes_of_names_are_the_databases_answers) {
  const auto table = client->select("prodcts").execute();
  EXPECT_EQ(code_of(table), Code::undefined_table);
  EXPECT_THAT(client->select("products").where_eq("nme", 1).execute().error().error, HasSubstr("name"));
}

TEST_F(ClientTest, writes_without_a_filter_are_refused_unless_told) {
  EXPECT_EQ(code_of(client->update("products").payload({{"stock", 0}}).execute()), Code::unfiltered_write);
  EXPECT_EQ(code_of(client->delete_("products").execute()), Code::unfiltered_write);
  EXPECT_EQ(code_of(client->delete_("products").where(not_in("id", {})).execute()), Code::unfiltered_write);
  EXPECT_EQ(client->update("products").payload({{"stock", 0}}).allow_unfiltered().execute()->affected, 3U);
  EXPECT_EQ(client->delete_("products").allow_unfiltered().execute()->affected, 3U);
}

TEST_F(ClientTest, selects_with_the_documented_chain) {
  const auto rows = client->select("products")
                        .columns({"id", "label:name", "price"})
                        .where_gt("stock", 0)
                        .where_in("name", {"Kettle", "Chair", "Lamp"})
                        .order_by("price", OrderDirection::desc)
                        .limit(10)
                        .offset(0)
                        .execute();
  ASSERT_TRUE(rows) << rows.error().error;
  EXPECT_EQ(rows->to_json(), R"([{"id":3,"label":"Chair","price":120},{"id":1,"label":"Kettle","price":46.25}])");
  EXPECT_EQ(rows->at(1, "price").as_text(), "46.25");
}

TEST_F(ClientTest, conditions_join_by_or_and_reach_into_json) {
  const auto rows = client->select("products")
                        .columns({"id"})
                        .where(any_of({eq("attributes->>colour", "moss"), is("attributes", Is::null)}))
                        .order_by("id")
                        .execute();
  ASSERT_TRUE(rows) << rows.error().error;
  EXPECT_EQ(rows->to_json(), R"([{"id":1},{"id":2}])");
}

TEST_F(ClientTest, counts_ranges_and_single_rows) {
  const auto page = client->select("products").columns({"id"}).order_by("id").range(1, 1).count().execute();
  ASSERT_TRUE(page);
  EXPECT_EQ(page->to_json(), R"([{"id":2}])");
  EXPECT_EQ(page->count, 3U);
  EXPECT_EQ(client->select("products").where_eq("id", 1).single().execute()->at(0, "name"), Value("Kettle"));
  EXPECT_EQ(code_of(client->select("products").where_eq("id", 9).single().execute()), Code::nothing_matched);
  EXPECT_EQ(code_of(client->select("products").single().execute()), Code::too_many_affected);
}

TEST_F(ClientTest, inserts_give_back_what_was_stored) {
  const auto one = client->insert("products").payload({{"name", "Desk"}, {"price", 10.5}}).execute();
  ASSERT_TRUE(one) << one.error().error;
  EXPECT_EQ(one->affected, 1U);
  EXPECT_EQ(one->at(0, "stock"), Value(1));
  const auto more = client->insert("products")
                        .payload_json(R"([{"name":"Rug","attributes":{"k":[1,2]}},{"id":40,"name":"Bed"}])")
                        .returning({"id", "attributes"})
                        .execute();
  ASSERT_TRUE(more) << more.error().error;
  EXPECT_EQ(more->to_json(), R"([{"id":5,"attributes":{"k":[1,2]}},{"id":40,"attributes":null}])");
  EXPECT_EQ(code_of(client->insert("products").payload({{"name", "Rug"}}).execute()), Code::unique_violation);
}

TEST_F(ClientTest, conflicts_update_or_are_left_alone) {
  const auto updated = client->insert("products")
                           .payload({{"id", 1}, {"name", "Kettle 2"}, {"stock", 7}})
                           .on_conflict({"id"})
                           .update_with({{"stock", 8}})
                           .execute();
  ASSERT_TRUE(updated) << updated.error().error;
  EXPECT_EQ(client->select("products").columns({"name", "stock"}).where_eq("id", 1).execute()->to_json(),
            R"([{"name":"Kettle","stock":8}])");
  EXPECT_TRUE(client->insert("products").payload({{"id", 1}, {"name", "x"}}).ignore_duplicates().execute());
  EXPECT_EQ(client->select("products").where_eq("name", "x").execute()->size(), 0U);
}

TEST_F(ClientTest, updates_and_deletes_by_row_id_and_by_filter) {
  EXPECT_EQ(client->update("products", 2).payload({{"stock", 4}}).returning({"stock"}).execute()->to_json(),
            R"([{"stock":4}])");
  EXPECT_EQ(code_of(client->update("products").payload({{"stock", 0}}).where_gt("stock", 0).max_affected(1).execute()),
            Code::too_many_affected);
  EXPECT_EQ(client->delete_("products", 2).execute()->affected, 1U);
  EXPECT_EQ(client->delete_("products").where_like("name", "K%").execute()->affected, 1U);
  EXPECT_EQ(client->select("products").columns({"id"}).execute()->to_json(), R"([{"id":3}])");
}

TEST_F(ClientTest, sql_takes_parameters_and_cql_is_another_language) {
  EXPECT_EQ(client->execute_sql("SELECT name FROM products WHERE id = ?1", {1})->to_json(), R"([{"name":"Kettle"}])");
  EXPECT_FALSE(client->sql("DELETE FROM products").read_only().execute());
  const auto cql = client->execute_cql("SELECT 1");
  ASSERT_FALSE(cql);
  EXPECT_EQ(cql.error().code, Code::feature_not_supported);
  EXPECT_EQ(cql.error().hint, "Use execute_sql()");
  EXPECT_EQ(code_of(client->rpc("f").arg("a", 1).execute()), Code::feature_not_supported);
}

TEST_F(ClientTest, an_answer_that_is_too_large_is_refused) {
  const auto small =
      AthenaClient::builder().backend(BackendType::sqlite).url(path_).max_result_bytes(200).build().value();
  EXPECT_TRUE(small.select("products").columns({"id"}).where_eq("id", 1).execute());
  EXPECT_EQ(code_of(small.select("products").execute()), Code::result_too_large);
}

TEST_F(ClientTest, a_deadline_ends_a_statement) {
  const auto slow =
      client->sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
          .timeout(milliseconds(50))
          .execute();
  EXPECT_EQ(code_of(slow), Code::statement_timeout);
}

TEST_F(ClientTest, threads_share_a_client) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, copy = *client] {
      for (int i = 0; i < 50; ++i) good += copy.select("products").where_eq("id", 1 + i % 3).execute()->size() == 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good.load(), 200);
}

TEST_F(ClientTest, is_healthy_and_has_no_host_to_be_offline) {
  EXPECT_TRUE(client->health_check().is_healthy);
  client->force_offline(seconds(10));
  EXPECT_FALSE(client->is_offline());
}

// On a loop of the program.

TEST_F(ClientTest, coroutines_share_the_programs_loop) {
  Loop loop;
  auto here = AthenaClient::builder().backend(BackendType::sqlite).url(path_).loop(loop).build().value();
  const auto rows = testing::run(loop, here.select("products").where_eq("id", 3).co_execute());
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->at(0, "name"), Value("Chair"));
  const auto refused = testing::run(loop, here.delete_("products").co_execute());
  EXPECT_EQ(code_of(refused), Code::unfiltered_write);
  EXPECT_TRUE(testing::run(loop, here.co_health_check()).value().is_healthy);
  testing::run(loop, here.stop());
  EXPECT_EQ(code_of(testing::run(loop, here.select("products").co_execute())), Code::shutting_down);
}

TEST_F(ClientTest, a_cancelled_coroutine_gives_up) {
  Loop loop;
  auto here = AthenaClient::builder().backend(BackendType::sqlite).url(path_).loop(loop).build().value();
  Cancellation cancellation;
  asio::post(loop.executor(), [&cancellation] { cancellation.cancel(CancelReason::client_gone); });
  const auto answer = testing::run(
      loop, here.sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
                .co_execute(&cancellation));
  EXPECT_EQ(code_of(answer), Code::cancelled);
  testing::run(loop, here.stop());
}

TEST_F(ClientTest, waiting_on_the_loops_own_thread_is_refused) {
  Loop loop;
  auto here = AthenaClient::builder().backend(BackendType::sqlite).url(path_).loop(loop).build().value();
  Code code{0};
  const auto task = [&]() -> Task<> {
    code = code_of(here.select("products").execute());
    co_return;
  };
  testing::run(loop, task());
  EXPECT_EQ(code, Code::internal_error);
  testing::run(loop, here.stop());
}

// Through a gateway that is not there.

/// A port where nobody listens: it was free a moment ago.
std::uint16_t free_port() {
  asio::io_context context;
  asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  return acceptor.local_endpoint().port();
}

TEST(GatewayClient, a_gateway_that_is_away_opens_its_breaker_and_says_when_to_come_back) {
  const auto client = AthenaClient::builder()
                          .url("http://127.0.0.1:" + std::to_string(free_port()))
                          .client("main")
                          .circuit_breaker_threshold(3)
                          .circuit_breaker_timeout(seconds(40))
                          .retries(0)
                          .build()
                          .value();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.select("t").execute().error().code, Code::database_unavailable);
  EXPECT_TRUE(client.is_offline());
  const auto refused = client.select("t").execute();
  EXPECT_EQ(refused.error().retry_after_s, 40U);
  EXPECT_FALSE(client.health_check().is_healthy);
  EXPECT_GT(client.health_check().offline_for, seconds(30));
  client.reset_health();
  EXPECT_FALSE(client.is_offline());
  client.force_offline(seconds(5));
  EXPECT_TRUE(client.is_offline());
}

/// Takes connections, reads what comes first, and breaks them.
class Breaking {
 public:
  Breaking() : thread_([this] { run(); }) {}
  ~Breaking() {
    is_over_ = true;
    asio::io_context context;
    asio::ip::tcp::socket(context).connect(acceptor_.local_endpoint());
    thread_.join();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }
  int requests() const { return requests_; }

 private:
  void run() {
    for (;;) {
      asio::ip::tcp::socket socket = acceptor_.accept();
      if (is_over_) return;
      char bytes[1'024];
      boost::system::error_code error;
      requests_ += socket.read_some(asio::buffer(bytes), error) > 0;
    }
  }

  asio::io_context context_;
  asio::ip::tcp::acceptor acceptor_{context_, {asio::ip::address_v4::loopback(), 0}};
  std::atomic<bool> is_over_{false};
  std::atomic<int> requests_{0};
  std::thread thread_;
};

TEST(GatewayClient, a_write_that_may_have_left_is_of_unknown_outcome_and_is_not_sent_again) {
  const Breaking server;
  const auto client = AthenaClient::builder().url(server.url()).health_tracking(false).build().value();
  EXPECT_EQ(client.insert("t").payload({{"a", 1}}).execute().error().code, Code::write_outcome_unknown);
  EXPECT_EQ(client.execute_sql("SELECT f()").error().code, Code::write_outcome_unknown);
  EXPECT_EQ(server.requests(), 2);
}

TEST(GatewayClient, what_may_be_repeated_is_and_then_the_gateway_is_away) {
  const Breaking server;
  const auto client =
      AthenaClient::builder().url(server.url()).health_tracking(false).retries(1).timeout(seconds(5)).build().value();
  EXPECT_EQ(client.insert("t").payload({{"a", 1}}).idempotent().execute().error().code, Code::database_unavailable);
  EXPECT_GE(server.requests(), 2);
}

TEST(GatewayClient, a_write_that_never_left_did_not_happen) {
  const auto client = AthenaClient::new_("http://127.0.0.1:" + std::to_string(free_port())).value();
  EXPECT_EQ(client.insert("t").payload({{"a", 1}}).execute().error().code, Code::database_unavailable);
}

TEST(ClientBuilder, says_what_is_wrong) {
  EXPECT_EQ(AthenaClient::builder().build().error().error, "url() is missing");
  EXPECT_EQ(AthenaClient::builder().backend_name("oracle").url("x").build().error().code, Code::unknown_driver);
  EXPECT_EQ(AthenaClient::new_("oracle://x").error().code, Code::configuration_error);
  EXPECT_EQ(AthenaClient::builder().url("sqlite:a.db").timeout(milliseconds(0)).build().error().error,
            "timeout() must be positive");
  EXPECT_EQ(AthenaClient::new_with_backend_name("a.db", "", "SQLite")->config().backend, BackendType::sqlite);
}

}  // namespace
}  // namespace athena::sdk
