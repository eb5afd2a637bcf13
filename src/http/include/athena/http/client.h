#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <athena/base/async.h>
#include <athena/base/cancellation.h>
#include <athena/base/clock.h>
#include <athena/base/loop.h>

namespace athena::http {

/// A request to another server. The URL is ours or an administrator's: callers' addresses are checked before they come
/// here.
struct ClientRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  milliseconds timeout{30'000};
  milliseconds connect_timeout{10'000};  ///< within `timeout`
  milliseconds idle_timeout{118'000};    ///< a kept connection that was idle for longer is not used again
  std::size_t max_body_bytes = 64 * 1024 * 1024;
  /// Connect to this address instead of what the name resolves to ("host:port:address" as in curl's CURLOPT_RESOLVE):
  /// what was checked is what is used. Empty: resolve.
  std::string pinned_address;
  /// False: the request leaves at most once. Otherwise it is sent again, on a new connection, when a kept one turns out
  /// to be dead, which nobody can tell from one that died while the request was carried out.
  bool may_repeat = true;
  /// Borrowed, null: nobody asks. Set to true when a connection is there and the request begins to leave: after an
  /// error without it, the other server has seen nothing.
  bool* sent = nullptr;
};
struct ClientResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  ///< names lower-cased
  std::string body;
};

/// An HTTP client on one loop (libcurl multi): connections are kept and reused, certificates verified, redirects never
/// followed.
class Client {
 public:
  static std::unique_ptr<Client> create(Loop& loop);
  virtual ~Client() = default;
  /// Errors: database_unavailable (cannot connect, reset, certificate), deadline_exceeded, result_too_large, cancelled,
  /// overloaded (too many at once), configuration_error (no http URL, a header that cannot be sent).
  virtual Async<ClientResponse> send(ClientRequest request, Cancellation* cancellation) = 0;
};

}  // namespace athena::http
