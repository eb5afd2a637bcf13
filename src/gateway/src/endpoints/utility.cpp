#include <algorithm>
#include <vector>

#include <athena/base/json_writer.h>
#include <athena/driver/health.h>

#include "endpoints/routes.h"
#include "services.h"

namespace athena::gateway {
namespace {

void write_status(RequestContext& context, std::string_view status) {
  context.exchange.add_header("Content-Type", "application/json");
  json::Writer(context.body()).begin_object().member("status", status).end_object();
}

/// Could a statement be tried now? A backend that nobody asked for yet counts as usable.
bool is_usable(const Services& services, const Client& client) {
  const auto slot = services.backends.peek(client);
  return !client.settings.frozen && (!slot || slot->backend->health().usable);
}

bool any_usable(const RequestContext& context, const Services& services, std::string_view kind) {
  return std::ranges::any_of(context.snapshot->clients, [&](const auto& client) {
    return (kind.empty() || client->kind->name == kind) && is_usable(services, *client);
  });
}

constexpr std::string_view state_name(driver::HostState state) noexcept {
  switch (state) {
    case driver::HostState::closed:
      return "closed";
    case driver::HostState::open:
      return "open";
    case driver::HostState::half_open:
      return "half_open";
  }
  return "closed";
}

/// Without their names: anyone may ask. The log has them.
void write_hosts(json::Writer& w, const driver::HostHealth* health) {
  w.begin_array();
  for (const driver::HostReport& host : health ? health->report(Clock::now()) : std::vector<driver::HostReport>()) {
    w.begin_object().member("backend", host.backend).member("state", state_name(host.state));
    w.key("recent_failures").integer(host.recent_failures);
    w.key("retry_in_ms").integer(host.retry_in.count());
    w.key("times_opened").integer(host.times_opened);
    w.key("refused").integer(host.refused).end_object();
  }
  w.end_array();
}

/// The words for what a kind of database can do.
struct CapabilityWord {
  std::string_view word;
  bool driver::Capabilities::* can;
};
constexpr CapabilityWord kCapabilities[] = {
    {"raw_sql", &driver::Capabilities::raw_sql},     {"transactions", &driver::Capabilities::transactions},
    {"schemas", &driver::Capabilities::schemas},     {"regex", &driver::Capabilities::regex},
    {"full_text", &driver::Capabilities::full_text}, {"arrays", &driver::Capabilities::arrays},
    {"returning", &driver::Capabilities::returning}, {"estimates", &driver::Capabilities::estimates},
    {"sessions", &driver::Capabilities::sessions},
};

void write_backends(json::Writer& w) {
  w.begin_array();
  for (const driver::BackendKind& kind : driver::backend_kinds()) {
    w.begin_object().member("backend", kind.name).key("aliases").begin_array();
    for (const std::string_view alias : kind.aliases) w.string(alias);
    w.end_array().key("capabilities").begin_array();
    for (const CapabilityWord& row : kCapabilities) {
      if (kind.can.*row.can) w.string(row.word);
    }
    w.end_array().key("operators").begin_array();
    for (const query::OpRow& row : query::operator_rows()) {
      if (!query::spelling(row, kind.language).empty()) w.string(row.name);
    }
    w.end_array().end_object();
  }
  w.end_array();
}

void write_routes(json::Writer& w) {
  std::vector<std::string_view> done;
  w.begin_array();
  for (const Endpoint& first : endpoints()) {
    if (std::ranges::find(done, first.path) != done.end()) continue;
    done.push_back(first.path);
    w.begin_object().key("methods").begin_array();
    for (const Endpoint& endpoint : endpoints()) {
      if (endpoint.path == first.path) w.string(http::to_string(endpoint.method));
    }
    w.end_array().member("path", first.path).member("summary", first.summary).end_object();
  }
  w.end_array();
}

}  // namespace

Async<> run_clients(RequestContext& context, Services& services) {
  context.exchange.add_header("Content-Type", "application/json");
  json::Writer w(context.body());
  w.begin_object().key("clients").begin_array();
  for (const auto& client : context.snapshot->clients) {
    if (is_usable(services, *client)) w.string(client->settings.name);
  }
  w.end_array().end_object();
  co_return Result<>{};
}

Async<> run_root(RequestContext& context, Services& services) {
  context.exchange.add_header("Content-Type", "application/json");
  const std::string& version = context.settings().version;
  json::Writer w(context.body());
  w.begin_object()
      .member("message", "athena is online")
      .member("version", version)
      .member("cargo_toml_version", version);
  w.member("athena_api", "online");
  w.member("athena_deadpool", any_usable(context, services, "postgresql") ? "online" : "offline");
  w.member("athena_scylladb", any_usable(context, services, "scylla") ? "online" : "offline");
  w.key("hosts");
  write_hosts(w, services.backends.health());
  w.key("backends");
  write_backends(w);
  w.key("routes");
  write_routes(w);
  w.end_object();
  co_return Result<>{};
}

Async<> run_ping(RequestContext& context, Services&) {
  context.exchange.add_header("Content-Type", "text/plain; charset=utf-8");
  context.body().append("pong");
  co_return Result<>{};
}

Async<> run_health(RequestContext& context, Services&) {
  write_status(context, "ok");
  co_return Result<>{};
}

Async<> run_ready(RequestContext& context, Services& services) {
  if (!services.ready) co_return fail(Code::not_ready, "Athena is starting or draining");
  if (!any_usable(context, services, "")) {
    co_return fail(
        Error(Code::not_ready, "No client can be used", "Configure one, or see the log for why none connects."));
  }
  write_status(context, "ready");
  co_return Result<>{};
}

Async<> run_docs(RequestContext& context, Services&) {
  context.exchange.set_status(308);
  const std::string& url = context.settings().docs_url;
  context.exchange.add_header("Location", url.empty() ? std::string_view("/openapi.yaml") : std::string_view(url));
  co_return Result<>{};
}

Async<> run_openapi(RequestContext& context, Services&) {
  context.exchange.add_header("Content-Type", "application/yaml; charset=utf-8");
  context.body().append(context.settings().openapi);
  co_return Result<>{};
}

}  // namespace athena::gateway
