#include "scylla/live_fixture.h"

#include <gmock/gmock.h>

#include "scylla/connection.h"

namespace athena::driver::scylla {
namespace {

using testing::HasSubstr;

constexpr std::string_view kKeyspace = "athena_live";

class Cassandra : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    LiveCluster admin(target_of(environment("ATHENA_TEST_CASSANDRA"), ""));
    for (const char* text :
         {"CREATE KEYSPACE IF NOT EXISTS athena_live WITH replication = {'class': 'SimpleStrategy', "
          "'replication_factor': 1}",
          "CREATE TABLE IF NOT EXISTS athena_live.notes (id int PRIMARY KEY, body text, amount decimal)",
          "CREATE TABLE IF NOT EXISTS athena_live.events (day date, seq int, body text, PRIMARY KEY (day, seq))",
          "TRUNCATE athena_live.notes", "TRUNCATE athena_live.events"}) {
      const auto done = admin.cql(text);
      ASSERT_TRUE(done) << text << ": " << done.error().error << ' ' << done.error().log_detail;
    }
  }
  Cassandra() : db(target_of(environment("ATHENA_TEST_CASSANDRA"), std::string(kKeyspace))) {}

  void fill_events(int rows) {
    for (int i = 0; i < rows; i += 500) {
      std::string batch = "BEGIN UNLOGGED BATCH ";
      for (int j = i; j < std::min(rows, i + 500); ++j) {
        batch += "INSERT INTO events (day, seq, body) VALUES ('2024-01-02', " + std::to_string(j) + ", 'b'); ";
      }
      const auto done = db.cql(batch + "APPLY BATCH");
      ASSERT_TRUE(done) << done.error().error << ' ' << done.error().log_detail;
    }
  }

  LiveCluster db;
};

// Errors first.

TEST_F(Cassandra, an_unknown_table_and_an_unknown_column_are_told_apart) {
  const auto table = db.statement(select_by("nots", "id", "1"));
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code, Code::undefined_table);
  const auto column = db.cql("SELECT nope FROM notes");
  ASSERT_FALSE(column);
  EXPECT_EQ(column.error().code, Code::undefined_column);
  const auto native = db.cql("SELECT * FROM nots");
  ASSERT_FALSE(native);
  EXPECT_EQ(native.error().code, Code::undefined_table) << native.error().log_detail;
}

TEST_F(Cassandra, a_syntax_error_says_where) {
  const auto answer = db.cql("SELECT FROM WHERE notes");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::syntax_error);
  EXPECT_THAT(answer.error().fields, testing::Contains(testing::Pair("line", "1")));
}

TEST_F(Cassandra, several_statements_and_use_are_refused) {
  for (const char* text : {"SELECT * FROM notes; SELECT * FROM notes", "USE system"}) {
    const auto answer = db.cql(text);
    ASSERT_FALSE(answer) << text;
    EXPECT_EQ(answer.error().code, Code::unsupported_statement) << text;
  }
}

TEST_F(Cassandra, a_value_that_does_not_fit_names_its_column) {
  query::Insert insert;
  insert.into.name = "notes";
  insert.rows = {{{"id", query::Number{"3000000000"}}}};
  const auto large = db.statement(insert);
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, Code::value_out_of_range);
  insert.rows = {{{"id", std::string("seven")}}};
  const auto text = db.statement(insert);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, Code::invalid_text_representation);
  EXPECT_THAT(text.error().error, HasSubstr("'id'"));
}

TEST_F(Cassandra, a_filter_that_would_scan_is_refused_before_it_runs) {
  const auto answer = db.cql("SELECT * FROM notes WHERE body = 'x'");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::unindexed_filter);
}

TEST_F(Cassandra, a_read_only_request_cannot_write) {
  Call call = LiveCluster::call();
  call.read_only = true;
  const auto answer = db.run(db.ask(Native{"INSERT INTO notes (id) VALUES (1)", {}, {}}, call));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::read_only_violation);
}

