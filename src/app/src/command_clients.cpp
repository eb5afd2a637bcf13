#include "clients_file.h"
#include "commands.h"

namespace athena::app {

Result<std::string> clients_list(const ClientsOptions& options) {
  ATHENA_TRY(ClientsFile file, ClientsFile::read(options.path));
  for (auto& [name, uri] : file.clients) uri = mask_password(uri);
  if (options.as_json) return file.to_json();
  if (file.clients.empty()) return "no clients in " + options.path + "\n";
  std::string out;
  for (const auto& [name, uri] : file.clients) {
    out += (file.default_client == name ? "* " : "  ") + name + "  " + uri + "\n";
  }
  return out;
}

Result<std::string> clients_add(const ClientsOptions& options) {
  ATHENA_TRY(ClientsFile file, ClientsFile::read(options.path));
  file.add(options.name, options.uri);
  ATHENA_TRY_VOID(file.write(options.path));
  return "added client '" + options.name + "'\n";
}

Result<std::string> clients_remove(const ClientsOptions& options) {
  ATHENA_TRY(ClientsFile file, ClientsFile::read(options.path));
  ATHENA_TRY_VOID(file.remove(options.name));
  ATHENA_TRY_VOID(file.write(options.path));
  return "removed client '" + options.name + "'\n";
}

Result<std::string> clients_set_default(const ClientsOptions& options) {
  ATHENA_TRY(ClientsFile file, ClientsFile::read(options.path));
  ATHENA_TRY_VOID(file.set_default(options.name));
  ATHENA_TRY_VOID(file.write(options.path));
  return "default client is '" + options.name + "'\n";
}

}  // namespace athena::app
