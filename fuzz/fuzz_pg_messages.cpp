// What a server, or whoever stands in its place, may send: framing and every message that is looked into.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "postgres/protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace athena::driver::postgres;
  std::string_view received(reinterpret_cast<const char*>(data), size);
  std::vector<std::optional<std::string_view>> cells;
  for (;;) {
    const Frame frame = read_frame(received, 1 << 20);
    if (frame.state != Frame::State::complete) {
      if (frame.state == Frame::State::incomplete && frame.bytes <= received.size()) __builtin_trap();
      return 0;
    }
    if (frame.bytes < kMessageHeadBytes || frame.bytes > received.size()) __builtin_trap();
    static_cast<void>(read_row_description(frame.body));
    static_cast<void>(read_parameter_count(frame.body));
    static_cast<void>(read_affected(frame.body));
    static_cast<void>(read_server_error(frame.body));
    static_cast<void>(read_notification(frame.body));
    static_cast<void>(read_parameter_status(frame.body));
    static_cast<void>(read_ready(frame.body));
    if (read_data_row(frame.body, cells)) {
      std::size_t bytes = 2;
      for (const auto& cell : cells) bytes += 4 + (cell ? cell->size() : 0);
      if (bytes != frame.body.size()) __builtin_trap();
    }
    received.remove_prefix(frame.bytes);
  }
}
