#include "scylla/cluster.h"

#include <algorithm>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "scylla/attempts.h"
#include "scylla/errors.h"
#include "scylla/topology.h"

namespace athena::driver::scylla {
namespace {

constexpr std::uint16_t kPort = 9042;
constexpr milliseconds kRefreshAfterEvent{1'000}, kRefreshInterval{60'000}, kRefreshTimeout{5'000},
    kRefreshRetry{5'000};
constexpr std::size_t kMaxWarnings = 10, kMaxWarningBytes = 500;
constexpr milliseconds kShardRetry{10'000};

}  // namespace

Cluster::Cluster(Runtime runtime, Target target, std::shared_ptr<Shared> shared)
    : runtime_(std::move(runtime)),
      target_(std::move(target)),
      shared_(std::move(shared)),
      ring_(std::make_shared<Ring>(std::vector<Node>(), Replications(), "")),
      contacts_backoff_(reinterpret_cast<std::uintptr_t>(this)) {}

Cluster::~Cluster() = default;

Async<Answered> Cluster::run(const Asked& asked, Call call) {
  if (stopping_) co_return fail(Code::shutting_down);
  shared_->retries.earn();
  Attempts attempts(*this, asked, call);
  co_return co_await attempts.run();
}

std::vector<Cluster::HostPtr> Cluster::plan(const Asked& asked, std::size_t& peers) {
  std::vector<HostPtr> plan;
  peers = 0;
  const std::size_t count = hosts_.size();
  if (count == 0) return plan;
  const auto usable = std::make_unique<bool[]>(count);
  std::vector<std::uint32_t> in_flight(count);
  for (std::size_t i = 0; i < count; ++i) {
    usable[i] = hosts_[i]->is_connected() && !hosts_[i]->is_offline;
    in_flight[i] = hosts_[i]->owed();
  }
  std::span<const NodeIndex> replicas;
  if (asked.token) replicas = ring_->replicas(asked.token_keyspace, *asked.token);
  const auto order = plan_hosts(
      {.ring = *ring_, .replicas = replicas, .usable = {usable.get(), count}, .in_flight = in_flight, .turn = turn_++});
  plan.reserve(order.size());
  for (const NodeIndex node : order) {
    if (usable[node]) plan.push_back(hosts_[node]);
  }
  // Who is no replica would ask one, perhaps the very one that is late.
  peers = replicas.empty()
              ? plan.size()
              : static_cast<std::size_t>(std::ranges::count_if(replicas, [&](NodeIndex node) { return usable[node]; }));
  const bool is_replica = !order.empty() && std::ranges::find(replicas, order.front()) != replicas.end();
  ++(is_replica ? routed_.to_replica : routed_.elsewhere);
  return plan;
}

bool Cluster::all_down(TimePoint now) const noexcept {
  if (!has_contacts_) return !finding_contacts_ && contacts_backoff_.is_down(now);
  return std::ranges::all_of(hosts_, [now](const HostPtr& host) {
    return !host->is_connected() && host->opening.empty() && (host->is_offline || host->backoff.is_down(now));
  });
}

Error Cluster::unavailable(TimePoint now) const {
  const bool says_why = is_permanent(last_failure_);
  Error error =
      says_why ? last_failure_ : Error(Code::database_unavailable, "The database cannot be reached at present");
  error.log_detail = last_error_;
  if (error.hint.empty()) error.hint = last_failure_.hint;
  error.retry_after_s = contacts_backoff_.retry_after_s(now);
  for (const HostPtr& host : hosts_) {
    error.retry_after_s = std::max(error.retry_after_s, host->backoff.retry_after_s(now));
    if (!host->is_offline || !runtime_.health) continue;
    for (const HostReport& report : runtime_.health->report(now)) {
      if (report.host != host->name()) continue;
      const auto wait = std::chrono::ceil<seconds>(report.retry_in).count();
      error.retry_after_s = std::max(error.retry_after_s, static_cast<std::uint32_t>(std::max<std::int64_t>(wait, 1)));
    }
  }
  return error;
}

void Cluster::wake_waiters() {
  for (Waiter* waiter : std::vector<Waiter*>(waiters_.begin(), waiters_.end())) {
    if (std::ranges::find(waiters_, waiter) != waiters_.end()) waiter->wake->set();
  }
}

void Cluster::open_wanted(TimePoint now) {
  if (stopping_) return;
  if (!has_contacts_) {
    if (finding_contacts_ || !contacts_backoff_.may_try(now)) return;
    finding_contacts_ = true;
    begin_background();
    asio::co_spawn(
        runtime_.loop.executor(), [](Cluster* self) -> Task<> { co_await self->find_contacts(); }(this),
        asio::detached);
    return;
  }
  const auto is_near = [this](const HostPtr& host) {
    return local_data_center_.empty() || host->node().data_center == local_data_center_;
  };
  const bool has_near = std::ranges::any_of(
      hosts_, [&](const HostPtr& h) { return is_near(h) && (h->is_connected() || !h->opening.empty()); });
  for (const HostPtr& host : std::vector(hosts_)) {
    if (!is_near(host) && has_near) continue;
    while (const auto shard = host->wanted_shard()) {
      const std::size_t before = host->opening.size();
      open_one(host, *shard, now);
      if (host->opening.size() == before) break;
    }
  }
}

void Cluster::open_one(const HostPtr& host, std::uint32_t shard, TimePoint now) {
  if (!host->backoff.may_try(now) || (host->is_connected() && now < host->next_shard_try)) return;
  HostHealth::Permit permit;
  if (runtime_.health) {
    auto admitted = runtime_.health->admit(host->health_key(), now);
    host->is_offline = !admitted;
    if (!admitted) return;
    permit = *std::move(admitted);
  }
  Budget::Place place = shared_->budget.take();
  if (!place) return;
  host->opening.push_back(shard);
  begin_background();
  asio::co_spawn(
      runtime_.loop.executor(),
      [](Cluster* self, HostPtr own, std::uint32_t to, Budget::Place its, HostHealth::Permit leave) -> Task<> {
        co_await self->connect(std::move(own), to, std::move(its), std::move(leave));
      }(this, host, shard, std::move(place), std::move(permit)),
      asio::detached);
}

ConnectOptions Cluster::connect_options(const Host& host, std::uint32_t shard) const {
  ConnectOptions options;
  options.destination.address = host.node().address;
  options.destination.port = host.node().port;
  const bool verifies = target_.sslmode.starts_with("verify");
  const bool secure = verifies || target_.sslmode == "require";
  if (secure) options.destination.tls = verifies ? Destination::Tls::verified : Destination::Tls::unverified;
  // Certificates name what the client was told to reach; nodes that the cluster told of go by their address.
  options.destination.host = host.node().name.empty() ? host.node().address : host.node().name;
  if (const auto known = host.any()) {
    const NodeOptions& node = known->node();
    const std::uint16_t port = secure ? node.shard_port_tls : node.shard_port;
    if (node.sharding.shards > 0 && port != 0 && !host.shard_port_fails) {
      options.destination.port = port;
      options.destination.source_modulus = node.sharding.shards;
      options.destination.source_rest = shard;
    }
  }
  options.user = target_.user;
  options.secret =
      target_.secret ? target_.secret : [password = target_.password] { return Result<std::string>(password); };
  options.keyspace = target_.database;
  options.version = host.version;
  // On one machine, copying is cheaper than compressing.
  const std::string& address = host.node().address;
  options.compress = !address.starts_with("127.") && address != "::1";
  return options;
}

Task<> Cluster::connect(HostPtr host, std::uint32_t shard, Budget::Place place, HostHealth::Permit permit) {
  const ConnectOptions options = connect_options(*host, shard);
  const bool by_shard_port = options.destination.source_modulus > 0;
  auto opened = co_await Connection::open(runtime_.loop, pool_, options, Clock::now() + target_.pool.connect_timeout);
  const TimePoint now = Clock::now();
  std::erase(host->opening, shard);
  const bool is_known = std::ranges::find(hosts_, host) != hosts_.end();
  if (opened && !stopping_ && is_known) {
    const auto connection = *opened;
    permit.succeeded(now);
    host->backoff.succeeded();
    host->is_offline = false;
    const NodeOptions& node = connection->node();
    if (node.sharding.shards > 0 && host->has_shard(node.shard)) {  // elsewhere than it should, where one is already
      host->next_shard_try = now + kShardRetry;
      connection->close();
    } else {
      connection->set_owner(this);
      host->add(connection, std::move(place));
      observe(Event::Kind::connected);
      wake_waiters();
    }
  } else if (opened) {
    (*opened)->close();
  } else if (by_shard_port && host->is_connected()) {
    // The host is well, only this port of it cannot be reached: nobody is to leave it alone for that.
    host->shard_port_fails = true;
    observe(Event::Kind::connect_failed, host->name() + ": the port for shards cannot be reached");
  } else {
    if (is_permanent(opened.error())) {
      permit.succeeded(now);  // it answers
    } else {
      permit.failed(now);
    }
    connect_failed(*host, opened.error());
  }
  end_background();
}

void Cluster::connect_failed(Host& host, const Error& error) {
  const TimePoint now = Clock::now();
  last_failure_ = error;
  last_error_ = host.name() + ": " + (error.log_detail.empty() ? error.error : error.log_detail);
  host.backoff.failed(now, is_permanent(error));
  observe(Event::Kind::connect_failed, last_error_);
  if (all_down(now)) wake_waiters();
}

void Cluster::report_failure(const Host& host) {
  if (!runtime_.health) return;
  const TimePoint now = Clock::now();
  if (auto permit = runtime_.health->admit(host.health_key(), now)) permit->failed(now);
}

void Cluster::connection_closed(Connection& connection, const Error& why) {
  if (control_.get() == &connection) {
    control_.reset();
    refresh_at_.reset();  // at once, on another
  }
  for (const HostPtr& host : std::vector(hosts_)) {
    if (!host->remove(connection)) continue;
    if (stopping_ || connection.is_retiring()) return;
    last_error_ = host->name() + ": " + why.log_detail;
    // A server that takes connections and drops them must not be knocked at in a circle.
    host->backoff.failed(Clock::now(), false);
    report_failure(*host);
    observe(Event::Kind::connection_lost, last_error_);
  }
}

void Cluster::server_event(Connection&, const ServerEvent& event) {
  if (event.kind == ServerEvent::Kind::schema) {
    shared_->schema.request();
    return;
  }
  if (event.kind == ServerEvent::Kind::unknown) return;
  const TimePoint now = Clock::now();
  if (!refresh_at_ || *refresh_at_ > now + kRefreshAfterEvent) refresh_at_ = now + kRefreshAfterEvent;
  if (event.change != "UP") return;
  for (const HostPtr& host : hosts_) {
    if (host->node().address == event.address && !host->is_connected()) host->backoff.succeeded();
  }
}

Task<> Cluster::find_contacts() {
  const TimePoint deadline = Clock::now() + target_.pool.connect_timeout;
  std::vector<HostPort> contacts = {{target_.host.empty() ? "127.0.0.1" : target_.host, target_.port}};
  contacts.insert(contacts.end(), target_.more_hosts.begin(), target_.more_hosts.end());
  std::vector<Node> nodes;
  for (const HostPort& contact : contacts) {
    // A pinned address is the only one that may be talked to.
    if (!target_.address.empty() && !nodes.empty()) break;
    auto addresses =
        co_await resolve(runtime_.loop, target_.address.empty() ? contact.host : target_.address, deadline);
    if (!addresses) {
      last_failure_ = addresses.error();
      last_error_ = contact.host + ": " + addresses.error().log_detail;
      continue;
    }
    for (std::string& address : *addresses) {
      Node node;
      node.address = std::move(address);
      node.name = contact.host;
      node.port = contact.port != 0 ? contact.port : target_.port != 0 ? target_.port : kPort;
      nodes.push_back(std::move(node));
    }
  }
  finding_contacts_ = false;
  if (nodes.empty()) {
    contacts_backoff_.failed(Clock::now(), false);
    observe(Event::Kind::connect_failed, last_error_);
  } else if (!stopping_) {
    contacts_backoff_.succeeded();
    has_contacts_ = true;
    adopt(std::move(nodes));
    open_wanted(Clock::now());
  }
  if (all_down(Clock::now())) wake_waiters();
  end_background();
}

Task<> Cluster::take_control(std::shared_ptr<Connection> connection) {
  const TimePoint deadline = Clock::now() + kRefreshTimeout;
  const auto registered = co_await connection->ask(RegisterEvents{}, deadline);
  bool is_known = false;
  if (registered && (*registered)->opcode == Opcode::ready && !connection->is_closed() && !stopping_) {
    control_ = connection;
    is_known = (co_await refresh(connection)).has_value();
  }
  taking_control_ = false;
  if (!refresh_at_) refresh_at_ = Clock::now() + (is_known ? kRefreshInterval : kRefreshRetry);
  end_background();
}

Async<> Cluster::refresh(std::shared_ptr<Connection> connection) {
  const auto host = std::ranges::find_if(hosts_, [&](const HostPtr& h) { return h->has(*connection); });
  if (host == hosts_.end()) co_return Result<>();
  Node self = (*host)->node();
  const bool alone = !target_.address.empty();
  auto topology = co_await read_topology(*connection, self, alone, Clock::now() + kRefreshTimeout);
  if (!topology) {
    last_error_ = topology.error().log_detail;
    co_return fail(topology.error());
  }
  if (local_data_center_.empty()) local_data_center_ = topology->front().data_center;
  if (!stopping_) adopt(*std::move(topology));
  // Where keyspaces keep their copies is read with the tables, for which nobody may ever ask.
  if (shared_->replications_version() == 0) shared_->schema.request();
  co_return Result<>();
}

void Cluster::adopt(std::vector<Node> nodes) {
  std::vector<HostPtr> hosts;
  for (Node& node : nodes) {
    auto host = std::make_shared<Host>(std::move(node));
    const auto same = [&host](const HostPtr& other) { return other->name() == host->name(); };
    if (std::ranges::any_of(hosts, same)) continue;
    const auto known = std::ranges::find_if(hosts_, same);
    if (known != hosts_.end()) {
      (*known)->update(host->node());
      host = *known;
    }
    hosts.push_back(std::move(host));
  }
  const auto before = std::exchange(hosts_, std::move(hosts));
  for (const HostPtr& host : before) {
    if (std::ranges::find(hosts_, host) == hosts_.end()) host->close();
  }
  rebuild_ring();
}

void Cluster::rebuild_ring() {
  std::vector<Node> nodes;
  for (const HostPtr& host : hosts_) nodes.push_back(host->node());
  replications_version_ = shared_->replications_version();
  ring_ = std::make_shared<Ring>(std::move(nodes), shared_->replications(), local_data_center_);
}

void Cluster::tick(TimePoint now) {
  for (const HostPtr& host : std::vector(hosts_)) {
    host->tick(now);
    if (runtime_.health && !host->is_connected()) {
      host->is_offline = runtime_.health->is_offline(host->health_key(), now);
    }
    host->close_idle(now, target_.pool.idle_timeout, host->node().data_center == local_data_center_ ? 1 : 0);
  }
  decltype(speculating_) waiting;  // one that is woken may end, and others with it
  waiting.swap(speculating_);
  while (!waiting.empty()) {
    Speculating& attempts = waiting.front();
    waiting.pop_front();
    speculating_.push_back(attempts);
    static_cast<Attempts&>(attempts).tick(now);
  }
  for (Waiter* waiter : std::vector<Waiter*>(waiters_.begin(), waiters_.end())) {
    const bool is_there = std::ranges::find(waiters_, waiter) != waiters_.end();
    if (is_there && (waiter->deadline <= now || all_down(now))) waiter->wake->set();
  }
  if (stopping_ || !was_used_) return;
  open_wanted(now);
  if (replications_version_ != shared_->replications_version()) rebuild_ring();
  if (taking_control_ || (refresh_at_ && *refresh_at_ > now)) return;
  std::shared_ptr<Connection> connection = control_;
  for (const HostPtr& host : hosts_) {
    if (!connection) connection = host->any();
  }
  if (!connection) return;
  taking_control_ = true;
  refresh_at_.reset();
  begin_background();
  asio::co_spawn(
      runtime_.loop.executor(),
      [](Cluster* self, std::shared_ptr<Connection> own) -> Task<> { co_await self->take_control(std::move(own)); }(
                                                             this, std::move(connection)),
      asio::detached);
}

Async<Cluster::Rows> Cluster::query_system(std::string_view cql, Call call) {
  Asked asked;
  QueryQuestion question{cql, {}};
  question.options.consistency = Consistency::one;
  asked.question = question;
  asked.is_idempotent = true;
  ATHENA_CO_TRY(const Answered answered, co_await run(asked, call));
  co_return read_texts(answered.result);
}

Async<> Cluster::agree_on_schema(std::shared_ptr<Connection> changed, TimePoint deadline) {
  for (;;) {
    std::vector<std::string> up;
    for (const HostPtr& host : hosts_) {
      if (host->is_connected()) up.push_back(host->node().address);
    }
    const auto agreed = co_await has_one_schema(*changed, std::move(up), deadline);
    if (!agreed || *agreed || Clock::now() >= deadline || stopping_) co_return Result<>();
    co_await runtime_.loop.sleep(milliseconds(50));
  }
}

std::uint32_t Cluster::connections() const noexcept {
  std::size_t sum = 0;
  for (const HostPtr& host : hosts_) sum += host->connections();
  return static_cast<std::uint32_t>(sum);
}

std::uint32_t Cluster::busy() const noexcept {
  std::uint32_t sum = 0;
  for (const HostPtr& host : hosts_) sum += host->busy();
  return sum;
}

bool Cluster::is_usable(TimePoint now) const noexcept {
  return !all_down(now);
}

void Cluster::end_background() {
  --background_;
  background_ended_.set();  // last: whoever waits in stop() may destroy the cluster
}

Task<> Cluster::stop() {
  stopping_ = true;
  wake_waiters();
  for (const HostPtr& host : std::vector(hosts_)) host->close();
  while (background_ > 0) {
    background_ended_.reset();
    co_await background_ended_.wait();
  }
}

void Cluster::observe_extras(const AnswerExtras& extras) {
  const std::string trace = extras.tracing_id.empty() ? std::string() : " [trace " + extras.tracing_id + "]";
  for (std::size_t i = 0; i < std::min(extras.warnings.size(), kMaxWarnings); ++i) {
    observe(Event::Kind::server_warning, extras.warnings[i].substr(0, kMaxWarningBytes) + trace);
  }
  if (extras.warnings.empty() && !trace.empty()) observe(Event::Kind::server_warning, trace.substr(1));
}

void Cluster::observe(Event::Kind kind, std::string detail) {
  runtime_.observer.observe({kind, shared_->masked_target, std::move(detail)});
}

}  // namespace athena::driver::scylla
