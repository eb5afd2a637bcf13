#include "postgres/classify.h"

#include <algorithm>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace athena::driver::postgres {
namespace {

using testing::ElementsAre;

std::string repeated(std::string_view piece, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) text += piece;
  return text;
}

std::string_view name_of(StatementKind kind) {
  switch (kind) {
    case StatementKind::select:
      return "select";
    case StatementKind::insert:
      return "insert";
    case StatementKind::update:
      return "update";
    case StatementKind::del:
      return "delete";
    case StatementKind::merge:
      return "merge";
    case StatementKind::ddl:
      return "ddl";
    case StatementKind::utility:
      return "utility";
    case StatementKind::transaction_control:
      return "transaction";
    case StatementKind::copy:
      return "copy";
  }
  return "";
}

std::string names_of(std::vector<query::Table> tables) {
  std::vector<std::string> names;
  for (const auto& table : tables) names.push_back(table.schema.empty() ? table.name : table.schema + "." + table.name);
  std::ranges::sort(names);
  std::string joined;
  for (const auto& name : names) joined += (joined.empty() ? "" : " ") + name;
  return joined;
}

/// "select insert | reads: a b | writes: c | volatile"
std::string described(std::string_view sql) {
  const auto facts = analyze_sql(sql);
  if (!facts) return "error: " + facts.error().error;
  std::string words;
  for (const StatementKind kind : facts->statements) words += (words.empty() ? "" : " ") + std::string(name_of(kind));
  if (!facts->reads.empty()) words += " | reads: " + names_of(facts->reads);
  if (!facts->writes.empty()) words += " | writes: " + names_of(facts->writes);
  if (facts->is_volatile) words += " | volatile";
  return words;
}

std::string position_of(const Error& error) {
  for (const auto& [name, value] : error.fields) {
    if (name == "position") return value;
  }
  return "";
}

TEST(Classify, a_syntax_error_of_several_statements_says_which_it_was) {
  struct Case {
    const char *sql, *begin;
  };
  const Case cases[] = {
      {"SELECT 1; SELEC 2", "Statement 2/2 failed at line 1: "},
      {"SELEC 1; SELECT 2;", "Statement 1/2 failed at line 1: "},
      {"SELECT ';';;\n-- ; SELECT\nSELECT\n'é' FROM FROM t; SELECT 2", "Statement 2/3 failed at lines 3-4: "},
      {"SELECT 1; SELECT (2", "Statement 2/2 failed at line 1: "},
      {"SELEC 1;", "syntax error"},
      {"SELECT 1; SELECT 'open", "unterminated quoted string"},
  };
  for (const auto& [sql, begin] : cases) {
    const auto facts = analyze_sql(sql);
    ASSERT_FALSE(facts) << sql;
    EXPECT_THAT(facts.error().error, testing::StartsWith(begin)) << sql;
  }
}

TEST(Classify, a_syntax_error_has_the_parsers_words_and_a_position_in_characters) {
  struct Case {
    const char *sql, *words, *position;
  };
  const Case cases[] = {
      {"selec 1", "syntax error at or near \"selec\"", "1"},
      {"select 'é😀', 1 frm t", "syntax error at or near \"t\"", "20"},
      {"select (1", "syntax error at end of input", "10"},
      {"select 'open", "unterminated quoted string at or near \"'open\"", "8"},
      {"select \"\"", "zero-length delimited identifier at or near \"\"\"\"", "8"},
      {"select 1 /* open", "unterminated /* comment at or near \"/* open\"", "10"},
      {"select $$open", "unterminated dollar-quoted string at or near \"$$open\"", "8"},
      {"\xEF\xBB\xBFselect 1", "syntax error at or near \"\xEF\xBB\xBFselect\"", "1"},
      {"}{", "syntax error at or near \"}\"", "1"},
  };
  for (const auto& [sql, words, position] : cases) {
    for (const auto& error : {analyze_sql(sql).error(), split_statements(sql).error()}) {
      EXPECT_EQ(error.code, Code::syntax_error) << sql;
      EXPECT_EQ(error.error, words);
      EXPECT_EQ(position_of(error), position) << sql;
    }
  }
}

