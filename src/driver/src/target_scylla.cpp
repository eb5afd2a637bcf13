#include "target_scylla.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <athena/base/text.h>

namespace athena::driver {
namespace {

constexpr std::size_t kMaxHosts = 64;
constexpr std::string_view kTlsModes[] = {"disable", "require", "verify-full"};

std::unexpected<Error> refuse(std::string text, std::string hint = {}) {
  return fail(Code::configuration_error, std::move(text), std::move(hint));
}

Result<std::string> decode(std::string_view text, std::string_view what) {
  std::optional<std::string> decoded = text::url_decode(text, false);
  if (!decoded) return refuse("The " + std::string(what) + " in the scylla URI has a malformed % escape");
  if (decoded->find('\0') != std::string::npos || !text::is_utf8(*decoded)) {
    return refuse("The " + std::string(what) + " in the scylla URI is not valid text");
  }
  return *std::move(decoded);
}

bool is_host_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`.
Result<HostPort> read_host(std::string_view text) {
  std::string_view host = text, port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return refuse("The address of a scylla host has no closing bracket");
    host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && rest[0] != ':') return refuse("A scylla host is malformed");
    has_port = !rest.empty();
    if (has_port) port = rest.substr(1);
    if (host.empty() || host.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos) {
      return refuse("The address between brackets of a scylla host is no IPv6 address");
    }
  } else {
    const std::size_t colon = text.find(':');
    has_port = colon != std::string_view::npos;
    host = text.substr(0, colon);
    if (has_port) port = text.substr(colon + 1);
    if (host.empty()) return refuse("A scylla host has no name");
    if (!std::ranges::all_of(host, is_host_character)) {
      return refuse("A scylla host is malformed", "Write an IPv6 address between brackets");
    }
  }
  HostPort read{std::string(host), 0};
  if (!has_port) return read;
  const auto number = text::parse_u64(port);
  if (!number || *number == 0 || *number > 65'535) {
    return refuse("The port of a scylla host is not a number from 1 to 65535");
  }
  read.port = static_cast<std::uint16_t>(*number);
  return read;
}

Result<> read_parameters(std::string_view query, Target& target) {
  for (const std::string_view pair : text::split(query, '&')) {
    if (pair.empty()) continue;
    const std::string_view name = pair.substr(0, pair.find('='));
    if (name != "tls") {
      return refuse("The parameter '" + std::string(name.substr(0, 64)) + "' is not allowed in a scylla URI", "tls is");
    }
    const std::string_view mode = pair.size() > name.size() ? pair.substr(name.size() + 1) : "";
    ATHENA_TRY_VOID(set_scylla_tls(target, mode));
  }
  return {};
}

}  // namespace

Result<> set_scylla_hosts(Target& target, std::span<const std::string_view> hosts) {
  if (hosts.size() > kMaxHosts) return refuse("There are more than " + std::to_string(kMaxHosts) + " scylla hosts");
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    ATHENA_TRY(HostPort host, read_host(text::trim(hosts[i])));
    if (i == 0) {
      target.host = std::move(host.host);
      target.port = host.port;
    } else {
      target.more_hosts.push_back(std::move(host));
    }
  }
  return {};
}

Result<> set_scylla_tls(Target& target, std::string_view mode) {
  if (std::ranges::find(kTlsModes, mode) == std::end(kTlsModes)) {
    return refuse("Unknown tls of a scylla target", "disable, require or verify-full");
  }
  target.sslmode = mode;
  return {};
}

Result<Target> read_scylla(std::string_view rest) {
  Target target;
  target.kind = "scylla";
  if (rest.find('#') != std::string_view::npos) {
    return refuse("The scylla URI has a fragment", "Write # in a password as %23");
  }
  std::string_view query;
  if (const std::size_t mark = rest.find('?'); mark != std::string_view::npos) {
    query = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  // A password that was not escaped may hold a slash: everything up to the last @ is user and password.
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    const std::string_view user_info = rest.substr(0, at);
    rest = rest.substr(at + 1);
    const std::size_t colon = user_info.find(':');
    ATHENA_TRY(target.user, decode(user_info.substr(0, colon), "user"));
    if (colon != std::string_view::npos) {
      ATHENA_TRY(target.password, decode(user_info.substr(colon + 1), "password"));
    }
  }
  const std::size_t slash = rest.find('/');
  ATHENA_TRY_VOID(set_scylla_hosts(target, text::split(rest.substr(0, slash), ',')));
  if (slash != std::string_view::npos) {
    ATHENA_TRY(target.database, decode(rest.substr(slash + 1), "keyspace"));
    if (target.database.find('/') != std::string::npos) return refuse("The keyspace in the scylla URI is malformed");
  }
  ATHENA_TRY_VOID(read_parameters(query, target));
  return target;
}

}  // namespace athena::driver
