#include "sqlstate.h"

#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace athena::driver {
namespace {

std::string field(const Error& error, std::string_view name) {
  for (const auto& [key, value] : error.fields) {
    if (key == name) return value;
  }
  return {};
}

ServerError server_error(std::string sqlstate, std::string message) {
  ServerError server;
  server.severity = "ERROR";
  server.sqlstate = std::move(sqlstate);
  server.message = std::move(message);
  return server;
}

constexpr ErrorContext kGenerated{};
constexpr ErrorContext kCallers{.caller_sql = true, .caller_text = "select nope from users"};

struct CodeCase {
  const char* sqlstate;
  Code code;
};
constexpr CodeCase kCodes[] = {
    {"23505", Code::unique_violation},
    {"23503", Code::foreign_key_violation},
    {"23502", Code::not_null_violation},
    {"23514", Code::check_constraint_violation},
    {"23P01", Code::exclusion_violation},
    {"23001", Code::foreign_key_violation},
    {"23000", Code::check_constraint_violation},
    {"22021", Code::invalid_text_encoding},
    {"22P05", Code::invalid_text_encoding},
    {"22P02", Code::invalid_text_representation},
    {"22007", Code::invalid_text_representation},
    {"22003", Code::value_out_of_range},
    {"22008", Code::value_out_of_range},
    {"22001", Code::value_out_of_range},
    {"22012", Code::invalid_parameter},
    {"22023", Code::invalid_parameter},
    {"2201B", Code::invalid_parameter},
    {"42703", Code::undefined_column},
    {"42P01", Code::undefined_table},
    {"42601", Code::syntax_error},
    {"42803", Code::syntax_error},
    {"42883", Code::undefined_function},
    {"42704", Code::undefined_object},
    {"42804", Code::type_mismatch},
    {"42501", Code::insufficient_privilege},
    {"42P02", Code::invalid_parameter},
    {"42P07", Code::duplicate_object},
    {"42710", Code::duplicate_object},
    {"42701", Code::duplicate_object},
    {"42P10", Code::invalid_parameter},
    {"428C9", Code::invalid_parameter},
    {"3F000", Code::undefined_object},
    {"40001", Code::serialization_failure},
    {"40P01", Code::deadlock_detected},
    {"40003", Code::write_outcome_unknown},
    {"57014", Code::statement_timeout},
    {"57P01", Code::database_unavailable},
    {"57P02", Code::database_unavailable},
    {"57P03", Code::database_unavailable},
    {"53300", Code::too_many_connections},
    {"53100", Code::disk_full},
    {"53200", Code::database_unavailable},
    {"08006", Code::connection_error},
    {"08001", Code::connection_error},
    {"08P01", Code::invalid_parameter},
    {"28P01", Code::connection_error},
    {"28000", Code::connection_error},
    {"3D000", Code::connection_error},
    {"25006", Code::read_only_violation},
    {"25001", Code::unsupported_statement},
    {"55P03", Code::object_in_use},
    {"55006", Code::object_in_use},
    {"55000", Code::feature_not_supported},
    {"0A000", Code::feature_not_supported},
    {"54001", Code::limit_exceeded},
    {"21000", Code::invalid_parameter},
    {"2BP01", Code::object_in_use},
    {"44000", Code::check_constraint_violation},
    {"26000", Code::undefined_object},
    {"P0001", Code::check_constraint_violation},
    {"P0002", Code::nothing_matched},
    {"P0003", Code::database_error},
    {"XX000", Code::database_error},
    {"58030", Code::database_error},
    {"HV000", Code::database_error},
    {"", Code::database_error},
    {"2", Code::database_error},
    {"22", Code::database_error},
    {"ZZZZZ", Code::database_error},
};

TEST(SqlState, each_state_has_the_code_that_callers_know) {
  for (const auto& [sqlstate, code] : kCodes) {
    EXPECT_EQ(error_from_server(server_error(sqlstate, "m"), kGenerated).code, code) << sqlstate;
  }
}

TEST(SqlState, every_row_is_found_by_its_state_and_gives_words) {
  std::set<std::string_view> seen;
  for (const SqlStateRow& row : sqlstate_rows()) {
    ASSERT_TRUE(row.sqlstate.size() == 5 || row.sqlstate.size() == 2) << row.sqlstate;
    EXPECT_TRUE(seen.insert(row.sqlstate).second) << row.sqlstate;
    const std::string state = row.sqlstate.size() == 5 ? std::string(row.sqlstate) : std::string(row.sqlstate) + "~~~";
    EXPECT_EQ(&sqlstate_row(state), &row) << state;
    for (const bool caller_sql : {false, true}) {
      const Error error = error_from_server(server_error(state, "server's words"), {.caller_sql = caller_sql});
      EXPECT_EQ(error.code, row.code);
      EXPECT_FALSE(error.error.empty()) << state;
      EXPECT_EQ(field(error, "sql_state"), state);
      EXPECT_NE(error.log_detail.find("server's words"), std::string::npos) << "the log knows everything";
      using enum SqlStateRow::Voice;
      const bool passes = row.voice == theirs || (caller_sql && (row.voice == callers || row.voice == name));
      EXPECT_EQ(error.error == "server's words", passes) << state << caller_sql;
    }
  }
}

TEST(SqlState, a_unique_violation_names_table_columns_and_constraint_but_no_values) {
  ServerError server = server_error("23505", R"(duplicate key value violates unique constraint "users_email_key")");
  server.detail = "Key (tenant, email)=(7, secret@example.org) already exists.";
  server.schema = "public", server.table = "users", server.constraint = "users_email_key";
  const Error error = error_from_server(server, kGenerated);
  EXPECT_EQ(
      error.error,
      "A record of table 'users' with the same value of 'tenant, email' already exists (constraint 'users_email_key')");
  EXPECT_EQ(field(error, "table"), "users");
  EXPECT_EQ(field(error, "schema"), "public");
  EXPECT_EQ(field(error, "constraint"), "users_email_key");
  EXPECT_EQ(field(error, "column"), "tenant, email");
  EXPECT_FALSE(error.hint.empty());
  for (const auto& [name, value] : error.fields) EXPECT_EQ(value.find("secret"), std::string::npos) << name;
}

TEST(SqlState, the_other_constraints_have_words_too) {
  ServerError child =
      server_error("23503", R"(insert or update on table "orders" violates foreign key constraint "fk")");
  child.detail = R"(Key (user_id)=(9) is not present in table "users".)";
  child.table = "orders", child.constraint = "fk";
  EXPECT_EQ(error_from_server(child, kGenerated).error,
            "The value of 'user_id' in table 'orders' refers to a record that does not exist (constraint 'fk')");

  ServerError parent = child;
  parent.message = R"(update or delete on table "users" violates foreign key constraint "fk" on table "orders")";
  EXPECT_EQ(error_from_server(parent, kGenerated).error,
            "Rows of table 'orders' still refer to the record (constraint 'fk')");

  ServerError null =
      server_error("23502", R"(null value in column "email" of relation "users" violates not-null constraint)");
  null.table = "users", null.column = "email";
  const Error missing = error_from_server(null, kGenerated);
  EXPECT_EQ(missing.error, "Column 'email' of table 'users' must not be null");
  EXPECT_EQ(field(missing, "column"), "email");

  ServerError domain = server_error("23514", R"(value for domain posint violates check constraint "posint_check")");
  domain.data_type = "posint", domain.constraint = "posint_check";
  EXPECT_EQ(error_from_server(domain, kGenerated).error,
            "The values violate a rule of type 'posint' (constraint 'posint_check')");

  EXPECT_EQ(error_from_server(server_error("23505", ""), kGenerated).error,
            "A record of the table with the same value already exists");
}

TEST(SqlState, an_undefined_table_is_named_in_the_message_that_clients_match) {
  const Error error = error_from_server(server_error("42P01", R"(relation "nope" does not exist)"), kGenerated);
  EXPECT_EQ(error.message, "The table 'nope' was not found.");
  EXPECT_EQ(error.error, "Table 'nope' does not exist");
  EXPECT_EQ(field(error, "table"), "nope");

  const Error alias = error_from_server(server_error("42P01", R"(missing FROM-clause entry for table "u")"), kCallers);
  EXPECT_EQ(alias.message, "") << "no table is missing";
  EXPECT_EQ(alias.error, R"(missing FROM-clause entry for table "u")");
}

TEST(SqlState, an_undefined_column_is_named_with_its_table_if_known) {
  const Error error =
      error_from_server(server_error("42703", R"(column "nope" of relation "users" does not exist)"), kGenerated);
  EXPECT_EQ(error.error, "Column 'nope' does not exist in table 'users'");
  EXPECT_EQ(field(error, "column"), "nope");
  EXPECT_EQ(error_from_server(server_error("42703", R"(column "nope" does not exist)"), kGenerated).error,
            "Column 'nope' does not exist");
  EXPECT_EQ(error_from_server(server_error("42703", "Spalte »nope« existiert nicht"), kGenerated).error,
            "The specified column does not exist");
}

TEST(SqlState, statements_that_we_generated_never_show_what_the_server_says_of_their_text) {
  for (const char* sqlstate : {"42601", "42883", "42804", "42501", "0A000", "42P10", "55000", "XX000"}) {
    const Error error = error_from_server(server_error(sqlstate, "near \"SELECT secret\""), kGenerated);
    EXPECT_EQ(error.error.find("secret"), std::string::npos) << sqlstate;
  }
}

TEST(SqlState, hosts_users_and_paths_stay_in_the_log) {
  struct Case {
    const char *sqlstate, *message;
  };
  const Case cases[] = {
      {"28P01", R"(password authentication failed for user "athena")"},
      {"28000", R"(no pg_hba.conf entry for host "10.0.0.5", user "athena", database "prod")"},
      {"3D000", R"(database "athena_prod" does not exist)"},
      {"08001", R"(could not connect to server "athena-db.internal")"},
      {"58P01", R"(could not open file "/var/lib/athena": No such file or directory)"},
      {"57P01", "terminating connection due to administrator command from athena"},
      {"53300", "remaining connection slots are reserved for athena"},
      {"XX001", "invalid page in block 0 of relation base/athena"},
  };
  for (const auto& [sqlstate, message] : cases) {
    for (const ErrorContext& context : {kGenerated, kCallers}) {
      const Error error = error_from_server(server_error(sqlstate, message), context);
      for (const char* secret : {"athena", "10.0.0.5", "/var"}) {
        EXPECT_EQ((error.error + error.hint + error.message).find(secret), std::string::npos) << error.error;
      }
      EXPECT_NE(error.log_detail.find(message), std::string::npos);
    }
  }
}

TEST(SqlState, the_servers_words_pass_where_they_are_about_values_or_the_callers_sql) {
  EXPECT_EQ(
      error_from_server(server_error("22P02", R"(invalid input syntax for type integer: "abc")"), kGenerated).error,
      R"(invalid input syntax for type integer: "abc")");
  ServerError syntax = server_error("42601", R"(syntax error at or near "selec")");
  syntax.hint = "a hint";
  EXPECT_EQ(error_from_server(syntax, kCallers).error, R"(syntax error at or near "selec")");
  EXPECT_EQ(error_from_server(syntax, kCallers).hint, "a hint");
  EXPECT_EQ(error_from_server(syntax, kGenerated).hint, "");
}

TEST(SqlState, the_servers_words_are_one_line_of_bounded_length) {
  const std::string umlauts = "x" + [] {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "ü";
    return text;
  }();
  const std::string cut = error_from_server(server_error("22P02", umlauts), kGenerated).error;
  EXPECT_LE(cut.size(), 510U);
  EXPECT_TRUE(cut.ends_with("ü…"));
  EXPECT_EQ(error_from_server(server_error("22P02", "a\nb\tc"), kGenerated).error, "a b c");
  EXPECT_EQ(error_from_server(server_error("22P02", "\xff\xfe"), kGenerated).error,
            "A value cannot be read as the type of its column");
}

TEST(SqlState, positions_are_characters_of_the_callers_own_text) {
  const auto position = [](std::string text, ErrorContext context) {
    ServerError server = server_error("42703", "column \"nope\" does not exist");
    server.position = std::move(text);
    return field(error_from_server(server, context), "position");
  };
  ErrorContext context{.caller_sql = true, .caller_text = "sélect x"};  // eight characters, nine bytes
  EXPECT_EQ(position("8", context), "8");
  EXPECT_EQ(position("9", context), "9") << "one behind the end";
  EXPECT_EQ(position("10", context), "");
  EXPECT_EQ(position("0", context), "");
  EXPECT_EQ(position("-1", context), "");
  EXPECT_EQ(position("99999999999999999999", context), "");
  EXPECT_EQ(position("", context), "");
  context.position_offset = 20;
  EXPECT_EQ(position("25", context), "5");
  EXPECT_EQ(position("20", context), "");
  EXPECT_EQ(position("5", kGenerated), "") << "nobody wrote that text";
}

}  // namespace
}  // namespace athena::driver
