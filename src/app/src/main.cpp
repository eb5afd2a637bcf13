#include <unistd.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "commands.h"
#include "log_writer.h"
#include "wire.h"

namespace {

using namespace athena;

constexpr int kDone = 0, kFailed = 1, kUsage = 2;

/// Everything that a command line can say, and the command that it chose.
struct CommandLine {
  app::ConfigOptions config;
  app::ClientsOptions clients;
  app::FetchOptions fetch;
  bool as_json = false;
  bool is_api_only = false;
  std::function<int()> run;
};

int print(const Result<std::string>& text) {
  if (text) {
    app::write_all(STDOUT_FILENO, *text);
    return kDone;
  }
  const std::string hint = text.error().hint.empty() ? "" : "\n  " + text.error().hint;
  app::write_all(STDERR_FILENO, "athena: " + text.error().error + hint + "\n");
  return kFailed;
}

void add_global_options(CLI::App& root, CommandLine& line) {
  root.add_option("--config,--config-path", line.config.config, "Configuration file (default: the search path)");
  root.add_option("--pipelines,--pipelines-path", line.config.pipelines, "Pipeline definitions");
  root.add_option("--data", line.config.data, "Data folder of the embedded default")->capture_default_str();
  root.add_option("--host", line.config.host, "Address to listen on (default: api.host, else 127.0.0.1)");
  root.add_option("--port", line.config.port, "Port to listen on, 0 for a free one (default: api.port, else 4052)");
  root.add_flag("--api-only", line.is_api_only, "The same as the command `server`");
  root.add_flag("--json", line.as_json, "Output for machines");
  root.set_version_flag("--version", std::string(ATHENA_VERSION));
}

void add_clients_commands(CLI::App& root, CommandLine& line) {
  CLI::App* clients = root.add_subcommand("clients", "Names and URIs in config/clients.json, for the command line");
  clients->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, auto command) {
    CLI::App* sub = clients->add_subcommand(name, help);
    sub->add_option("--path", line.clients.path, "The file")->capture_default_str();
    sub->callback([&line, command] {
      line.run = [&line, command] {
        line.clients.as_json = line.as_json;
        return print(command(line.clients));
      };
    });
    return sub;
  };
  add("list", "Print them, passwords masked", app::clients_list);
  CLI::App* added = add("add", "Add or replace one; the first becomes the default", app::clients_add);
  added->add_option("name", line.clients.name)->required();
  added->add_option("uri", line.clients.uri)->required();
  add("remove", "Remove one", app::clients_remove)->add_option("name", line.clients.name)->required();
  add("set-default", "Choose the default", app::clients_set_default)->add_option("name", line.clients.name)->required();
}

void add_fetch_command(CLI::App& root, CommandLine& line) {
  CLI::App* fetch = root.add_subcommand("fetch", "Send one fetch request to a running server and print the answer");
  fetch->add_option("--url", line.fetch.url, "Where to")->capture_default_str();
  fetch->add_option("--client", line.fetch.client, "X-Athena-Client (default: the default of clients.json)");
  fetch->add_option("--clients-path", line.fetch.clients_path, "The file of clients")->capture_default_str();
  CLI::Option_group* body = fetch->add_option_group("body");
  body->add_option("--body-json", line.fetch.body_json, "The request's body");
  body->add_option("--body-file", line.fetch.body_file, "A file with the request's body");
  body->require_option(1);
  fetch->callback([&line] {
    line.run = [&line] {
      line.fetch.as_json = line.as_json;
      return print(app::fetch(line.fetch));
    };
  });
}

void add_commands(CLI::App& root, CommandLine& line) {
  root.add_subcommand("server", "Serve the API")->callback([&line] {
    line.run = [&line] { return app::run_server(line.config); };
  });
  add_clients_commands(root, line);
  add_fetch_command(root, line);
  root.add_subcommand("diag", "Facts about this machine and this build, as JSON")->callback([&line] {
    line.run = [] { return print(app::diag_text()); };
  });
  root.add_subcommand("version", "The version")->callback([&line] {
    line.run = [&line] { return print(app::version_text(line.as_json)); };
  });
}

}  // namespace

int main(int argc, char** argv) {
  CommandLine line;
  CLI::App root("Athena, a gateway to databases: one HTTP server, one JSON language", "athena");
  root.fallthrough();
  root.require_subcommand(0, 1);
  add_global_options(root, line);
  add_commands(root, line);
  try {
    root.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return root.exit(error) == 0 ? kDone : kUsage;
  }
  if (!line.run && line.is_api_only) line.run = [&line] { return app::run_server(line.config); };
  if (line.run) return line.run();
  app::write_all(
      STDERR_FILENO,
      "athena: no command; `athena server` (or --api-only) starts the API, `athena --help` lists the others\n");
  return kUsage;
}
