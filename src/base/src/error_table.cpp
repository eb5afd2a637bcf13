#include <athena/base/error.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace athena {
namespace {

using enum LogLevel;

/// number, enumerator (which is the wire code too), status, retryable, level, message. The number stands here once more
/// because clients and documents quote it: renumbering an enumerator must not pass unnoticed.
#define ATHENA_ROW(number, name, status, retryable, level, message)        \
  ErrorRow {                                                               \
    Code{number}, "ATH-" #number, #name, status, retryable, level, message \
  }

/// Retryable means that nothing was done and that waiting may help: never for an outcome that is unknown, nor where the
/// same request would only be slow again.
constexpr ErrorRow kRows[] = {
    // 1xx: the request
    ATHENA_ROW(101, malformed_json, 400, false, debug, "The request body is not valid JSON"),
    ATHENA_ROW(102, invalid_request, 400, false, debug, "The request is not valid"),
    ATHENA_ROW(103, missing_field, 400, false, debug, "A required field of the request is missing"),
    ATHENA_ROW(104, invalid_condition, 400, false, debug, "A condition is not valid"),
    ATHENA_ROW(105, unknown_operator, 400, false, debug, "A condition uses an unknown operator"),
    ATHENA_ROW(106, unsupported_operator, 400, false, debug, "The database does not support this operator"),
    ATHENA_ROW(107, invalid_value, 400, false, debug, "A value in the request is not valid"),
    ATHENA_ROW(108, limit_exceeded, 400, false, info, "The request exceeds a limit"),
    ATHENA_ROW(109, payload_too_large, 413, false, info, "The request body is too large"),
    ATHENA_ROW(110, headers_too_large, 431, false, info, "The request headers are too large"),
    ATHENA_ROW(111, uri_too_long, 414, false, info, "The request URI is too long"),
    ATHENA_ROW(112, malformed_http, 400, false, info, "The request is not valid HTTP"),
    ATHENA_ROW(113, request_timeout, 408, true, info, "The request did not arrive in time"),
    ATHENA_ROW(114, unsupported_media_type, 415, false, debug, "The media type of the request body is not supported"),
    ATHENA_ROW(115, invalid_encoding, 400, false, debug, "The request contains text that is not valid UTF-8"),
    ATHENA_ROW(116, unfiltered_write, 400, false, info, "A write without conditions was refused"),
    ATHENA_ROW(117, missing_audit_header, 400, false, debug, "A required audit header is missing"),
    ATHENA_ROW(118, update_payload_required, 400, false, debug,
               "update payload required: provide 'update_body', 'set', 'data' or 'columns' (array of objects)"),
    ATHENA_ROW(119, ambiguous_conflict_target, 400, false, debug, "The conflict target of the insert is ambiguous"),
    ATHENA_ROW(120, no_id_column, 400, false, debug, "The table has no single id column"),
    ATHENA_ROW(121, unsupported_statement, 400, false, debug, "This kind of statement is not supported here"),
    ATHENA_ROW(122, expectation_failed, 417, false, debug, "The expectation of the request cannot be met"),
    ATHENA_ROW(123, http_version_not_supported, 505, false, info, "The HTTP version is not supported"),
    ATHENA_ROW(124, transfer_coding_not_implemented, 501, false, info, "The transfer coding is not implemented"),
    ATHENA_ROW(125, post_processing_failed, 400, false, debug, "The rows could not be post-processed as asked"),
    ATHENA_ROW(126, result_too_large, 413, false, info, "The result is too large"),
    ATHENA_ROW(127, too_many_affected, 409, false, info, "More rows would change than the request allows"),
    ATHENA_ROW(128, nothing_matched, 404, false, debug, "No row matches the request"),
    ATHENA_ROW(129, read_only_violation, 400, false, info, "A read-only request tried to write"),
    ATHENA_ROW(130, unindexed_filter, 400, false, debug, "The filter is served by no key or index of the table"),
    // 2xx: the caller
    ATHENA_ROW(201, admin_not_configured, 503, false, warn, "The admin key is not configured"),
    ATHENA_ROW(202, invalid_admin_key, 401, false, info, "Invalid or missing admin key"),
    ATHENA_ROW(203, api_key_required, 401, false, info, "An API key is required"),
    ATHENA_ROW(204, invalid_api_key, 401, false, info, "The API key is not valid"),
    ATHENA_ROW(205, inactive_api_key, 401, false, info, "The API key is not active"),
    ATHENA_ROW(206, expired_api_key, 401, false, info, "The API key has expired"),
    ATHENA_ROW(207, api_key_client_mismatch, 403, false, info, "The API key does not belong to this client"),
    ATHENA_ROW(208, insufficient_rights, 403, false, info, "The API key does not grant the rights that this needs"),
    ATHENA_ROW(209, rate_limited, 429, true, info, "Too many requests"),
    // 3xx: routing
    ATHENA_ROW(301, missing_client_header, 400, false, debug, "X-Athena-Client header is required and cannot be empty"),
    ATHENA_ROW(302, unknown_client, 400, false, info, "Unknown client"),
    ATHENA_ROW(303, client_frozen, 403, false, info, "The client is frozen"),
    ATHENA_ROW(304, route_not_found, 404, false, debug, "There is no such route"),
    ATHENA_ROW(305, method_not_allowed, 405, false, debug, "The route does not allow this method"),
    ATHENA_ROW(306, unknown_driver, 400, false, debug, "Unknown driver"),
    ATHENA_ROW(307, direct_target_refused, 403, false, info, "The direct database target is not allowed"),
    // 4xx: the database
    ATHENA_ROW(401, unique_violation, 409, false, debug, "A record with this value already exists"),
    ATHENA_ROW(402, foreign_key_violation, 422, false, debug,
               "The operation references a non-existent or inaccessible resource"),
    ATHENA_ROW(403, not_null_violation, 400, false, debug, "A required field is missing"),
    ATHENA_ROW(404, check_constraint_violation, 400, false, debug,
               "The provided value does not meet the required constraints"),
    ATHENA_ROW(405, invalid_text_encoding, 400, false, debug, "The text is not valid in the database's encoding"),
    ATHENA_ROW(406, syntax_error, 400, false, debug, "The query has a syntax error"),
    ATHENA_ROW(407, insufficient_privilege, 403, false, info, "The database role lacks the privilege for this"),
    ATHENA_ROW(411, undefined_table, 400, false, debug, "The specified table does not exist"),
    ATHENA_ROW(412, undefined_column, 400, false, debug, "The specified column does not exist"),
    ATHENA_ROW(413, undefined_function, 400, false, debug, "The specified function or operator does not exist"),
    ATHENA_ROW(414, invalid_text_representation, 400, false, debug, "A value cannot be read as the type of its column"),
    ATHENA_ROW(415, value_out_of_range, 400, false, debug, "A value is out of the range of its type"),
    ATHENA_ROW(416, type_mismatch, 400, false, debug, "The types in the query do not match"),
    ATHENA_ROW(417, serialization_failure, 409, true, info, "The transaction conflicted with another one"),
    ATHENA_ROW(418, deadlock_detected, 409, true, info, "The transaction was chosen to end a deadlock"),
    ATHENA_ROW(419, statement_timeout, 504, false, info, "The statement took longer than it may"),
    ATHENA_ROW(420, invalid_parameter, 400, false, debug, "A parameter of the query is not valid"),
    ATHENA_ROW(421, undefined_object, 400, false, debug, "The specified object does not exist"),
    ATHENA_ROW(422, duplicate_object, 409, false, debug, "An object with this name already exists"),
    ATHENA_ROW(423, exclusion_violation, 409, false, debug, "The record conflicts with an existing one"),
    ATHENA_ROW(424, object_in_use, 409, true, info, "The object is in use"),
    ATHENA_ROW(425, feature_not_supported, 400, false, debug, "The database does not support this"),
    ATHENA_ROW(431, connection_error, 503, true, warn, "Database connection issue"),
    ATHENA_ROW(432, pool_timeout, 503, true, warn, "No database connection became free in time"),
    ATHENA_ROW(433, too_many_connections, 503, true, warn, "The database accepts no more connections"),
    ATHENA_ROW(434, database_unavailable, 503, true, warn, "The database is not available"),
    ATHENA_ROW(435, write_outcome_unknown, 503, false, warn,
               "The connection was lost before the database confirmed the write"),
    ATHENA_ROW(436, read_only_database, 503, true, warn, "The database is read-only at present"),
    ATHENA_ROW(437, disk_full, 503, false, warn, "The database has no room left"),
    ATHENA_ROW(499, database_error, 500, false, warn, "Database operation failed"),
    // 5xx: us
    ATHENA_ROW(501, internal_error, 500, false, error, "Internal error"),
    ATHENA_ROW(502, shutting_down, 503, true, info, "The gateway is shutting down"),
    ATHENA_ROW(503, overloaded, 503, true, warn, "The gateway is overloaded"),
    ATHENA_ROW(504, deadline_exceeded, 504, false, info, "The request took longer than it may"),
    ATHENA_ROW(505, cancelled, 499, false, debug, "The request was cancelled"),
    ATHENA_ROW(506, configuration_error, 500, false, error, "The gateway is not configured correctly for this"),
    ATHENA_ROW(507, not_ready, 503, true, info, "The gateway is not ready yet"),
};
#undef ATHENA_ROW

constexpr std::size_t kFirst = static_cast<std::size_t>(kRows[0].code);
constexpr std::size_t kLast = static_cast<std::size_t>(std::end(kRows)[-1].code);
constexpr std::uint8_t kNoRow = 0xff;

static_assert(std::size(kRows) < kNoRow);
static_assert(std::ranges::is_sorted(kRows, std::ranges::less_equal{}, &ErrorRow::code), "ordered, and none twice");

/// code - kFirst → index into kRows.
constexpr auto kIndex = [] {
  std::array<std::uint8_t, kLast - kFirst + 1> index{};
  index.fill(kNoRow);
  for (std::size_t row = 0; row < std::size(kRows); ++row) {
    index[static_cast<std::size_t>(kRows[row].code) - kFirst] = static_cast<std::uint8_t>(row);
  }
  return index;
}();
constexpr std::size_t kFallback = kIndex[static_cast<std::size_t>(Code::internal_error) - kFirst];

}  // namespace

std::span<const ErrorRow> error_rows() noexcept {
  return kRows;
}

const ErrorRow& error_row(Code code) noexcept {
  const std::size_t at =
      static_cast<std::size_t>(code) - kFirst;  // a smaller one wraps around, and is not found either
  const bool known = at < kIndex.size() && kIndex[at] != kNoRow;
  return kRows[known ? kIndex[at] : kFallback];
}

}  // namespace athena
