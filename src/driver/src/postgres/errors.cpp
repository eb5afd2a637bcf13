#include "postgres/errors.h"

#include <algorithm>
#include <iterator>

namespace athena::driver::postgres {

bool is_connection_fatal(std::string_view sqlstate) noexcept {
  static constexpr std::string_view kFatal[] = {"08000", "08001", "08003", "08004", "08006", "25P03", "3D000",
                                                "53300", "57P01", "57P02", "57P03", "57P04", "57P05"};
  return sqlstate.starts_with("28") || std::ranges::find(kFatal, sqlstate) != std::end(kFatal);
}

bool needs_reprepare(std::string_view sqlstate, std::string_view message) noexcept {
  if (sqlstate == "26000" || sqlstate == "42P05") return true;  // gone, or left behind by someone else
  if (sqlstate == "0A000") return message.find("cached plan must not change result type") != std::string_view::npos;
  // A type or function that the plan was made for has been dropped, and perhaps made again.
  return sqlstate == "XX000" && message.find("cache lookup failed for") != std::string_view::npos;
}

}  // namespace athena::driver::postgres
