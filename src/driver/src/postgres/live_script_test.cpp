#include "postgres/live_fixture.h"

#include <gmock/gmock.h>

#include <athena/query/print.h>

namespace athena::driver::postgres {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Optional;
using testing::Pair;
using testing::StartsWith;

/// Raw SQL of several statements, and in a schema.
class Script : public testing::Test {
 protected:
  Script() : database(environment("ATHENA_TEST_POSTGRES")) {
    const auto made = database.sql(
        "DROP TABLE IF EXISTS script_notes; CREATE TABLE script_notes (id int PRIMARY KEY, body text); "
        "DROP SCHEMA IF EXISTS \"Script's\" CASCADE; CREATE SCHEMA \"Script's\"; "
        "CREATE TABLE \"Script's\".script_notes (id int PRIMARY KEY, body text); "
        "INSERT INTO script_notes VALUES (1, 'public'); INSERT INTO \"Script's\".script_notes VALUES (1, 'own')");
    EXPECT_TRUE(made) << made.error().error << made.error().log_detail;
    EXPECT_TRUE(database.run(database.backend->schema(LiveDatabase::call(), true)));
  }

  struct Told {
    Answer last;
    std::vector<std::optional<Answer>> results;  ///< none: the one whose rows are in `last`
  };
  Async<Told> ask(Native native) {
    ATHENA_CO_TRY(auto stream, co_await database.backend->execute(std::move(native), LiveDatabase::call()));
    Told told;
    RowStream* const kept = stream.get();
    for (const ColumnInfo& column : kept->columns()) told.last.columns.push_back(column.name);
    for (bool last = false; !last;) {
      ATHENA_CO_TRY(const RowBatch batch, co_await kept->next());
      last = batch.last;
      for (const Cell& cell : batch.cells) told.last.rows.push_back({text_of(cell)});
    }
    told.last.affected = kept->affected();
    told.last.statements = kept->statement_count();
    for (auto& result : kept->take_results()) {
      if (!result) {
        told.results.emplace_back();
        continue;
      }
      ATHENA_CO_TRY(Answer answer, co_await read_all(std::move(result)));
      told.results.emplace_back(std::move(answer));
    }
    co_return told;
  }
  Result<Told> run(std::string text, std::string schema = {}) {
    return database.run(ask(Native{std::move(text), {}, std::move(schema)}));
  }

  LiveDatabase database;
};

TEST_F(Script, of_several_statements_gives_the_result_of_each) {
  const auto told =
      run("SELECT 1 AS a, NULL::text AS b; INSERT INTO script_notes VALUES (2, 'x'), (3, 'y') RETURNING id; "
          "CREATE TABLE script_gone (id int); DROP TABLE script_gone; SELECT count(*) AS n FROM script_notes");
  ASSERT_TRUE(told) << told.error().error;
  EXPECT_THAT(told->last.columns, ElementsAre("n"));
  EXPECT_THAT(told->last.at(0, 0), Optional(std::string("3")));
  EXPECT_EQ(told->last.statements, 5U);
  ASSERT_EQ(told->results.size(), 5U);
  EXPECT_THAT(told->results[0]->columns, ElementsAre("a", "b"));
  EXPECT_THAT(told->results[0]->rows, ElementsAre(ElementsAre(Optional(std::string("1")), std::nullopt)));
  EXPECT_EQ(told->results[1]->rows.size(), 2U);
  EXPECT_EQ(told->results[1]->affected, 2U);
  EXPECT_TRUE(told->results[2]->rows.empty());
  EXPECT_FALSE(told->results[4]);
}

TEST_F(Script, that_ends_without_rows_answers_with_its_last_result_set) {
  const auto told = run("SELECT 7 AS seven; UPDATE script_notes SET body = 'z'; SET LOCAL work_mem = '9MB'");
  ASSERT_TRUE(told) << told.error().error;
  EXPECT_THAT(told->last.columns, ElementsAre("seven"));
  EXPECT_THAT(told->last.at(0, 0), Optional(std::string("7")));
  EXPECT_EQ(told->last.affected, 1U);
  ASSERT_EQ(told->results.size(), 3U);
  EXPECT_FALSE(told->results[0]);
  EXPECT_EQ(told->results[1]->affected, 1U);
  EXPECT_THAT(database.sql("SELECT body FROM script_notes")->at(0, 0), Optional(std::string("z"))) << "committed";
}

TEST_F(Script, that_fails_is_undone_and_says_where) {
  const auto told =
      run("INSERT INTO script_notes VALUES (9, 'x');\n\nINSERT INTO script_notes\nVALUES (9, 'y');\nSELECT 1");
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, Code::unique_violation);
  EXPECT_THAT(told.error().error, StartsWith("Statement 2/3 failed at lines 3-4: "));
  EXPECT_THAT(told.error().fields, Contains(Pair("statement_index", "2")));
  EXPECT_THAT(database.sql("SELECT count(*) FROM script_notes WHERE id = 9")->at(0, 0), Optional(std::string("0")));
}

TEST_F(Script, fails_when_what_is_kept_of_it_grows_too_large) {
  const auto told = run("SELECT repeat('x', 1000000) FROM generate_series(1, 20); SELECT 1");
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, Code::result_too_large);
  EXPECT_TRUE(database.sql("SELECT 1"));
}

