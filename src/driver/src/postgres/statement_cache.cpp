#include "postgres/statement_cache.h"

#include <utility>

namespace athena::driver::postgres {

PreparedPtr StatementCache::find(std::string_view sql) {
  const auto found = by_sql_.find(sql);
  if (found == by_sql_.end()) return nullptr;
  if (found->second != order_.begin()) order_.splice(order_.begin(), order_, found->second);
  return *found->second;
}

StatementCache::Added StatementCache::add(std::string_view sql) {
  Added added;
  if (const auto old = by_sql_.find(sql); old != by_sql_.end()) {
    added.evicted = (*old->second)->name;
    order_.erase(old->second);
    by_sql_.erase(old);
  } else if (by_sql_.size() >= capacity_) {
    const PreparedPtr oldest = std::move(order_.back());
    order_.pop_back();
    by_sql_.erase(oldest->sql);
    added.evicted = oldest->name;
  }
  added.statement = std::make_shared<Prepared>();
  added.statement->sql = sql;
  added.statement->name = 's' + std::to_string(++last_name_);
  order_.push_front(added.statement);
  by_sql_.emplace(added.statement->sql, order_.begin());
  return added;
}

void StatementCache::forget(const Prepared& statement) {
  const auto found = by_sql_.find(statement.sql);
  if (found == by_sql_.end() || found->second->get() != &statement) return;
  const auto at = found->second;
  by_sql_.erase(found);
  order_.erase(at);
}

}  // namespace athena::driver::postgres
