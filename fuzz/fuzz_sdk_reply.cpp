// What a gateway, or whoever stands in its place, may answer to the SDK: any status, any body.

#include <cstddef>
#include <cstdint>
#include <string>

#include <athena/base/json.h>

#include "reply_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  athena::http::ClientResponse response;
  response.status = data[0] & 1 ? 200 : 400 + data[1];
  response.headers.emplace_back("retry-after", std::string(reinterpret_cast<const char*>(data + 2), size > 8 ? 6 : 0));
  response.body.assign(reinterpret_cast<const char*>(data + 2), size - 2);
  const auto reply = athena::sdk::read_reply(response);
  if (!reply) return 0;
  if (response.status >= 400) __builtin_trap();
  for (const auto& row : reply->rows) {
    if (row.size() != reply->columns.size()) __builtin_trap();
  }
  const std::string written = reply->to_json();
  if (!athena::json::Document::parse(written)) __builtin_trap();
  return 0;
}
