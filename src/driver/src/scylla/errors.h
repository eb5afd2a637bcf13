#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <athena/base/error.h>

#include "scylla/message.h"
#include "scylla/plan.h"

namespace athena::driver::scylla {

/// Whose text failed. A caller may read what the database says about the caller's own CQL, but never CQL that we
/// generated.
struct ErrorContext {
  bool caller_cql = false;
  bool is_write = false;
};

/// The error for the caller: code by the protocol's number, words of ours wherever the server's could tell about hosts
/// or CQL. Everything that the server said goes into log_detail.
Error error_from_server(const ServerError& server, ErrorContext context);

/// What the error means for trying again.
FailureFacts failure_of(const ServerError& server) noexcept;

/// One row of the table, for tests and for the documents.
struct CqlErrorRow {
  std::int32_t number;
  Code code;
  bool theirs;            ///< the server's words may be passed on for the caller's CQL
  std::string_view text;  ///< otherwise; empty: the message of the code
};
/// Sorted by number.
std::span<const CqlErrorRow> cql_error_rows() noexcept;

/// The number as errors carry it in their details: `0x2200`.
std::string cql_error_text(std::int32_t number);

/// Whether it came with this number.
bool has_cql_error(const Error& error, std::int32_t number) noexcept;

inline constexpr std::int32_t kBadCredentials = 0x0100, kProtocolError = 0x000A, kUnprepared = 0x2500;

}  // namespace athena::driver::scylla
