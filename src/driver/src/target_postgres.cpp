#include "target_postgres.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <athena/base/text.h>

namespace athena::driver {
namespace {

constexpr std::string_view kSslModes[] = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"};

std::unexpected<Error> refuse(std::string text, std::string hint = {}) {
  return fail(Code::configuration_error, std::move(text), std::move(hint));
}

/// A component of a URI, decoded. NUL would end a name early in the libraries beneath.
Result<std::string> decode(std::string_view text, std::string_view what) {
  std::optional<std::string> decoded = text::url_decode(text, false);
  if (!decoded) return refuse("The " + std::string(what) + " in the database URI has a malformed % escape");
  if (decoded->find('\0') != std::string::npos || !text::is_utf8(*decoded)) {
    return refuse("The " + std::string(what) + " in the database URI is not valid text");
  }
  return *std::move(decoded);
}

Result<> read_port(std::string_view digits, Target& target) {
  const auto port = text::parse_u64(digits);
  if (!port || *port == 0 || *port > 65'535)
    return refuse("The port in the database URI is not a number from 1 to 65535");
  target.port = static_cast<std::uint16_t>(*port);
  return {};
}

/// `host`, `host:port`, `[v6]:port`, or a percent-encoded directory.
Result<> read_host(std::string_view text, Target& target) {
  if (text.find(',') != std::string_view::npos) {
    return refuse("The database URI names several hosts", "Name one host; each client has one database");
  }
  std::string_view host = text, port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return refuse("The address in the database URI has no closing bracket");
    host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && rest[0] != ':') return refuse("The host in the database URI is malformed");
    if (!rest.empty()) port = rest.substr(1);
    if (host.empty() || host.find_first_not_of("0123456789abcdefABCDEF:.%") != std::string_view::npos) {
      return refuse("The address between brackets in the database URI is no IPv6 address");
    }
  } else if (const std::size_t colon = text.rfind(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (host.find(':') != std::string_view::npos) {
      return refuse("The host in the database URI is malformed", "Write an IPv6 address between brackets");
    }
  }
  ATHENA_TRY(target.host, decode(host, "host"));
  if (!port.empty()) ATHENA_TRY_VOID(read_port(port, target));
  return {};
}

/// `endpoint=ID`, or `project=ID` as it was called first, says to Neon what the name of the host says already. Nothing
/// is taken over: other options could set anything in the session.
bool repeats_endpoint(std::string_view options, std::string_view host) {
  std::string_view endpoint = host.substr(0, host.find('.'));
  constexpr std::string_view kPooler = "-pooler";
  if (endpoint.ends_with(kPooler)) endpoint.remove_suffix(kPooler.size());
  for (const std::string_view name : {"endpoint=", "project="}) {
    if (!options.starts_with(name)) continue;
    std::string_view given = options.substr(name.size());
    if (given.ends_with(kPooler)) given.remove_suffix(kPooler.size());
    return !given.empty() && given == endpoint;
  }
  return false;
}

Result<> read_parameters(std::string_view query, Target& target) {
  for (const std::string_view pair : text::split(query, '&')) {
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return refuse("A parameter in the database URI has no value");
    ATHENA_TRY(const std::string name, decode(pair.substr(0, equals), "name of a parameter"));
    ATHENA_TRY(std::string value, decode(pair.substr(equals + 1), "parameter '" + name.substr(0, 64) + "'"));
    if (name == "options" && repeats_endpoint(value, target.host)) continue;
    ATHENA_TRY_VOID(set_postgres_parameter(target, name, std::move(value)));
  }
  return {};
}

}  // namespace

Result<> set_postgres_parameter(Target& target, std::string_view name, std::string value) {
  if (name == "user") {
    target.user = std::move(value);
  } else if (name == "password") {
    target.password = std::move(value);
  } else if (name == "dbname") {
    target.database = std::move(value);
  } else if (name == "host") {
    if (value.contains(',')) return refuse("The database URI names several hosts");
    target.host = std::move(value);
  } else if (name == "port") {
    return read_port(value, target);
  } else if (name == "sslmode") {
    if (std::ranges::find(kSslModes, value) == std::end(kSslModes)) {
      return refuse("Unknown sslmode in the database URI", "disable, allow, prefer, require, verify-ca or verify-full");
    }
    target.sslmode = std::move(value);
  } else if (name == "channel_binding") {
    if (value != "prefer" && value != "require") {
      return refuse("Unknown channel_binding in the database URI", "prefer or require");
    }
    target.channel_binding = std::move(value);
  } else {
    return refuse("The parameter '" + std::string(name.substr(0, 64)) + "' is not allowed in a database URI",
                  "host, port, dbname, user, password, sslmode and channel_binding are");
  }
  return {};
}

Result<Target> read_postgres(std::string_view rest) {
  Target target;
  target.kind = "postgresql";
  if (const std::size_t hash = rest.find('#'); hash != std::string_view::npos) {
    return refuse("The database URI has a fragment", "Write # in a password as %23");
  }
  std::string_view query;
  if (const std::size_t mark = rest.find('?'); mark != std::string_view::npos) {
    query = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  // A password that was not escaped may hold a slash: everything up to the last @ is user and password.
  std::string_view user_info;
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    user_info = rest.substr(0, at);
    rest = rest.substr(at + 1);
  }
  const std::size_t slash = rest.find('/');
  ATHENA_TRY_VOID(read_host(rest.substr(0, slash), target));
  const std::string_view database = slash == std::string_view::npos ? "" : rest.substr(slash + 1);
  ATHENA_TRY(target.database, decode(database, "database"));
  const std::size_t colon = user_info.find(':');
  const std::string_view password = colon == std::string_view::npos ? "" : user_info.substr(colon + 1);
  ATHENA_TRY(target.user, decode(user_info.substr(0, colon), "user"));
  ATHENA_TRY(target.password, decode(password, "password"));
  ATHENA_TRY_VOID(read_parameters(query, target));
  if (target.host.empty()) return refuse("The database URI names no host");
  return target;
}

}  // namespace athena::driver
