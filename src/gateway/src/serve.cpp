#include "serve.h"

#include <algorithm>

#include <athena/base/digest.h>
#include <athena/base/text.h>

#include "cors.h"
#include "custom_supabase.h"
#include "direct_target.h"
#include "endpoint.h"
#include "reply.h"
#include "request_headers.h"

namespace athena::gateway {
namespace {

/// The deadline: the configured one, or earlier if the caller says so.
Result<TimePoint> read_deadline(const http::RequestHead& head, const Settings& settings, TimePoint received) {
  milliseconds limit = settings.statement_timeout;
  if (const auto header = head.find("X-Athena-Timeout-Ms")) {
    const auto wanted = text::parse_u64(*header);
    if (!wanted || *wanted == 0)
      return fail(Code::invalid_value, "X-Athena-Timeout-Ms must be a positive number of milliseconds");
    limit = std::min(limit, milliseconds(static_cast<std::int64_t>(std::min<std::uint64_t>(*wanted, 86'400'000))));
  }
  return received + limit;
}

bool takes_body(const Endpoint& endpoint) noexcept {
  return endpoint.read && endpoint.method != http::Method::get;
}

Result<> check_coding(const http::RequestHead& head) {
  const auto coding = head.find("Content-Encoding");
  if (!coding || text::iequals(*coding, "identity")) return {};
  return fail(Code::unsupported_media_type, "Request bodies must not be compressed");
}

/// A validator of the answer's bytes, for GET replies that were not streamed. Weak, since the session may compress what
/// it sends.
std::string entity_tag(std::string_view body) {
  Digest digest;
  digest.add(body);
  return "W/\"" + digest.hex() + '"';
}

bool matches_tag(std::string_view if_none_match, std::string_view tag) {
  if (text::trim(if_none_match) == "*") return true;
  for (std::string_view candidate : text::split(if_none_match, ',')) {
    candidate = text::trim(candidate);
    if (candidate == tag || candidate == tag.substr(2)) return true;  // a weak comparison
  }
  return false;
}

}  // namespace

Serve::Serve(Loop& loop, LogSink& sink, std::shared_ptr<const Snapshot> snapshot,
             std::shared_ptr<driver::HostHealth> health)
    : loop_(loop),
      snapshot_(std::move(snapshot)),
      log_(sink, snapshot_->settings.request_log),
      driver_log_(sink),
      backends_(loop, driver_log_, std::move(health)),
      services_(loop, backends_, ready_),
      tick_(loop.watch([this, ticks = 0u](TimePoint now) mutable {
        log_.flush();
        if (++ticks % 100 == 0) backends_.sweep(now);
      })) {}

/// Route → admit → client → authenticate → read → authorize → run → reply → observe. Refusals come as early as
/// what they depend on is known: nothing is read for a caller who may not ask, no connection taken for a statement
/// that may not run.
Task<> Serve::handle(http::Exchange& exchange) {
  RequestContext context(exchange, snapshot_);
  context.request_id = identify(exchange.request());
  std::optional<json::Document> document;
  Result<> result = route(context);
  if (result) result = admit(context);
  ++running_;
  if (result && context.endpoint) {
    if (context.endpoint->needs_client || context.endpoint->action == Action::query) result = find_client(context);
    if (result) result = services_.auth.authenticate(context);
    if (result && context.direct != DirectTarget::none) result = co_await reach_direct_target(context);
    context.stage_done(Stage::route);
    if (result && takes_body(*context.endpoint)) {
      result = check_coding(context.head());
      std::optional<std::string_view> body = result ? exchange.body_at_hand() : std::nullopt;
      if (result && !body) {
        const auto received = co_await exchange.read_body();
        received ? (void)(body = *received) : (void)(result = fail(received.error()));
      }
      if (result) result = read(context, *body, document);
    } else if (result && context.endpoint->read) {
      result = context.endpoint->read(context);
    }
    if (result && context.client_in_body) {
      result = find_client_in_body(context);
      if (result) result = services_.auth.authenticate(context);  // a key is valid for its client
    }
    if (result) result = services_.auth.authorize(context);
    context.stage_done(Stage::read);
    if (result) result = co_await context.endpoint->run(context, services_);
    context.stage_done(Stage::run);
  }
  --running_;
  if (result) {
    complete(context);
  } else {
    fail_request(context, result.error());
  }
  observe(context);
}

/// The id that the caller gave, if it is sane, or a new one.
std::string Serve::identify(const http::RequestHead& head) {
  const auto incoming = head.find("X-Request-Id");
  return incoming && is_sane_request_id(*incoming) ? std::string(*incoming) : ids_.next();
}

/// Whoever watches over the server must hear from it all the more when it is overloaded. What is open to everyone waits
/// for nothing, so it is over before the next request begins.
Result<> Serve::admit(const RequestContext& context) const {
  const bool is_waiting_for_nothing = !context.endpoint || context.endpoint->action == Action::open;
  if (is_waiting_for_nothing || running_ < context.settings().max_concurrent_requests) return {};
  return fail(Code::overloaded, "Too many requests run at once", "Try again shortly.");
}

/// Endpoint and deadline: everything that the head alone decides.
Result<> Serve::route(RequestContext& context) {
  const http::RequestHead& head = context.head();
  const Match found = match(head.method, head.path);
  if (!found.endpoint && found.path_known && is_preflight(head)) {
    answer_preflight(context.exchange, context.settings(), allowed_methods(head.path));
    return {};
  }
  if (!found.path_known) return fail(Code::route_not_found, "There is no such route", "GET / lists the routes.");
  if (!found.endpoint) {
    const std::string allowed = allowed_methods(head.path);
    if (head.method == http::Method::options) {
      context.exchange.set_status(204);
      context.exchange.add_header("Allow", allowed);
      return {};
    }
    return fail(Error(Code::method_not_allowed, "This route takes " + allowed).with("allow", allowed));
  }
  context.endpoint = found.endpoint;
  ATHENA_TRY(context.deadline, read_deadline(head, context.settings(), context.exchange.received_at()));
  return {};
}

/// X-Athena-Client, or a direct target where a caller may name one (contract 2).
Result<> Serve::find_client(RequestContext& context) {
  const http::RequestHead& head = context.head();
  auto direct = head.find("X-JDBC-URL");
  if (!direct) direct = head.find("x-pg-uri");
  if (direct && !direct->empty()) {
    context.direct = DirectTarget::postgres;
    context.direct_uri = *direct;
    return {};
  }
  ATHENA_TRY(const auto name, single_header(head, "X-Athena-Client"));
  if (!name || name->empty()) {
    if (!context.endpoint->needs_client) return {};
    return fail(Code::missing_client_header, "X-Athena-Client header is required and cannot be empty");
  }
  const auto* client = context.snapshot->find(*name);
  if (!client && text::iequals(*name, kCustomSupabase)) {
    context.direct = DirectTarget::supabase;
    return {};
  }
  if (!client) return fail(Code::unknown_client, "X-Athena-Client does not match a configured client.");
  return use_client(context, *client);
}

/// Where no header names the client, /query/sql does it in its body.
Result<> Serve::find_client_in_body(RequestContext& context) {
  const std::string& name = *context.client_in_body;
  if (const auto* client = context.snapshot->find(name)) return use_client(context, *client);
  return fail(Error(Code::unknown_client, "'" + name.substr(0, 64) + "' does not name a configured client",
                    "Send X-Athena-Client, or a client's name in db_name."));
}

Result<> Serve::use_client(RequestContext& context, const std::shared_ptr<const Client>& client) {
  if (client->settings.frozen) {
    return fail(Error(Code::client_frozen, "Client '" + client->settings.name + "' is frozen"));
  }
  context.slot = backends_.get(client);
  return read_session(context);
}

/// To look up a name costs time and tells about the network: it is not done for whom no key lets in.
Async<> Serve::reach_direct_target(RequestContext& context) {
  if (context.direct == DirectTarget::supabase) co_return co_await reach_custom_supabase(context);
  const std::string uri(context.direct_uri);
  ATHENA_CO_TRY(const driver::Target target, co_await resolve_direct_target(loop_, uri, context.settings()));
  context.slot = backends_.get_direct(uri + '\n' + target.address, target);
  co_return Result<>{};
}

/// The project that x-supabase-url names, which no configuration knows.
Async<> Serve::reach_custom_supabase(RequestContext& context) {
  ATHENA_CO_TRY(const auto url, single_header(context.head(), "x-supabase-url"));
  ATHENA_CO_TRY(const auto key, single_header(context.head(), "x-supabase-key"));
  const std::string url_text(url.value_or("")), key_text(key.value_or(""));
  ATHENA_CO_TRY(const driver::Target target,
                co_await resolve_supabase_target(system_resolver(loop_), url_text, key_text, context.settings()));
  context.slot = backends_.get_direct(target.url + '\n' + target.address + '\n' + key_text, target, kCustomSupabase);
  co_return Result<>{};
}

/// What the body asks for. One that differs from others before it in nothing but values is recognised by its text.
Result<> Serve::read(RequestContext& context, std::string_view body, std::optional<json::Document>& document) {
  const Endpoint& endpoint = *context.endpoint;
  context.request_body = body;
  const bool may_recall =
      endpoint.recall && context.snapshot == snapshot_;  // what is known was read as settings are now
  if (may_recall) {
    if (auto recalled = services_.fetch_templates.find(body)) return endpoint.recall(context, *std::move(recalled));
  }
  ATHENA_TRY_VOID(parse(context, body, document));
  ATHENA_TRY_VOID(endpoint.read(context));
  if (may_recall)
    services_.fetch_templates.learn(std::get<query::FetchRequest>(context.intent), context.settings().read);
  return {};
}

/// The body, as JSON.
Result<> Serve::parse(RequestContext& context, std::string_view body, std::optional<json::Document>& document) {
  if (text::trim(body).empty()) body = "{}";  // what is missing is then named by its reader
  ATHENA_TRY(document, json::Document::parse(body));
  if (!document->root().is_object()) return fail(Code::invalid_request, "The request body must be a JSON object");
  context.document = &*document;
  return {};
}

void Serve::complete(RequestContext& context) {
  http::Exchange& exchange = context.exchange;
  if (exchange.head_sent()) return;
  const bool is_get = context.head().method == http::Method::get || context.head().method == http::Method::head;
  if (is_get && exchange.status() == 200 && !exchange.body().empty() && context.endpoint->action != Action::open) {
    const std::string tag = entity_tag(exchange.body().view());
    exchange.add_header("ETag", tag);
    if (const auto known = context.head().find("If-None-Match"); known && matches_tag(*known, tag)) {
      exchange.set_status(304);
      exchange.body().clear();
    }
  }
  add_common_headers(context);
}

void Serve::fail_request(RequestContext& context, const Error& error) {
  http::Exchange& exchange = context.exchange;
  context.error = error.code;
  context.error_detail = error.log_detail;
  if (exchange.head_sent()) {
    log_.stream_cut();
    exchange.abort();  // the peer must see that the answer is cut
    return;
  }
  write_error(exchange, error, context.request_id);
  if (error.code == Code::method_not_allowed) exchange.add_header("Allow", allowed_methods(context.head().path));
  add_common_headers(context);
}

void Serve::refuse(http::Exchange& exchange, const Error& error) {
  log_.request_refused();
  RequestContext context(exchange, snapshot_);
  context.request_id = identify(exchange.request());
  fail_request(context, error);
  observe(context);
}

void Serve::observe(const RequestContext& context) {
  RequestDone done;
  done.request_id = context.request_id;
  done.method = context.head().method_text;
  done.path = context.endpoint ? context.endpoint->path : context.head().path.substr(0, 256);
  if (context.slot) done.client = context.client().settings.name;
  done.table = context.table;
  done.peer = context.exchange.peer();
  done.status = context.exchange.status();
  done.rows = context.rows;
  done.duration = Clock::now() - context.exchange.received_at();
  if (context.error != Code{0}) done.error_code = error_row(context.error).wire_code;
  done.error_detail = context.error_detail;
  log_.request_done(done);
}

void Serve::set_snapshot(std::shared_ptr<const Snapshot> snapshot) {
  snapshot_ = std::move(snapshot);
  log_.set_mode(snapshot_->settings.request_log);
  backends_.retire_missing(*snapshot_);
  services_.fetch_templates.clear();
}

Task<> Serve::stop() {
  tick_ = {};
  co_await backends_.stop();
  log_.flush();
}

}  // namespace athena::gateway
