#include <athena/driver/target.h>

#include <utility>

#include <athena/base/text.h>

#include "target_http.h"
#include "target_postgres.h"
#include "target_scylla.h"

namespace athena::driver {
namespace {

std::unexpected<Error> refuse(std::string text, std::string hint = {}) {
  return fail(Code::configuration_error, std::move(text), std::move(hint));
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
  if (const auto rest = after_scheme(uri, "scylla://")) return read_scylla(*rest);
  if (const auto rest = after_scheme(uri, "supabase+")) return read_supabase(*rest, false);
  if (const auto rest = after_scheme(uri, "d1+")) return read_d1(*rest);
  if (const auto rest = after_scheme(uri, "postgrest+")) return read_supabase(*rest, true);
  // The URI itself is not repeated: it may hold a password.
  return refuse("The database URI has an unknown scheme",
                "postgres://, postgresql://, jdbc:postgresql://, sqlite:, scylla://, supabase+https:// or "
                "postgrest+https://");
}

}  // namespace athena::driver
