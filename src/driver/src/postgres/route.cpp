#include "postgres/route.h"

#include <algorithm>
#include <variant>

namespace athena::driver::postgres {
namespace {

std::uint64_t row_bytes(const query::Printed& printed) noexcept {
  const std::uint64_t known = printed.table ? printed.table->average_row_bytes : 0;
  return known == 0 ? kAssumedRowBytes : known;
}

Route by_rows(std::uint64_t rows, const query::Printed& printed) noexcept {
  return rows <= kMaxLaneAnswerBytes / row_bytes(printed) ? Route::lane : Route::exclusive;
}

struct Chooser {
  const query::Printed& printed;

  Route operator()(const query::Select& select) const noexcept {
    if (printed.is_keyed) return Route::lane;
    return select.limit ? by_rows(*select.limit, printed) : Route::exclusive;
  }
  Route operator()(const query::Insert& insert) const noexcept { return by_rows(insert.rows.size(), printed); }
  Route operator()(const query::Update& update) const noexcept { return change(update.max_affected); }
  Route operator()(const query::Delete& erase) const noexcept { return change(erase.max_affected); }

  Route change(std::optional<std::uint64_t> most) const noexcept {
    if (printed.is_keyed && most.value_or(1) >= 1) return Route::lane;
    return most ? Route::guarded : Route::exclusive;
  }
};

}  // namespace

Route choose_route(const query::Statement& statement, const query::Printed& printed) noexcept {
  const Route route = std::visit(Chooser{printed}, statement);
  if (route != Route::lane) return route;
  std::uint64_t sent = printed.sql.size();
  for (const query::Param& param : printed.params) sent += param.text.size();
  return sent <= kMaxLaneAnswerBytes ? Route::lane : Route::exclusive;
}

bool may_share_sync(const query::Statement& statement, const query::Printed& printed) noexcept {
  const auto* select = std::get_if<query::Select>(&statement);
  if (!select || !printed.is_keyed || !printed.table || !printed.table->reads_alone) return false;
  return std::ranges::all_of(select->where.terms, [](const auto& term) {
    const auto* predicate = std::get_if<query::Predicate>(&term);
    return predicate && predicate->op == query::Op::eq;
  });
}

std::optional<std::uint64_t> most_affected(const query::Statement& statement) noexcept {
  if (const auto* update = std::get_if<query::Update>(&statement)) return update->max_affected;
  if (const auto* erase = std::get_if<query::Delete>(&statement)) return erase->max_affected;
  return std::nullopt;
}

}  // namespace athena::driver::postgres