TEST(Classify, a_long_syntax_error_is_cut_between_characters) {
  const auto facts =
      analyze_sql("select 1 from t where x '" + repeated("ü", 5'000) + "' '" + repeated("é", 5'000) + "'");
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().code, Code::syntax_error);
  EXPECT_LE(facts.error().error.size(), 310U);
  EXPECT_TRUE(facts.error().error.ends_with("é…")) << facts.error().error;
}

TEST(Classify, bytes_that_are_no_text_are_refused) {
  using namespace std::string_view_literals;
  for (const auto sql : {"select '\xff'"sv, "select 1\0; drop table t"sv, "\0"sv, "select '\xed\xa0\x80'"sv}) {
    const auto facts = analyze_sql(sql);
    ASSERT_FALSE(facts);
    EXPECT_EQ(facts.error().code, Code::invalid_encoding);
  }
}

TEST(Classify, texts_beyond_the_bounds_are_refused) {
  const auto code_of = [](const std::string& sql) {
    const auto facts = analyze_sql(sql);
    return facts ? std::string("none") : std::string(facts.error().row().wire_code);
  };
  EXPECT_EQ(code_of(std::string(kMaxSqlBytes + 1, ' ')), "limit_exceeded");
  EXPECT_EQ(code_of(std::string(kMaxSqlBytes, ' ')), "none");
  EXPECT_EQ(code_of("select 1" + repeated(",1", kMaxSqlTokens)), "limit_exceeded");
  // Each way to a deep tree, at a depth that would overflow an ordinary stack.
  for (const char* chain : {"+1", "||a", "::int", " isnull", " is not true", " collate c", " at time zone z", " !! x",
                            " in (1)", " between 1 and 2 is true", ".and + x.and", " + join(1) isnull isnull"}) {
    EXPECT_EQ(code_of("select x" + repeated(chain, 30'000)), "limit_exceeded") << chain;
  }
  EXPECT_EQ(code_of("select 1" + repeated(" union select 1", 30'000)), "limit_exceeded");
  EXPECT_EQ(code_of("select 1 from a" + repeated(" natural join a", 30'000)), "limit_exceeded");
  EXPECT_EQ(code_of("select 1 from a" + repeated(" join a on x and y", 12'000)), "limit_exceeded");
  for (const auto& [open, close] : std::vector<std::pair<const char*, const char*>>{
           {"(", ")"}, {"(select ", ")"}, {"f(", ")"}, {"- ", ""}, {"not ", ""}, {"case when ", " then 1 end"}}) {
    EXPECT_EQ(code_of("select " + repeated(open, 30'000) + "1" + repeated(close, 30'000)), "limit_exceeded") << open;
  }
  // The parser has a bound of its own for what nests to the right.
  EXPECT_EQ(code_of("select " + repeated("(", 6'000) + "1" + repeated(")", 6'000)), "none");
  EXPECT_EQ(code_of("select " + repeated("not ", 9'950) + "x"), "none");
  // Deep around something large costs the product of both.
  EXPECT_EQ(code_of("select '" + std::string(900'000, 'x') + "'" + repeated(" isnull", 9'000)), "limit_exceeded");
  EXPECT_EQ(code_of(repeated("(", 200'000)), "limit_exceeded");
  EXPECT_EQ(code_of(repeated(")", 200'000)), "syntax_error");
  EXPECT_EQ(code_of(repeated("case ", 900) + repeated(") end ", 900)), "syntax_error");
  EXPECT_EQ(code_of("with " + repeated("a as (select 1), ", 501) + "b as (select 1) select 1"), "limit_exceeded");
}

TEST(Classify, long_and_flat_texts_pass) {
  EXPECT_EQ(described("select * from t where x = 0" + repeated(" or x = 1", 30'000)), "select | reads: t");
  EXPECT_EQ(described("select * from t where " + repeated("x = 1 and y = 2 or ", 10'000) + "z"), "select | reads: t");
  EXPECT_EQ(described("insert into t values (1,'a')" + repeated(",(2,'b''c')", 40'000)), "insert | writes: t");
  EXPECT_EQ(described("update t set x = case id" + repeated(" when 1 then 'a'", 20'000) + " end"),
            "update | writes: t");
  EXPECT_EQ(described("select * from t where x in (0" + repeated(",1", 100'000) + ")"), "select | reads: t");
  EXPECT_EQ(described("select 1" + repeated("+1", 4'000)), "select");
  EXPECT_EQ(described("select 1" + repeated(" union all select 1", 3'000)), "select");
  const auto many = split_statements(repeated("select 1;", 60'000));
  ASSERT_TRUE(many);
  EXPECT_EQ(many->size(), 60'000U);
}

struct FactsCase {
  const char *sql, *facts;
};
constexpr FactsCase kFacts[] = {
    // nothing
    {"", ""},
    {" ; ; ", ""},
    {"-- only a comment", ""},
    // reads
    {"select 1", "select"},
    {"select * from users u join app.orders o on true", "select | reads: app.orders users"},
    {"select * from users where id in (select user_id from orders)", "select | reads: orders users"},
    {"select (select count(*) from a), exists (select from b)", "select | reads: a b"},
    {"table users", "select | reads: users"},
    {"values (1), (2)", "select"},
    {"select * from a union select * from b except table c", "select | reads: a b c"},
    {"select * from \"Weird \"\"Name\", \"a.b\".\"c.d\"", "select | reads: Weird \"Name a.b.c.d"},
    {"select * from other_db.public.t", "select | reads: public.t"},
    {"select * from a, lateral (select * from b where b.x = a.x) s", "select | reads: a b"},
    {"select * from users for update of users", "select | reads: users"},
    {"select * from users u for share of u", "select | reads: users"},
    {"select * from generate_series(1, 3) g", "select"},
    {"select * from t tablesample system (10)", "select | reads: t"},
    {"select a.b.c, t.* from t", "select | reads: t"},
    // names in WITH
    {"with x as (select * from a) select * from x, b", "select | reads: a b"},
    {"with users as (select * from users) select * from users", "select | reads: users"},
    {"with recursive t as (select 1 union select * from t, a) select * from t", "select | reads: a"},
    {"with recursive a as (select * from b), b as (select 1) select * from a", "select"},
    {"with a as (select * from b), b as (select 1) select * from a, b", "select | reads: b"},
    {"with a as (select 1), b as (select * from a) select * from b", "select"},
    {"select * from u, (with u as (select 1) select * from u) s", "select | reads: u"},
    {"with u as (select 1) select * from public.u", "select | reads: public.u"},
    {"with u as (select 1) select (with v as (select * from u) select * from v), (select 1 from v)",
     "select | reads: v"},
    {"with u as (select 1) insert into u select * from u", "insert | writes: u"},
    {"with x as (select 1) select * from a; select * from x", "select select | reads: a x"},
    // writes
    {"insert into t values (1) returning *", "insert | writes: t"},
    {"insert into t select * from s on conflict (id) do update set x = (select max(x) from m)",
     "insert | reads: m s | writes: t"},
    {"update app.t set x = s.x from s where s.id = t.id", "update | reads: s | writes: app.t"},
    {"delete from t using s where t.id = s.id", "delete | reads: s | writes: t"},
    {"merge into t using s on t.id = s.id when matched then delete when not matched then insert values (1)",
     "merge | reads: s | writes: t"},
    {"truncate a, app.b", "delete | writes: a app.b"},
    {"with x as (insert into t values (1) returning *) select * from x", "select insert | writes: t"},
    {"with x as (delete from a returning *) insert into b select * from x", "insert delete | writes: a b"},
    {"select * from (with x as (update t set a = 1 returning *) select * from x) s", "select update | writes: t"},
    {"select 1; update t set a = 1; select 2", "select update select | writes: t"},
    // definitions
    {"select * into n from s", "ddl | reads: s | writes: n"},
    {"create table n as select * from s", "ddl | reads: s | writes: n"},
    {"create temp table n as with x as (select * from s) select * from x", "ddl | reads: s | writes: n"},
    {"create materialized view m as select * from s", "ddl | reads: s | writes: m"},
    {"refresh materialized view m", "ddl | writes: m"},
    {"create table t (id int primary key, u int references users (id))", "ddl | reads: users | writes: t"},
    {"create view v as select * from a", "ddl | reads: a | writes: v"},
    {"alter table t add column x int", "ddl | writes: t"},
    {"alter table t rename to u", "ddl | writes: t"},
    {"create index i on t (lower(name))", "ddl | writes: t"},
    {"drop index i", "ddl"},
    {"drop table a, app.b cascade", "ddl | writes: a app.b"},
    {"drop view v", "ddl | writes: v"},
    {"create function f() returns int language sql as 'select 1'", "ddl"},
    {"drop function f", "ddl"},
    {"grant select on t to bob", "ddl | reads: t"},
    {"create extension hstore", "ddl"},
    {"create role bob", "ddl"},
    {"alter system set work_mem = '1GB'", "ddl utility"},
    {"comment on table t is 'x'", "ddl"},
    {"drop database d", "ddl"},
    {"create trigger g after insert on t for each row execute function f()", "ddl | writes: t"},
    {"create rule r as on insert to t do also delete from u", "ddl delete | writes: t u"},
    // explain
    {"explain select * from a", "utility | reads: a"},
    {"explain delete from t where f()", "utility | reads: t"},
    {"explain analyze delete from t", "utility delete | writes: t"},
    {"explain (analyze) insert into t select * from s", "utility insert | reads: s | writes: t"},
    {"explain (analyze on, verbose) delete from t", "utility delete | writes: t"},
    {"explain (analyze 1) delete from t", "utility delete | writes: t"},
    {"explain (analyze off) delete from t", "utility | reads: t"},
    {"explain (analyze FALSE) delete from t", "utility | reads: t"},
    {"explain (analyze 0) delete from t", "utility | reads: t"},
    {"explain (analyze off, analyze) delete from t", "utility delete | writes: t"},
    {"explain analyze create table n as select 1", "utility ddl | writes: n"},
    {"explain analyze with x as (delete from t returning *) select * from x", "utility delete | writes: t"},
    // utility
    {"set search_path = app", "utility"},
    {"set local statement_timeout = 0", "utility"},
    {"reset all", "utility"},
    {"show all", "utility"},
    {"listen c", "utility"},
    {"notify c, 'x'", "utility"},
    {"discard all", "utility"},
    {"do $$ begin delete from t; end $$", "utility | volatile"},
    {"call p(1)", "utility | volatile"},
    {"prepare p as delete from t", "utility delete | writes: t"},
    {"execute p(1)", "utility | volatile"},
    {"declare c cursor for select * from t", "utility | reads: t"},
    {"fetch 10 from c", "utility"},
    {"lock table t", "utility | reads: t"},
    {"vacuum t", "utility | reads: t"},
    {"load 'x'", "utility | volatile"},
    {"set standard_conforming_strings = off", "utility | volatile"},
    {"set client_encoding = 'SJIS'", "utility | volatile"},
    // copy
    {"copy t to stdout", "copy | reads: t"},
    {"copy t from stdin", "copy | writes: t"},
    {"copy (select * from a) to stdout", "copy | reads: a"},
    {"copy (delete from t returning *) to stdout", "copy delete | writes: t"},
    {"copy t from program 'id'", "copy | writes: t | volatile"},
    {"copy t to '/tmp/x'", "copy | reads: t | volatile"},
    // transactions
    {"begin", "transaction"},
    {"start transaction read only", "transaction"},
    {"commit and chain", "transaction"},
    {"rollback to savepoint s", "transaction"},
    {"prepare transaction 'x'", "transaction"},
    {"end", "transaction"},
    {"set transaction read write", "transaction"},
    {"set transaction_read_only = off", "transaction"},
    {"set local Transaction_Isolation = 'serializable'", "transaction"},
    {"reset transaction_read_only", "transaction"},
    {"set transaction snapshot 'x'", "transaction"},
};

TEST(Classify, says_what_each_statement_is_and_touches) {
  for (const auto& [sql, facts] : kFacts) EXPECT_EQ(described(sql), facts) << sql;
}

TEST(Classify, only_functions_that_are_known_not_to_write_leave_a_text_stable) {
  for (const char* sql :
       {"select now(), current_date, lower(x), count(*), sum(x) over (), coalesce(a, b) from t",
        "select pg_catalog.upper('x')",
        "select extract(year from d), d at time zone 'utc', x like 'a' escape 'b', substring(a from 1 for 2), trim(x) "
        "from t",
        "select random(), gen_random_uuid(), clock_timestamp()", "select * from jsonb_to_recordset('[]') as x(a int)",
        "select string_agg(x, ',' order by y) filter (where z) from t",
        "select x::text || 'a', row(1, 2), array[1] from t"}) {
    EXPECT_FALSE(analyze_sql(sql)->is_volatile) << sql;
  }
  for (const char* sql :
       {"select my_function()", "select public.lower('x')", "select nextval('s')", "select setval('s', 1)",
        "select set_config('a', 'b', false)", "select * from my_function() f", "select pg_notify('a', 'b')",
        "select dblink_exec('delete')", "select lo_import('/etc/passwd')",
        "select query_to_xml('delete from t', true, true, '')", "select table_to_xml('t', true, true, '')",
        "select pg_terminate_backend(1)", "select other.pg_catalog.lower('x')",
        "select 1 where exists (select f(x) from t)", "insert into t values (f())", "select sum(f(x)) from t",
        "select \"LOWER\"('x')", "select pg_read_file('x')", "select txid_current(), pg_advisory_lock(1)"}) {
    EXPECT_TRUE(analyze_sql(sql)->is_volatile) << sql;
  }
}

TEST(Classify, statements_are_views_without_semicolons_blanks_and_empty_ones) {
  const std::string sql = " ;; select 1 ; \n-- c\nselect ';' , $$;$$ /* ; */;\tinsert into \"a;b\" values ('é;') ; ; ";
  const auto statements = split_statements(sql);
  ASSERT_TRUE(statements);
  ASSERT_THAT(*statements, testing::SizeIs(3));
  EXPECT_EQ((*statements)[0], "select 1");
  EXPECT_EQ((*statements)[1], "-- c\nselect ';' , $$;$$ /* ; */");
  EXPECT_EQ((*statements)[2], "insert into \"a;b\" values ('é;')");
  for (const std::string_view statement : *statements) {
    EXPECT_TRUE(statement.data() >= sql.data() && statement.data() + statement.size() <= sql.data() + sql.size());
  }
  EXPECT_THAT(*split_statements("select 1"), ElementsAre("select 1"));
  EXPECT_THAT(*split_statements("create rule r as on insert to t do (select 1; select 2); select 3"),
              ElementsAre("create rule r as on insert to t do (select 1; select 2)", "select 3"));
  EXPECT_THAT(*split_statements(""), ElementsAre());
  EXPECT_THAT(*split_statements(" ; -- nothing\n ;"), ElementsAre());
}

TEST(Classify, texts_are_analysed_on_many_threads_that_come_and_go) {
  const std::string deep = "select 1" + repeated("+1", 2'000),
                    flat = "select * from a, b where " + repeated("x = 1 and ", 300) + "y";
  for (int round = 0; round < 20; ++round) {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        EXPECT_EQ(described(deep), "select");
        EXPECT_EQ(described(flat), "select | reads: a b");
        EXPECT_FALSE(analyze_sql("selec"));
      });
    }
  }
}

}  // namespace
}  // namespace athena::driver::postgres
