#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <athena/base/async.h>
#include <athena/base/loop.h>
#include <athena/driver/backend.h>
#include <athena/sdk/builders.h>
#include <athena/sdk/config.h>

namespace athena::sdk {

class AthenaClientBuilder;

/// How a database does.
struct HealthStatus {
  bool is_healthy = false;
  milliseconds offline_for{0};  ///< a host of it is left alone for so long
  Error error;                  ///< why, if it is not healthy
};

/// A database, or a gateway to one. Every call gives a value or an Error; nothing throws. Copies are the same client.
///
///   auto client = AthenaClient::new_("postgres://app@db/shop", "secret");
///   auto rows = client->select("users").columns({"id", "email"}).where_eq("status", "active").limit(10).execute();
///
/// By default a client has a thread of its own, and any thread may use it at any time. With
/// AthenaClientBuilder::loop() it lives on a loop of the program, whose coroutines use co_execute().
class AthenaClient {
 public:
  /// BackendType::native: the URL says what it is. Opens nothing yet. Errors: configuration_error.
  static Result<AthenaClient> new_(std::string url, std::string key = {});
  static Result<AthenaClient> new_with_backend(std::string url, std::string key, BackendType backend);
  /// Errors: also unknown_driver, for a name that is none.
  static Result<AthenaClient> new_with_backend_name(std::string url, std::string key, std::string_view backend);
  static AthenaClientBuilder builder();
  static Result<AthenaClient> build(AthenaClientConfig config);

  /// `table`: a name, or schema.table; names with other characters in double quotes.
  SelectBuilder select(std::string_view table) const;
  InsertBuilder insert(std::string_view table) const;
  /// `row_id`: the row whose id column has this value.
  UpdateBuilder update(std::string_view table, std::optional<Value> row_id = {}) const;
  DeleteBuilder delete_(std::string_view table, std::optional<Value> row_id = {}) const;

  /// For databases that speak SQL, in their own dialect.
  RawBuilder sql(std::string_view text) const;
  Result<QueryResult> execute_sql(std::string_view text, std::vector<Value> params = {}) const;
  /// For Cassandra and ScyllaDB.
  RawBuilder cql(std::string_view text) const;
  Result<QueryResult> execute_cql(std::string_view text, std::vector<Value> params = {}) const;
  RpcBuilder rpc(std::string_view function) const;

  /// Asks the database, unless it was asked within HealthConfig::check_interval.
  HealthStatus health_check() const;
  Async<HealthStatus> co_health_check() const;
  /// All hosts of the database are left alone, since they failed or by force_offline().
  bool is_offline() const;
  /// Only time or reset_health() ends it.
  void force_offline(seconds duration) const;
  void reset_health() const;

  const AthenaClientConfig& config() const noexcept;
  /// With a loop of the program's: closes everything, before the loop goes. On the loop.
  Task<> stop() const;

 private:
  friend class AthenaClientBuilder;
  explicit AthenaClient(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  std::shared_ptr<Core> core_;
};

/// Every option of a client. What an option cannot do for a backend is an error of build(), not silence.
class AthenaClientBuilder {
 public:
  AthenaClientBuilder() = default;
  explicit AthenaClientBuilder(AthenaClientConfig config) : config_(std::move(config)) {}

  AthenaClientBuilder& backend(BackendType type);
  AthenaClientBuilder& backend_name(std::string_view name);
  AthenaClientBuilder& url(std::string url);
  AthenaClientBuilder& key(std::string key);
  AthenaClientBuilder& ssl(bool on);
  AthenaClientBuilder& port(std::uint16_t port);
  AthenaClientBuilder& database(std::string name);
  AthenaClientBuilder& create_if_missing();

  AthenaClientBuilder& max_connections(std::uint32_t count);
  AthenaClientBuilder& min_connections(std::uint32_t count);
  AthenaClientBuilder& connection_timeout(milliseconds time);
  AthenaClientBuilder& idle_timeout(milliseconds time);

  AthenaClientBuilder& health_tracking(bool on);
  AthenaClientBuilder& health_check_interval(milliseconds time);
  AthenaClientBuilder& circuit_breaker_threshold(std::uint32_t failures);
  AthenaClientBuilder& circuit_breaker_timeout(seconds time);

  AthenaClientBuilder& timeout(milliseconds time);
  AthenaClientBuilder& retries(std::uint32_t count);
  AthenaClientBuilder& max_result_bytes(std::size_t bytes);

  /// Gateways only: X-Athena-Client, and any other header (audit headers, for example).
  AthenaClientBuilder& client(std::string name);
  AthenaClientBuilder& header(std::string name, std::string value);

  /// Borrowed, as `observer`; they outlive the client. Called before the loop runs, or on it.
  AthenaClientBuilder& loop(Loop& loop);
  /// Told of connections, retries and hosts; on the client's loop, or on any thread for hosts.
  AthenaClientBuilder& observer(driver::Observer& observer);

  /// Errors: configuration_error, unknown_driver.
  Result<AthenaClient> build() const;

 private:
  AthenaClientConfig config_;
  std::optional<Error> error_;
  Loop* loop_ = nullptr;
  driver::Observer* observer_ = nullptr;
};

}  // namespace athena::sdk
