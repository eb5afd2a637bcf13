#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <athena/base/result.h>
#include <athena/driver/target.h>

namespace athena::driver {

/// The parts of an http or https URL. Only what a service's base URL can sensibly hold passes: no fragment, no blanks
/// or control characters, a host of ASCII letters, digits, dots and hyphens, or an IPv6 address between brackets.
struct HttpUrl {
  bool is_secure = false;
  std::string host;        ///< lower case; an address without its brackets
  std::uint16_t port = 0;  ///< the scheme's own if none is written
  std::string path;        ///< as written, without slashes at the end; empty: none
  std::string user_info;   ///< what stands before @, decoded
  std::string_view query;  ///< behind ?, as written: a view into the text that was read

  /// Scheme, host, port unless it is the scheme's own, path: what may be shown.
  std::string base() const;
};
/// Error: configuration_error; it does not repeat the URL, which may hold a key.
Result<HttpUrl> read_http_url(std::string_view text);

/// What stands behind `supabase+` or `postgrest+`: https://[KEY@]host[:port][/path][?schema=NAME]. Supabase serves REST
/// below /rest/v1, which may be left out; a plain PostgREST at whatever path is written.
Result<Target> read_supabase(std::string_view url, bool is_plain_postgrest);

/// What stands behind `d1+`: https://[TOKEN@]worker[:port][/path]?binding=NAME[&session_mode=MODE]. Plain http is for
/// localhost, 127.0.0.1 and [::1] alone.
Result<Target> read_d1(std::string_view url);

/// The URL of a D1 proxy alone: without a token, a database and a mode, which are told otherwise.
Result<Target> read_d1_worker(std::string_view url);

}  // namespace athena::driver
