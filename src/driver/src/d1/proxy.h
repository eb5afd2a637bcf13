#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/json.h>
#include <athena/base/result.h>
#include <athena/http/client.h>
#include <athena/query/print.h>
#include <athena/query/statement.h>

namespace athena::driver::d1 {

/// The protocol between Athena and the Worker before the database (d1/README.md): JSON both ways, no I/O here.

/// The values of a statement as elements of a JSON array, joined by commas. What JavaScript would round goes as text.
/// Errors: value_out_of_range, a number that no double holds.
Result<std::string> printed_params(std::span<const query::Param> params);
/// `numbers`: which value stands at each place of the statement, from 1; empty: as they come.
/// Errors: invalid_parameter, a place without a value or a value without a place.
Result<std::string> native_params(std::span<const query::Scalar> params, std::span<const std::size_t> numbers);

struct ProxyRequest {
  std::string_view sql;
  std::string_view params;  ///< elements of a JSON array
  std::string_view binding;
  std::string_view session_mode, bookmark;  ///< empty: none
};
std::string request_body(const ProxyRequest& request);

/// What the Worker answered, when it was no failure. The rows are left as they are: whoever wants them reads them one
/// after the other.
struct ProxyReply {
  std::string body;
  std::string_view rows;             ///< of `body`: the elements of the array of rows, with commas between them
  std::vector<std::string> columns;  ///< as far as the Worker told
  std::string bookmark;              ///< empty: none
  std::uint64_t affected = 0;

  ProxyReply() = default;
  ProxyReply(const ProxyReply&) = delete;  // `rows` points into `body`
  ProxyReply& operator=(const ProxyReply&) = delete;
};

/// The bookmark of an answer: the header wins over the body, in failures too (where only the header is asked).
std::string header_bookmark(const http::ClientResponse& response);
/// Retry-After in seconds; none: it is not there, or no number.
std::optional<std::uint32_t> retry_after(const http::ClientResponse& response);

/// Reads an answer with a status of success. Errors: those of failed_with() for what is no reply of the protocol.
Result<std::unique_ptr<ProxyReply>> read_reply(http::ClientResponse response);

/// Goes through the rows of a reply: the text of one object after the other.
class RowTexts {
 public:
  explicit RowTexts(std::string_view rows) : rest_(rows) {}
  /// The next element, which may still be anything; none at the end. Error: see invalid_json().
  Result<std::optional<std::string_view>> next();

 private:
  std::string_view rest_;
  bool first_ = true;
};

}  // namespace athena::driver::d1
