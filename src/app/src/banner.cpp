#include "banner.h"

#include <fmt/format.h>

namespace athena::app {
namespace {

/// One line of the form that the whole banner has.
void line(std::string& out, std::string_view name, std::string_view text) {
  out += fmt::format("  {:<10} {}\n", name, text);
}

std::string url(const Config& config, std::uint16_t port) {
  const bool is_tls = !config.listen.tls_certificate_file.empty();
  const bool is_any = config.listen.host == "0.0.0.0" || config.listen.host == "::";
  std::string host = is_any ? "127.0.0.1" : config.listen.host;
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return fmt::format("{}://{}:{}", is_tls ? "https" : "http", host, port);
}

std::string example(const Config& config, std::uint16_t port) {
  const auto& client = config.settings.clients.front();
  const std::string_view curl = config.listen.tls_certificate_file.empty() ? "curl -s" : "curl -sk";
  if (config.is_embedded) {
    return fmt::format(
        "{} {}/gateway/fetch -H 'X-Athena-Client: {}' -H 'Content-Type: application/json' "
        "-d '{{\"table_name\":\"products\",\"columns\":[\"id\",\"name\",\"price\"],\"limit\":3}}'",
        curl, url(config, port), client.name);
  }
  return fmt::format("{} {}/schema/tables -H 'X-Athena-Client: {}'", curl, url(config, port), client.name);
}

}  // namespace

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

std::string banner(const Config& config, std::uint16_t port, std::uint32_t threads) {
  std::string out = fmt::format("Athena {}\n", config.settings.version);
  line(out, "listening", fmt::format("{} ({} thread{})", url(config, port), threads, threads == 1 ? "" : "s"));
  line(out, "config", config.file);
  for (const auto& client : config.settings.clients) {
    line(out, "client", fmt::format("{}: {}{}", client.name, client.target.masked(), client.frozen ? " (frozen)" : ""));
  }
  if (config.is_embedded) {
    line(out, "data", config.data + " (the embedded demo: no database is configured)");
    line(out, "admin key", config.data + "/admin.key, unless ATHENA_KEY_12 is set");
  } else {
    line(out, "admin key", config.settings.admin_key.empty() ? "none: ATHENA_KEY_12 is not set" : "from ATHENA_KEY_12");
  }
  line(out, "open",
       is_loopback(config.listen.host) ? "every data route, without a key, to whoever can connect from this machine"
                                       : "every data route, without a key, to whoever can reach this port");
  if (!is_loopback(config.listen.host)) {
    line(out, "WARNING", "listening on " + config.listen.host + " while no API key is asked for; put a proxy in front");
  }
  for (const Notice& notice : config.notices) {
    if (notice.level >= LogLevel::warn) line(out, "warning", notice.text);
  }
  line(out, "try", example(config, port));
  return out;
}

}  // namespace athena::app