TEST_F(Script, in_a_schema_finds_its_tables_there_and_nobody_else_does) {
  // Reads of others go through lanes meanwhile.
  std::vector<std::optional<Result<Answer>>> answers(20);
  std::size_t left = answers.size();
  for (auto& answer : answers) {
    asio::co_spawn(database.loop.executor(), database.ask(select_by("script_notes", "id", "1"), LiveDatabase::call()),
                   [&answer, &left](std::exception_ptr, Result<Answer> got) {
                     answer = std::move(got);
                     --left;
                   });
  }
  for (const char* text : {"SELECT body FROM script_notes", "SELECT 1; SELECT body FROM script_notes"}) {
    const auto told = run(text, "Script's");
    ASSERT_TRUE(told) << told.error().error;
    EXPECT_THAT(told->last.at(0, 0), Optional(std::string("own"))) << text;
  }
  while (left > 0) database.loop.context().run_one();
  for (const auto& answer : answers) {
    ASSERT_TRUE(*answer) << (*answer).error().error;
    EXPECT_THAT((*answer)->at(0, 1), Optional(std::string("public")));
  }
  for (int i = 0; i < 8; ++i) {
    EXPECT_THAT(database.sql("SELECT body FROM script_notes")->at(0, 0), Optional(std::string("public")));
  }
}

TEST_F(Script, in_a_schema_may_be_what_runs_in_no_transaction) {
  const auto vacuumed = run("VACUUM script_notes", "Script's");
  ASSERT_TRUE(vacuumed) << vacuumed.error().error;
  ASSERT_TRUE(run("CREATE INDEX CONCURRENTLY script_index ON script_notes (body)", "Script's"));
  EXPECT_THAT(database.sql("SELECT schemaname FROM pg_indexes WHERE indexname = 'script_index'")->at(0, 0),
              Optional(std::string("Script's")));
  for (int i = 0; i < 8; ++i) {
    EXPECT_THAT(database.sql("SELECT body FROM script_notes")->at(0, 0), Optional(std::string("public")));
  }
}

TEST_F(Script, in_a_schema_that_is_not_there_runs_nothing) {
  for (const char* schema : {"nowhere", "script's", "public, pg_temp", "Script's\"; DROP TABLE script_notes; --"}) {
    const auto told = run("DELETE FROM script_notes", schema);
    ASSERT_FALSE(told) << schema;
    EXPECT_EQ(told.error().code, Code::undefined_object);
  }
  EXPECT_THAT(database.sql("SELECT count(*) FROM script_notes")->at(0, 0), Optional(std::string("1")));
}

TEST_F(Script, types_of_ones_own_have_their_names_on_every_way) {
  const auto made = database.sql(
      "DROP TABLE IF EXISTS script_moods; DROP DOMAIN IF EXISTS script_age; DROP TYPE IF EXISTS script_mood; "
      "CREATE TYPE script_mood AS ENUM ('ok', 'so \"so\"'); CREATE DOMAIN script_age AS int CHECK (value > 0); "
      "CREATE TABLE script_moods (id int PRIMARY KEY, mood script_mood, moods script_mood[], ages script_age[], "
      "age script_age); INSERT INTO script_moods VALUES (1, 'ok', '{ok,\"so \\\"so\\\"\"}', '{3,4}', 5)");
  ASSERT_TRUE(made) << made.error().error;
  ASSERT_TRUE(database.run(database.backend->schema(LiveDatabase::call(), true)));
  const auto by_lane = database.statement(select_by("script_moods", "id", "1"));
  const auto raw = database.sql("SELECT * FROM script_moods");
  for (const auto* answer : {&by_lane, &raw}) {
    ASSERT_TRUE(*answer) << (*answer).error().error;
    EXPECT_THAT((*answer)->types, ElementsAre("integer", "script_mood", "script_mood[]", "script_age[]", "integer"));
    EXPECT_THAT((*answer)->at(0, 2), Optional(std::string("[\"ok\",\"so \\\"so\\\"\"]")));
  }
  const auto gathered = database.sql("SELECT array_agg(x) AS m FROM unnest('{ok}'::script_mood[]) x");
  ASSERT_TRUE(gathered) << gathered.error().error;
  EXPECT_THAT(gathered->types, ElementsAre("script_mood[]"));
}

TEST_F(Script, a_row_of_many_columns_becomes_one_json_value) {
  std::string columns, values;
  for (int i = 0; i < 260; ++i) {
    columns += (i == 0 ? "" : ", ") + std::string("\"c'\\ ") + std::to_string(i) + "\" int";
    values += (i == 0 ? "" : ", ") + std::to_string(i);
  }
  const auto made = database.sql("DROP TABLE IF EXISTS script_wide; CREATE TABLE script_wide (" + columns +
                                 "); INSERT INTO script_wide VALUES (" + values + ")");
  ASSERT_TRUE(made) << made.error().error;
  const auto schema = database.run(database.backend->schema(LiveDatabase::call(), true));
  ASSERT_TRUE(schema);
  const query::TableDef* table = (*schema)->find("", "script_wide", {});
  ASSERT_NE(table, nullptr);
  const auto row = query::to_json_row_sql(*table, {}, {});
  ASSERT_TRUE(row);
  for (const char* conforming : {"on", "off"}) {
    const auto same = database.sql("SET LOCAL standard_conforming_strings = " + std::string(conforming) + "; SELECT " +
                                   *row + " = to_jsonb(t) FROM " + table->from_sql);
    ASSERT_TRUE(same) << same.error().error << same.error().log_detail;
    EXPECT_THAT(same->at(0, 0), Optional(std::string("true"))) << conforming;
  }
}

}  // namespace
}  // namespace athena::driver::postgres
