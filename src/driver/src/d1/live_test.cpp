// Against D1 as it is (ATHENA_TEST_D1, see tools/servers/d1.py); fails without.

#include <cstdlib>
#include <limits>

#include <gmock/gmock.h>

#include "backend_fixture.h"
#include "d1/backend.h"

namespace athena::driver::d1 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class LiveD1 : public BackendFixture {
 protected:
  LiveD1() {
    const char* uri = std::getenv("ATHENA_TEST_D1");
    const std::string url = uri ? uri : "";
    EXPECT_FALSE(url.empty()) << "ATHENA_TEST_D1 names no server";
    target_.kind = "d1";
    target_.url = url;
    target_.host = "127.0.0.1";
    target_.port = static_cast<std::uint16_t>(std::atoi(url.substr(url.rfind(':') + 1).c_str()));
    target_.password = "athena-test-token";
    target_.binding = "DB";
    table_ = std::string("t_") + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    open();
    must("DROP TABLE IF EXISTS " + table_);
    must("CREATE TABLE " + table_ +
         " (id INTEGER PRIMARY KEY, name TEXT UNIQUE, big BIGINT, price DECIMAL_TEXT, flag BOOLEAN DEFAULT true, "
         "data JSON, raw BLOB, at TIMESTAMPTZ DEFAULT '2025-01-01T00:00:00Z', r REAL, any)");
  }
  ~LiveD1() override {
    must("DROP TABLE IF EXISTS " + table_);
    close();
  }
  void open() {
    shared_ = share(target_);
    backend_ = d1::open(target_, shared_, {loop_, observer_});
  }
  Result<Answer> insert(std::vector<query::Row> rows, std::string_view returning = "id") {
    query::Insert insert;
    insert.into.name = table_;
    insert.rows = std::move(rows);
    if (!returning.empty()) insert.returning.emplace_back().column.name = returning;
    return query(std::move(insert));
  }
  query::Select all(std::string_view column = "id") {
    query::Select select = select_from(table_);
    select.columns.emplace_back().column.name = column;
    select.stable_pages = true;
    return select;
  }
  std::uint64_t rows() {
    return wait_for(backend_->count(select_from(table_), query::Count::exact, call())).value_or(999);
  }

  std::string table_;
};

TEST_F(LiveD1, keeps_every_value_as_it_was) {
  const auto answer = insert({{{"id", number("9223372036854775807")},
                               {"name", std::string("Zoë 😀 \"q\" \\")},
                               {"big", number("-9223372036854775808")},
                               {"price", number("12345678901234567890.50")},
                               {"flag", false},
                               {"data", query::JsonText{R"({"a":[1,null]})"}},
                               {"raw", std::string("\\x00ff10")},
                               {"r", number("1e300")},
                               {"any", number("5")}}},
                             "");
  ASSERT_TRUE(answer) << why(answer);
  const std::vector<std::string> expected = {"9223372036854775807",
                                             "'Zoë 😀 \"q\" \\'",
                                             "-9223372036854775808",
                                             "{12345678901234567890.50}",
                                             "false",
                                             R"({{"a":[1,null]}})",
                                             R"("\\x00ff10")",
                                             "\"2025-01-01T00:00:00Z\"",
                                             "1e+300",
                                             "5"};
  ASSERT_THAT(answer->rows, SizeIs(1));
  EXPECT_EQ(answer->rows[0], expected);
  EXPECT_EQ(answer->affected, 1U);
  const auto read = query(by_key(table_, "id", number("9223372036854775807")));
  ASSERT_TRUE(read) << why(read);
  EXPECT_EQ(read->rows.at(0), expected);
  const auto listed = query([&] {
    query::Select select = all("name");
    query::Predicate in{.column = {.name = "big", .path = {}}, .op = query::Op::in, .operands = {}};
    in.operands = {number("-9223372036854775808"), number("1")};
    select.where.terms.emplace_back(std::move(in));
    return select;
  }());
  ASSERT_TRUE(listed) << why(listed);
  EXPECT_THAT(listed->rows, SizeIs(1));
}

