#include "target_http.h"

#include <algorithm>
#include <utility>

#include <athena/base/text.h>

namespace athena::driver {
namespace {

std::unexpected<Error> refuse(std::string text, std::string hint = {}) {
  return fail(Code::configuration_error, std::move(text), std::move(hint));
}

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

bool is_host_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || is_digit(c) || c == '.' || c == '-';
}
bool is_address_character(char c) noexcept {
  return (c >= 'a' && c <= 'f') || is_digit(c) || c == '.' || c == ':';
}

Result<> read_authority(std::string_view text, HttpUrl& url) {
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    const auto decoded = text::url_decode(text.substr(0, at), false);
    if (!decoded || !text::is_utf8(*decoded) ||
        decoded->find_first_of(std::string_view("\0\r\n", 3)) != std::string::npos)
      return refuse("What stands before @ in the URL is not valid text");
    url.user_info = *decoded;
    text.remove_prefix(at + 1);
  }
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return refuse("The address in the URL has no closing bracket");
    url.host = text::to_lower(text.substr(1, end - 1));
    if (!std::ranges::all_of(url.host, is_address_character) || !url.host.contains(':'))
      return refuse("What stands between brackets in the URL is no IPv6 address");
    port = text.substr(end + 1);
    if (!port.empty() && port[0] != ':') return refuse("The host in the URL is malformed");
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    url.host = text::to_lower(text.substr(0, colon));
    if (!std::ranges::all_of(url.host, is_host_character))
      return refuse("The host in the URL is malformed", "Write names in ASCII (punycode), IPv6 addresses in brackets");
    port = text.substr(colon);
  }
  if (url.host.empty()) return refuse("The URL names no host");
  url.port = url.is_secure ? 443 : 80;
  if (port.empty()) return {};
  const auto number = text::parse_u64(port.substr(1));
  if (!number || *number == 0 || *number > 65'535) return refuse("The port in the URL is not a number from 1 to 65535");
  url.port = static_cast<std::uint16_t>(*number);
  return {};
}

}  // namespace

std::string HttpUrl::base() const {
  std::string text = is_secure ? "https://" : "http://";
  text += host.contains(':') ? "[" + host + "]" : host;
  if (port != (is_secure ? 443 : 80)) text += ":" + std::to_string(port);
  return text + path;
}

Result<HttpUrl> read_http_url(std::string_view text) {
  constexpr std::size_t kMaxUrl = 2'048;
  if (text.size() > kMaxUrl) return refuse("The URL is longer than 2048 characters");
  const auto is_visible = [](char c) { return c > 0x20 && c < 0x7f && c != '\\' && c != '"' && c != '<' && c != '>'; };
  if (!std::ranges::all_of(text, is_visible)) return refuse("The URL has characters that a URL cannot have");
  HttpUrl url;
  const std::size_t scheme = text.find("://");
  const std::string_view name = text.substr(0, scheme);
  url.is_secure = text::iequals(name, "https");
  if (scheme == std::string_view::npos || (!url.is_secure && !text::iequals(name, "http")))
    return refuse("The URL is neither http:// nor https://");
  std::string_view rest = text.substr(scheme + 3);
  if (rest.contains('#')) return refuse("The URL has a fragment");
  if (const std::size_t mark = rest.find('?'); mark != std::string_view::npos) {
    url.query = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  ATHENA_TRY_VOID(read_authority(rest.substr(0, slash), url));
  std::string_view path = rest.substr(slash);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.contains("/../") || path.ends_with("/..")) return refuse("The path of the URL goes upwards");
  url.path = path;
  return url;
}

namespace {

/// Everything but the database.
Result<Target> read_worker(HttpUrl& url) {
  const bool is_local = url.host == "localhost" || url.host == "127.0.0.1" || url.host == "::1";
  if (!url.is_secure && !is_local) return refuse("The URL of a D1 proxy must use https outside local development");
  Target target;
  target.kind = "d1";
  target.url = url.base();
  target.host = std::move(url.host);
  target.port = url.port;
  // `TOKEN@` and `:TOKEN@` are the same: there is no user.
  target.password = url.user_info.starts_with(':') ? url.user_info.substr(1) : std::move(url.user_info);
  return target;
}

}  // namespace

Result<Target> read_d1_worker(std::string_view text) {
  ATHENA_TRY(HttpUrl url, read_http_url(text));
  if (!url.query.empty() || !url.user_info.empty()) {
    return refuse("The URL of a D1 proxy has parameters or a token here", "They stand under keys of their own");
  }
  return read_worker(url);
}

Result<Target> read_d1(std::string_view text) {
  ATHENA_TRY(HttpUrl url, read_http_url(text));
  ATHENA_TRY(Target target, read_worker(url));
  for (const std::string_view pair : text::split(url.query, '&')) {
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string_view name = pair.substr(0, equals);
    const auto value = text::url_decode(pair.substr(std::min(equals + 1, pair.size())), true);
    const bool is_known = name == "binding" || name == "session_mode";
    if (!is_known || !value || value->empty() || !text::is_utf8(*value))
      return refuse("The parameters of a D1 URL are binding=NAME and session_mode=MODE");
    (name == "binding" ? target.binding : target.session_mode) = *value;
  }
  if (target.binding.empty()) return refuse("The D1 URL names no database", "Add ?binding=NAME");
  return target;
}

Result<Target> read_supabase(std::string_view text, bool is_plain_postgrest) {
  ATHENA_TRY(HttpUrl url, read_http_url(text));
  Target target;
  target.kind = "supabase";
  for (const std::string_view pair : text::split(url.query, '&')) {
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const auto value = text::url_decode(pair.substr(std::min(equals + 1, pair.size())), true);
    if (pair.substr(0, equals) != "schema" || !value || value->empty() || !text::is_utf8(*value) ||
        value->find_first_of(std::string_view("\0\r\n", 3)) != std::string::npos)
      return refuse("The only parameter of a Supabase URL is schema=NAME");
    target.database = *value;
  }
  if (url.path.empty() && !is_plain_postgrest) url.path = "/rest/v1";
  target.url = url.base();
  target.host = std::move(url.host);
  target.port = url.port;
  // `KEY@` and `:KEY@` are the same: there is no user.
  target.password = url.user_info.starts_with(':') ? url.user_info.substr(1) : std::move(url.user_info);
  return target;
}

}  // namespace athena::driver
