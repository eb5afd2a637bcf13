#pragma once

#include <string_view>

#include <athena/base/result.h>
#include <athena/gateway/settings.h>
#include <athena/http/message.h>

namespace athena::gateway {

struct Endpoint;
struct RequestContext;

/// Who may do what (contract 2). Stands between routing and reading, and again between reading and running.
class Auth {
 public:
  /// Before the body is read. Admin routes need the admin key. Data routes pass as long as no key enforcement is
  /// configured, which this version does not offer yet: the place and the order are what matters here.
  Result<> authenticate(RequestContext& context) const;
  /// After the body is read: may this caller do this to this table?
  Result<> authorize(RequestContext& context) const;
};

/// A key that a caller presents, from the headers and, for admin routes, `?api_key=` (deprecated).
/// All of them are candidates: a Bearer token of another system does not shadow an `apikey`.
struct PresentedKeys {
  std::string_view keys[4];
  std::size_t count = 0;
  std::string from_query;
};
PresentedKeys presented_keys(const http::RequestHead& head, bool with_query);

}  // namespace athena::gateway
