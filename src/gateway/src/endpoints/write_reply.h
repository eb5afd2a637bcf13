#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <athena/query/statement.h>

#include "context.h"

namespace athena::gateway {

/// X-User-Id, X-Company-Id and X-Organization-Id on inserts and deletes, unless gateway.audit_headers says optional.
Result<> check_audit_headers(const RequestContext& context);

/// `Prefer: handling=strict` among what the header lists.
bool is_strict(const http::RequestHead& head);

/// For updates and deletes, after the last batch. Error: nothing_matched, if that is one for a caller who is strict.
Result<> check_matched(const RequestContext& context, const driver::RowStream& stream);

/// What the answer to an insert or a delete says beside its rows.
struct WriteReply {
  std::string_view message;
  bool single = false;               ///< `data` is one row, not an array
  bool ids_of_rows = false;          ///< resource_id comes from the rows' id column
  std::string resource_id = "null";  ///< otherwise: JSON
  bool with_count = false;
  bool without_rows = false;  ///< `data` is empty, whatever came back
};

/// The column whose value is the row's id: table_id_map.yaml, else a single-column primary key, else "" (there is
/// none).
std::string id_column_of(const RequestContext& context, const query::TableDef& table);

/// Adds `id_column` to a returning list that does not have it; returns how many hidden columns that makes (0 or 1).
std::size_t add_hidden_id(std::vector<query::Output>& returning, const std::string& id_column);

/// Drains the stream and writes the reply. These two routes answer alike in the documented and the compact shape.
Async<> answer_write(RequestContext& context, driver::RowStream& stream, WriteReply reply, const std::string& id_column,
                     std::size_t hidden);

/// A scalar as JSON.
std::string to_json(const query::Scalar& scalar);

}  // namespace athena::gateway
