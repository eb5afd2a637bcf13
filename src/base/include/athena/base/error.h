#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace athena {

/// Everything that can go wrong, by who is at fault: 1xx the request, 2xx the caller, 3xx routing, 4xx the database,
/// 5xx us. Each enumerator has one row in error_table.cpp, which gives it an id, an HTTP status, a wire code and a
/// message.
enum class Code : std::uint16_t {
  // 1xx: the request
  malformed_json = 101,
  invalid_request = 102,
  missing_field = 103,
  invalid_condition = 104,
  unknown_operator = 105,
  unsupported_operator = 106,
  invalid_value = 107,
  limit_exceeded = 108,
  payload_too_large = 109,
  headers_too_large = 110,
  uri_too_long = 111,
  malformed_http = 112,
  request_timeout = 113,
  unsupported_media_type = 114,
  invalid_encoding = 115,
  unfiltered_write = 116,
  missing_audit_header = 117,
  update_payload_required = 118,
  ambiguous_conflict_target = 119,
  no_id_column = 120,
  unsupported_statement = 121,
  expectation_failed = 122,
  http_version_not_supported = 123,
  transfer_coding_not_implemented = 124,
  post_processing_failed = 125,
  result_too_large = 126,
  too_many_affected = 127,
  nothing_matched = 128,
  read_only_violation = 129,
  unindexed_filter = 130,
  // 2xx: the caller
  admin_not_configured = 201,
  invalid_admin_key = 202,
  api_key_required = 203,
  invalid_api_key = 204,
  inactive_api_key = 205,
  expired_api_key = 206,
  api_key_client_mismatch = 207,
  insufficient_rights = 208,
  rate_limited = 209,
  // 3xx: routing
  missing_client_header = 301,
  unknown_client = 302,
  client_frozen = 303,
  route_not_found = 304,
  method_not_allowed = 305,
  unknown_driver = 306,
  direct_target_refused = 307,
  // 4xx: the database
  unique_violation = 401,
  foreign_key_violation = 402,
  not_null_violation = 403,
  check_constraint_violation = 404,
  invalid_text_encoding = 405,
  syntax_error = 406,
  insufficient_privilege = 407,
  undefined_table = 411,
  undefined_column = 412,
  undefined_function = 413,
  invalid_text_representation = 414,
  value_out_of_range = 415,
  type_mismatch = 416,
  serialization_failure = 417,
  deadlock_detected = 418,
  statement_timeout = 419,
  invalid_parameter = 420,
  undefined_object = 421,
  duplicate_object = 422,
  exclusion_violation = 423,
  object_in_use = 424,
  feature_not_supported = 425,
  connection_error = 431,
  pool_timeout = 432,
  too_many_connections = 433,
  database_unavailable = 434,
  write_outcome_unknown = 435,
  read_only_database = 436,
  disk_full = 437,
  database_error = 499,
  // 5xx: us
  internal_error = 501,
  shutting_down = 502,
  overloaded = 503,
  deadline_exceeded = 504,
  cancelled = 505,
  configuration_error = 506,
  not_ready = 507,
};

enum class LogLevel : std::uint8_t { debug, info, warn, error };

/// One row of the error catalogue (contract 1.2).
struct ErrorRow {
  Code code;
  std::string_view id;         ///< stable, "ATH-412"
  std::string_view wire_code;  ///< "undefined_column"
  int status;                  ///< HTTP status
  bool retryable;              ///< the same request may succeed later; 503 and 429 also send Retry-After
  LogLevel level;
  std::string_view message;  ///< one sentence, the same for each error of this code
};

/// The catalogue, ordered by code.
std::span<const ErrorRow> error_rows() noexcept;
/// The row of `code`; every enumerator has one (tested).
const ErrorRow& error_row(Code code) noexcept;

/// What a failed operation gives instead of its value.
struct Error {
  using Fields = std::vector<std::pair<std::string, std::string>>;

  Code code = Code::internal_error;
  std::string error;       ///< for the caller: what is wrong with this request. Never SQL, credentials, hosts or paths
  std::string hint;        ///< for the caller: what to do about it; may be empty
  Fields fields;           ///< table, column, constraint, sql_state, …: become `details` of the reply
  std::string log_detail;  ///< for our log only
  std::string message;     ///< replaces the row's message where a client matches on the text; usually empty
  std::uint32_t retry_after_s = 0;  ///< Retry-After; 0 = the default of the row

  Error() = default;
  explicit Error(Code c, std::string text = {}, std::string hint_text = {})
      : code(c), error(std::move(text)), hint(std::move(hint_text)) {}
  /// Adds a detail; chainable.
  Error&& with(std::string name, std::string value) && {
    fields.emplace_back(std::move(name), std::move(value));
    return std::move(*this);
  }
  Error&& logged(std::string detail) && {
    log_detail = std::move(detail);
    return std::move(*this);
  }
  const ErrorRow& row() const noexcept { return error_row(code); }
};

}  // namespace athena
