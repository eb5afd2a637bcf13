#include <athena/query/statement.h>

namespace athena::query {
namespace {

struct Target {
  const Table& operator()(const Select& select) const noexcept { return select.from; }
  const Table& operator()(const Insert& insert) const noexcept { return insert.into; }
  const Table& operator()(const Update& update) const noexcept { return update.table; }
  const Table& operator()(const Delete& del) const noexcept { return del.from; }
};

}  // namespace

const Table& target(const Statement& statement) noexcept {
  return std::visit(Target{}, statement);
}

}  // namespace athena::query
