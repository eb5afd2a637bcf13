#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <athena/base/buffer.h>
#include <athena/base/result.h>

#include "scylla/cql_type.h"
#include "scylla/frame.h"

/// What stands in the envelopes: written and read by the native protocol specification, versions 4 and 5.
namespace athena::driver::scylla {

enum class Consistency : std::uint16_t {
  any = 0x0000,
  one = 0x0001,
  two = 0x0002,
  three = 0x0003,
  quorum = 0x0004,
  all = 0x0005,
  local_quorum = 0x0006,
  each_quorum = 0x0007,
  serial = 0x0008,
  local_serial = 0x0009,
  local_one = 0x000A,
};

/// Values of a statement, already in the form of the wire: a length and bytes each.
struct BoundValues {
  std::string bytes;
  std::uint16_t count = 0;

  void add_null();
  /// Takes no part in a write: the column stays as it is.
  void add_unset();
  void add(std::string_view value);
};

/// How a statement is to be run.
struct QueryOptions {
  Consistency consistency = Consistency::local_quorum;
  Consistency serial_consistency = Consistency::local_serial;
  std::int32_t page_size = 0;          ///< 0: all at once
  std::string_view paging_state = {};  ///< empty: from the start
  std::string_view keyspace = {};      ///< version 5; empty: the connection's
  bool skip_metadata = false;          ///< version 5, which tells when they have changed
};

// What can be asked. Text and values are borrowed until the request has been written.
struct Startup {
  bool lz4 = false;
};
struct OptionsQuestion {};
struct AuthAnswer {
  std::string_view token;
};
struct RegisterEvents {};
struct PrepareQuestion {
  std::string_view cql, keyspace;
};
struct QueryQuestion {
  std::string_view cql;
  QueryOptions options;
};
struct ExecuteQuestion {
  std::string_view id, result_metadata_id;  ///< the second: version 5
  const BoundValues* values = nullptr;
  QueryOptions options;
};
struct BatchQuestion {
  enum class Type : std::uint8_t { logged = 0, unlogged = 1, counter = 2 } type = Type::logged;
  struct Statement {
    std::string_view id;  ///< prepared
    const BoundValues* values = nullptr;
  };
  std::span<const Statement> statements;
  QueryOptions options;
};

/// Appends envelopes to a buffer, for one version of the protocol.
class MessageWriter {
 public:
  MessageWriter(Buffer& out, std::uint8_t version) : out_(out), version_(version) {}

  void write(std::int16_t stream, const Startup& question);
  void write(std::int16_t stream, const OptionsQuestion& question);
  void write(std::int16_t stream, const AuthAnswer& question);
  void write(std::int16_t stream, const RegisterEvents& question);
  void write(std::int16_t stream, const PrepareQuestion& question);
  void write(std::int16_t stream, const QueryQuestion& question);
  void write(std::int16_t stream, const ExecuteQuestion& question);
  void write(std::int16_t stream, const BatchQuestion& question);

 private:
  void begin(std::int16_t stream, Opcode opcode);
  void end();
  void u8(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void u16(std::uint16_t value);
  void u32(std::uint32_t value);
  void flags(std::uint32_t value) { version_ >= 5 ? u32(value) : u8(static_cast<std::uint8_t>(value)); }
  void string(std::string_view text);
  void long_string(std::string_view text);
  void query_options(const QueryOptions& options, const BoundValues* values);

  Buffer& out_;
  const std::uint8_t version_;
  std::size_t begin_ = 0;
};

/// Reads the notations of the protocol one after the other. After the first that is not there, everything is empty and
/// is_good() is false: look once, at the end.
class MessageReader {
 public:
  explicit MessageReader(std::string_view body) : rest_(body) {}
  explicit MessageReader(std::string&&) = delete;  // it keeps a view

  bool is_good() const noexcept { return good_; }
  std::string_view rest() const noexcept { return rest_; }

