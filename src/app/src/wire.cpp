#include "wire.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <vector>

#include <athena/base/loop.h>
#include <athena/gateway/gateway.h>
#include <athena/http/server.h>

#include "banner.h"
#include "embedded.h"
#include "log_writer.h"
#include "resources.h"

namespace athena::app {
namespace {

/// Every connection is a descriptor: as many as the system gives.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

sigset_t handled_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, signal);
  return set;
}

/// The loops and their threads. They stand below everything that lives on them, and end last.
class Loops {
 public:
  explicit Loops(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) loops_.push_back(std::make_unique<Loop>());
  }
  ~Loops() { stop(); }
  Loops(const Loops&) = delete;
  Loops& operator=(const Loops&) = delete;

  void start() {
    for (const auto& loop : loops_) threads_.emplace_back([at = loop.get()] { at->run(); });
  }
  void stop() {
    for (const auto& loop : loops_) loop->stop();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  std::vector<Loop*> all() const {
    std::vector<Loop*> pointers;
    for (const auto& loop : loops_) pointers.push_back(loop.get());
    return pointers;
  }

 private:
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::thread> threads_;
};

/// The configuration with everything in it that is not in a file: what the gateway is built, and built again, from.
Result<Config> complete_config(const ConfigOptions& options) {
  ATHENA_TRY(Config config, load_config(options, Environment::of_process()));
  config.settings.version = ATHENA_VERSION;
  config.settings.openapi = openapi();
  if (config.is_embedded) ATHENA_TRY_VOID(add_embedded_default(config));
  return config;
}

void log_notices(LogWriter& log, const Config& config) {
  for (const Notice& notice : config.notices) gateway::log_line(log, notice.level, "config", {{"text", notice.text}});
}

/// SIGHUP: the new configuration if it can be read and taken over, else the old one goes on.
void reload(const ConfigOptions& options, gateway::Gateway& gateway, http::Server& server, LogWriter& log) {
  auto config = complete_config(options);
  Result<> result;
  if (!config) {
    result = fail(std::move(config).error());
  } else {
    log_notices(log, *config);
    result = gateway.reload(std::move(config->settings));
  }
  if (result) result = server.reload_tls();
  if (result) {
    gateway::log_line(log, LogLevel::info, "reloaded", {});
  } else {
    gateway::log_line(log, LogLevel::error, "reload_failed", {{"error", result.error().error}});
  }
}

/// Serves until the first SIGTERM or SIGINT.
void wait_for_end(const ConfigOptions& options, gateway::Gateway& gateway, http::Server& server, LogWriter& log) {
  const sigset_t signals = handled_signals();
  int signal = 0;
  while (::sigwait(&signals, &signal) != 0 || signal == SIGHUP) {
    if (signal == SIGHUP) reload(options, gateway, server, log);
  }
  gateway::log_line(log, LogLevel::info, "stopping", {});
  // Whoever sends the signal again does not want to wait: from here on it ends the process at once.
  for (const int again : {SIGTERM, SIGINT}) ::signal(again, SIG_DFL);
  sigset_t last;
  ::sigemptyset(&last);
  for (const int again : {SIGTERM, SIGINT}) ::sigaddset(&last, again);
  ::pthread_sigmask(SIG_UNBLOCK, &last, nullptr);
}

Result<> serve(const ConfigOptions& options) {
  ATHENA_TRY(const Config config, complete_config(options));
  LogWriter log(STDERR_FILENO);
  log_notices(log, config);
  const std::uint32_t threads = config.threads > 0 ? config.threads : std::max(1U, std::thread::hardware_concurrency());
  Loops loops(threads);
  ATHENA_TRY(const auto gateway, gateway::Gateway::create(config.settings, loops.all(), log));
  std::vector<http::Server::LoopHandler> handlers;
  for (Loop* loop : loops.all()) handlers.push_back({loop, &gateway->handler(handlers.size())});
  ATHENA_TRY(const auto server, http::Server::open(config.listen, config.limits, std::move(handlers)));

  loops.start();
  server->start();
  gateway->set_ready(true);
  write_all(STDOUT_FILENO, banner(config, server->port(), threads));
  gateway::log_line(log, LogLevel::info, "listening",
                    {{"host", config.listen.host}, {"port", std::to_string(server->port())}});

  wait_for_end(options, *gateway, *server, log);
  gateway->set_ready(false);
  server->drain(config.drain);
  gateway->stop();
  loops.stop();
  gateway::log_line(log, LogLevel::info, "stopped", {});
  return {};
}

}  // namespace

int run_server(const ConfigOptions& options) {
  raise_descriptor_limit();
  ::signal(SIGPIPE, SIG_IGN);
  // Blocked in every thread that is made from here on; the main thread takes them one by one.
  const sigset_t signals = handled_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const auto result = serve(options);
  if (result) return 0;
  const Error& error = result.error();
  write_all(STDERR_FILENO, "athena: " + error.error + "\n" + (error.hint.empty() ? "" : "  " + error.hint + "\n"));
  return 1;
}

}  // namespace athena::app
