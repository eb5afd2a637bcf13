#include <athena/sdk/client.h>

#include <algorithm>

#include <athena/driver/health.h>

#include "core.h"

namespace athena::sdk {

Result<AthenaClient> AthenaClient::new_(std::string url, std::string key) {
  return new_with_backend(std::move(url), std::move(key), BackendType::native);
}

Result<AthenaClient> AthenaClient::new_with_backend(std::string url, std::string key, BackendType backend) {
  AthenaClientConfig config;
  config.backend = backend;
  config.connection.url = std::move(url);
  if (!key.empty()) config.connection.key = std::move(key);
  return build(std::move(config));
}

Result<AthenaClient> AthenaClient::new_with_backend_name(std::string url, std::string key, std::string_view backend) {
  ATHENA_TRY(const BackendType type, backend_type(backend));
  return new_with_backend(std::move(url), std::move(key), type);
}

AthenaClientBuilder AthenaClient::builder() {
  return {};
}

Result<AthenaClient> AthenaClient::build(AthenaClientConfig config) {
  return AthenaClientBuilder(std::move(config)).build();
}

SelectBuilder AthenaClient::select(std::string_view table) const {
  return SelectBuilder(core_, table);
}
InsertBuilder AthenaClient::insert(std::string_view table) const {
  return InsertBuilder(core_, table);
}
UpdateBuilder AthenaClient::update(std::string_view table, std::optional<Value> row_id) const {
  return UpdateBuilder(core_, table, std::move(row_id));
}
DeleteBuilder AthenaClient::delete_(std::string_view table, std::optional<Value> row_id) const {
  return DeleteBuilder(core_, table, std::move(row_id));
}

RawBuilder AthenaClient::sql(std::string_view text) const {
  return RawBuilder(core_, text, false);
}
Result<QueryResult> AthenaClient::execute_sql(std::string_view text, std::vector<Value> params) const {
  return sql(text).params(std::move(params)).execute();
}
RawBuilder AthenaClient::cql(std::string_view text) const {
  return RawBuilder(core_, text, true);
}
Result<QueryResult> AthenaClient::execute_cql(std::string_view text, std::vector<Value> params) const {
  return cql(text).params(std::move(params)).execute();
}
RpcBuilder AthenaClient::rpc(std::string_view function) const {
  return RpcBuilder(core_, function);
}

HealthStatus AthenaClient::health_check() const {
  auto status = core_->check();
  if (status) return *std::move(status);
  HealthStatus unknown;
  unknown.error = std::move(status).error();
  return unknown;
}

Async<HealthStatus> AthenaClient::co_health_check() const {
  return core_->co_check();
}

bool AthenaClient::is_offline() const {
  const auto keys = core_->health_keys();
  const TimePoint now = Clock::now();
  return !keys.empty() &&
         std::ranges::all_of(keys, [&](const std::string& key) { return core_->health().is_offline(key, now); });
}

void AthenaClient::force_offline(seconds duration) const {
  for (const std::string& key : core_->health_keys()) core_->health().force_offline(key, duration, Clock::now());
}

void AthenaClient::reset_health() const {
  for (const std::string& key : core_->health_keys()) core_->health().reset(key);
}

const AthenaClientConfig& AthenaClient::config() const noexcept {
  return core_->config();
}

Task<> AthenaClient::stop() const {
  return core_->stop();
}

AthenaClientBuilder& AthenaClientBuilder::backend(BackendType type) {
  config_.backend = type;
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::backend_name(std::string_view name) {
  auto type = backend_type(name);
  if (type) {
    config_.backend = *type;
  } else if (!error_) {
    error_ = std::move(type).error();
  }
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::url(std::string url) {
  config_.connection.url = std::move(url);
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::key(std::string key) {
  config_.connection.key = std::move(key);
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::ssl(bool on) {
  config_.connection.ssl = on;
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::port(std::uint16_t port) {
  config_.connection.port = port;
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::database(std::string name) {
  config_.connection.database = std::move(name);
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::create_if_missing() {
  config_.connection.create = true;
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::max_connections(std::uint32_t count) {
  config_.pool.max_connections = count;
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::min_connections(std::uint32_t count) {
  config_.pool.min_connections = count;
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::connection_timeout(milliseconds time) {
  config_.pool.connection_timeout = time;
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::idle_timeout(milliseconds time) {
  config_.pool.idle_timeout = time;
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::health_tracking(bool on) {
  config_.health.enabled = on;
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::health_check_interval(milliseconds time) {
  config_.health.check_interval = time;
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::circuit_breaker_threshold(std::uint32_t failures) {
  config_.health.circuit_breaker_threshold = failures;
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::circuit_breaker_timeout(seconds time) {
  config_.health.circuit_breaker_timeout = time;
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::timeout(milliseconds time) {
  config_.timeout = time;
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::retries(std::uint32_t count) {
  config_.retries = count;
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::max_result_bytes(std::size_t bytes) {
  config_.max_result_bytes = bytes;
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::client(std::string name) {
  config_.gateway.client = std::move(name);
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::header(std::string name, std::string value) {
  config_.gateway.headers.emplace_back(std::move(name), std::move(value));
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::loop(Loop& loop) {
  loop_ = &loop;
  return *this;
}

AthenaClientBuilder& AthenaClientBuilder::observer(driver::Observer& observer) {
  observer_ = &observer;
  return *this;
}

Result<AthenaClient> AthenaClientBuilder::build() const {
  if (error_) return fail(*error_);
  ATHENA_TRY(auto core, Core::create(config_, loop_, observer_));
  return AthenaClient(std::move(core));
}

}  // namespace athena::sdk
