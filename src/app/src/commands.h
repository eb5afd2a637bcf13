#pragma once

#include <string>

#include <athena/base/result.h>

namespace athena::app {

// What `athena COMMAND` does, each giving what is to be printed on stdout.

/// `version`: the bare number, or {"version": …}.
std::string version_text(bool as_json);
/// `diag`: facts about this machine and this build, always as JSON.
std::string diag_text();

struct ClientsOptions {
  std::string path = "config/clients.json";
  std::string name, uri;
  bool as_json = false;
};
Result<std::string> clients_list(const ClientsOptions& options);
Result<std::string> clients_add(const ClientsOptions& options);
Result<std::string> clients_remove(const ClientsOptions& options);
Result<std::string> clients_set_default(const ClientsOptions& options);

struct FetchOptions {
  std::string url = "http://127.0.0.1:4052/gateway/fetch";
  std::string client;  ///< empty: the default of clients_path
  std::string clients_path = "config/clients.json";
  std::string body_json, body_file;
  bool as_json = false;  ///< the answer as it came, not laid out
};
/// `fetch`: one request to a running server. Error: what kept it from being answered with 2xx, the answer's body
/// included.
Result<std::string> fetch(const FetchOptions& options);

}  // namespace athena::app
