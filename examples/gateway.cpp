// A table through an Athena gateway, printed as JSON, with what the SDK knows about the gateway's health.
//   example_gateway http://127.0.0.1:4052 demo products
// The API key, if the gateway asks for one, comes from ATHENA_API_KEY.
#include <cstdlib>
#include <iostream>

#include <athena/sdk/client.h>

namespace sdk = athena::sdk;

int main(int count, char** arguments) {
  if (count < 4) {
    std::cerr << "usage: example_gateway URL CLIENT TABLE\n";
    return 2;
  }
  sdk::AthenaClientBuilder builder;
  builder.backend(sdk::BackendType::gateway).url(arguments[1]).client(arguments[2]).circuit_breaker_threshold(3);
  if (const char* key = std::getenv("ATHENA_API_KEY")) builder.key(key);
  const auto client = builder.build();
  if (!client) {
    std::cerr << client.error().error << '\n';
    return 1;
  }
  const sdk::HealthStatus health = client->health_check();
  std::cerr << (health.is_healthy ? "healthy" : health.error.error) << '\n';

  const auto rows = client->select(arguments[3]).limit(5).count().execute();
  if (!rows) {
    std::cerr << rows.error().error << '\n' << rows.error().hint << '\n';
    return 1;
  }
  std::cout << rows->to_json() << '\n' << rows->count.value_or(0) << " rows in all\n";
  return 0;
}
