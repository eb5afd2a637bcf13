#include "scylla/cursor.h"

#include <athena/base/crypto.h>
#include <athena/base/text.h>

namespace athena::driver::scylla {
namespace {

/// In front of the sum: another form of cursors would have another.
constexpr char kForm = '\1';
constexpr std::size_t kSumBytes = 16;

}  // namespace

CursorSeal::CursorSeal(std::string_view secret, std::string_view keyspace, std::string_view cql,
                       std::string_view values) {
  std::string statement = "athena cql cursor";
  for (const std::string_view part : {keyspace, cql, values}) {
    statement.append(1, '\0').append(std::to_string(part.size())).append(1, ':').append(part);
  }
  key_ = crypto::hmac_sha256(secret, statement);
}

std::string CursorSeal::sum(std::string_view paging_state) const {
  return crypto::hmac_sha256(key_, paging_state).substr(0, kSumBytes);
}

std::string CursorSeal::close(std::string_view paging_state) const {
  return text::hex(kForm + sum(paging_state).append(paging_state));
}

Result<std::string> CursorSeal::open(std::string_view cursor) const {
  if (cursor.size() > 2 * (1 + kSumBytes + kMaxStateBytes)) return fail(bad_cursor());
  auto bytes = text::bytes_of_hex(cursor);
  if (!bytes || bytes->size() <= 1 + kSumBytes || bytes->front() != kForm) return fail(bad_cursor());
  std::string state = bytes->substr(1 + kSumBytes);
  const std::string_view given = std::string_view(*bytes).substr(1, kSumBytes);
  if (!crypto::constant_time_equal(given, sum(state))) return fail(bad_cursor());
  return state;
}

Error bad_cursor() {
  return Error(Code::invalid_value, "'cursor' is not one that this request was given",
               "Send the next_cursor of the page before, with the same table, columns, conditions and sort")
      .with("field", "cursor");
}

}  // namespace athena::driver::scylla
