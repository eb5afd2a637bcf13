#include "clients_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <athena/base/buffer.h>
#include <athena/base/json.h>
#include <athena/base/json_writer.h>

#include "log_writer.h"
#include "pretty_json.h"
#include "yaml.h"

namespace athena::app {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> failed(const std::string& file) {
  return fail(Code::configuration_error, file + " cannot be written: " + std::strerror(errno));
}

auto find(auto& clients, std::string_view name) {
  return std::ranges::find(clients, name, [](const auto& client) -> std::string_view { return client.first; });
}

}  // namespace

Result<ClientsFile> ClientsFile::read(const std::string& file) {
  ClientsFile out;
  if (!fs::exists(file)) return out;
  ATHENA_TRY(const auto text, read_file(file));
  auto document = json::Document::parse(text);
  if (!document) return fail(Code::malformed_json, file + ": " + document.error().error);
  const json::Value root = document->root();
  if (root["default"].is_string()) out.default_client = root["default"].as_string();
  const json::Value clients = root["clients"];
  for (auto at = clients.begin(); clients.is_object() && at != clients.end(); ++at) {
    if (!(*at).is_string())
      return fail(Code::configuration_error, file + ": the URI of '" + std::string(at.key()) + "' is no text");
    out.clients.emplace_back(at.key(), (*at).as_string());
  }
  return out;
}

std::string ClientsFile::to_json() const {
  Buffer out;
  json::Writer writer(out);
  writer.begin_object().key("default");
  default_client ? writer.string(*default_client) : writer.null();
  writer.key("clients").begin_object();
  for (const auto& [name, uri] : clients) writer.member(name, uri);
  writer.end_object().end_object();
  return pretty_json(out.view());
}

Result<> ClientsFile::write(const std::string& file) const {
  std::error_code ignored;
  fs::create_directories(fs::absolute(file).parent_path(), ignored);
  const std::string temporary = file + "." + std::to_string(::getpid()) + ".new";
  const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (descriptor < 0) return failed(temporary);
  write_all(descriptor, to_json());
  const bool is_written = ::fsync(descriptor) == 0;
  ::close(descriptor);
  if (!is_written || std::rename(temporary.c_str(), file.c_str()) != 0) {
    auto error = failed(file);
    ::unlink(temporary.c_str());
    return error;
  }
  return {};
}

void ClientsFile::add(std::string name, std::string uri) {
  if (clients.empty()) default_client = name;
  if (const auto found = find(clients, name); found != clients.end()) {
    found->second = std::move(uri);
  } else {
    clients.emplace_back(std::move(name), std::move(uri));
  }
}

Result<> ClientsFile::remove(std::string_view name) {
  const auto found = find(clients, name);
  if (found == clients.end()) return fail(Code::configuration_error, "client '" + std::string(name) + "' not found");
  if (default_client == name) default_client.reset();
  clients.erase(found);
  return {};
}

Result<> ClientsFile::set_default(std::string_view name) {
  if (find(clients, name) == clients.end()) {
    return fail(Code::configuration_error, "client '" + std::string(name) + "' is not defined");
  }
  default_client = name;
  return {};
}

std::string mask_password(std::string_view uri) {
  std::string out(uri);
  // The last '@' of all: a password that was pasted without being escaped may hold anything.
  const auto scheme = out.find("://");
  if (const auto at = out.rfind('@'); scheme != std::string::npos && at != std::string::npos) {
    const auto colon = out.find(':', scheme + 3);
    if (colon < at) out.replace(colon + 1, at - colon - 1, "***");
  }
  if (const auto parameter = out.find("password="); parameter != std::string::npos) {
    const auto begin = parameter + 9;
    out.replace(begin, out.find('&', begin) - begin, "***");
  }
  return out;
}

}  // namespace athena::app
