#include <athena/base/error.h>

#include <array>
#include <set>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <athena/base/result.h>

namespace athena {
namespace {

/// The enumerator's name as the compiler spells it, or "" if the number is no enumerator ("(athena::Code)199").
template <Code C>
constexpr std::string_view name_of() {
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("C = ") + 4);
  if (text.starts_with('(')) return {};
  text = text.substr(0, text.find_first_of(";]"));
  return text.substr(text.rfind(':') + 1);
}
static_assert(name_of<Code::undefined_column>() == "undefined_column");
static_assert(name_of<Code{199}>().empty());

constexpr std::size_t kNumbers = 600;

/// The name of each number below 600 that is an enumerator.
constexpr auto kNames = []<std::size_t... N>(std::index_sequence<N...>) {
  return std::array<std::string_view, kNumbers>{name_of<Code{static_cast<std::uint16_t>(N)}>()...};
}(std::make_index_sequence<kNumbers>());

const ErrorRow& row(Code code) {
  return error_row(code);
}

TEST(ErrorTable, answers_internal_error_for_a_number_that_is_no_code) {
  for (const int number : {0, 100, 199, 408, 508, 65535}) {
    EXPECT_EQ(row(Code{static_cast<std::uint16_t>(number)}).code, Code::internal_error) << number;
  }
}

TEST(ErrorTable, has_one_row_for_each_enumerator_named_after_it) {
  std::size_t enumerators = 0;
  for (std::size_t number = 0; number < kNumbers; ++number) {
    if (kNames[number].empty()) continue;
    ++enumerators;
    const ErrorRow& found = row(Code{static_cast<std::uint16_t>(number)});
    EXPECT_EQ(static_cast<std::size_t>(found.code), number);
    EXPECT_EQ(found.wire_code, kNames[number]);
    EXPECT_EQ(found.id, "ATH-" + std::to_string(number));
  }
  EXPECT_EQ(enumerators, error_rows().size());
  EXPECT_GT(enumerators, 80U);
}

TEST(ErrorTable, is_ordered_by_code) {
  for (std::size_t i = 1; i < error_rows().size(); ++i) EXPECT_LT(error_rows()[i - 1].code, error_rows()[i].code);
}

TEST(ErrorTable, gives_each_row_a_valid_status_and_a_sentence) {
  std::set<std::string_view> ids;
  for (const ErrorRow& each : error_rows()) {
    EXPECT_GE(each.status, 400) << each.id;
    EXPECT_LE(each.status, 599) << each.id;
    EXPECT_FALSE(each.message.empty()) << each.id;
    EXPECT_FALSE(each.message.ends_with('.')) << each.id;
    EXPECT_TRUE(ids.insert(each.id).second) << each.id;
  }
}

TEST(ErrorTable, keeps_the_texts_that_clients_compare) {
  EXPECT_EQ(row(Code::unique_violation).message, "A record with this value already exists");
  EXPECT_EQ(row(Code::foreign_key_violation).message,
            "The operation references a non-existent or inaccessible resource");
  EXPECT_EQ(row(Code::not_null_violation).message, "A required field is missing");
  EXPECT_EQ(row(Code::check_constraint_violation).message, "The provided value does not meet the required constraints");
  EXPECT_EQ(row(Code::undefined_column).message, "The specified column does not exist");
  EXPECT_EQ(row(Code::undefined_table).message, "The specified table does not exist");
  EXPECT_EQ(row(Code::connection_error).message, "Database connection issue");
  EXPECT_TRUE(row(Code::undefined_column).message.contains("column does not exist"));
  EXPECT_TRUE(row(Code::update_payload_required).message.contains("update payload required"));
  EXPECT_EQ(row(Code::missing_client_header).message, "X-Athena-Client header is required and cannot be empty");
}

TEST(ErrorTable, keeps_the_statuses_of_the_contract) {
  const std::pair<Code, int> statuses[] = {
      {Code::malformed_json, 400},
      {Code::payload_too_large, 413},
      {Code::headers_too_large, 431},
      {Code::uri_too_long, 414},
      {Code::request_timeout, 408},
      {Code::unsupported_media_type, 415},
      {Code::expectation_failed, 417},
      {Code::result_too_large, 413},
      {Code::http_version_not_supported, 505},
      {Code::too_many_affected, 409},
      {Code::nothing_matched, 404},
      {Code::transfer_coding_not_implemented, 501},
      {Code::admin_not_configured, 503},
      {Code::invalid_admin_key, 401},
      {Code::api_key_required, 401},
      {Code::invalid_api_key, 401},
      {Code::inactive_api_key, 401},
      {Code::expired_api_key, 401},
      {Code::insufficient_rights, 403},
      {Code::rate_limited, 429},
      {Code::api_key_client_mismatch, 403},
      {Code::unknown_client, 400},
      {Code::client_frozen, 403},
      {Code::missing_client_header, 400},
      {Code::route_not_found, 404},
      {Code::method_not_allowed, 405},
      {Code::direct_target_refused, 403},
      {Code::unique_violation, 409},
      {Code::foreign_key_violation, 422},
      {Code::insufficient_privilege, 403},
      {Code::undefined_table, 400},
      {Code::undefined_function, 400},
      {Code::statement_timeout, 504},
      {Code::deadlock_detected, 409},
      {Code::connection_error, 503},
      {Code::too_many_connections, 503},
      {Code::pool_timeout, 503},
      {Code::write_outcome_unknown, 503},
      {Code::database_error, 500},
      {Code::internal_error, 500},
      {Code::deadline_exceeded, 504},
      {Code::cancelled, 499},
  };
  for (const auto& [code, status] : statuses) EXPECT_EQ(row(code).status, status) << row(code).id;
}

TEST(ErrorTable, calls_retryable_only_what_surely_did_nothing) {
  for (const Code code : {Code::serialization_failure, Code::deadlock_detected, Code::database_unavailable,
                          Code::connection_error, Code::rate_limited, Code::overloaded}) {
    EXPECT_TRUE(row(code).retryable) << row(code).id;
  }
  for (const Code code : {Code::write_outcome_unknown, Code::deadline_exceeded, Code::cancelled, Code::unique_violation,
                          Code::internal_error, Code::statement_timeout}) {
    EXPECT_FALSE(row(code).retryable) << row(code).id;
  }
}

TEST(ErrorTable, warns_for_the_database_and_shouts_only_for_us) {
  for (const ErrorRow& each : error_rows()) {
    const auto number = static_cast<int>(each.code);
    if (each.level == LogLevel::error) EXPECT_GT(number, 500) << each.id;
    if (each.status < 500) EXPECT_TRUE(each.level == LogLevel::debug || each.level == LogLevel::info) << each.id;
  }
  EXPECT_EQ(row(Code::database_unavailable).level, LogLevel::warn);
  EXPECT_EQ(row(Code::internal_error).level, LogLevel::error);
}

Result<int> half(int n) {
  if (n % 2) return fail(Error(Code::invalid_value, "odd").with("n", std::to_string(n)).logged("seen"));
  return n / 2;
}

Result<int> quarter(int n) {
  ATHENA_TRY(const int first, half(n));
  ATHENA_TRY(const int second, half(first));
  return second;
}

TEST(Result, passes_an_error_on_with_everything_in_it) {
  const Result<int> failed = quarter(6);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::invalid_value);
  EXPECT_EQ(failed.error().error, "odd");
  EXPECT_EQ(failed.error().fields, (Error::Fields{{"n", "3"}}));
  EXPECT_EQ(failed.error().log_detail, "seen");
  EXPECT_EQ(failed.error().row().status, 400);
}

TEST(Result, passes_the_value_on) {
  EXPECT_EQ(quarter(8), 2);
}

}  // namespace
}  // namespace athena
