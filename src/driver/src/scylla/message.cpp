#include "scylla/message.h"

#include <algorithm>

#include <boost/asio/ip/address.hpp>

namespace athena::driver::scylla {
namespace {

// Bits of the flags of a query's options.
constexpr std::uint32_t kValues = 0x01, kSkipMetadata = 0x02, kPageSize = 0x04, kPagingState = 0x08, kSerial = 0x10,
                        kKeyspace = 0x80;
// Bits of the flags of a result's metadata.
constexpr std::int32_t kGlobalTable = 0x01, kHasMorePages = 0x02, kNoMetadata = 0x04, kMetadataChanged = 0x08;
constexpr std::uint32_t kMaxColumns = 65'535;
/// Names of types and columns within one description of columns, for a server that unfolds without end.
constexpr std::uint32_t kMaxNodes = 100'000;
constexpr std::size_t kMaxDepth = 32;

void append_u16(std::string& out, std::uint16_t value) {
  out.push_back(static_cast<char>(value >> 8));
  out.push_back(static_cast<char>(value));
}
void append_i32(std::string& out, std::int32_t value) {
  append_u16(out, static_cast<std::uint16_t>(static_cast<std::uint32_t>(value) >> 16));
  append_u16(out, static_cast<std::uint16_t>(value));
}

std::vector<ColumnSpec> columns_of(MessageReader& reader, std::uint32_t count, bool global_table) {
  std::vector<ColumnSpec> columns;
  std::string_view keyspace, table;
  if (global_table) {
    keyspace = reader.string();
    table = reader.string();
  }
  for (std::uint32_t i = 0; i < count && reader.is_good(); ++i) {
    if (!global_table) {
      keyspace = reader.string();
      table = reader.string();
    }
    ColumnSpec& column = columns.emplace_back();
    column.keyspace = keyspace;
    column.table = table;
    column.name = reader.string();
    column.type = reader.type();
  }
  return columns;
}

/// Passes over the columns and says where they are.
std::string_view skip_columns(MessageReader& reader, const ColumnsText& text, const ColumnsText& known) {
  const std::string_view from = reader.rest();
  if (!known.bytes.empty() && known.count == text.count && known.global_table == text.global_table &&
      from.starts_with(known.bytes)) {
    return reader.take(known.bytes.size());
  }
  const auto skip_table = [&reader] {
    reader.string();
    reader.string();
  };
  if (text.global_table) skip_table();
  for (std::uint32_t i = 0; i < text.count && reader.is_good(); ++i) {
    if (!text.global_table) skip_table();
    reader.string();
    reader.type();
  }
  return from.substr(0, from.size() - reader.rest().size());
}

/// What stands in front of rows: flags, count, and by flag a paging state, a new id, and the columns.
RowsMetadata read_rows_metadata(MessageReader& reader, const ColumnsText& known) {
  RowsMetadata metadata;
  const std::int32_t flags = reader.i32();
  const std::int32_t count = reader.i32();
  if (count < 0 || static_cast<std::uint32_t>(count) > kMaxColumns) reader.give_up();
  metadata.columns.count = static_cast<std::uint32_t>(count);
  metadata.columns.global_table = (flags & kGlobalTable) != 0;
  if (flags & kHasMorePages) {
    const auto state = reader.bytes();
    metadata.paging_state = state.value_or(std::string_view());
    metadata.has_more = state.has_value();
  }
  if (flags & kMetadataChanged) metadata.new_metadata_id = reader.short_bytes();
  metadata.has_columns = (flags & kNoMetadata) == 0;
  if (metadata.has_columns) metadata.columns.bytes = skip_columns(reader, metadata.columns, known);
  return metadata;
}

}  // namespace

void BoundValues::add_null() {
  append_i32(bytes, -1);
  ++count;
}

void BoundValues::add_unset() {
  append_i32(bytes, -2);
  ++count;
}

void BoundValues::add(std::string_view value) {
  append_i32(bytes, static_cast<std::int32_t>(value.size()));
  bytes.append(value);
  ++count;
}

void MessageWriter::begin(std::int16_t stream, Opcode opcode) {
  begin_ = out_.size();
  u8(version_);
  u8(0);
  u16(static_cast<std::uint16_t>(stream));
  u8(static_cast<std::uint8_t>(opcode));
  u32(0);
}

void MessageWriter::end() {
  const auto size = static_cast<std::uint32_t>(out_.size() - begin_ - kEnvelopeHeadBytes);
  char* at = out_.data() + begin_ + 5;
  for (int i = 0; i < 4; ++i) at[i] = static_cast<char>(size >> (8 * (3 - i)));
}

void MessageWriter::u16(std::uint16_t value) {
  char* at = out_.grab(2);
  at[0] = static_cast<char>(value >> 8);
  at[1] = static_cast<char>(value);
  out_.commit(2);
}

void MessageWriter::u32(std::uint32_t value) {
  u16(static_cast<std::uint16_t>(value >> 16));
  u16(static_cast<std::uint16_t>(value));
}

void MessageWriter::string(std::string_view text) {
  u16(static_cast<std::uint16_t>(text.size()));
  out_.append(text);
}

void MessageWriter::long_string(std::string_view text) {
  u32(static_cast<std::uint32_t>(text.size()));
  out_.append(text);
}

void MessageWriter::query_options(const QueryOptions& options, const BoundValues* values) {
  u16(static_cast<std::uint16_t>(options.consistency));
  const bool has_values = values && values->count > 0;
  std::uint32_t bits = kSerial;
  if (has_values) bits |= kValues;
  if (options.skip_metadata && version_ >= 5) bits |= kSkipMetadata;
  if (options.page_size > 0) bits |= kPageSize;
  if (!options.paging_state.empty()) bits |= kPagingState;
  if (version_ >= 5 && !options.keyspace.empty()) bits |= kKeyspace;
  flags(bits);
  if (has_values) {
    u16(values->count);
    out_.append(values->bytes);
  }
  if (bits & kPageSize) u32(static_cast<std::uint32_t>(options.page_size));
  if (bits & kPagingState) long_string(options.paging_state);
  u16(static_cast<std::uint16_t>(options.serial_consistency));
  if (bits & kKeyspace) string(options.keyspace);
}

void MessageWriter::write(std::int16_t stream, const Startup& question) {
  begin(stream, Opcode::startup);
  u16(question.lz4 ? 4 : 3);
  string("CQL_VERSION"), string("3.0.0");
  string("DRIVER_NAME"), string("athena");
  string("DRIVER_VERSION"), string("3");
  if (question.lz4) string("COMPRESSION"), string("lz4");
  end();
}

void MessageWriter::write(std::int16_t stream, const OptionsQuestion&) {
  begin(stream, Opcode::options);
  end();
}

void MessageWriter::write(std::int16_t stream, const AuthAnswer& question) {
  begin(stream, Opcode::auth_response);
  long_string(question.token);
  end();
}

void MessageWriter::write(std::int16_t stream, const RegisterEvents&) {
  begin(stream, Opcode::register_events);
  u16(3);
  string("TOPOLOGY_CHANGE"), string("STATUS_CHANGE"), string("SCHEMA_CHANGE");
  end();
}

void MessageWriter::write(std::int16_t stream, const PrepareQuestion& question) {
  begin(stream, Opcode::prepare);
  long_string(question.cql);
  if (version_ >= 5) {
    u32(question.keyspace.empty() ? 0 : 1);
    if (!question.keyspace.empty()) string(question.keyspace);
  }
  end();
}

void MessageWriter::write(std::int16_t stream, const QueryQuestion& question) {
  begin(stream, Opcode::query);
  long_string(question.cql);
  query_options(question.options, nullptr);
  end();
}

void MessageWriter::write(std::int16_t stream, const ExecuteQuestion& question) {
  begin(stream, Opcode::execute);
  string(question.id);
  if (version_ >= 5) string(question.result_metadata_id);
  query_options(question.options, question.values);
  end();
}

void MessageWriter::write(std::int16_t stream, const BatchQuestion& question) {
  begin(stream, Opcode::batch);
  u8(static_cast<std::uint8_t>(question.type));
  u16(static_cast<std::uint16_t>(question.statements.size()));
  for (const BatchQuestion::Statement& statement : question.statements) {
    u8(1);
    string(statement.id);
    u16(statement.values->count);
    out_.append(statement.values->bytes);
  }
  u16(static_cast<std::uint16_t>(question.options.consistency));
  flags(kSerial);
  u16(static_cast<std::uint16_t>(question.options.serial_consistency));
  end();
}

std::string_view MessageReader::take(std::size_t bytes) noexcept {
  if (bytes > rest_.size()) {
    give_up();
    return {};
  }
  const std::string_view taken = rest_.substr(0, bytes);
  rest_.remove_prefix(bytes);
  return taken;
}

std::uint8_t MessageReader::u8() noexcept {
  const std::string_view b = take(1);
  return b.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(b[0]);
}

std::uint16_t MessageReader::u16() noexcept {
  const std::string_view b = take(2);
  if (b.empty()) return 0;
  return static_cast<std::uint16_t>(static_cast<unsigned char>(b[0]) << 8 | static_cast<unsigned char>(b[1]));
}

std::int32_t MessageReader::i32() noexcept {
  const std::string_view b = take(4);
  std::uint32_t value = 0;
  for (const char c : b) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int32_t>(value);
}

std::int64_t MessageReader::i64() noexcept {
  const std::string_view b = take(8);
  std::uint64_t value = 0;
  for (const char c : b) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(value);
}

std::optional<std::string_view> MessageReader::bytes() noexcept {
  const std::int32_t size = i32();
  if (!good_ || size < 0) return std::nullopt;
  const std::string_view taken = take(static_cast<std::size_t>(size));
  return good_ ? std::optional(taken) : std::nullopt;
}

std::vector<std::string> MessageReader::string_list() {
  std::vector<std::string> list;
  for (std::uint16_t left = u16(); left > 0 && good_; --left) list.emplace_back(string());
  return list;
}

std::vector<std::pair<std::string, std::vector<std::string>>> MessageReader::string_multimap() {
  std::vector<std::pair<std::string, std::vector<std::string>>> map;
  for (std::uint16_t left = u16(); left > 0 && good_; --left) {
    std::string key(string());
    map.emplace_back(std::move(key), string_list());
  }
  return map;
}

CqlType MessageReader::type(std::size_t depth) {
  CqlType type;
  if (depth > kMaxDepth || ++type_nodes_ > kMaxNodes) give_up();
  type.kind = static_cast<CqlKind>(u16());
  if (!good_) return type;
  const auto element = [&] { type.elements.push_back(this->type(depth + 1)); };
  switch (type.kind) {
    case CqlKind::custom: {
      const std::string_view name = string();
      auto parsed = parse_class_name(name);
      if (!good_ || !parsed) {
        type.name = name;
        return type;
      }
      return *std::move(parsed);
    }
    case CqlKind::list:
    case CqlKind::set:
      element();
      break;
    case CqlKind::map:
      element();
      element();
      break;
    case CqlKind::tuple:
      for (std::uint16_t left = u16(); left > 0 && good_; --left) element();
      break;
    case CqlKind::udt:
      type.keyspace = string();
      type.name = string();
      for (std::uint16_t left = u16(); left > 0 && good_; --left) {
        type.fields.emplace_back(string());
        element();
      }
      break;
    case CqlKind::vector:
      give_up();  // a number of ours: a server does not write it
      break;
    case CqlKind::ascii:
    case CqlKind::bigint:
    case CqlKind::blob:
    case CqlKind::boolean:
    case CqlKind::counter:
    case CqlKind::decimal:
    case CqlKind::double_:
    case CqlKind::float_:
    case CqlKind::int_:
    case CqlKind::timestamp:
    case CqlKind::uuid:
    case CqlKind::text:
    case CqlKind::varint:
    case CqlKind::timeuuid:
    case CqlKind::inet:
    case CqlKind::date:
    case CqlKind::time:
    case CqlKind::smallint:
    case CqlKind::tinyint:
    case CqlKind::duration:
      break;
    default:  // a type of a newer server, without parameters as far as we can know
      give_up();
      break;
  }
  return type;
}

bool take_extras(std::uint8_t flags, std::string_view& body, AnswerExtras& extras) {
  if ((flags & (kTracingFlag | kWarningFlag | kPayloadFlag)) == 0) return true;
  MessageReader reader(body);
  if (flags & kTracingFlag) {
    const std::string_view id = reader.take(16);
    if (!id.empty()) {
      extras.tracing_id.resize(36);
      write_uuid(id, extras.tracing_id.data());
    }
  }
  if (flags & kWarningFlag) extras.warnings = reader.string_list();
  if (flags & kPayloadFlag) {
    for (std::uint16_t left = reader.u16(); left > 0 && reader.is_good(); --left) {
      reader.string();
      static_cast<void>(reader.bytes());
    }
  }
  body = reader.rest();
  return reader.is_good();
}

std::optional<ServerError> read_error(std::string_view body) {
  MessageReader reader(body);
  ServerError error;
  error.code = reader.i32();
  error.message = reader.string();
  if (!reader.is_good()) return std::nullopt;
  // What follows is welcome, and its absence no reason to lose the message.
  switch (error.code) {
    case 0x1000:  // unavailable
      error.consistency = static_cast<Consistency>(reader.u16());
      error.required = reader.i32();
      error.received = reader.i32();
      break;
    case 0x1100:  // write timeout
    case 0x1200:  // read timeout
      error.consistency = static_cast<Consistency>(reader.u16());
      error.received = reader.i32();
      error.required = reader.i32();
      if (error.code == 0x1100) {
        error.write_type = reader.string();
      } else {
        error.data_present = reader.u8() != 0;
      }
      break;
    case 0x2400:  // already exists
      error.keyspace = reader.string();
      error.table = reader.string();
      break;
    case 0x2500:  // unprepared
      error.unprepared_id = reader.short_bytes();
      break;
    default:
      break;
  }
  return error;
}

std::optional<ResultView> read_result(std::string_view body, const ColumnsText& known) {
  MessageReader reader(body);
  ResultView result;
  result.kind = static_cast<ResultView::Kind>(reader.i32());
  if (!reader.is_good()) return std::nullopt;
  if (result.kind != ResultView::Kind::rows) {
    const auto number = static_cast<std::int32_t>(result.kind);
    return number >= 1 && number <= 5 ? std::optional(result) : std::nullopt;
  }
  result.metadata = read_rows_metadata(reader, known);
  const std::int32_t rows = reader.i32();
  if (!reader.is_good() || rows < 0) return std::nullopt;
  result.row_count = static_cast<std::uint32_t>(rows);
  result.rows = reader.rest();
  // Each cell has a length at least: a count that lies is caught here. Rows without columns do not exist.
  const std::uint64_t columns = result.metadata.columns.count;
  if (result.row_count > 0 && columns == 0) return std::nullopt;
  if (result.row_count * columns * 4 > result.rows.size()) return std::nullopt;
  return result;
}

std::optional<std::vector<ColumnSpec>> read_columns(const ColumnsText& text) {
  MessageReader reader(text.bytes);
  auto columns = columns_of(reader, text.count, text.global_table);
  if (!reader.is_good() || !reader.rest().empty()) return std::nullopt;
  return columns;
}

std::optional<PreparedView> read_prepared(std::string_view body, std::uint8_t version) {
  MessageReader reader(body);
  if (reader.i32() != static_cast<std::int32_t>(ResultView::Kind::prepared)) return std::nullopt;
  PreparedView prepared;
  prepared.id = reader.short_bytes();
  if (version >= 5) prepared.result_metadata_id = reader.short_bytes();
  const std::int32_t flags = reader.i32();
  const std::int32_t count = reader.i32();
  const std::int32_t keys = reader.i32();
  if (count < 0 || keys < 0 || static_cast<std::uint32_t>(count) > kMaxColumns || keys > count) return std::nullopt;
  for (std::int32_t i = 0; i < keys && reader.is_good(); ++i) prepared.partition_key.push_back(reader.u16());
  if (std::ranges::any_of(prepared.partition_key, [count](std::uint16_t at) { return at >= count; })) {
    return std::nullopt;
  }
  prepared.binds = columns_of(reader, static_cast<std::uint32_t>(count), (flags & kGlobalTable) != 0);
  prepared.columns = read_rows_metadata(reader, {}).columns;
  if (!reader.is_good() || prepared.id.empty()) return std::nullopt;
  return prepared;
}

std::optional<SchemaChange> read_schema_change(std::string_view body) {
  MessageReader reader(body);
  SchemaChange change;
  change.change = reader.string();
  change.target = reader.string();
  change.keyspace = reader.string();
  if (change.target != "KEYSPACE") change.name = reader.string();
  if (!reader.is_good()) return std::nullopt;
  return change;
}

std::optional<ServerEvent> read_event(std::string_view body) {
  MessageReader reader(body);
  ServerEvent event;
  const std::string_view kind = reader.string();
  event.change = reader.string();
  if (kind == "SCHEMA_CHANGE") {
    event.kind = ServerEvent::Kind::schema;
  } else if (kind == "TOPOLOGY_CHANGE" || kind == "STATUS_CHANGE") {
    event.kind = kind == "STATUS_CHANGE" ? ServerEvent::Kind::status : ServerEvent::Kind::topology;
    event.address = address_text(reader.take(reader.u8()));
    event.port = static_cast<std::uint16_t>(reader.i32());
  }
  if (!reader.is_good()) return std::nullopt;
  return event;
}

std::string address_text(std::string_view bytes) {
  namespace ip = boost::asio::ip;
  if (bytes.size() == 4) {
    ip::address_v4::bytes_type v4{};
    std::ranges::copy(bytes, v4.begin());
    return ip::address_v4(v4).to_string();
  }
  if (bytes.size() == 16) {
    ip::address_v6::bytes_type v6{};
    std::ranges::copy(bytes, v6.begin());
    return ip::address_v6(v6).to_string();
  }
  return {};
}

void write_uuid(std::string_view bytes, char* into) noexcept {
  constexpr char kDigits[] = "0123456789abcdef";
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *into++ = '-';
    const auto byte = static_cast<unsigned char>(bytes[i]);
    *into++ = kDigits[byte >> 4];
    *into++ = kDigits[byte & 15];
  }
}

}  // namespace athena::driver::scylla
