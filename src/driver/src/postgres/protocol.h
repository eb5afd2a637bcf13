#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/buffer.h>
#include <athena/base/result.h>
#include <athena/query/print.h>

#include "postgres/errors.h"

/// PostgreSQL's frontend/backend protocol, version 3, after authentication: bytes ↔ messages. Nothing here does I/O,
/// and nothing trusts a length that the other side wrote.
namespace athena::driver::postgres {

/// PostgreSQL itself sends and takes no message longer than this.
inline constexpr std::size_t kMaxMessageBytes = std::size_t{1} << 30;
/// Type byte and length word.
inline constexpr std::size_t kMessageHeadBytes = 5;

/// What the server sends. Others (authentication, copy data) are met before or never.
enum class MessageType : char {
  parse_complete = '1',
  bind_complete = '2',
  close_complete = '3',
  notification = 'A',
  command_complete = 'C',
  data_row = 'D',
  error = 'E',
  copy_in = 'G',
  copy_out = 'H',
  empty_query = 'I',
  backend_key = 'K',
  no_data = 'n',
  notice = 'N',
  parameter_status = 'S',
  row_description = 'T',
  parameter_description = 't',
  copy_both = 'W',
  ready = 'Z',
  copy_data = 'd',
  copy_done = 'c',
  portal_suspended = 's',
};

/// One look at the front of what was received.
struct Frame {
  enum class State : std::uint8_t {
    complete,    ///< `type` and `body` are a message; `bytes` is its whole length
    incomplete,  ///< `bytes` are needed at the front, at least
    broken       ///< no message can follow: the connection is of no more use
  };
  State state = State::incomplete;
  MessageType type{};
  std::string_view body;  ///< valid as long as the bytes it was read from
  std::size_t bytes = kMessageHeadBytes;
};
Frame read_frame(std::string_view received, std::size_t max_bytes = kMaxMessageBytes) noexcept;

struct FieldDescription {
  std::string name;
  std::uint32_t type_oid = 0;
  bool is_binary = false;
};
/// None: not a RowDescription.
std::optional<std::vector<FieldDescription>> read_row_description(std::string_view body);

/// Splits a DataRow into its cells, in text; false: not a DataRow. The views are into `body`.
bool read_data_row(std::string_view body, std::vector<std::optional<std::string_view>>& cells);

/// How many parameters a statement has; none: not a ParameterDescription.
std::optional<std::uint16_t> read_parameter_count(std::string_view body) noexcept;

/// The rows that a command says it touched: `INSERT 0 3` and `UPDATE 3` give 3, `CREATE TABLE` 0.
std::uint64_t read_affected(std::string_view command_tag) noexcept;

/// ErrorResponse or NoticeResponse. Fields may be missing or unknown; none of that is an error.
ServerError read_server_error(std::string_view body);

struct Notification {
  std::string_view channel, payload;
};
std::optional<Notification> read_notification(std::string_view body) noexcept;

struct ParameterStatus {
  std::string_view name, value;
};
std::optional<ParameterStatus> read_parameter_status(std::string_view body) noexcept;

enum class TransactionStatus : char { idle = 'I', in_transaction = 'T', failed = 'E' };
std::optional<TransactionStatus> read_ready(std::string_view body) noexcept;

/// Appends messages for the server. All values go as text, untyped: the server infers their types.
class Encoder {
 public:
  explicit Encoder(Buffer& out) : out_(out) {}

  /// Errors: invalid_text_encoding for a NUL in the text (the protocol would end it there), payload_too_large.
  Result<> parse(std::string_view name, std::string_view sql);
  /// Errors: limit_exceeded beyond 65 535 parameters, payload_too_large.
  Result<> bind(std::string_view name, std::span<const query::Param> params);
  Result<> query(std::string_view sql);
  void describe_statement(std::string_view name);
  void describe_portal();
  void execute();
  void sync();
  void close_statement(std::string_view name);
  void copy_fail(std::string_view reason);
  void terminate();

 private:
  void head(char type, std::size_t body_bytes);
  void text(std::string_view bytes);  // with the NUL that ends it

  Buffer& out_;
};

}  // namespace athena::driver::postgres
