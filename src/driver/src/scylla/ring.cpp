#include "scylla/ring.h"

#include <algorithm>
#include <set>

#include <athena/base/text.h>

namespace athena::driver::scylla {
namespace {

constexpr std::uint32_t kMaxFactor = 1'000;

/// "3", or "3/1" with transient replicas, which keep no full copy.
std::uint32_t read_factor(std::string_view text) noexcept {
  const std::size_t slash = text.find('/');
  const auto all = text::parse_u64(text.substr(0, slash));
  const auto transient = slash == std::string_view::npos ? 0 : text::parse_u64(text.substr(slash + 1));
  if (!all || !transient || *all > kMaxFactor || *transient > *all) return 0;
  return static_cast<std::uint32_t>(*all - *transient);
}

}  // namespace

Replication read_replication(const std::vector<std::pair<std::string, std::string>>& options) {
  Replication replication;
  for (const auto& [name, value] : options) {
    if (name == "class") {
      if (value.ends_with("SimpleStrategy")) replication.strategy = Replication::Strategy::simple;
      if (value.ends_with("NetworkTopologyStrategy")) replication.strategy = Replication::Strategy::network;
    } else if (name == "replication_factor") {
      replication.factor = read_factor(value);
    } else if (const std::uint32_t factor = read_factor(value); factor > 0) {
      replication.per_data_center.emplace_back(name, factor);
    }
  }
  // A factor beside a strategy of another kind says nothing about where copies are.
  if (replication.strategy != Replication::Strategy::network) replication.per_data_center.clear();
  if (replication.strategy != Replication::Strategy::simple) replication.factor = 0;
  std::ranges::sort(replication.per_data_center);
  return replication;
}

Result<std::vector<Token>> read_tokens(const std::vector<std::string>& texts) {
  std::vector<Token> tokens;
  tokens.reserve(texts.size());
  for (const std::string& text : texts) {
    const auto value = text::parse_i64(text);
    if (!value) {
      return fail(Error(Code::internal_error, "The database spreads its rows in a way that is not known")
                      .logged("token '" + text.substr(0, 64) + "' is not of Murmur3Partitioner"));
    }
    tokens.push_back({*value});
  }
  return tokens;
}

Ring::Ring(std::vector<Node> nodes, std::map<std::string, Replication, std::less<>> keyspaces,
           std::string local_data_center)
    : nodes_(std::move(nodes)), local_data_center_(std::move(local_data_center)) {
  if (local_data_center_.empty() && !nodes_.empty()) local_data_center_ = nodes_.front().data_center;
  for (NodeIndex i = 0; i < nodes_.size(); ++i) {
    for (const Token token : nodes_[i].tokens) ring_.emplace_back(token, i);
  }
  std::ranges::sort(ring_);
  if (ring_.empty()) return;
  std::vector<std::pair<Replication, std::shared_ptr<const Table>>> known;
  for (auto& [name, replication] : keyspaces) {
    const auto same = std::ranges::find(known, replication, [](const auto& pair) { return pair.first; });
    if (same != known.end()) {
      keyspaces_.emplace(name, same->second);
      continue;
    }
    if (replication.strategy == Replication::Strategy::unknown) continue;
    auto table = std::make_shared<const Table>(
        replication.strategy == Replication::Strategy::simple ? simple(replication) : network(replication));
    keyspaces_.emplace(name, table);
    known.emplace_back(replication, std::move(table));
  }
}

const std::vector<NodeIndex>& Ring::replicas(std::string_view keyspace, Token token) const noexcept {
  const auto found = keyspaces_.find(keyspace);
  if (found == keyspaces_.end()) return none_;
  // A range belongs to the token at its end; beyond the last the ring begins anew.
  const auto at = std::ranges::lower_bound(ring_, token, {}, [](const auto& entry) { return entry.first; });
  return (*found->second)[at == ring_.end() ? 0 : static_cast<std::size_t>(at - ring_.begin())];
}

Ring::Table Ring::simple(const Replication& replication) const {
  Table table(ring_.size());
  const std::size_t wanted = std::min<std::size_t>(replication.factor, nodes_.size());
  for (std::size_t start = 0; start < ring_.size(); ++start) {
    auto& replicas = table[start];
    for (std::size_t step = 0; step < ring_.size() && replicas.size() < wanted; ++step) {
      const NodeIndex node = ring_[(start + step) % ring_.size()].second;
      if (std::ranges::find(replicas, node) == replicas.end()) replicas.push_back(node);
    }
  }
  return table;
}

/// What one data center is to keep of each range.
struct Ring::Center {
  std::string_view name;
  std::size_t wanted = 0;   ///< no more than it has nodes
  std::size_t repeats = 0;  ///< copies that have no rack of their own
};

Ring::Table Ring::network(const Replication& replication) const {
  std::vector<Center> centers;
  for (const auto& [name, factor] : replication.per_data_center) {
    std::set<std::string_view> racks;
    std::size_t members = 0;
    for (const Node& node : nodes_) {
      if (node.data_center != name || node.tokens.empty()) continue;
      ++members;
      racks.insert(node.rack);
    }
    const std::size_t wanted = std::min<std::size_t>(factor, members);
    centers.push_back({name, wanted, factor > racks.size() ? factor - racks.size() : 0});
  }
  Table table(ring_.size());
  for (std::size_t start = 0; start < ring_.size(); ++start) table[start] = network_range(start, centers);
  return table;
}

/// NetworkTopologyStrategy: along the ring, in each data center a node of each rack, and of a rack that has one already
/// only as many as there are copies without a rack of their own.
std::vector<NodeIndex> Ring::network_range(std::size_t start, std::vector<Center> centers) const {
  std::size_t wanted = 0;
  for (const Center& center : centers) wanted += center.wanted;
  std::vector<NodeIndex> replicas;
  std::set<std::pair<std::string_view, std::string_view>> racks;
  for (std::size_t step = 0; step < ring_.size() && replicas.size() < wanted; ++step) {
    const NodeIndex index = ring_[(start + step) % ring_.size()].second;
    const Node& node = nodes_[index];
    const auto center = std::ranges::find(centers, node.data_center, &Center::name);
    if (center == centers.end() || center->wanted == 0) continue;
    if (std::ranges::find(replicas, index) != replicas.end()) continue;
    if (!racks.emplace(node.data_center, node.rack).second) {
      if (center->repeats == 0) continue;
      --center->repeats;
    }
    --center->wanted;
    replicas.push_back(index);
  }
  return replicas;
}

}  // namespace athena::driver::scylla