TEST_F(LiveD1, inserts_many_rows_or_none) {
  std::vector<query::Row> many;
  for (int i = 1; i <= 400; ++i) {
    query::Row row = {
        {"id", number(std::to_string(i))}, {"name", "n" + std::to_string(i)}, {"raw", std::string("\\x0a")}};
    if (i % 2) row.emplace_back("big", number("9007199254740993"));
    if (i % 3) row.emplace_back("flag", false);
    many.push_back(std::move(row));
  }
  const auto inserted = insert(many);
  ASSERT_TRUE(inserted) << why(inserted);
  EXPECT_THAT(inserted->rows, SizeIs(400));
  EXPECT_EQ(inserted->rows[0][0], "1");
  EXPECT_EQ(inserted->rows[399][0], "400");
  const auto third = query(by_key(table_, "id", number("3")));
  ASSERT_TRUE(third);
  EXPECT_EQ(third->rows[0][2], "9007199254740993");
  EXPECT_EQ(third->rows[0][4], "true");  // the default, where the row had no value
  EXPECT_EQ(third->rows[0][6], R"("\\x0a")");
  EXPECT_EQ(query(by_key(table_, "id", number("2")))->rows[0][2], "null");

  for (query::Row& row : many) row.erase(row.begin());
  for (std::size_t i = 0; i < many.size(); ++i) many[i][0].second = "m" + std::to_string(i);
  many.back()[0].second = std::string("n7");  // is there already
  const auto refused = insert(many);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::unique_violation);
  EXPECT_EQ(rows(), 400U);
}

TEST_F(LiveD1, minds_the_case_in_like_alone) {
  ASSERT_TRUE(
      insert({{{"name", std::string("Abc")}}, {{"name", std::string("abd")}}, {{"name", std::string("a_%[*")}}}));
  const auto matching = [&](query::Op op, std::string pattern) {
    query::Select select = all();
    query::Predicate like{.column = {.name = "name", .path = {}}, .op = op, .operands = {std::move(pattern)}};
    select.where.terms.emplace_back(std::move(like));
    const auto answer = query(std::move(select));
    EXPECT_TRUE(answer) << why(answer);
    return answer ? answer->rows.size() : 99;
  };
  EXPECT_EQ(matching(query::Op::like, "a%"), 2U);
  EXPECT_EQ(matching(query::Op::ilike, "a%"), 3U);
  EXPECT_EQ(matching(query::Op::like, "_b_"), 2U);
  EXPECT_EQ(matching(query::Op::like, "a\\_\\%[*"), 1U);
  EXPECT_EQ(matching(query::Op::starts_with, "a_%["), 1U);
  query::Select select = all();
  select.where.terms.emplace_back(query::Predicate{
      .column = {.name = "name", .path = {}}, .op = query::Op::like, .operands = {"%" + std::string(60, 'x')}});
  EXPECT_EQ(query(std::move(select)).error().code, Code::limit_exceeded);
}

TEST_F(LiveD1, changes_at_most_so_many_rows) {
  ASSERT_TRUE(insert({{{"name", std::string("a")}}, {{"name", std::string("b")}}, {{"name", std::string("c")}}}));
  query::Update update;
  update.table.name = table_;
  update.set = {{"big", number("7")}};
  update.max_affected = 2;
  EXPECT_EQ(query(update).error().code, Code::too_many_affected);
  EXPECT_EQ(query(by_key(table_, "big", number("7")))->rows.size(), 0U);
  update.where.terms.emplace_back(equals("name", std::string("a")));
  const auto one = query(update);
  ASSERT_TRUE(one) << why(one);
  EXPECT_THAT(one->rows, SizeIs(1));
  update.where.terms.clear();
  update.where.terms.emplace_back(equals("name", std::string("nobody")));
  EXPECT_THAT(query(update)->rows, SizeIs(0));
}

TEST_F(LiveD1, goes_on_from_a_bookmark) {
  ReadSession session{.mode = "first-primary", .bookmark = "", .reached = ""};
  Call with = call();
  with.session = &session;
  query::Insert insert;
  insert.into.name = table_;
  insert.rows = {{{"name", std::string("a")}}};
  ASSERT_TRUE(query(insert, with));
  EXPECT_FALSE(session.reached.empty());
  session.bookmark = session.reached;
  session.reached.clear();
  EXPECT_THAT(query(all(), with)->rows, SizeIs(1));
  EXPECT_GE(session.reached, session.bookmark);
  session = {.mode = "sideways", .bookmark = "", .reached = ""};
  EXPECT_EQ(query(all(), with).error().code, Code::invalid_value);
}

