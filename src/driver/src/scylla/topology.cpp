#include "scylla/topology.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <athena/base/json.h>

#include "scylla/decode.h"
#include "scylla/errors.h"

namespace athena::driver::scylla {
namespace {

using Texts = std::vector<std::vector<std::optional<std::string>>>;

constexpr std::string_view kLocal =
    "SELECT host_id, data_center, rack, tokens, partitioner FROM system.local WHERE key = 'local'";
constexpr std::string_view kPeers =
    "SELECT host_id, data_center, rack, tokens, native_address, native_port, peer FROM system.peers_v2";
/// Of ScyllaDB, and of Cassandra before 4.
constexpr std::string_view kOldPeers = "SELECT host_id, data_center, rack, tokens, rpc_address, peer FROM system.peers";
constexpr std::string_view kMurmur3 = "Murmur3Partitioner";

std::unexpected<Error> malformed(std::string detail) {
  return fail(Error(Code::connection_error, "The database's answer could not be read").logged(std::move(detail)));
}

std::optional<std::string> text_of(const Cell& cell) {
  switch (cell.kind()) {
    case CellKind::null:
      return std::nullopt;
    case CellKind::boolean:
      return cell.integer() != 0 ? "true" : "false";
    case CellKind::integer:
      return std::to_string(cell.integer());
    case CellKind::real:
      return std::to_string(cell.real());
    case CellKind::text:
    case CellKind::verbatim:
    case CellKind::quoted:
    case CellKind::bytes:
      return std::string(cell.view());
  }
  return std::nullopt;
}

/// None: the server refuses the query (a table that it does not have).
Async<std::optional<Texts>> ask(Connection& connection, std::string_view cql, TimePoint deadline) {
  QueryQuestion question{cql, {}};
  question.options.consistency = Consistency::one;
  ATHENA_CO_TRY(const ExchangePtr answer, co_await connection.ask(question, deadline));
  if (answer->opcode == Opcode::error) co_return std::nullopt;
  std::string_view body = answer->body.view();
  AnswerExtras extras;
  if (answer->opcode != Opcode::result || !take_extras(answer->flags, body, extras)) co_return malformed("no result");
  const auto result = read_result(body);
  if (!result) co_return malformed("result");
  ATHENA_CO_TRY(Texts texts, read_texts(*result));
  co_return texts;
}

std::vector<Token> tokens_of(const std::optional<std::string>& json) {
  if (!json) return {};
  const auto document = json::Document::parse(*json);  // which looks into the text
  std::vector<std::string> texts;
  if (document && document->root().is_array()) {
    for (const json::Value value : document->root()) {
      if (value.is_string()) texts.emplace_back(value.as_string());
    }
  }
  auto tokens = read_tokens(texts);
  return tokens ? *std::move(tokens) : std::vector<Token>();
}

void read_common(Node& node, const std::vector<std::optional<std::string>>& row) {
  node.host_id = row[0].value_or("");
  node.data_center = row[1].value_or("");
  node.rack = row[2].value_or("");
  node.tokens = tokens_of(row[3]);
}

bool is_wildcard(const std::string& address) noexcept {
  return address == "0.0.0.0" || address == "::";
}

}  // namespace

Result<Texts> read_texts(const ResultView& result) {
  Texts texts;
  if (result.kind != ResultView::Kind::rows) return texts;
  const auto columns = read_columns(result.metadata.columns);
  if (!columns) return malformed("columns");
  RowDecoder decoder(*columns);
  std::vector<Cell> cells;
  ScratchArena scratch;
  std::string_view rows = result.rows;
  for (std::uint32_t i = 0; i < result.row_count; ++i) {
    cells.clear();
    scratch.clear();
    ATHENA_TRY_VOID(decoder.decode_row(rows, cells, scratch));
    auto& row = texts.emplace_back();
    for (const Cell& cell : cells) row.push_back(text_of(cell));
  }
  return texts;
}

Async<std::vector<Node>> read_topology(Connection& connection, Node self, bool alone, TimePoint deadline) {
  const auto keep = connection.shared_from_this();
  ATHENA_CO_TRY(const auto local, co_await ask(connection, kLocal, deadline));
  if (!local || local->size() != 1 || local->front().size() != 5) co_return malformed("system.local");
  read_common(self, local->front());
  const bool has_tokens = local->front()[4].value_or("").ends_with(kMurmur3);
  std::vector<Node> nodes = {std::move(self)};
  std::optional<Texts> peers;
  bool is_old = false;
  if (!alone) {
    ATHENA_CO_TRY(peers, co_await ask(connection, kPeers, deadline));
    if (!peers) {
      is_old = true;
      ATHENA_CO_TRY(peers, co_await ask(connection, kOldPeers, deadline));
    }
  }
  for (const auto& row : peers.value_or(Texts())) {
    if (row.size() != (is_old ? 6u : 7u)) co_return malformed("system.peers");
    Node node;
    read_common(node, row);
    node.address = row[4].value_or("");
    if (is_wildcard(node.address)) node.address = row.back().value_or("");
    node.port = nodes.front().port;
    if (!is_old && row[5]) std::from_chars(row[5]->data(), row[5]->data() + row[5]->size(), node.port);
    // A node that is joining or leaving has a row that is not whole.
    if (node.address.empty() || node.host_id.empty() || node.data_center.empty()) continue;
    nodes.push_back(std::move(node));
  }
  if (!has_tokens) std::ranges::for_each(nodes, [](Node& node) { node.tokens.clear(); });
  co_return nodes;
}

Async<bool> has_one_schema(Connection& connection, std::vector<std::string> addresses, TimePoint deadline) {
  const auto keep = connection.shared_from_this();
  ATHENA_CO_TRY(const auto local, co_await ask(connection, "SELECT schema_version FROM system.local", deadline));
  ATHENA_CO_TRY(const auto peers,
                co_await ask(connection, "SELECT schema_version, rpc_address, peer FROM system.peers", deadline));
  if (!local || local->size() != 1 || !peers) co_return true;  // there is no telling
  const auto& ours = local->front().front();
  co_return std::ranges::all_of(*peers, [&](const auto& row) {
    const std::string address = row[1] && !is_wildcard(*row[1]) ? *row[1] : row[2].value_or("");
    return !row[0] || row[0] == ours || std::ranges::find(addresses, address) == addresses.end();
  });
}

}  // namespace athena::driver::scylla
