#include "endpoints/supabase.h"

#include <algorithm>

#include <athena/base/json_writer.h>
#include <athena/base/text.h>

#include "endpoints/routes.h"
#include "services.h"

namespace athena::gateway {
namespace {

constexpr std::size_t kMaxReply = 64 * 1024;

struct SslEnforcement {
  bool enabled = false;
  std::string access_token, project_ref;
};

/// A member of the body, or what the environment says in its place.
Result<std::string> text_or(const json::Value& value, std::string_view field, const std::string& fallback,
                            std::string_view variable) {
  if (value.exists() && !value.is_null() && !value.is_string())
    return fail(Code::invalid_value, "'" + std::string(field) + "' must be a text");
  std::string text(value.is_string() ? text::trim(value.as_string()) : std::string_view(fallback));
  if (!text.empty()) return text;
  return fail(Error(Code::missing_field, "'" + std::string(field) + "' is required",
                    "Send it, or set " + std::string(variable) + ".")
                  .with("field", std::string(field)));
}

Result<SslEnforcement> read_ssl_enforcement(const RequestContext& context) {
  const json::Value body = context.document->root();
  const Settings& settings = context.settings();
  SslEnforcement wanted;
  if (!body["enabled"].is_bool()) {
    return fail(Error(Code::missing_field, "'enabled' is required: true or false").with("field", "enabled"));
  }
  wanted.enabled = body["enabled"].as_bool();
  ATHENA_TRY(wanted.access_token,
             text_or(body["access_token"], "access_token", settings.supabase_access_token, "SUPABASE_ACCESS_TOKEN"));
  ATHENA_TRY(wanted.project_ref,
             text_or(body["project_ref"], "project_ref", settings.supabase_project_ref, "PROJECT_REF"));
  if (!is_project_ref(wanted.project_ref))
    return fail(Code::invalid_value, "'project_ref' is no reference of a Supabase project");
  const auto is_visible = [](char c) { return c > 0x20 && c < 0x7f; };
  if (!std::ranges::all_of(wanted.access_token, is_visible))
    return fail(Code::invalid_value, "'access_token' is no access token");
  return wanted;
}

Error refusal(int status) {
  const std::string shown = std::to_string(status);
  Error error(Code::database_unavailable, "Supabase's management API failed");
  if (status == 400 || status == 422) error = Error(Code::invalid_value, "Supabase refused the change");
  if (status == 401 || status == 403) {
    error = Error(Code::insufficient_privilege, "Supabase refused the access token for this project");
  }
  if (status == 404) error = Error(Code::undefined_object, "Supabase knows no such project");
  if (status == 429) error = Error(Code::rate_limited, "Supabase takes no more requests for now");
  error.fields.emplace_back("http_status", shown);
  return error;
}

}  // namespace

bool is_project_ref(std::string_view text) noexcept {
  const auto is_allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, is_allowed);
}

Result<> read_ssl_enforcement_body(RequestContext& context) {
  ATHENA_TRY_VOID(read_ssl_enforcement(context));
  return {};
}

Async<> run_ssl_enforcement(RequestContext& context, Services& services) {
  ATHENA_CO_TRY(const SslEnforcement wanted, read_ssl_enforcement(context));
  http::ClientRequest request;
  request.method = "PUT";
  request.url = context.settings().supabase_api_url + "/v1/projects/" + wanted.project_ref + "/ssl-enforcement";
  request.headers = {{"Authorization", "Bearer " + wanted.access_token}, {"Content-Type", "application/json"}};
  request.body = std::string("{\"requestedConfig\":{\"database\":") + (wanted.enabled ? "true" : "false") + "}}";
  request.timeout = std::chrono::duration_cast<milliseconds>(context.deadline - Clock::now());
  request.max_body_bytes = kMaxReply;
  ATHENA_CO_TRY(const auto response,
                co_await services.http().send(std::move(request), &context.exchange.cancellation()));
  if (response.status < 200 || response.status >= 300) co_return fail(refusal(response.status));
  const auto document = json::Document::parse(response.body);
  const json::Value current = document ? document->root()["currentConfig"]["database"] : json::Value();
  const json::Value applied = document ? document->root()["appliedSuccessfully"] : json::Value();
  if (!current.is_bool() || !applied.is_bool()) {
    co_return fail(Error(Code::database_error, "Supabase's management API answered something else")
                       .with("http_status", std::to_string(response.status)));
  }
  context.exchange.add_header("Content-Type", "application/json");
  json::Writer w(context.body());
  w.begin_object().member("status", "success").member("message", "SSL enforcement updated").key("data").begin_object();
  w.key("currentConfig").begin_object().key("database").boolean(current.as_bool()).end_object();
  w.key("appliedSuccessfully").boolean(applied.as_bool()).end_object().end_object();
  co_return Result<>{};
}

Result<> use_supabase_postgres(RequestContext& context, Services& services, const std::string& db_name) {
  std::string uri = context.settings().supabase_postgres_uri;
  if (uri.empty()) {
    const auto* behind =
        context.slot && context.client().settings.postgres ? &*context.client().settings.postgres : nullptr;
    if (!behind) {
      return fail(Code::feature_not_supported, "PostgREST runs no SQL, and no PostgreSQL behind it is configured",
                  "Set SUPABASE_POSTGRES_URI, or metadata.postgres_uri of the client.");
    }
    const std::string key = context.client().settings.name + "\n" + behind->masked() + "\n" + behind->password;
    context.slot = services.backends.get_direct(key, *behind, context.client().settings.name);
    return {};
  }
  constexpr std::string_view kPlace = "{db}";
  if (const std::size_t at = uri.find(kPlace); at != std::string::npos)
    uri.replace(at, kPlace.size(), text::url_encode(db_name));
  auto target = driver::parse_uri(uri);
  if (!target || target->kind != "postgresql")
    return fail(Code::configuration_error, "SUPABASE_POSTGRES_URI is no PostgreSQL URI");
  context.slot = services.backends.get_direct(uri, *target, "supabase");
  return {};
}

}  // namespace athena::gateway
