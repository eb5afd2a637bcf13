#include "scylla/statement_cache.h"

#include <utility>

namespace athena::driver::scylla {

ColumnsPtr make_columns(const ColumnsText& text) {
  auto specs = read_columns(text);
  if (!specs) return nullptr;
  auto columns = std::make_shared<ResultColumns>();
  for (const ColumnSpec& spec : *specs) {
    columns->infos.push_back({spec.name, to_string(spec.type), type_class(spec.type)});
  }
  columns->specs = *std::move(specs);
  columns->bytes = text.bytes;
  columns->global_table = text.global_table;
  return columns;
}

std::optional<Token> token_of(const Prepared& prepared, const BoundValues& values) {
  if (prepared.partition_key.empty()) return std::nullopt;
  std::vector<std::optional<std::string_view>> cells;
  MessageReader reader(values.bytes);
  for (std::uint16_t i = 0; i < values.count; ++i) cells.push_back(reader.bytes());
  std::vector<std::string_view> key;
  for (const std::uint16_t at : prepared.partition_key) {
    if (at >= cells.size() || !cells[at]) return std::nullopt;
    key.push_back(*cells[at]);
  }
  if (key.size() == 1) return murmur3_token(key.front());
  return murmur3_token(routing_key(key));
}

std::string StatementCache::key_of(std::string_view keyspace, std::string_view cql) {
  std::string key(keyspace);
  key.append(1, '\0').append(cql);
  return key;
}

PreparedPtr StatementCache::find(std::string_view keyspace, std::string_view cql) {
  const auto found = by_text_.find(key_of(keyspace, cql));
  if (found == by_text_.end()) return nullptr;
  if (found->second->second->is_outdated) {
    forget(*PreparedPtr(found->second->second));  // which the entry's end must not end
    return nullptr;
  }
  order_.splice(order_.begin(), order_, found->second);
  return found->second->second;
}

void StatementCache::put(PreparedPtr statement) {
  forget(*statement);
  std::string key = key_of(statement->keyspace, statement->cql);
  order_.emplace_front(std::move(key), std::move(statement));
  by_text_.emplace(order_.front().first, order_.begin());
  if (by_text_.size() <= capacity_) return;
  by_text_.erase(order_.back().first);
  order_.pop_back();
}

void StatementCache::forget(const Prepared& statement) {
  const auto found = by_text_.find(key_of(statement.keyspace, statement.cql));
  if (found == by_text_.end()) return;
  const auto entry = found->second;
  by_text_.erase(found);
  order_.erase(entry);
}

}  // namespace athena::driver::scylla
