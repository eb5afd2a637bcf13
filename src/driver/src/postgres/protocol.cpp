#include "postgres/protocol.h"

#include <cstring>
#include <utility>

#include <athena/base/text.h>

namespace athena::driver::postgres {
namespace {

constexpr std::size_t kMaxParams = 65'535;

std::uint32_t load_u32(const char* at) noexcept {
  std::uint32_t value;
  std::memcpy(&value, at, 4);
  return __builtin_bswap32(value);
}
std::uint16_t load_u16(const char* at) noexcept {
  std::uint16_t value;
  std::memcpy(&value, at, 2);
  return __builtin_bswap16(value);
}
char* store_u32(char* at, std::uint32_t value) noexcept {
  value = __builtin_bswap32(value);
  std::memcpy(at, &value, 4);
  return at + 4;
}
char* store_u16(char* at, std::uint16_t value) noexcept {
  value = __builtin_bswap16(value);
  std::memcpy(at, &value, 2);
  return at + 2;
}
char* store_bytes(char* at, std::string_view bytes) noexcept {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

/// Reads a body front to back; whatever does not fit makes it bad and gives zeros from then on.
class BodyReader {
 public:
  explicit BodyReader(std::string_view body) : rest_(body) {}

  std::uint16_t u16() noexcept { return take(2) ? load_u16(taken_.data()) : 0; }
  std::uint32_t u32() noexcept { return take(4) ? load_u32(taken_.data()) : 0; }
  std::string_view bytes(std::size_t n) noexcept { return take(n) ? taken_ : std::string_view(); }
  std::string_view text() noexcept {
    const std::size_t end = rest_.find('\0');
    if (end == std::string_view::npos) {
      fail();
      return {};
    }
    const std::string_view found = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return found;
  }
  bool good() const noexcept { return good_; }
  bool at_end() const noexcept { return good_ && rest_.empty(); }

 private:
  bool take(std::size_t n) noexcept {
    if (!good_ || rest_.size() < n) {
      fail();
      return false;
    }
    taken_ = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return true;
  }
  void fail() noexcept {
    good_ = false;
    rest_ = {};
  }

  std::string_view rest_, taken_;
  bool good_ = true;
};

bool is_server_message(char type) noexcept {
  return std::string_view("123ACDEGHIKnNSTtWZdcs").find(type) != std::string_view::npos;
}

bool has_nul(std::string_view text) noexcept {
  return text.find('\0') != std::string_view::npos;
}

std::unexpected<Error> too_large() {
  return fail(Code::payload_too_large, "A value or a statement is longer than PostgreSQL takes (1 GiB)");
}

}  // namespace

Frame read_frame(std::string_view received, std::size_t max_bytes) noexcept {
  Frame frame;
  if (received.empty()) return frame;
  if (!is_server_message(received[0])) {
    frame.state = Frame::State::broken;
    return frame;
  }
  if (received.size() < kMessageHeadBytes) return frame;
  // The length counts itself but not the type. 64 bits, so that nothing wraps.
  const std::uint64_t length = load_u32(received.data() + 1);
  if (length < 4 || length + 1 > max_bytes) {
    frame.state = Frame::State::broken;
    return frame;
  }
  frame.bytes = static_cast<std::size_t>(length + 1);
  if (received.size() < frame.bytes) return frame;
  frame.state = Frame::State::complete;
  frame.type = static_cast<MessageType>(received[0]);
  frame.body = received.substr(kMessageHeadBytes, frame.bytes - kMessageHeadBytes);
  return frame;
}

std::optional<std::vector<FieldDescription>> read_row_description(std::string_view body) {
  BodyReader reader(body);
  const std::uint16_t count = reader.u16();
  std::vector<FieldDescription> fields;
  for (std::uint16_t i = 0; i < count; ++i) {
    FieldDescription field;
    field.name = reader.text();
    reader.bytes(4 + 2);  // table and number of the column in it
    field.type_oid = reader.u32();
    reader.bytes(2 + 4);  // size and modifier of the type
    field.is_binary = reader.u16() != 0;
    if (!reader.good()) return std::nullopt;
    fields.push_back(std::move(field));
  }
  if (!reader.at_end()) return std::nullopt;
  return fields;
}

bool read_data_row(std::string_view body, std::vector<std::optional<std::string_view>>& cells) {
  cells.clear();
  BodyReader reader(body);
  const std::uint16_t count = reader.u16();
  for (std::uint16_t i = 0; i < count; ++i) {
    const std::uint32_t length = reader.u32();
    if (length == 0xffff'ffffU) {
      cells.emplace_back();
    } else {
      cells.emplace_back(reader.bytes(length));
    }
    if (!reader.good()) return false;
  }
  return reader.at_end();
}

std::optional<std::uint16_t> read_parameter_count(std::string_view body) noexcept {
  BodyReader reader(body);
  const std::uint16_t count = reader.u16();
  reader.bytes(std::size_t{count} * 4);
  if (!reader.at_end()) return std::nullopt;
  return count;
}

std::uint64_t read_affected(std::string_view command_tag) noexcept {
  if (!command_tag.empty() && command_tag.back() == '\0') command_tag.remove_suffix(1);
  // The count is the last word of the tags that have one. SELECT has one too, but touches nothing.
  if (command_tag.starts_with("SELECT") || command_tag.starts_with("FETCH")) return 0;
  const std::size_t blank = command_tag.rfind(' ');
  if (blank == std::string_view::npos) return 0;
  return text::parse_u64(command_tag.substr(blank + 1)).value_or(0);
}

ServerError read_server_error(std::string_view body) {
  ServerError error;
  BodyReader reader(body);
  while (reader.good() && !reader.at_end()) {
    const std::string_view type = reader.bytes(1);
    if (!reader.good() || type[0] == '\0') break;
    const std::string_view value = reader.text();
    if (!reader.good()) break;
    switch (type[0]) {
      case 'S':
        if (error.severity.empty()) error.severity = value;
        break;
      case 'V':
        error.severity = value;
        break;  // like 'S', but never translated
      case 'C':
        error.sqlstate = value;
        break;
      case 'M':
        error.message = value;
        break;
      case 'D':
        error.detail = value;
        break;
      case 'H':
        error.hint = value;
        break;
      case 'P':
        error.position = value;
        break;
      case 's':
        error.schema = value;
        break;
      case 't':
        error.table = value;
        break;
      case 'c':
        error.column = value;
        break;
      case 'n':
        error.constraint = value;
        break;
      case 'd':
        error.data_type = value;
        break;
    }
  }
  return error;
}

std::optional<Notification> read_notification(std::string_view body) noexcept {
  BodyReader reader(body);
  reader.u32();  // the process that notified
  Notification notification;
  notification.channel = reader.text();
  notification.payload = reader.text();
  if (!reader.at_end()) return std::nullopt;
  return notification;
}

std::optional<ParameterStatus> read_parameter_status(std::string_view body) noexcept {
  BodyReader reader(body);
  ParameterStatus status;
  status.name = reader.text();
  status.value = reader.text();
  if (!reader.at_end()) return std::nullopt;
  return status;
}

std::optional<TransactionStatus> read_ready(std::string_view body) noexcept {
  if (body.size() != 1 || std::string_view("ITE").find(body[0]) == std::string_view::npos) return std::nullopt;
  return static_cast<TransactionStatus>(body[0]);
}

void Encoder::head(char type, std::size_t body_bytes) {
  char* at = out_.grab(kMessageHeadBytes + body_bytes);
  at[0] = type;
  store_u32(at + 1, static_cast<std::uint32_t>(body_bytes + 4));
  out_.commit(kMessageHeadBytes);
}

void Encoder::text(std::string_view bytes) {
  out_.append(bytes);
  out_.push_back('\0');
}

Result<> Encoder::parse(std::string_view name, std::string_view sql) {
  if (has_nul(sql)) return fail(Code::invalid_text_encoding, "A statement may not contain the character U+0000");
  const std::size_t bytes = name.size() + 1 + sql.size() + 1 + 2;
  if (bytes + 4 >= kMaxMessageBytes) return too_large();
  head('P', bytes);
  text(name);
  text(sql);
  out_.append(std::string_view("\0\0", 2));  // no parameter types: all inferred
  return {};
}

Result<> Encoder::bind(std::string_view name, std::span<const query::Param> params) {
  if (params.size() > kMaxParams) return fail(Code::limit_exceeded, "A statement takes at most 65535 parameters");
  std::uint64_t bytes = 1 + name.size() + 1 + 2 + 2 + 2;
  for (const query::Param& param : params) bytes += 4 + (param.kind == query::ParamKind::null ? 0 : param.text.size());
  if (bytes + 4 >= kMaxMessageBytes) return too_large();
  char* at = out_.grab(kMessageHeadBytes + bytes);
  *at++ = 'B';
  at = store_u32(at, static_cast<std::uint32_t>(bytes + 4));
  *at++ = '\0';  // the unnamed portal
  at = store_bytes(at, name);
  *at++ = '\0';
  at = store_u16(at, 0);  // all parameters in text
  at = store_u16(at, static_cast<std::uint16_t>(params.size()));
  for (const query::Param& param : params) {
    if (param.kind == query::ParamKind::null) {
      at = store_u32(at, 0xffff'ffffU);
    } else {
      at = store_u32(at, static_cast<std::uint32_t>(param.text.size()));
      at = store_bytes(at, param.text);
    }
  }
  store_u16(at, 0);  // all columns in text
  out_.commit(kMessageHeadBytes + bytes);
  return {};
}

Result<> Encoder::query(std::string_view sql) {
  if (has_nul(sql)) return fail(Code::invalid_text_encoding, "A statement may not contain the character U+0000");
  if (sql.size() + 5 >= kMaxMessageBytes) return too_large();
  head('Q', sql.size() + 1);
  text(sql);
  return {};
}

void Encoder::describe_statement(std::string_view name) {
  head('D', name.size() + 2);
  out_.push_back('S');
  text(name);
}

void Encoder::describe_portal() {
  out_.append(std::string_view("D\0\0\0\6P\0", 7));
}
void Encoder::execute() {
  out_.append(std::string_view("E\0\0\0\x09\0\0\0\0\0", 10));
}  // no limit on rows
void Encoder::sync() {
  out_.append(std::string_view("S\0\0\0\4", 5));
}
void Encoder::terminate() {
  out_.append(std::string_view("X\0\0\0\4", 5));
}

void Encoder::close_statement(std::string_view name) {
  head('C', name.size() + 2);
  out_.push_back('S');
  text(name);
}

void Encoder::copy_fail(std::string_view reason) {
  head('f', reason.size() + 1);
  text(reason);
}

}  // namespace athena::driver::postgres
