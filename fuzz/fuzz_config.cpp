// Configuration and .env texts: whatever they hold, the answer is a Config or a message that names the file.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  athena::app::Environment environment({{"A", "1"}, {"B", ""}});
  const auto dotenv = environment.add_dotenv(text, "fuzz.env");
  const auto config = athena::app::parse_config(text, "fuzz.yaml", environment, {});
  if (!dotenv && !dotenv.error().error.starts_with("fuzz.env:")) std::abort();
  if (!config && config.error().error.empty()) std::abort();
  return 0;
}
