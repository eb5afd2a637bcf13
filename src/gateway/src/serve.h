#pragma once

#include <memory>

#include <athena/gateway/gateway.h>
#include <athena/http/server.h>

#include "clients.h"
#include "context.h"
#include "request_id.h"
#include "services.h"
#include "telemetry/request_log.h"

namespace athena::gateway {

/// The life of a request on one loop (docs/life-of-a-request.md): what each stage does, and in which order.
class Serve : public http::Handler {
 public:
  Serve(Loop& loop, LogSink& sink, std::shared_ptr<const Snapshot> snapshot,
        std::shared_ptr<driver::HostHealth> health = nullptr);

  Task<> handle(http::Exchange& exchange) override;
  void refuse(http::Exchange& exchange, const Error& error) override;

  // On the loop's thread.
  void set_snapshot(std::shared_ptr<const Snapshot> snapshot);
  void set_ready(bool ready) { ready_ = ready; }
  Task<> stop();

  const LoopCounters& counters() const noexcept { return log_.counters(); }

 private:
  std::string identify(const http::RequestHead& head);
  Result<> route(RequestContext& context);
  Result<> admit(const RequestContext& context) const;
  Result<> find_client(RequestContext& context);
  Result<> find_client_in_body(RequestContext& context);
  Result<> use_client(RequestContext& context, const std::shared_ptr<const Client>& client);
  Async<> reach_direct_target(RequestContext& context);
  Async<> reach_custom_supabase(RequestContext& context);
  Result<> read(RequestContext& context, std::string_view body, std::optional<json::Document>& document);
  Result<> parse(RequestContext& context, std::string_view body, std::optional<json::Document>& document);
  void complete(RequestContext& context);
  void fail_request(RequestContext& context, const Error& error);
  void observe(const RequestContext& context);

  Loop& loop_;
  std::shared_ptr<const Snapshot> snapshot_;
  bool ready_ = false;
  RequestLog log_;
  DriverLog driver_log_;
  LoopBackends backends_;
  Services services_;
  RequestIds ids_;
  std::uint32_t running_ = 0;
  Loop::Handle tick_;
};

}  // namespace athena::gateway
