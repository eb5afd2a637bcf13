#include <athena/sdk/config.h>

#include <cstdlib>

#include <athena/base/text.h>

namespace athena::sdk {
namespace {

struct TypeName {
  BackendType type;
  std::string_view name;
};
/// The first name of a type is the one that is shown.
constexpr TypeName kNames[] = {
    {BackendType::native, "native"},       {BackendType::postgresql, "postgresql"},
    {BackendType::postgresql, "postgres"}, {BackendType::neon, "neon"},
    {BackendType::sqlite, "sqlite"},       {BackendType::scylla, "scylla"},
    {BackendType::scylla, "cassandra"},    {BackendType::supabase, "supabase"},
    {BackendType::postgrest, "postgrest"}, {BackendType::d1, "d1"},
    {BackendType::d1, "cloudflare-d1"},    {BackendType::gateway, "gateway"},
};

Result<std::string> variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value && *value != '\0') return std::string(value);
  return fail(Code::configuration_error, "Missing environment variable '" + name + "'");
}

}  // namespace

Result<BackendType> backend_type(std::string_view name) {
  std::string known;
  for (const TypeName& row : kNames) {
    if (text::iequals(row.name, name)) return row.type;
    known += known.empty() ? "" : ", ";
    known += row.name;
  }
  return fail(Code::unknown_driver, "There is no backend '" + std::string(name.substr(0, 64)) + "'",
              "Use one of: " + known);
}

std::string_view to_string(BackendType type) noexcept {
  for (const TypeName& row : kNames) {
    if (row.type == type) return row.name;
  }
  return "native";
}

Result<SupabaseBackend> SupabaseBackend::from_env(const std::string& url_variable, const std::string& key_variable) {
  AthenaClientConfig config;
  config.backend = BackendType::supabase;
  ATHENA_TRY(config.connection.url, variable(url_variable));
  ATHENA_TRY(config.connection.key, variable(key_variable));
  return SupabaseBackend(std::move(config));
}

}  // namespace athena::sdk
