#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <athena/base/result.h>

namespace athena::gateway {

using Parameters = std::vector<std::pair<std::string, std::string>>;

/// The decoded name/value pairs of a query string, in order. Errors: invalid_encoding (a malformed escape, bad UTF-8,
/// NUL), limit_exceeded.
Result<Parameters> read_parameters(std::string_view query);
/// The first value of that name; empty if it is absent.
std::string_view find_parameter(const Parameters& parameters, std::string_view name) noexcept;

}  // namespace athena::gateway