  std::uint8_t u8() noexcept;
  std::uint16_t u16() noexcept;
  std::int32_t i32() noexcept;
  std::int64_t i64() noexcept;
  std::string_view take(std::size_t bytes) noexcept;
  std::string_view string() noexcept { return take(u16()); }
  std::string_view short_bytes() noexcept { return take(u16()); }
  /// None: null.
  std::optional<std::string_view> bytes() noexcept;
  std::vector<std::string> string_list();
  std::vector<std::pair<std::string, std::vector<std::string>>> string_multimap();
  CqlType type(std::size_t depth = 0);
  void give_up() noexcept {
    good_ = false;
    rest_ = {};
  }

 private:
  std::string_view rest_;
  bool good_ = true;
  std::uint32_t type_nodes_ = 0;
};

/// What may precede the body of an answer.
struct AnswerExtras {
  std::string tracing_id;  ///< a uuid's text; empty: none
  std::vector<std::string> warnings;
};
/// Takes them off `body`. False: malformed.
bool take_extras(std::uint8_t flags, std::string_view& body, AnswerExtras& extras);

/// The server's ERROR.
struct ServerError {
  std::int32_t code = 0;
  std::string message;
  // What comes with some of them.
  Consistency consistency = Consistency::any;
  std::int32_t received = 0, required = 0;
  bool data_present = false;
  std::string write_type{};         ///< write timeout and failure
  std::string keyspace{}, table{};  ///< already exists
  std::string unprepared_id{};
};
std::optional<ServerError> read_error(std::string_view body);

struct ColumnSpec {
  std::string keyspace, table, name;
  CqlType type;
};
/// The description of a result's columns as it was sent: what is equal means the same columns.
struct ColumnsText {
  std::string_view bytes;
  std::uint32_t count = 0;
  bool global_table = false;  ///< keyspace and table stand once before all
  bool operator==(const ColumnsText&) const = default;
};
struct RowsMetadata {
  bool has_more = false, has_columns = false;
  ColumnsText columns;               ///< without bytes if !has_columns
  std::string_view paging_state;     ///< into the body
  std::string_view new_metadata_id;  ///< version 5, when it changed
};
/// What a RESULT is, and where its parts are.
struct ResultView {
  enum class Kind : std::int32_t {
    void_ = 1,
    rows = 2,
    set_keyspace = 3,
    prepared = 4,
    schema_change = 5
  } kind = Kind::void_;
  RowsMetadata metadata;  ///< rows
  std::uint32_t row_count = 0;
  std::string_view rows;  ///< the cells of all rows: a length and bytes each
};
/// `known`: columns that are expected, so that they are compared and not read.
std::optional<ResultView> read_result(std::string_view body, const ColumnsText& known = {});
std::optional<std::vector<ColumnSpec>> read_columns(const ColumnsText& text);

struct PreparedView {
  std::string id, result_metadata_id;
  std::vector<ColumnSpec> binds;
  std::vector<std::uint16_t> partition_key;  ///< indexes of the binds that make the routing key; empty: not known
  ColumnsText columns;                       ///< of the result; into the body
};
std::optional<PreparedView> read_prepared(std::string_view body, std::uint8_t version);

/// RESULT schema_change, or an event of that kind.
struct SchemaChange {
  std::string change, target, keyspace, name;
};
std::optional<SchemaChange> read_schema_change(std::string_view body);

struct ServerEvent {
  enum class Kind : std::uint8_t { topology, status, schema, unknown } kind = Kind::unknown;
  std::string change;   ///< NEW_NODE, REMOVED_NODE, UP, DOWN, CREATED …
  std::string address;  ///< topology and status
  std::uint16_t port = 0;
};
std::optional<ServerEvent> read_event(std::string_view body);

/// A numeric address of 4 or 16 bytes as text; empty: neither.
std::string address_text(std::string_view bytes);
/// 16 bytes as 8-4-4-4-12 hex digits, written to 36 bytes at `into`.
void write_uuid(std::string_view bytes, char* into) noexcept;

}  // namespace athena::driver::scylla
