#include "embedded.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <athena/base/crypto.h>
#include <athena/base/text.h>
#include <athena/driver/backend.h>

#include "log_writer.h"
#include "resources.h"
#include "yaml.h"

namespace athena::app {
namespace {

namespace fs = std::filesystem;

/// How long filling may take before something must be wrong with the disk.
constexpr seconds kFillTimeout{60};
constexpr std::size_t kAdminKeyBytes = 32;

struct Silent final : driver::Observer {
  void observe(const driver::Event&) noexcept override {}
};

Async<> fill_if_empty(driver::Backend& backend) {
  driver::Call call;
  call.deadline = Clock::now() + kFillTimeout;
  ATHENA_CO_TRY(const auto schema, co_await backend.schema(call));
  if (!schema->tables().empty()) co_return Result<>();
  driver::Native script;
  script.text = demo_sql();
  ATHENA_CO_TRY(const auto stream, co_await backend.execute(std::move(script), call));
  bool is_last = false;
  while (!is_last) {
    ATHENA_CO_TRY(const auto batch, co_await stream->next());
    is_last = batch.last;
  }
  co_return Result<>();
}

Task<> fill_and_stop(driver::Backend& backend, Loop& loop, Result<>& result) {
  result = co_await fill_if_empty(backend);
  co_await backend.stop();
  loop.stop();
}

}  // namespace

Result<> make_data_folder(const std::string& folder) {
  std::error_code error;
  if (fs::is_directory(folder, error)) return {};
  const fs::path parent = fs::absolute(folder).parent_path();
  fs::create_directories(parent, error);
  if (::mkdir(folder.c_str(), S_IRWXU) == 0) return {};
  return fail(Code::configuration_error, "The data folder " + folder + " cannot be made: " + std::strerror(errno),
              "Choose another one with --data.");
}

Result<std::string> admin_key_file(const std::string& file) {
  if (fs::exists(file)) {
    ATHENA_TRY(const auto text, read_file(file));
    if (const auto key = text::trim(text); !key.empty()) return std::string(key);
    return fail(Code::configuration_error, file + " is empty", "Remove it: a new key is made at the next start.");
  }
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (descriptor < 0) return fail(Code::configuration_error, file + " cannot be written: " + std::strerror(errno));
  std::string key = text::hex(crypto::random_bytes(kAdminKeyBytes));
  write_all(descriptor, key + "\n");
  ::close(descriptor);
  return key;
}

Result<> fill_demo(const driver::Target& target) {
  const auto* kind = driver::find_backend_kind(target.kind);
  if (kind == nullptr) return fail(Code::configuration_error, "This build has no backend '" + target.kind + "'");
  Loop loop;
  Silent observer;
  const auto backend = kind->open(target, kind->share(target), driver::Runtime{loop, observer});
  Result<> result;
  asio::co_spawn(loop.executor(), fill_and_stop(*backend, loop, result), asio::detached);
  loop.run();
  return result;
}

Result<> add_embedded_default(Config& config) {
  ATHENA_TRY_VOID(make_data_folder(config.data));
  gateway::ClientSettings demo;
  demo.name = "demo";
  demo.source = "embedded";
  demo.description = "A small shop: customers, products, orders, order_items, events";
  demo.target.kind = "sqlite";
  demo.target.database = config.data + "/demo.db";
  demo.target.create = true;
  ATHENA_TRY_VOID(fill_demo(demo.target));
  config.settings.clients.push_back(std::move(demo));
  if (config.settings.admin_key.empty()) {
    ATHENA_TRY(config.settings.admin_key, admin_key_file(config.data + "/admin.key"));
  }
  return {};
}

}  // namespace athena::app
