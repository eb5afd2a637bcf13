#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <athena/base/result.h>

namespace athena::app {

/// config/clients.json: names and URIs for the command line, `{"default": name|null, "clients": {name: uri}}`.
/// Names keep their order.
struct ClientsFile {
  std::optional<std::string> default_client;
  std::vector<std::pair<std::string, std::string>> clients;

  /// A file that is not there is an empty one. Errors: configuration_error, malformed_json.
  static Result<ClientsFile> read(const std::string& file);
  /// Replaces the file in one step, so that whoever reads it meanwhile finds the old or the new one; mode 0600, because
  /// URIs hold passwords.
  Result<> write(const std::string& file) const;
  std::string to_json() const;

  /// Adds or replaces; the first one becomes the default.
  void add(std::string name, std::string uri);
  /// Error: configuration_error "client 'x' not found". Removing the default leaves none.
  Result<> remove(std::string_view name);
  /// Error: configuration_error "client 'x' is not defined".
  Result<> set_default(std::string_view name);
};

/// The URI with its password replaced by "***": what may be shown.
std::string mask_password(std::string_view uri);

}  // namespace athena::app
