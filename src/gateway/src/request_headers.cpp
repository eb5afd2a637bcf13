#include "request_headers.h"

#include <string>

#include <athena/base/text.h>

namespace athena::gateway {

Result<std::optional<std::string_view>> single_header(const http::RequestHead& head, std::string_view name) {
  std::optional<std::string_view> found;
  for (const http::HeaderView& header : head.headers) {
    if (!text::iequals(header.name, name)) continue;
    const std::string_view value = text::trim(header.value);
    if (found && !text::iequals(*found, value)) {
      return fail(Code::invalid_request, std::string(name) + " is given twice, with different values");
    }
    found = value;
  }
  return found;
}

Result<> read_session(RequestContext& context) {
  if (!context.client().kind->can.sessions) return {};
  ATHENA_TRY(const auto mode, single_header(context.head(), "X-Athena-D1-Session-Mode"));
  ATHENA_TRY(const auto bookmark, single_header(context.head(), "X-Athena-D1-Bookmark"));
  context.session.mode = mode.value_or("");
  context.session.bookmark = bookmark.value_or("");
  const std::string& word = context.session.mode;
  if (word.empty() || word == "first-primary" || word == "first-unconstrained") return {};
  return fail(Code::invalid_value, "X-Athena-D1-Session-Mode must be first-primary or first-unconstrained");
}

}  // namespace athena::gateway
