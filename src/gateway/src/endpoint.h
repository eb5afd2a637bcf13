#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <athena/base/async.h>
#include <athena/http/message.h>

#include "context.h"

namespace athena::gateway {

class Services;

/// What a caller must be allowed to do (contract 2, rights). `open` needs nothing, `admin` the admin key.
enum class Action : std::uint8_t { open, read, write, del, query, schema, admin };

/// enveloped: in the shape that the caller chose; raw: the same for everyone.
enum class Reply : std::uint8_t { enveloped, raw };

/// One row of the route table: it drives routing, the order of checks, GET /, metric labels and the OpenAPI test.
struct Endpoint {
  http::Method method;
  std::string_view path;   ///< "/gateway/fetch"; data routes also answer under /db
  std::string_view frame;  ///< its name over WebSocket; empty: HTTP only
  Action action;
  bool needs_client;
  Reply reply;
  /// Body or URL → intent. Null: there is nothing to read. `context.document` is set unless the method is GET.
  Result<> (*read)(RequestContext&);
  /// Does it, and writes the answer to context.body().
  Async<> (*run)(RequestContext&, Services&);
  std::string_view summary;
  /// Instead of `read`, for a body that FetchTemplates recognised. Null: bodies are always read.
  Result<> (*recall)(RequestContext&, RecalledFetch) = nullptr;
};

/// The one list: endpoints.cpp.
std::span<const Endpoint> endpoints() noexcept;

/// What routing found: the endpoint, or the error to answer with (and the methods that the path does take).
struct Match {
  const Endpoint* endpoint = nullptr;
  bool path_known = false;
};
/// HEAD is answered by GET's endpoint.
Match match(http::Method method, std::string_view path) noexcept;
/// "GET, HEAD, POST": the methods of a path.
std::string allowed_methods(std::string_view path);

}  // namespace athena::gateway
