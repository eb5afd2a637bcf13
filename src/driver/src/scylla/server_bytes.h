#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "scylla/cql_type.h"
#include "scylla/frame.h"

/// For tests: what a server sends, put together by hand as the protocol's specification has it, and not by the code
/// that is tested.
namespace athena::driver::scylla {

/// The notations of the protocol, one behind the other.
class ServerBytes {
 public:
  ServerBytes& u8(unsigned value) { return number(value, 1); }
  ServerBytes& u16(unsigned value) { return number(value, 2); }
  ServerBytes& i32(std::int64_t value) { return number(static_cast<std::uint64_t>(value), 4); }
  ServerBytes& i64(std::int64_t value) { return number(static_cast<std::uint64_t>(value), 8); }
  ServerBytes& raw(std::string_view bytes) {
    out_.append(bytes);
    return *this;
  }
  ServerBytes& string(std::string_view text) { return u16(static_cast<unsigned>(text.size())).raw(text); }
  ServerBytes& bytes(std::string_view value) { return i32(static_cast<std::int64_t>(value.size())).raw(value); }
  ServerBytes& null() { return i32(-1); }
  ServerBytes& strings(const std::vector<std::string>& list) {
    u16(static_cast<unsigned>(list.size()));
    for (const std::string& text : list) string(text);
    return *this;
  }
  ServerBytes& type(const CqlType& type) {
    u16(static_cast<unsigned>(type.kind));
    if (type.kind == CqlKind::custom) string(type.name);
    if (type.kind == CqlKind::udt) string(type.keyspace).string(type.name);
    if (type.kind == CqlKind::udt || type.kind == CqlKind::tuple) u16(static_cast<unsigned>(type.elements.size()));
    for (std::size_t i = 0; i < type.elements.size(); ++i) {
      if (type.kind == CqlKind::udt) string(type.fields[i]);
      this->type(type.elements[i]);
    }
    return *this;
  }

  const std::string& text() const noexcept { return out_; }
  operator std::string() const { return out_; }  // NOLINT(google-explicit-constructor)

 private:
  ServerBytes& number(std::uint64_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out_.push_back(static_cast<char>(value >> shift));
    return *this;
  }
  std::string out_;
};

/// An answer's envelope around a body.
struct ServerEnvelope {
  std::uint8_t version = 4, flags = 0;
  std::int16_t stream = 0;
  Opcode opcode = Opcode::result;
  std::string body{};

  std::string bytes() const {
    return ServerBytes()
        .u8(version | 0x80U)
        .u8(flags)
        .u16(static_cast<std::uint16_t>(stream))
        .u8(static_cast<unsigned>(opcode))
        .bytes(body);
  }
};

/// One frame of version 5, uncompressed, with right sums.
inline std::string server_frame(std::string_view payload, bool self_contained, bool lz4 = false) {
  const std::size_t head_bytes = lz4 ? 5 : 3;  // with LZ4 a length of 0 before compressing says: as it is
  const std::uint64_t head = payload.size() | std::uint64_t{self_contained} << (lz4 ? 34 : 17);
  std::string frame;
  const auto append = [&frame](std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) frame.push_back(static_cast<char>(value >> 8 * i));
  };
  append(head, head_bytes);
  append(crc24(head, head_bytes), 3);
  frame.append(payload);
  append(crc32_of(payload), 4);
  return frame;
}

using ServerColumns = std::vector<std::pair<std::string, CqlType>>;

/// RESULT rows: columns of table ks.t, and cells, null for none.
struct ServerRows {
  ServerColumns columns{};
  std::vector<std::vector<std::optional<std::string>>> rows{};
  std::optional<std::string> paging_state{};
  bool no_metadata = false;
  std::optional<std::string> new_metadata_id{};
  std::optional<std::int32_t> row_count{};  ///< instead of the true one

  std::string body() const {
    ServerBytes out;
    out.i32(2).i32(1 | (paging_state ? 2 : 0) | (no_metadata ? 4 : 0) | (new_metadata_id ? 8 : 0));
    out.i32(static_cast<std::int64_t>(columns.size()));
    if (paging_state) out.bytes(*paging_state);
    if (new_metadata_id) out.string(*new_metadata_id);
    if (!no_metadata) {
      out.string("ks").string("t");
      for (const auto& [name, type] : columns) out.string(name).type(type);
    }
    out.i32(row_count.value_or(static_cast<std::int32_t>(rows.size())));
    for (const auto& row : rows) {
      for (const auto& cell : row) cell ? out.bytes(*cell) : out.null();
    }
    return out;
  }
};

/// RESULT prepared: a statement over table ks.t.
struct ServerPrepared {
  std::string id = "id", result_id = "result";  ///< the second: version 5
  ServerColumns binds{};
  std::vector<unsigned> partition_key{};
  ServerColumns columns{};

  std::string body(std::uint8_t version) const {
    ServerBytes out;
    out.i32(4).string(id);
    if (version >= 5) out.string(result_id);
    out.i32(1).i32(static_cast<std::int64_t>(binds.size())).i32(static_cast<std::int64_t>(partition_key.size()));
    for (const unsigned at : partition_key) out.u16(at);
    out.string("ks").string("t");
    for (const auto& [name, type] : binds) out.string(name).type(type);
    out.i32(columns.empty() ? 4 : 1).i32(static_cast<std::int64_t>(columns.size()));
    if (columns.empty()) return out;
    out.string("ks").string("t");
    for (const auto& [name, type] : columns) out.string(name).type(type);
    return out;
  }
};

}  // namespace athena::driver::scylla
