#include <athena/driver/target.h>

#include <algorithm>
#include <array>
#include <utility>

#include <athena/base/text.h>

#include "target_http.h"

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

Result<> read_parameter(std::string_view name, std::string_view value, Target& target) {
  ATHENA_TRY(std::string text, decode(value, "parameter '" + std::string(name) + "'"));
  if (name == "user") {
    target.user = std::move(text);
  } else if (name == "password") {
    target.password = std::move(text);
  } else if (name == "dbname") {
    target.database = std::move(text);
  } else if (name == "host") {
    if (text.find(',') != std::string::npos) return refuse("The database URI names several hosts");
    target.host = std::move(text);
  } else if (name == "port") {
    return read_port(text, target);
  } else if (name == "sslmode") {
    if (std::ranges::find(kSslModes, text) == std::end(kSslModes)) {
      return refuse("Unknown sslmode in the database URI", "disable, allow, prefer, require, verify-ca or verify-full");
    }
    target.sslmode = std::move(text);
  } else {
    return refuse("The parameter '" + std::string(name.substr(0, 64)) + "' is not allowed in a database URI",
                  "host, port, dbname, user, password and sslmode are");
  }
  return {};
}

Result<> read_parameters(std::string_view query, Target& target) {
  for (const std::string_view pair : text::split(query, '&')) {
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return refuse("A parameter in the database URI has no value");
    ATHENA_TRY(const std::string name, decode(pair.substr(0, equals), "name of a parameter"));
    ATHENA_TRY_VOID(read_parameter(name, pair.substr(equals + 1), target));
  }
  return {};
}

/// What stands behind `scheme://`.
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

/// What stands behind `sqlite:`. The path is taken as it is: no escapes, no parameters.
Result<Target> read_sqlite(std::string_view rest) {
  if (rest.starts_with("//")) {
    rest.remove_prefix(2);
    if (!rest.starts_with('/')) {
      return refuse("The sqlite URI names a host", "Write sqlite:PATH or sqlite:///absolute/path");
    }
  }
  if (rest.empty()) return refuse("The sqlite URI names no file");
  if (rest == ":memory:" || rest.starts_with("file:")) {
    return refuse("A database in memory cannot be a client",
                  "Each connection would have a database of its own: name a file");
  }
  if (rest.find('\0') != std::string_view::npos) return refuse("The path in the sqlite URI is not valid");
  Target target;
  target.kind = "sqlite";
  target.database = rest;
  return target;
}

std::optional<std::string_view> after_scheme(std::string_view uri, std::string_view scheme) {
  if (uri.size() < scheme.size() || !text::iequals(uri.substr(0, scheme.size()), scheme)) return std::nullopt;
  return uri.substr(scheme.size());
}

}  // namespace

std::string Target::masked() const {
  std::string shown = kind + ":";
  if (host.empty()) return shown + database;
  shown += "//";
  if (!user.empty()) shown += text::url_encode(user) + "@";
  const bool is_v6 = host.find(':') != std::string::npos && !host.starts_with('/');
  shown += is_v6 ? "[" + host + "]" : host.starts_with('/') ? text::url_encode(host) : host;
  if (port != 0) shown += ":" + std::to_string(port);
  if (!database.empty()) shown += "/" + text::url_encode(database);
  return shown;
}

Result<Target> parse_uri(std::string_view uri) {
  constexpr std::size_t kMaxUri = 4'096;
  uri = text::trim(uri);
  if (uri.size() > kMaxUri) return refuse("The database URI is longer than 4096 characters");
  for (const std::string_view scheme : {"postgres://", "postgresql://", "jdbc:postgresql://"}) {
    if (const auto rest = after_scheme(uri, scheme)) return read_postgres(*rest);
  }
  if (const auto rest = after_scheme(uri, "sqlite:")) return read_sqlite(*rest);
  if (const auto rest = after_scheme(uri, "supabase+")) return read_supabase(*rest, false);
  if (const auto rest = after_scheme(uri, "postgrest+")) return read_supabase(*rest, true);
  // The URI itself is not repeated: it may hold a password.
  return refuse("The database URI has an unknown scheme",
                "postgres://, postgresql://, jdbc:postgresql://, sqlite:, supabase+https:// or postgrest+https://");
}

}  // namespace athena::driver
