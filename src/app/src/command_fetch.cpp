#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <athena/base/json.h>
#include <athena/base/loop.h>
#include <athena/http/client.h>

#include "clients_file.h"
#include "commands.h"
#include "pretty_json.h"
#include "yaml.h"

namespace athena::app {
namespace {

Task<> send_and_stop(http::Client& client, http::ClientRequest request, Loop& loop,
                     Result<http::ClientResponse>& result) {
  result = co_await client.send(std::move(request), nullptr);
  loop.stop();
}

Result<http::ClientResponse> send(http::ClientRequest request) {
  Loop loop;
  const auto client = http::Client::create(loop);
  Result<http::ClientResponse> result;
  asio::co_spawn(loop.executor(), send_and_stop(*client, std::move(request), loop, result), asio::detached);
  loop.run();
  return result;
}

Result<std::string> client_name(const FetchOptions& options) {
  if (!options.client.empty()) return options.client;
  ATHENA_TRY(const auto file, ClientsFile::read(options.clients_path));
  if (file.default_client) return *file.default_client;
  return fail(
      Code::configuration_error, "no client provided and no default set",
      "Name one with --client, or give " + options.clients_path + " a default: athena clients set-default NAME.");
}

Result<std::string> body(const FetchOptions& options) {
  std::string text = options.body_json;
  if (!options.body_file.empty()) {
    ATHENA_TRY(text, read_file(options.body_file));
  }
  if (auto document = json::Document::parse(text); !document) {
    return fail(Code::malformed_json, "the body is no JSON: " + document.error().error);
  }
  return text;
}

}  // namespace

Result<std::string> fetch(const FetchOptions& options) {
  http::ClientRequest request;
  request.method = "POST";
  request.url = options.url;
  ATHENA_TRY(request.body, body(options));
  ATHENA_TRY(auto client, client_name(options));
  request.headers = {{"Content-Type", "application/json"}, {"X-Athena-Client", std::move(client)}};
  ATHENA_TRY(const auto response, send(std::move(request)));
  std::string text = options.as_json ? response.body : pretty_json(response.body);
  if (!text.ends_with('\n')) text += '\n';
  if (response.status >= 200 && response.status < 300) return text;
  return fail(Code::invalid_request, "fetch failed (" + std::to_string(response.status) + ")\n" + text);
}

}  // namespace athena::app
