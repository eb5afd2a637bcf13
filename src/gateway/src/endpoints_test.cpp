#include "endpoint.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace athena::gateway {
namespace {

using enum http::Method;

std::string path_of(http::Method method, std::string_view path) {
  const Match found = match(method, path);
  return found.endpoint ? std::string(found.endpoint->path) : std::string();
}

TEST(Match, unknown_paths_are_not_known) {
  for (const std::string_view path :
       {"", "/nope", "/gateway", "/gateway/", "/gateway/fetch/", "//gateway/fetch", "/GATEWAY/FETCH",
        "/gateway/fetch%2f", "gateway/fetch", "/db", "/db/", "/db/db/gateway/fetch"}) {
    const Match found = match(post, path);
    EXPECT_FALSE(found.path_known) << path;
    EXPECT_EQ(found.endpoint, nullptr) << path;
    EXPECT_EQ(allowed_methods(path), "") << path;
  }
}

TEST(Match, a_known_path_with_another_method_says_so) {
  for (const http::Method method : {get, head, put, patch, del, options, other}) {
    const Match found = match(method, "/gateway/fetch");
    EXPECT_TRUE(found.path_known);
    EXPECT_EQ(found.endpoint, nullptr);
  }
}

TEST(Match, head_is_answered_by_the_endpoint_of_get) {
  EXPECT_EQ(path_of(head, "/ping"), "/ping");
  EXPECT_EQ(match(head, "/data").endpoint, match(get, "/data").endpoint);
}

TEST(Match, routes_that_need_a_database_also_answer_under_db) {
  EXPECT_EQ(match(post, "/db/gateway/fetch").endpoint, match(post, "/gateway/fetch").endpoint);
  EXPECT_EQ(path_of(get, "/db/schema/tables"), "/schema/tables");
  EXPECT_EQ(path_of(post, "/db/query/sql"), "/query/sql");
  for (const std::string_view path :
       {"/db/", "/db/ping", "/db/health", "/db/clients", "/db/schema/clients", "/db/openapi.yaml"}) {
    EXPECT_FALSE(match(get, path).path_known) << path;
  }
}

TEST(AllowedMethods, names_them_with_head_beside_get_and_options) {
  EXPECT_EQ(allowed_methods("/ping"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(allowed_methods("/gateway/insert"), "PUT, POST, OPTIONS");
  EXPECT_EQ(allowed_methods("/db/gateway/delete"), "DELETE, POST, OPTIONS");
}

TEST(Endpoints, each_method_and_path_stands_there_once) {
  std::set<std::pair<http::Method, std::string_view>> seen;
  for (const Endpoint& endpoint : endpoints()) {
    EXPECT_TRUE(seen.emplace(endpoint.method, endpoint.path).second) << endpoint.path;
    EXPECT_NE(endpoint.run, nullptr) << endpoint.path;
    EXPECT_FALSE(endpoint.summary.empty()) << endpoint.path;
  }
}

TEST(Endpoints, frames_are_unique) {
  std::set<std::string_view> seen;
  for (const Endpoint& endpoint : endpoints()) {
    if (!endpoint.frame.empty()) EXPECT_TRUE(seen.insert(endpoint.frame).second) << endpoint.frame;
  }
}

using Routes = std::set<std::pair<std::string, std::string>>;

/// The method and path of each operation: a path stands two blanks deep under `paths:`, its methods four.
Routes described_routes() {
  Routes routes;
  std::ifstream file(ATHENA_SOURCE_DIR "/api/openapi.yaml");
  bool in_paths = false;
  std::string path;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.front() != ' ') in_paths = line == "paths:";
    if (!in_paths) continue;
    if (line.starts_with("  /")) path = line.substr(2, line.size() - 3);
    if (!line.starts_with("    ") || line[4] == ' ' || !line.ends_with(':')) continue;
    std::string method = line.substr(4, line.size() - 5);
    std::ranges::transform(method, method.begin(), [](char c) { return static_cast<char>(c - 'a' + 'A'); });
    routes.emplace(std::move(method), path);
  }
  return routes;
}

TEST(Endpoints, openapi_describes_them_all_and_no_others) {
  Routes served;
  for (const Endpoint& endpoint : endpoints()) served.emplace(http::to_string(endpoint.method), endpoint.path);
  const Routes described = described_routes();
  for (const auto& [method, path] : served)
    EXPECT_TRUE(described.contains({method, path})) << "missing: " << method << ' ' << path;
  for (const auto& [method, path] : described)
    EXPECT_TRUE(served.contains({method, path})) << "unknown: " << method << ' ' << path;
}

}  // namespace
}  // namespace athena::gateway