TEST_F(Cassandra, a_deadline_that_has_passed_ends_the_wait) {
  ASSERT_TRUE(db.cql("SELECT * FROM notes"));
  const TimePoint begin = Clock::now();
  const auto answer = db.run(db.ask(Native{"SELECT * FROM notes", {}, {}}, LiveCluster::call(milliseconds(-1))));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::statement_timeout);
  EXPECT_LT(Clock::now() - begin, milliseconds(500));
  EXPECT_TRUE(db.cql("SELECT * FROM notes")) << "the late answer is dropped";
}

TEST_F(Cassandra, a_request_that_is_cancelled_ends_and_hits_no_other) {
  ASSERT_TRUE(db.cql("SELECT * FROM notes"));
  Cancellation cancellation;
  asio::post(db.loop.executor(), [&cancellation] { cancellation.cancel(CancelReason::client_gone); });
  const auto answer = db.run(
      db.ask(Native{"SELECT * FROM system_schema.columns", {}, {}}, LiveCluster::call(seconds(10), &cancellation)));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::cancelled);
  EXPECT_TRUE(db.cql("SELECT * FROM notes"));
}

// What works.

TEST_F(Cassandra, rows_are_written_and_read_by_key) {
  query::Insert insert;
  insert.into.name = "notes";
  insert.rows = {{{"id", query::Number{"1"}}, {"body", std::string("one")}, {"amount", query::Number{"1.50"}}},
                 {{"id", query::Number{"2"}}, {"body", std::string("two")}, {"amount", std::monostate()}}};
  const auto written = db.statement(insert);
  ASSERT_TRUE(written) << written.error().error << ' ' << written.error().log_detail;
  EXPECT_EQ(written->affected, 2u);
  ASSERT_EQ(written->rows.size(), 2u);
  const auto read = db.statement(select_by("notes", "id", "1"));
  ASSERT_TRUE(read) << read.error().error << ' ' << read.error().log_detail;
  ASSERT_EQ(read->rows.size(), 1u);
  const auto column = [&](std::string_view name) {
    return static_cast<std::size_t>(std::ranges::find(read->columns, name) - read->columns.begin());
  };
  EXPECT_EQ(read->at(0, column("body")), "one");
  EXPECT_EQ(read->at(0, column("amount")), "1.50") << "all digits";
}

TEST_F(Cassandra, an_insert_that_must_not_overwrite_says_whether_it_did) {
  query::Insert insert;
  insert.into.name = "notes";
  insert.rows = {{{"id", query::Number{"77"}}, {"body", std::string("first")}}};
  insert.on_conflict.emplace().do_nothing = true;
  ASSERT_TRUE(db.cql("DELETE FROM notes WHERE id = 77"));
  const auto first = db.statement(insert);
  ASSERT_TRUE(first) << first.error().error << ' ' << first.error().log_detail;
  EXPECT_EQ(first->affected, 1u);
  const auto second = db.statement(insert);
  ASSERT_TRUE(second) << second.error().error << ' ' << second.error().log_detail;
  EXPECT_EQ(second->affected, 0u);
  EXPECT_TRUE(second->rows.empty());
}

TEST_F(Cassandra, a_native_statement_takes_parameters_by_place_and_by_name) {
  ASSERT_TRUE(db.cql("INSERT INTO notes (id, body) VALUES (?, ?)", {query::Number{"5"}, std::string("five")}));
  const auto read = db.cql("SELECT body FROM notes WHERE id = :id", {query::Number{"5"}});
  ASSERT_TRUE(read) << read.error().error;
  EXPECT_EQ(read->at(0, 0), "five");
  const auto few = db.cql("SELECT body FROM notes WHERE id = ?", {query::Number{"5"}, query::Number{"6"}});
  ASSERT_FALSE(few);
  EXPECT_EQ(few.error().code, Code::invalid_parameter);
}

