#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <athena/base/error.h>
#include <athena/http/client.h>

namespace athena::driver::supabase {

/// A request that brought no answer, or none that is a success: what the caller hears, and what may be done about it.
struct Failure {
  Error error;
  bool may_have_run = false;  ///< a write may have happened
  bool may_pass = false;      ///< the same request may succeed shortly
  bool is_host_down = false;  ///< transport, or overload: counts against the host
};

/// What the request was about, for the words of errors.
struct RequestContext {
  std::string_view table;  ///< empty: none
  std::string_view key;    ///< of the service: taken out of what goes into the log
};

/// From an answer whose status is no success: PostgREST's own errors, PostgreSQL's through it, and whatever gateways
/// before it say.
Failure failure_from(const http::ClientResponse& response, const RequestContext& context);
/// From an error of the HTTP client; `sent`: the request had begun to leave.
Failure failure_from(Error error, bool sent);

/// One row of the table of PostgREST's codes.
struct PostgrestRow {
  std::string_view code;
  Code meaning;
  std::string_view text;  ///< for the caller; empty: the message of the code
  bool may_have_run = false;
  bool is_host_down = false;
};
std::span<const PostgrestRow> postgrest_rows() noexcept;

/// The value of a header, whose name is lower-case; none: it is not there.
std::optional<std::string_view> find_header(const http::ClientResponse& response, std::string_view name);
/// The number behind the slash of a Content-Range ("0-9/573", "*/0"); none if there is none.
std::optional<std::uint64_t> total_of(std::string_view content_range);

}  // namespace athena::driver::supabase
