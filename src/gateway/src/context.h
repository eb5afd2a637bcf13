#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <athena/base/clock.h>
#include <athena/base/json.h>
#include <athena/driver/backend.h>
#include <athena/gateway/settings.h>
#include <athena/http/server.h>
#include <athena/query/read_json.h>

#include "clients.h"
#include "fetch_templates.h"

namespace athena::gateway {

struct Endpoint;

/// What a body asked for, once it is read.
using Intent = std::variant<std::monostate, query::FetchRequest, query::UpdateRequest, query::InsertRequest,
                            query::DeleteRequest, query::QueryRequest, RecalledFetch>;

/// The stages of a request whose durations go into Server-Timing.
enum class Stage : std::uint8_t { route, read, run, reply };
inline constexpr std::size_t kStages = 4;

/// A database that no configuration knows: X-JDBC-URL, or client custom_supabase with its two headers.
enum class DirectTarget : std::uint8_t { none, postgres, supabase };

/// Everything that is known about a request, passed by hand through its life. Lives in the frame of Serve::handle().
struct RequestContext {
  RequestContext(http::Exchange& exchange_of_request, std::shared_ptr<const Snapshot> current)
      : exchange(exchange_of_request), snapshot(std::move(current)) {}

  http::Exchange& exchange;
  std::shared_ptr<const Snapshot> snapshot;  ///< settings and clients as they were when the request came
  const Endpoint* endpoint = nullptr;
  std::shared_ptr<BackendSlot> slot;          ///< the client's database on this loop; null for routes without one
  DirectTarget direct = DirectTarget::none;   ///< the caller names the database itself
  std::string_view direct_uri;                ///< of a PostgreSQL so named
  driver::ReadSession session;                ///< of a database with replicas, as the caller's headers say
  std::optional<std::string> client_in_body;  ///< the client's name, if the body may say it and the headers do not
  std::string request_id;
  TimePoint deadline;
  Shape shape = Shape::documented;
  bool strip_nulls = false;
  std::string_view request_body;       ///< as it came, if the endpoint reads one
  json::Document* document = nullptr;  ///< the parsed body; null, too, if it was recognised by its text
  Intent intent;
  std::string table;         ///< for the log line; empty if there is none
  std::uint64_t rows = 0;    ///< rows given back or written
  Code error = Code{0};      ///< of the answer; 0: none
  std::string error_detail;  ///< for the log only
  TimePoint stage_ends[kStages] = {};

  const Settings& settings() const noexcept { return snapshot->settings; }
  const http::RequestHead& head() const noexcept { return exchange.request(); }
  Buffer& body() noexcept { return exchange.body(); }
  driver::Backend& backend() noexcept { return *slot->backend; }
  const Client& client() const noexcept { return *slot->client; }
  driver::Call call(bool read_only = false) {
    return {deadline, &exchange.cancellation(), {settings().camel_to_snake}, read_only, false, &session};
  }
  void stage_done(Stage stage) noexcept { stage_ends[static_cast<std::size_t>(stage)] = Clock::now(); }
};

}  // namespace athena::gateway