TEST_F(Cassandra, pages_are_asked_for_as_they_are_read) {
  fill_events(3'500);
  auto stream = db.run(db.backend->execute(Native{"SELECT seq, body FROM events WHERE day = '2024-01-02'", {}, {}},
                                           LiveCluster::call()));
  ASSERT_TRUE(stream) << stream.error().error;
  std::size_t rows = 0, batches = 0;
  std::int64_t next = 0;
  for (bool last = false; !last; ++batches) {
    const auto batch = db.run((*stream)->next());
    ASSERT_TRUE(batch) << batch.error().error;
    last = batch->last;
    rows += batch->rows;
    for (std::size_t i = 0; i < batch->rows; ++i) ASSERT_EQ(batch->cells[i * 2].integer(), next++);
  }
  EXPECT_EQ(rows, 3'500u);
  EXPECT_GE(batches, 14u) << "of 256 rows at most";
}

TEST_F(Cassandra, a_count_is_exact) {
  fill_events(1'000);
  query::Select select;
  select.from.name = "events";
  query::Predicate day;
  day.column.name = "day";
  day.operands.emplace_back(std::string("2024-01-02"));
  select.where.terms.emplace_back(day);
  const auto count = db.run(db.backend->count(select, query::Count::exact, LiveCluster::call()));
  ASSERT_TRUE(count) << count.error().error << ' ' << count.error().log_detail;
  EXPECT_GE(*count, 1'000u);
}

TEST_F(Cassandra, a_changed_table_is_seen_and_its_statements_are_prepared_again) {
  ASSERT_TRUE(db.cql("DROP TABLE IF EXISTS changing"));
  ASSERT_TRUE(db.cql("CREATE TABLE changing (id int PRIMARY KEY, a int)"));
  ASSERT_TRUE(db.cql("INSERT INTO changing (id, a) VALUES (1, 10)"));
  const auto before = db.statement(select_by("changing", "id", "1"));
  ASSERT_TRUE(before) << before.error().error << ' ' << before.error().log_detail;
  EXPECT_EQ(before->columns.size(), 2u);
  const auto native = db.cql("SELECT * FROM changing WHERE id = ?", {query::Number{"1"}});
  ASSERT_TRUE(native);
  ASSERT_TRUE(db.cql("ALTER TABLE changing ADD b text"));
  const auto after = db.statement(select_by("changing", "id", "1"));
  ASSERT_TRUE(after) << after.error().error << ' ' << after.error().log_detail;
  EXPECT_EQ(after->columns.size(), 3u);
  const auto again = db.cql("SELECT * FROM changing WHERE id = ?", {query::Number{"1"}});
  ASSERT_TRUE(again) << again.error().error << ' ' << again.error().log_detail;
  EXPECT_EQ(again->columns.size(), 3u) << "the new description of the columns came with the rows";
}

TEST_F(Cassandra, a_thousand_requests_share_the_connections) {
  std::vector<std::optional<Result<Answer>>> answers(1'000);
  for (std::size_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(db.cql("INSERT INTO notes (id, body) VALUES (?, ?)",
                       {query::Number{std::to_string(1'000 + i)}, "note " + std::to_string(i)}));
  }
  std::size_t left = answers.size();
  for (std::size_t i = 0; i < answers.size(); ++i) {
    asio::co_spawn(db.loop.executor(),
                   db.ask(select_by("notes", "id", std::to_string(1'000 + i % 100)), LiveCluster::call()),
                   [&answers, &left, i](std::exception_ptr, Result<Answer> answer) {
                     answers[i] = std::move(answer);
                     --left;
                   });
  }
  while (left > 0) db.loop.context().run_one();
  for (std::size_t i = 0; i < answers.size(); ++i) {
    ASSERT_TRUE(*answers[i]) << (*answers[i]).error().error << (*answers[i]).error().log_detail;
    const auto body = std::ranges::find((*answers[i])->columns, "body") - (*answers[i])->columns.begin();
    EXPECT_EQ((*answers[i])->at(0, static_cast<std::size_t>(body)), "note " + std::to_string(i % 100));
  }
  EXPECT_LE(db.backend->health().connections, 4u);
}

struct TypeCase {
  const char* type;
  query::Scalar value;
  const char* read;
};

TEST_F(Cassandra, every_type_comes_back_as_it_was_written) {
  ASSERT_TRUE(db.cql("CREATE TYPE IF NOT EXISTS place (street text, number int)"));
  const TypeCase cases[] = {
      {"ascii", std::string("plain"), "plain"},
      {"text", std::string("ä\"\n€"), "ä\"\n€"},
      {"text", std::string(), ""},
      {"boolean", true, "true"},
      {"tinyint", query::Number{"-128"}, "-128"},
      {"smallint", query::Number{"32767"}, "32767"},
      {"int", query::Number{"-2147483648"}, "-2147483648"},
      {"bigint", query::Number{"9223372036854775807"}, "9223372036854775807"},
      {"varint", query::Number{"-123456789012345678901234567890"}, "-123456789012345678901234567890"},
      {"decimal", query::Number{"12345678901234567890.1234567890"}, "12345678901234567890.1234567890"},
      {"decimal", query::Number{"-0.000"}, "0.000"},
      {"float", query::Number{"0.1"}, "0.1"},
      {"double", query::Number{"-2.5"}, "-2.500000"},
      {"double", std::string("NaN"), "nan"},
      {"blob", std::string("\\x00ff10"), nullptr},
      {"uuid", std::string("7c7862e8-9eaa-4ee9-80c5-7b1e5eaa0d8e"), "7c7862e8-9eaa-4ee9-80c5-7b1e5eaa0d8e"},
      {"timeuuid", std::string("50554d6e-29bb-11e5-b345-feff819cdc9f"), "50554d6e-29bb-11e5-b345-feff819cdc9f"},
      {"timestamp", std::string("2024-02-29T13:05:06.078+02:00"), "2024-02-29T11:05:06.078+00:00"},
      {"timestamp", std::string("1969-12-31"), "1969-12-31T00:00:00+00:00"},
      {"date", std::string("1582-10-04"), "1582-10-04"},
      {"time", std::string("23:59:59.123456789"), "23:59:59.123456789"},
      {"duration", std::string("P1Y2M3DT4H5M6.789S"), "1y2mo3d4h5m6s789ms"},
      {"inet", std::string("2001:db8::1"), "2001:db8::1"},
      {"inet", std::string("192.0.2.7"), "192.0.2.7"},
      {"list<int>", query::JsonText{"[3,1,2]"}, "[3,1,2]"},
      {"set<text>", query::JsonText{R"(["b","a"])"}, R"(["a","b"])"},
      {"map<text, int>", query::JsonText{R"({"a":1,"b":2})"}, R"({"a":1,"b":2})"},
      {"map<int, frozen<list<text>>>", query::JsonText{R"({"7":["x"]})"}, R"({"7":["x"]})"},
      {"frozen<tuple<int, text, boolean>>", query::JsonText{R"([1,null,true])"}, R"([1,null,true])"},
      {"frozen<place>", query::JsonText{R"({"street":"A","number":7})"}, R"({"street":"A","number":7})"},
      {"vector<float, 3>", query::JsonText{"[1.5,0.1,-2]"}, "[1.5,0.1,-2]"},
      {"vector<text, 2>", query::JsonText{R"(["x","yy"])"}, R"(["x","yy"])"},
      {"vector<smallint, 2>", query::JsonText{"[1,-2]"}, "[1,-2]"},
  };
  std::string create = "CREATE TABLE all_types (id int PRIMARY KEY", columns, marks;
  std::vector<query::Scalar> values = {query::Number{"1"}};
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    const std::string name = "c" + std::to_string(i);
    create += ", " + name + ' ' + cases[i].type;
    columns += ", " + name;
    marks += ", ?";
    values.push_back(cases[i].value);
  }
  ASSERT_TRUE(db.cql("DROP TABLE IF EXISTS all_types"));
  const auto created = db.cql(create + ")");
  ASSERT_TRUE(created) << created.error().error;
  const auto written = db.cql("INSERT INTO all_types (id" + columns + ") VALUES (?" + marks + ")", values);
  ASSERT_TRUE(written) << written.error().error << ' ' << written.error().log_detail;
  const auto read = db.cql("SELECT id" + columns + " FROM all_types WHERE id = 1");
  ASSERT_TRUE(read) << read.error().error << ' ' << read.error().log_detail;
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    if (cases[i].read) EXPECT_EQ(read->at(0, i + 1), cases[i].read) << cases[i].type;
    if (std::string_view(cases[i].type) == "blob") EXPECT_EQ(read->at(0, i + 1), std::string("\0\xff\x10", 3));
  }
  // The same with nothing in it.
  ASSERT_TRUE(db.cql("INSERT INTO all_types (id) VALUES (2)"));
  const auto nulls = db.cql("SELECT id" + columns + " FROM all_types WHERE id = 2");
  ASSERT_TRUE(nulls);
  for (std::size_t i = 0; i < std::size(cases); ++i) EXPECT_EQ(nulls->at(0, i + 1), std::nullopt) << cases[i].type;
}

struct WireCase {
  std::uint8_t version;
  bool compress;
};
class CassandraWire : public Cassandra, public testing::WithParamInterface<WireCase> {};

TEST_P(CassandraWire, long_messages_pass_in_both_directions) {
  const Target target = target_of(environment("ATHENA_TEST_CASSANDRA"), std::string(kKeyspace));
  ConnectOptions options;
  options.destination.address = target.host;
  options.destination.port = target.port;
  options.keyspace = target.database;
  options.version = GetParam().version;
  options.compress = GetParam().compress;
  const auto pool = std::make_shared<ExchangePool>();
  auto connection = db.run(Connection::open(db.loop, pool, options, Clock::now() + seconds(5)));
  ASSERT_TRUE(connection) << connection.error().error << connection.error().log_detail;
  EXPECT_EQ((*connection)->version(), GetParam().version);
  std::string body(500'000, 'x');  // several frames of version 5
  for (std::size_t i = 0; i < body.size(); i += 7) body[i] = static_cast<char>('a' + i % 23);
  const std::string insert = "INSERT INTO notes (id, body) VALUES (900, '" + body + "')";
  const auto written = db.run((*connection)->ask(Question(QueryQuestion{insert, {}}), Clock::now() + seconds(5)));
  ASSERT_TRUE(written) << written.error().error;
  EXPECT_EQ((*written)->opcode, Opcode::result);
  const auto read = db.run(
      (*connection)
          ->ask(Question(QueryQuestion{"SELECT body FROM notes WHERE id = 900", {}}), Clock::now() + seconds(5)));
  ASSERT_TRUE(read) << read.error().error;
  EXPECT_NE((*read)->body.view().find(body), std::string_view::npos);
  (*connection)->close();
}
INSTANTIATE_TEST_SUITE_P(Forms, CassandraWire,
                         testing::Values(WireCase{5, false}, WireCase{5, true}, WireCase{4, false}, WireCase{4, true}),
                         [](const auto& param) {
                           return "v" + std::to_string(param.param.version) + (param.param.compress ? "_lz4" : "");
                         });

TEST_F(Cassandra, a_version_that_the_server_does_not_speak_is_lowered) {
  const Target target = target_of(environment("ATHENA_TEST_CASSANDRA"), "");
  ConnectOptions options;
  options.destination.address = target.host;
  options.destination.port = target.port;
  options.version = 7;
  const auto pool = std::make_shared<ExchangePool>();
  auto connection = db.run(Connection::open(db.loop, pool, options, Clock::now() + seconds(5)));
  ASSERT_TRUE(connection) << connection.error().error << connection.error().log_detail;
  EXPECT_EQ((*connection)->version(), 5);
  (*connection)->close();
}

TEST_F(Cassandra, a_keyspace_that_does_not_exist_is_said_at_once) {
  LiveCluster other(target_of(environment("ATHENA_TEST_CASSANDRA"), "no_such_keyspace"));
  const TimePoint begin = Clock::now();
  const auto answer = other.cql("SELECT * FROM notes");
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().error, HasSubstr("keyspace"));
  EXPECT_LT(Clock::now() - begin, seconds(2));
}

}  // namespace
}  // namespace athena::driver::scylla
