#include "clients.h"

#include <algorithm>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <athena/base/text.h>

namespace athena::gateway {
namespace {

bool less_ignoring_case(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::lexicographical_compare(a, b, {}, lower, lower);
}

bool same_target(const driver::Target& a, const driver::Target& b) {
  if (a.secret || b.secret) return false;  // where a secret comes from cannot be compared
  return a.kind == b.kind && a.host == b.host && a.address == b.address && a.port == b.port &&
         a.database == b.database && a.user == b.user && a.password == b.password && a.sslmode == b.sslmode &&
         a.channel_binding == b.channel_binding && a.create == b.create && a.read_only == b.read_only &&
         a.more_hosts == b.more_hosts && a.url == b.url && a.binding == b.binding && a.session_mode == b.session_mode &&
         a.pool == b.pool;
}

bool same_postgres(const std::optional<driver::Target>& a, const std::optional<driver::Target>& b) {
  return a.has_value() == b.has_value() && (!a || same_target(*a, *b));
}

Result<std::shared_ptr<const Client>> make_client(const ClientSettings& settings, const Snapshot* before,
                                                  FindKind find_kind) {
  auto client = std::make_shared<Client>();
  client->settings = settings;
  client->kind = find_kind(settings.target.kind);
  if (!client->kind) {
    return fail(Code::configuration_error,
                "Client '" + settings.name + "' names an unknown kind of database, '" + settings.target.kind + "'");
  }
  const auto* old = before ? before->find(settings.name) : nullptr;
  const bool unchanged = old && same_target((*old)->settings.target, settings.target) &&
                         same_postgres((*old)->settings.postgres, settings.postgres);
  if (unchanged && (*old)->settings.frozen == settings.frozen) return *old;
  client->shared = unchanged ? (*old)->shared : client->kind->share(settings.target);
  return std::shared_ptr<const Client>(std::move(client));
}

}  // namespace

const std::shared_ptr<const Client>* Snapshot::find(std::string_view name) const noexcept {
  const auto by_name = [](const auto& client) -> std::string_view { return client->settings.name; };
  const auto it = std::ranges::lower_bound(clients, name, less_ignoring_case, by_name);
  return it != clients.end() && text::iequals((*it)->settings.name, name) ? &*it : nullptr;
}

Result<std::shared_ptr<const Snapshot>> make_snapshot(Settings settings, const Snapshot* before, FindKind find_kind) {
  auto snapshot = std::make_shared<Snapshot>();
  for (const ClientSettings& client_settings : settings.clients) {
    ATHENA_TRY(auto client, make_client(client_settings, before, find_kind));
    snapshot->clients.push_back(std::move(client));
  }
  const auto by_name = [](const auto& client) -> std::string_view { return client->settings.name; };
  std::ranges::sort(snapshot->clients, less_ignoring_case, by_name);
  const auto twice = std::ranges::adjacent_find(snapshot->clients, text::iequals, by_name);
  if (twice != snapshot->clients.end()) {
    return fail(Code::configuration_error, "Two clients have the name '" + (*twice)->settings.name + "'");
  }
  snapshot->settings = std::move(settings);
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

std::shared_ptr<BackendSlot> LoopBackends::open(std::shared_ptr<const Client> client) {
  auto backend = client->kind->open(client->settings.target, client->shared, runtime_);
  return std::make_shared<BackendSlot>(std::move(client), std::move(backend));
}

std::shared_ptr<BackendSlot> LoopBackends::get(const std::shared_ptr<const Client>& client) {
  for (const auto& slot : slots_) {
    if (slot->client == client) return slot;
  }
  return slots_.emplace_back(open(client));
}

std::shared_ptr<BackendSlot> LoopBackends::peek(const Client& client) const {
  for (const auto& slot : slots_) {
    if (slot->client.get() == &client) return slot;
  }
  return nullptr;
}

std::shared_ptr<BackendSlot> LoopBackends::get_direct(const std::string& key, const driver::Target& target,
                                                      std::string_view name) {
  const auto known = std::ranges::find(direct_, key, &Direct::key);
  if (known != direct_.end()) {
    known->last_used = Clock::now();
    direct_.splice(direct_.begin(), direct_, known);
    return direct_.front().slot;
  }
  auto client = std::make_shared<Client>();
  client->settings.name = name;
  client->settings.target = target;
  client->settings.target.pool.max_connections = kDirectConnections;
  client->settings.target.pool.min_connections = 0;
  client->kind = driver::find_backend_kind(target.kind);
  client->shared = client->kind->share(client->settings.target);
  direct_.push_front({key, Clock::now(), open(std::move(client))});
  if (direct_.size() > kMaxDirect) {
    retired_.push_back(std::move(direct_.back().slot));
    direct_.pop_back();
  }
  return direct_.front().slot;
}

void LoopBackends::retire_missing(const Snapshot& snapshot) {
  std::erase_if(slots_, [&](auto& slot) {
    if (std::ranges::find(snapshot.clients, slot->client) != snapshot.clients.end()) return false;
    retired_.push_back(std::move(slot));
    return true;
  });
}

void LoopBackends::sweep(TimePoint now) {
  while (!direct_.empty() && now - direct_.back().last_used > kDirectIdle) {
    retired_.push_back(std::move(direct_.back().slot));
    direct_.pop_back();
  }
  std::erase_if(retired_, [this](auto& slot) {
    if (slot.use_count() > 1) return false;  // a request still runs on it
    ++stopping_;
    asio::co_spawn(runtime_.loop.executor(), stop_one(std::move(slot)), asio::detached);
    return true;
  });
}

Task<> LoopBackends::stop_one(std::shared_ptr<BackendSlot> slot) {
  co_await slot->backend->stop();
  slot.reset();
  --stopping_;
  stopped_one_.set();
}

Task<> LoopBackends::stop() {
  for (auto& direct : direct_) retired_.push_back(std::move(direct.slot));
  direct_.clear();
  for (auto* list : {&slots_, &retired_}) {
    for (auto& slot : std::exchange(*list, {})) co_await slot->backend->stop();
  }
  while (stopping_ > 0) {
    stopped_one_.reset();
    co_await stopped_one_.wait();
  }
}

}  // namespace athena::gateway