TEST_F(LiveD1, runs_raw_sql_with_columns_parameters_and_transactions) {
  const auto read = sql("SELECT $2 AS b, $1 AS a", {number("9007199254740993"), std::string("x")});
  ASSERT_TRUE(read) << why(read);
  EXPECT_THAT(read->rows, ElementsAre(ElementsAre("'x'", "'9007199254740993'")));
  const auto several = sql("INSERT INTO " + table_ + " (id) VALUES (1); INSERT INTO " + table_ +
                           " (id) VALUES (2); SELECT id FROM " + table_ + " ORDER BY id");
  ASSERT_TRUE(several) << why(several);
  EXPECT_EQ(several->statements, 3U);
  EXPECT_THAT(several->rows, ElementsAre(ElementsAre("1"), ElementsAre("2")));
  EXPECT_EQ(sql("DELETE FROM " + table_ + "; INSERT INTO " + table_ + " (id) VALUES (1); INSERT INTO " + table_ +
                " (id) VALUES (1)")
                .error()
                .code,
            Code::unique_violation);
  EXPECT_EQ(rows(), 2U);
  const auto rounded = sql("SELECT CAST('9007199254740993' AS INTEGER) AS big");
  ASSERT_FALSE(rounded);
  EXPECT_EQ(rounded.error().code, Code::value_out_of_range);
  EXPECT_EQ(sql("SELECT unhex('0aff') AS b")->rows[0][0], R"("\\x0aff")");  // its SQLite is newer than ours
  const auto syntax = sql("SELECT\n FROM x");
  ASSERT_FALSE(syntax);
  EXPECT_EQ(syntax.error().code, Code::syntax_error);
  EXPECT_THAT(syntax.error().fields, ::testing::Contains(std::pair<std::string, std::string>("position", "9")));
  EXPECT_EQ(sql("PRAGMA table_info(" + table_ + ")")->rows.size(), 10U);
}

TEST_F(LiveD1, sees_tables_change) {
  ASSERT_TRUE(sql("ALTER TABLE " + table_ + " ADD COLUMN fresh TEXT"));
  query::Select select = all("fresh");
  EXPECT_TRUE(query(select));
  // Somebody else's change is seen when a name is missing.
  const auto other = share(target_);
  const auto elsewhere = d1::open(target_, other, {loop_, observer_});
  ASSERT_TRUE(wait_for(
      execute_and_drain(*elsewhere, Native{"ALTER TABLE " + table_ + " ADD COLUMN fresher TEXT", {}, ""}, call())));
  const auto found = query(all("fresher"));
  EXPECT_TRUE(found) << why(found);
  EXPECT_EQ(query(all("never")).error().code, Code::undefined_column);
  (void)wait_for(stop(*elsewhere));
}

TEST_F(LiveD1, tells_mistakes_of_every_kind) {
  ASSERT_TRUE(insert({{{"name", std::string("a")}}}));
  const auto twice = insert({{{"name", std::string("a")}}});
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, Code::unique_violation);
  EXPECT_THAT(twice.error().error, HasSubstr(table_ + ".name"));
  query::Select many = all();
  for (int i = 0; i < 101; ++i) many.where.terms.emplace_back(equals("name", std::to_string(i)));
  EXPECT_EQ(query(many).error().code, Code::limit_exceeded);
  many.where.terms.pop_back();
  EXPECT_TRUE(query(many));

  close();
  target_.binding = "NOPE";
  open();
  EXPECT_EQ(query(all()).error().code, Code::configuration_error);
  close();
  target_.binding = "DB";
  target_.password = "wrong";
  open();
  const auto wrong = query(all());
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Code::configuration_error);
  EXPECT_THAT(wrong.error().log_detail, ::testing::Not(HasSubstr("wrong")));
  close();
  target_.password = "athena-test-token";
  open();
}

TEST_F(LiveD1, runs_many_requests_at_once) {
  target_.pool.max_connections = 8;
  close();
  open();
  ASSERT_TRUE(insert({{{"name", std::string("a")}}}));
  std::size_t done = 0, good = 0;
  for (int i = 0; i < 100; ++i) {
    asio::co_spawn(
        loop_.executor(),
        [](Backend& backend, query::Statement statement, std::size_t& ended, std::size_t& succeeded) -> Task<> {
          const auto answer = co_await execute_and_drain(backend, std::move(statement), call());
          ++ended;
          if (answer && answer->rows.size() == 1) ++succeeded;
        }(*backend_, query::Statement(all()), done, good),
        asio::detached);
  }
  while (done < 100) loop_.context().run_one();
  EXPECT_EQ(good, 100U);
}

}  // namespace
}  // namespace athena::driver::d1
