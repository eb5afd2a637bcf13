#include "direct_target.h"

#include <algorithm>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>

#include <athena/base/text.h>

namespace athena::gateway {
namespace {

using asio::ip::address;

/// IANA's special-purpose registries: what is not reachable from everywhere.
constexpr std::string_view kSpecialV4[] = {
    "0.0.0.0/8",     "10.0.0.0/8",      "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24",    "192.0.2.0/24",   "192.88.99.0/24", "192.168.0.0/16",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",    "240.0.0.0/4",
};
/// Forms that carry an IPv4 address (mapped, translated, 6to4, Teredo) are refused whole, whatever they carry.
constexpr std::string_view kSpecialV6[] = {
    "::/96",     "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64",  "2001::/23", "2001:db8::/32",
    "2002::/16", "3fff::/20",     "5f00::/16",    "fc00::/7",       "fe80::/10", "fec0::/10", "ff00::/8",
};

bool contains(const asio::ip::network_v4& network, const asio::ip::address_v4& a) {
  return (a.to_uint() & network.netmask().to_uint()) == network.network().to_uint();
}

/// Without the scope: asio compares that too, and then no link-local address of an interface would lie in fe80::/10.
bool contains(const asio::ip::network_v6& network, const asio::ip::address_v6& a) {
  const asio::ip::address_v6 unscoped(a.to_bytes());
  return asio::ip::network_v6(unscoped, network.prefix_length()).network() == network.network();
}

bool is_public(const address& a) {
  if (a.is_v4()) {
    return std::ranges::none_of(
        kSpecialV4, [&](std::string_view n) { return contains(asio::ip::make_network_v4(std::string(n)), a.to_v4()); });
  }
  return std::ranges::none_of(
      kSpecialV6, [&](std::string_view n) { return contains(asio::ip::make_network_v6(std::string(n)), a.to_v6()); });
}

}  // namespace

bool is_public_address(std::string_view text) {
  boost::system::error_code error;
  const address parsed = asio::ip::make_address(std::string(text), error);
  return !error && is_public(parsed);
}

bool is_allowed_host(std::string_view host, const std::vector<std::string>& allowed) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return std::ranges::any_of(allowed, [&](std::string_view name) {
    const bool only_subdomains = name.starts_with("*.");
    if (only_subdomains) name.remove_prefix(2);
    if (text::iequals(host, name)) return !only_subdomains;
    return host.size() > name.size() + 1 && host[host.size() - name.size() - 1] == '.' &&
           text::iequals(host.substr(host.size() - name.size()), name);
  });
}

Resolve system_resolver(Loop& loop) {
  return [&loop](std::string host, std::uint16_t port) -> Async<std::vector<std::string>> {
    asio::ip::basic_resolver<asio::ip::tcp, Executor> resolver(loop.executor());
    boost::system::error_code error;
    const auto found =
        co_await resolver.async_resolve(host, std::to_string(port), asio::redirect_error(use_task, error));
    if (error) co_return fail(Error(Code::database_unavailable).logged(error.message()));
    std::vector<std::string> addresses;
    for (const auto& entry : found) addresses.push_back(entry.endpoint().address().to_string());
    co_return addresses;
  };
}

Async<std::string> resolve_checked(Resolve resolve, std::string host, std::uint16_t port, bool allow_private,
                                   std::string header) {
  const auto addresses = co_await resolve(std::move(host), port);
  if (!addresses || addresses->empty()) co_return fail(Code::database_unavailable, header + " host cannot be resolved");
  if (!allow_private && !std::ranges::all_of(*addresses, is_public_address)) {
    co_return fail(Code::direct_target_refused, header + " private or local hosts are blocked by policy");
  }
  co_return addresses->front();
}

Async<driver::Target> resolve_direct_target(Loop& loop, std::string uri, const Settings& settings) {
  if (settings.jdbc_allowed_hosts.empty()) {
    co_return fail(Code::direct_target_refused, "X-JDBC-URL is switched off", "Set gateway.jdbc_allowed_hosts.");
  }
  auto target = driver::parse_uri(uri);
  if (!target || target->kind != "postgresql") {
    co_return fail(Code::invalid_value, "X-JDBC-URL must be a valid PostgreSQL JDBC URL (jdbc:postgresql://...)",
                   target ? std::string() : target.error().error);
  }
  if (target->host.empty() || target->host.starts_with('/'))
    co_return fail(Code::invalid_value, "X-JDBC-URL must include a host");
  if (!is_allowed_host(target->host, settings.jdbc_allowed_hosts)) {
    co_return fail(Code::direct_target_refused, "X-JDBC-URL host is not in the configured JDBC host allowlist");
  }
  const std::uint16_t port = target->port ? target->port : std::uint16_t{5432};
  ATHENA_CO_TRY(target->address, co_await resolve_checked(system_resolver(loop), target->host, port,
                                                          settings.jdbc_allow_private_hosts, "X-JDBC-URL"));
  co_return std::move(*target);
}

}  // namespace athena::gateway
